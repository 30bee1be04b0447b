/* A stand-in for the world's clock and name server, loaded into the gateway by LD_PRELOAD.
 *
 * PEER_HOSTS names a file of lines "name answer delay_ms"; answer is an address or NXDOMAIN.
 * PEER_CLOCK names a file of one 64-bit count of seconds, added to every monotonic clock.
 * Only the tests on names use it; it changes nothing when the variables are not set.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

typedef int (*getaddrinfo_fn)(const char *, const char *, const struct addrinfo *,
                              struct addrinfo **);

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **result) {
    getaddrinfo_fn real = (getaddrinfo_fn)dlsym(RTLD_NEXT, "getaddrinfo");
    const char *path = getenv("PEER_HOSTS");
    FILE *file = path && node ? fopen(path, "r") : NULL;
    char name[256], answer[256];
    int delay_ms;
    while (file && fscanf(file, "%255s %255s %d", name, answer, &delay_ms) == 3) {
        if (strcmp(name, node) != 0)
            continue;
        fclose(file);
        usleep(delay_ms * 1000u);
        if (strcmp(answer, "NXDOMAIN") == 0)
            return EAI_NONAME;
        return real(answer, service, hints, result);
    }
    if (file)
        fclose(file);
    return real(node, service, hints, result);
}

static volatile const int64_t *offset_s(void) {
    static volatile const int64_t *mapped;
    const char *path = getenv("PEER_CLOCK");
    if (!mapped && path) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        void *at = fd < 0 ? MAP_FAILED : mmap(NULL, 8, PROT_READ, MAP_SHARED, fd, 0);
        if (fd >= 0)
            close(fd);
        if (at != MAP_FAILED)
            mapped = at;
    }
    return mapped;
}

int clock_gettime(clockid_t which, struct timespec *now) {
    int failed = (int)syscall(SYS_clock_gettime, which, now);
    if (!failed && (which == CLOCK_MONOTONIC || which == CLOCK_MONOTONIC_COARSE)) {
        volatile const int64_t *extra = offset_s();
        if (extra)
            now->tv_sec += *extra;
    }
    return failed;
}
