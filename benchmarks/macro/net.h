// Owns: the few socket calls that the origin and the relay share.
// Threads: none; both programs are one thread with one epoll.
// Never: binds anything but 127.0.0.1, and never parses HTTP.
// Read next: origin.c, relay.c.
#ifndef BENCH_NET_H
#define BENCH_NET_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define LISTEN_BACKLOG 4096

static inline _Noreturn void die(const char *what)
{
    perror(what);
    exit(1);
}

static inline struct sockaddr_in loopback_address(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
}

// Without this, Nagle and delayed ACKs would add 40 ms to bodies sent in two writes.
static inline void socket_set_nodelay(int fd)
{
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

// Binds a free port and prints it as the only line on stdout: whoever started us waits for it.
static inline int listen_and_announce(void)
{
    struct sockaddr_in address = loopback_address(0);
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("socket");
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, LISTEN_BACKLOG))
        die("listen");
    if (getsockname(fd, (struct sockaddr *)&address, &length))
        die("getsockname");
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

#endif
