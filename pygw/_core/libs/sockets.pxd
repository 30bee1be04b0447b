# Owns: the declarations of socket addresses, from the system's own headers.
# Thread and GIL: plain data and pure helpers; any thread, no GIL.
# Never does: open a socket or resolve a name.
# Read next: uv.pxd for the calls that take these types.

from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint16_t, uint32_t

cdef extern from "<sys/socket.h>" nogil:
    enum:
        AF_UNSPEC
        AF_UNIX
        AF_INET
        AF_INET6
        SOCK_STREAM
        SOL_SOCKET
        SO_ERROR
        SHUT_RD
        SOCK_CLOEXEC
        SOCK_NONBLOCK
    ctypedef unsigned int socklen_t
    struct sockaddr:
        uint16_t sa_family
    # Big enough and aligned for every family.
    struct sockaddr_storage:
        uint16_t ss_family
    int shutdown(int fd, int how)

    enum:
        MSG_DONTWAIT
        MSG_NOSIGNAL
        MSG_PEEK
    # A client's socket, or -1 and errno.
    int accept4(int fd, sockaddr* peer, socklen_t* size, int flags) noexcept
    # Bytes read, 0 at the end, or -1 and errno.
    ssize_t recv(int fd, void* data, size_t size, int flags) noexcept
    # Bytes taken, or -1 and errno.
    ssize_t send(int fd, const void* data, size_t size, int flags) noexcept

cdef extern from "<netinet/in.h>" nogil:
    struct in_addr:
        uint32_t s_addr               # network order
    struct in6_addr:
        uint8_t s6_addr[16]
    struct sockaddr_in:
        uint16_t sin_family
        uint16_t sin_port             # network order
        in_addr  sin_addr
    struct sockaddr_in6:
        uint16_t sin6_family
        uint16_t sin6_port            # network order
        uint32_t sin6_flowinfo
        in6_addr sin6_addr
        uint32_t sin6_scope_id
    enum:
        IPPROTO_TCP

cdef extern from "<sys/un.h>" nogil:
    struct sockaddr_un:
        uint16_t sun_family
        char sun_path[108]            # ends with NUL; begins with NUL: an abstract name

cdef extern from "<arpa/inet.h>" nogil:
    uint16_t htons(uint16_t host) noexcept
    uint16_t ntohs(uint16_t net) noexcept
    uint32_t htonl(uint32_t host) noexcept
    uint32_t ntohl(uint32_t net) noexcept
    const char* inet_ntop(int family, const void* src, char* dst, socklen_t size) noexcept
    int inet_pton(int family, const char* src, void* dst) noexcept      # 1 if `src` is an address

cdef extern from "<netdb.h>" nogil:
    enum:
        AI_NUMERICSERV
        AI_ADDRCONFIG
    # One resolved address; a list of them belongs to whoever got it from uv.getaddrinfo.
    struct addrinfo:
        int       ai_flags
        int       ai_family
        int       ai_socktype
        int       ai_protocol
        socklen_t ai_addrlen
        sockaddr* ai_addr             # borrow(list, until uv.freeaddrinfo)
        char*     ai_canonname        # borrow(list, until uv.freeaddrinfo); often NULL
        addrinfo* ai_next             # borrow(list, until uv.freeaddrinfo); NULL at the end
