// Owns: a raw byte relay, the floor of the benchmark: what moving the bytes costs with no HTTP.
// Threads: one, with one epoll; one upstream connection for each client connection.
// Never: looks into the bytes, and never holds more than one buffer of 256 KiB per direction.
// Read next: net.h. Usage: relay UPSTREAM_PORT; the port it listens on is printed on stdout.
#define _GNU_SOURCE
#include "net.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define BUFFER_SIZE (256 * 1024)
#define EVENTS_MAX 256

// What one recv may bring. Buffers are handed on, not copied, and reused when sent.
struct buffer {
    struct buffer *next_free;
    char bytes[BUFFER_SIZE];
};

// One socket of a pair. `held` are bytes that came from the peer and did not fit into this
// socket; while there are any, the peer is not read: that is the back-pressure.
struct side {
    int fd;
    uint32_t interest;    // what epoll watches for now
    struct side *peer;
    struct pair *pair;
    struct buffer *held;  // own; NULL when nothing is held
    size_t held_from;
    size_t held_to;
};

// A client connection with its upstream connection: they live and end together.
struct pair {
    struct side client;
    struct side upstream;
    bool ending;  // one side has ended; the pair closes when nothing is held for the other
    bool closed;  // freed after the current batch of events, which may still name it
    struct pair *next_closed;
};

static int poller;
static struct sockaddr_in upstream_address;
static struct pair *closed_pairs;
static struct buffer *free_buffers;
static struct buffer *incoming;  // what every recv reads into

static struct buffer *buffer_take(void)
{
    struct buffer *buffer = free_buffers;
    if (buffer)
        free_buffers = buffer->next_free;
    else if (!(buffer = malloc(sizeof *buffer)))
        die("malloc");
    return buffer;
}

static void buffer_give_back(struct buffer *buffer)
{
    if (!buffer)
        return;
    buffer->next_free = free_buffers;
    free_buffers = buffer;
}

static void side_watch(struct side *side, uint32_t interest)
{
    struct epoll_event event = {.events = interest, .data.ptr = side};
    if (side->interest == interest)
        return;
    side->interest = interest;
    if (epoll_ctl(poller, EPOLL_CTL_MOD, side->fd, &event))
        die("epoll_ctl");
}

static void pair_close(struct pair *pair)
{
    if (pair->closed)
        return;
    close(pair->client.fd);
    close(pair->upstream.fd);
    pair->closed = true;
    pair->next_closed = closed_pairs;
    closed_pairs = pair;
}

static void pairs_free_closed(void)
{
    while (closed_pairs) {
        struct pair *pair = closed_pairs;
        closed_pairs = pair->next_closed;
        buffer_give_back(pair->client.held);
        buffer_give_back(pair->upstream.held);
        free(pair);
    }
}

// Keeps what the socket did not take, stops reading its peer and waits until it is writable.
static void side_hold(struct side *side, size_t from, size_t to)
{
    side->held = incoming;
    side->held_from = from;
    side->held_to = to;
    incoming = buffer_take();
    side_watch(side, side->interest | EPOLLOUT);
    side_watch(side->peer, side->peer->interest & ~(uint32_t)EPOLLIN);
}

static void side_on_writable(struct side *side)
{
    size_t length = side->held_to - side->held_from;
    ssize_t sent = send(side->fd, side->held->bytes + side->held_from, length, MSG_NOSIGNAL);
    if (sent < 0) {
        if (errno != EAGAIN)
            pair_close(side->pair);
        return;
    }
    side->held_from += (size_t)sent;
    if (side->held_from < side->held_to)
        return;
    buffer_give_back(side->held);
    side->held = NULL;
    if (side->pair->ending) {
        pair_close(side->pair);
        return;
    }
    side_watch(side, side->interest & ~(uint32_t)EPOLLOUT);
    side_watch(side->peer, side->peer->interest | EPOLLIN);
}

// The end of either side ends the pair: an HTTP connection has no use for being half open.
static void side_on_end(struct side *side)
{
    if (!side->peer->held) {
        pair_close(side->pair);
        return;
    }
    side->pair->ending = true;
    side_watch(side, 0);
}

// One recv and one send per event: epoll is level-triggered and tells us again if there is more.
static void side_on_readable(struct side *side)
{
    ssize_t got = recv(side->fd, incoming->bytes, BUFFER_SIZE, 0);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0) {
        side_on_end(side);
        return;
    }
    ssize_t sent = send(side->peer->fd, incoming->bytes, (size_t)got, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        pair_close(side->pair);
        return;
    }
    if (sent < 0)
        sent = 0;  // full, or still connecting
    if (sent < got)
        side_hold(side->peer, (size_t)sent, (size_t)got);
}

static void side_init(struct side *side, int fd, struct side *peer, struct pair *pair)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = side};
    *side = (struct side){.fd = fd, .interest = EPOLLIN, .peer = peer, .pair = pair};
    socket_set_nodelay(fd);
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event))
        die("epoll_ctl");
}

// The connect may still be under way when the first bytes come: send answers EAGAIN then, the
// bytes are held, and the socket becomes writable when it is connected.
static void pair_open(int client_fd)
{
    struct pair *pair = calloc(1, sizeof *pair);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (!pair || fd < 0)
        die("pair_open");
    if (connect(fd, (struct sockaddr *)&upstream_address, sizeof upstream_address)
        && errno != EINPROGRESS)
        die("connect");
    side_init(&pair->client, client_fd, &pair->upstream, pair);
    side_init(&pair->upstream, fd, &pair->client, pair);
}

static void side_on_event(struct side *side, uint32_t events)
{
    if (side->pair->closed)
        return;
    if (events & EPOLLOUT && side->held)
        side_on_writable(side);
    if (side->pair->closed)
        return;
    if (events & EPOLLIN && side->interest & EPOLLIN)
        side_on_readable(side);
    else if (events & (EPOLLERR | EPOLLHUP))
        pair_close(side->pair);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: relay UPSTREAM_PORT\n");
        return 2;
    }
    upstream_address = loopback_address((uint16_t)atoi(argv[1]));
    incoming = buffer_take();
    poller = epoll_create1(EPOLL_CLOEXEC);
    int listener = listen_and_announce();
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[EVENTS_MAX];
    if (poller < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event))
        die("epoll");
    for (;;) {
        int count = epoll_wait(poller, events, EVENTS_MAX, -1);
        for (int i = 0; i < count; i++) {
            int client_fd;
            if (events[i].data.ptr)
                side_on_event(events[i].data.ptr, events[i].events);
            else
                while ((client_fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
                    pair_open(client_fd);
        }
        pairs_free_closed();
    }
}
