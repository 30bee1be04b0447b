// Owns: the origin server of the benchmark: fixed answers by path, as cheap as HTTP/1.1 allows.
// Threads: one, with one epoll.
// Never: allocates or formats per request (but for /head), so that it is not what is measured.
// Read next: net.h. Usage: origin /PATH=BYTES ...; the port it listens on is printed on stdout.
#define _GNU_SOURCE
#include "net.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX 256
#define PATHS_MAX 32
#define INPUT_SIZE (16 * 1024)

// What a path is answered with: head and body in one run of bytes, built at the start.
struct answer {
    char *bytes;
    size_t length;
};

// A path with its answer on a connection that stays and on one that is then closed.
struct path {
    const char *name;
    size_t name_length;
    struct answer stays, closes;
};

struct connection {
    int fd;
    bool close_after;     // the request asked for it
    bool closed;          // freed after the current batch of events
    bool waits_writable;
    size_t body_left;     // bytes of the request body still to come; then `next` is sent
    struct answer next;
    const char *out;      // what is left to send; points into an answer
    size_t out_left;
    char *echo;           // own; the answer to /head
    struct connection *next_closed;
    size_t input_length;
    char input[INPUT_SIZE];
};

static int poller;
static struct connection *closed_connections;
static struct path paths[PATHS_MAX];
static size_t paths_count;
static char date[64];  // of the start: a Date header is there, its value does not matter
static struct answer not_found, not_supported;

static struct answer answer_make(const char *status, bool closes, const char *body,
                                 size_t body_length)
{
    struct answer answer = {.bytes = malloc(512 + body_length)};
    if (!answer.bytes)
        die("malloc");
    int head_length = snprintf(answer.bytes, 512,
        "HTTP/1.1 %s\r\nServer: origin\r\nDate: %s\r\nContent-Type: text/plain\r\n"
        "%sContent-Length: %zu\r\n\r\n", status, date, closes ? "Connection: close\r\n" : "",
        body_length);
    if (body)
        memcpy(answer.bytes + head_length, body, body_length);
    else
        memset(answer.bytes + head_length, 'x', body_length);
    answer.length = (size_t)head_length + body_length;
    return answer;
}

static void paths_add(char *argument)
{
    char *equals = strchr(argument, '=');
    if (argument[0] != '/' || !equals || paths_count == PATHS_MAX) {
        fprintf(stderr, "origin: expected at most %d of /PATH=BYTES, got %s\n", PATHS_MAX,
                argument);
        exit(2);
    }
    *equals = 0;
    size_t body_length = strtoul(equals + 1, NULL, 10);
    paths[paths_count++] = (struct path){
        .name = argument,
        .name_length = strlen(argument),
        .stays = answer_make("200 OK", false, NULL, body_length),
        .closes = answer_make("200 OK", true, NULL, body_length),
    };
}

static void connection_close(struct connection *connection)
{
    if (connection->closed)
        return;
    close(connection->fd);
    connection->closed = true;
    connection->next_closed = closed_connections;
    closed_connections = connection;
}

static void connections_free_closed(void)
{
    while (closed_connections) {
        struct connection *connection = closed_connections;
        closed_connections = connection->next_closed;
        free(connection->echo);
        free(connection);
    }
}

static void connection_watch_writable(struct connection *connection, bool on)
{
    struct epoll_event event = {.events = on ? EPOLLOUT : EPOLLIN, .data.ptr = connection};
    if (connection->waits_writable == on)
        return;
    connection->waits_writable = on;
    if (epoll_ctl(poller, EPOLL_CTL_MOD, connection->fd, &event))
        die("epoll_ctl");
}

// Sends what is left; false when the client must first read, or when the connection is over.
static bool connection_send(struct connection *connection)
{
    while (connection->out_left) {
        ssize_t sent = send(connection->fd, connection->out, connection->out_left, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno == EAGAIN)
                connection_watch_writable(connection, true);
            else
                connection_close(connection);
            return false;
        }
        connection->out += sent;
        connection->out_left -= (size_t)sent;
    }
    if (connection->close_after) {
        connection_close(connection);
        return false;
    }
    connection_watch_writable(connection, false);
    return true;
}

// Reads the request headers that matter here: Content-Length, Connection, Transfer-Encoding.
// False when the body would be chunked, which is not read here.
static bool connection_read_headers(struct connection *connection, size_t head_length)
{
    static const char length_name[] = "content-length:", close_line[] = "connection: close";
    const char *line = connection->input, *end = connection->input + head_length;
    while ((line = memchr(line, '\n', (size_t)(end - line))) && ++line < end) {
        if ((*line | 32) == 'c') {
            if (!strncasecmp(line, length_name, sizeof length_name - 1))
                connection->body_left = strtoul(line + sizeof length_name - 1, NULL, 10);
            else if (!strncasecmp(line, close_line, sizeof close_line - 1))
                connection->close_after = true;
        } else if ((*line | 32) == 't' && !strncasecmp(line, "transfer-encoding:", 18)) {
            return false;
        }
    }
    return true;
}

static struct answer answer_find(const struct connection *connection, size_t head_length)
{
    const char *limit = connection->input + head_length;
    const char *name = memchr(connection->input, ' ', head_length);
    const char *end = name ? memchr(name + 1, ' ', (size_t)(limit - name - 1)) : NULL;
    size_t length = end ? (size_t)(end - ++name) : 0;
    for (size_t i = 0; i < paths_count; i++)
        if (paths[i].name_length == length && !memcmp(paths[i].name, name, length))
            return connection->close_after ? paths[i].closes : paths[i].stays;
    if (length == 5 && !memcmp(name, "/head", 5))
        return (struct answer){0};
    return not_found;
}

// Decides on the answer to the head at the start of the input. /head, for which there is none
// yet, is answered with the head that arrived, so that a test sees what a proxy sends.
static void connection_on_head(struct connection *connection, size_t head_length)
{
    if (!connection_read_headers(connection, head_length)) {
        connection->next = not_supported;
        connection->close_after = true;
        return;
    }
    connection->next = answer_find(connection, head_length);
    if (connection->next.bytes)
        return;
    free(connection->echo);
    connection->next =
        answer_make("200 OK", connection->close_after, connection->input, head_length);
    connection->echo = connection->next.bytes;
}

static void input_drop(struct connection *connection, size_t length)
{
    connection->input_length -= length;
    memmove(connection->input, connection->input + length, connection->input_length);
}

// Takes one step: a head, or a part of a body. False when more bytes or a writable socket is
// needed first.
static bool connection_step(struct connection *connection)
{
    if (!connection->body_left) {
        char *blank = memmem(connection->input, connection->input_length, "\r\n\r\n", 4);
        if (!blank) {
            if (connection->input_length == INPUT_SIZE)
                connection_close(connection);
            return false;
        }
        size_t head_length = (size_t)(blank + 4 - connection->input);
        connection_on_head(connection, head_length);
        input_drop(connection, head_length);
    }
    size_t length = connection->body_left < connection->input_length ? connection->body_left
                                                                     : connection->input_length;
    input_drop(connection, length);
    connection->body_left -= length;
    if (connection->body_left)
        return false;
    connection->out = connection->next.bytes;
    connection->out_left = connection->next.length;
    return connection_send(connection);
}

static void connection_on_readable(struct connection *connection)
{
    ssize_t got = recv(connection->fd, connection->input + connection->input_length,
                       INPUT_SIZE - connection->input_length, 0);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0) {
        connection_close(connection);
        return;
    }
    connection->input_length += (size_t)got;
    while (connection->input_length && connection_step(connection))
        continue;
}

static void connection_on_writable(struct connection *connection)
{
    if (connection_send(connection))
        while (connection->input_length && connection_step(connection))
            continue;
}

static void connection_open(int fd)
{
    struct connection *connection = calloc(1, sizeof *connection);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (!connection)
        die("calloc");
    connection->fd = fd;
    socket_set_nodelay(fd);
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event))
        die("epoll_ctl");
}

int main(int argc, char **argv)
{
    time_t now = time(NULL);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime(&now));
    for (int i = 1; i < argc; i++)
        paths_add(argv[i]);
    not_found = answer_make("404 Not Found", false, "no such path\n", 13);
    not_supported = answer_make("411 Length Required", true, "chunked is not read here\n", 25);
    poller = epoll_create1(EPOLL_CLOEXEC);
    int listener = listen_and_announce();
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[EVENTS_MAX];
    if (poller < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event))
        die("epoll");
    for (;;) {
        int count = epoll_wait(poller, events, EVENTS_MAX, -1);
        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;
            int fd;
            if (!connection)
                while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
                    connection_open(fd);
            else if (!connection->closed && connection->waits_writable)
                connection_on_writable(connection);
            else if (!connection->closed)
                connection_on_readable(connection);
        }
        connections_free_closed();
    }
}
