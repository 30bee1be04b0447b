# Owns: the few functions of OpenSSL's libcrypto that hooks need, as the interpreter has it.
# Thread and GIL: the table is filled once at import; its calls are any thread's, without GIL.
# Never does: fail to import: without a library crypto_ready() is False.
# Read next: crypto.pyx for the guards.

from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t

cdef enum digest:
    DIGEST_SHA256 = 0
    DIGEST_SHA1 = 1
    DIGEST_SHA512 = 2
    DIGESTS = 3
    DIGEST_BYTES_MAX = 64

cdef bint crypto_ready() noexcept nogil
# The digest, or the HMAC (RFC 2104), of the bytes: its length in `out` (DIGEST_BYTES_MAX), or -1.
cdef int crypto_digest(int kind, const char* data, size_t size, uint8_t* out) noexcept nogil
cdef int crypto_hmac(int kind, const char* key, uint32_t key_size, const char* data, size_t size,
                     uint8_t* out) noexcept nogil
