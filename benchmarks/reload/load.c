// Owns: a load whose requests are due at fixed times, whatever becomes of those before them.
// Threads: one, with one epoll.
// Never: waits for an answer before the next request is due. A request for which no connection is
// free is late, and its wait counts: latency runs from when it was due (no coordinated omission).
// Read next: net.h. Usage: load PORT CONNECTIONS RATE SECONDS PATHS OUTPUT. RATE 0: as fast as the
// answers come. PATHS is N for /r0 ... /rN-1, in turn. OUTPUT gets three 64-bit numbers a request:
// when it was due, when its answer was whole (CLOCK_MONOTONIC, ns; 0: never), its status.
#define _GNU_SOURCE
#include "../macro/net.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define INPUT_SIZE (16 * 1024)
#define CONNECTIONS_MAX 1024
#define REQUESTS_MAX (8u << 20)
#define PATIENCE_NS 5000000000ull

struct record {
    uint64_t due_ns, done_ns, status;
};

struct connection {
    int fd;
    bool busy;
    uint32_t request;  // the index of its record
    uint32_t input_length;
    char input[INPUT_SIZE];
};

static struct record *records;
static uint32_t records_count, sent_count, done_count, failed_count;
static struct connection connections[CONNECTIONS_MAX];
static uint32_t idle[CONNECTIONS_MAX], idle_count, connections_count;
static uint32_t paths_count;
static int poller;
static struct sockaddr_in target;

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void connection_open(struct connection *c)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&target, sizeof target))
        die("connect");
    socket_set_nodelay(c->fd);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    if (epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event))
        die("epoll_ctl");
    c->busy = false;
    c->input_length = 0;
    idle[idle_count++] = (uint32_t)(c - connections);
}

// The connection broke: what ran on it failed, and another takes its place.
static void connection_lost(struct connection *c)
{
    if (c->busy)
        failed_count++;
    for (uint32_t i = 0; i < idle_count; i++)
        if (idle[i] == (uint32_t)(c - connections))
            idle[i--] = idle[--idle_count];
    close(c->fd);
    connection_open(c);
}

static void request_send(uint32_t index)
{
    struct connection *c = &connections[idle[--idle_count]];
    char text[256];
    int size = snprintf(text, sizeof text, "GET /r%u HTTP/1.1\r\nHost: bench\r\n\r\n",
                        index % paths_count);
    c->busy = true;
    c->request = index;
    if (send(c->fd, text, (size_t)size, MSG_NOSIGNAL) != size)
        connection_lost(c);
}

// Bytes of the answer that lies in the input, 0 while it is not whole.
static uint32_t answer_length(struct connection *c)
{
    char *end = memmem(c->input, c->input_length, "\r\n\r\n", 4), *at;
    if (!end)
        return 0;
    *end = 0;
    at = strcasestr(c->input, "\r\ncontent-length:");
    uint32_t size = (uint32_t)(end + 4 - c->input) + (at ? (uint32_t)atoi(at + 17) : 0);
    *end = '\r';
    return size <= c->input_length ? size : 0;
}

static void connection_read(struct connection *c)
{
    ssize_t size = recv(c->fd, c->input + c->input_length, INPUT_SIZE - 1 - c->input_length, 0);
    if (size < 0 && errno == EAGAIN)
        return;
    if (size <= 0 || !c->busy) {
        connection_lost(c);
        return;
    }
    c->input_length += (uint32_t)size;
    c->input[c->input_length] = 0;
    if (!answer_length(c))
        return;
    records[c->request].done_ns = now_ns();
    records[c->request].status = (uint64_t)atoi(c->input + 9);
    bool closes = strcasestr(c->input, "\r\nconnection: close") != NULL;
    c->input_length = 0;
    c->busy = false;
    done_count++;
    if (closes)
        connection_lost(c);
    else
        idle[idle_count++] = (uint32_t)(c - connections);
}

static void wait_and_read(uint64_t until_ns)
{
    struct epoll_event events[256];
    uint64_t now = now_ns(), left = until_ns > now ? until_ns - now : 0;
    struct timespec timeout = {(time_t)(left / 1000000000u), (long)(left % 1000000000u)};
    int count = epoll_pwait2(poller, events, 256, &timeout, NULL);
    for (int i = 0; i < count; i++)
        connection_read(events[i].data.ptr);
}

static void output_write(const char *path)
{
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(records, sizeof *records, sent_count, file) != sent_count || fclose(file))
        die(path);
    printf("%u %u %u\n", sent_count, done_count, failed_count);
}

int main(int argc, char **argv)
{
    if (argc != 7) {
        fputs("usage: load PORT CONNECTIONS RATE SECONDS PATHS OUTPUT\n", stderr);
        return 2;
    }
    double rate = atof(argv[3]), seconds = atof(argv[4]);
    target = loopback_address((uint16_t)atoi(argv[1]));
    connections_count = (uint32_t)atoi(argv[2]);
    paths_count = (uint32_t)atoi(argv[5]);
    if (connections_count > CONNECTIONS_MAX || !connections_count || !paths_count)
        return 2;
    prctl(PR_SET_TIMERSLACK, 1ul);  // else the kernel puts every due time off by 50 us
    records_count = rate > 0 ? (uint32_t)(rate * seconds) : REQUESTS_MAX;
    if (records_count > REQUESTS_MAX || !(records = calloc(records_count, sizeof *records)))
        die("too many requests");
    poller = epoll_create1(EPOLL_CLOEXEC);
    for (uint32_t i = 0; i < connections_count; i++)
        connection_open(&connections[i]);

    uint64_t start_ns = now_ns(), end_ns = start_ns + (uint64_t)(seconds * 1e9);
    uint32_t due_count = 0;
    for (;;) {
        uint64_t now = now_ns(), next_ns = end_ns;
        if (rate > 0) {
            while (due_count < records_count) {
                next_ns = start_ns + (uint64_t)(1e9 / rate * due_count);
                if (next_ns > now)
                    break;
                records[due_count++].due_ns = next_ns;
            }
            while (sent_count < due_count && idle_count)
                request_send(sent_count++);
        } else {
            while (idle_count && sent_count < records_count && now < end_ns) {
                records[sent_count].due_ns = now;
                request_send(sent_count++);
            }
        }
        if (now >= end_ns && (done_count + failed_count >= sent_count
                              || now > end_ns + PATIENCE_NS))
            break;
        wait_and_read(now < end_ns ? next_ns : now + 1000000);
    }
    output_write(argv[6]);
    return 0;
}
