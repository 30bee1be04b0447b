# cython: language_level=3, boundscheck=False, wraparound=False
# Owns: the few functions of OpenSSL's libcrypto that hooks need, and their proof.
# Thread and GIL: the table is filled at import under the GIL; the calls need none.
# Never does: fail to import, or load a second OpenSSL: it is the one behind Python's hashlib.
# Read next: crypto.pxd for the contract.

import hashlib
import hmac as reference
import os

from posix.dlfcn cimport RTLD_NOW, dlopen, dlsym

from pygw._core.libs.loader cimport file_of
from pygw._core.libs.wheel import LibraryError, LibraryInfo

cdef extern from "<dlfcn.h>" nogil:
    int RTLD_LOCAL
    int RTLD_NOLOAD

cdef struct api_t:
    const void* (*sha256)() noexcept nogil
    const void* (*sha1)() noexcept nogil
    const void* (*sha512)() noexcept nogil
    int (*digest)(const void* data, size_t size, uint8_t* out, unsigned int* out_size,
                  const void* kind, void* engine) noexcept nogil
    uint8_t* (*hmac)(const void* kind, const void* key, int key_size, const uint8_t* data,
                     size_t size, uint8_t* out, unsigned int* out_size) noexcept nogil
    const char* (*version)(int kind) noexcept nogil

cdef api_t api
cdef const void* kinds[3]             # static: OpenSSL's descriptions, by enum digest: DIGESTS
cdef bint ready = False


cdef bint crypto_ready() noexcept nogil:
    return ready


cdef int crypto_digest(int kind, const char* data, size_t size, uint8_t* out) noexcept nogil:
    cdef unsigned int length = 0
    if not ready or not 0 <= kind < DIGESTS:
        return -1
    if api.digest(data, size, out, &length, kinds[kind], NULL) != 1:
        return -1
    return <int>length


cdef int crypto_hmac(int kind, const char* key, uint32_t key_size, const char* data, size_t size,
                     uint8_t* out) noexcept nogil:
    cdef unsigned int length = 0
    if not ready or not 0 <= kind < DIGESTS or key_size > 0x7FFFFFFF:
        return -1
    if api.hmac(kinds[kind], key, <int>key_size, <const uint8_t*>data, size, out, &length) == NULL:
        return -1
    return <int>length


cdef int fill(void* handle, void* slot, const char* symbol) except -1:
    cdef void* found = dlsym(handle, symbol)
    if found == NULL:
        raise LibraryError("libcrypto", f"{symbol.decode()} is not there", REMEDY)
    (<void**>slot)[0] = found
    return 0


cdef int prove() except -1:
    cdef uint8_t out[64]              # DIGEST_BYTES_MAX
    cdef bytes text = b"proven at import"
    names = ("sha256", "sha1", "sha512")
    for kind in range(DIGESTS):
        size = crypto_digest(kind, text, len(text), out)
        if size < 0 or (<char*>out)[:size] != hashlib.new(names[kind], text).digest():
            raise LibraryError("libcrypto", f"its {names[kind]} is not Python's", REMEDY)
        size = crypto_hmac(kind, text, <uint32_t>len(text), text, len(text), out)
        if size < 0 or (<char*>out)[:size] != reference.digest(text, text, names[kind]):
            raise LibraryError("libcrypto", f"its HMAC of {names[kind]} is not Python's", REMEDY)
    return 0


# dlsym looks through the libraries that an extension needs as well: libcrypto is one of _hashlib's.
cdef object load():
    global ready
    cdef void* handle
    try:
        import _hashlib
    except ImportError as error:
        raise LibraryError("libcrypto", f"this Python has none ({error})", REMEDY) from error
    handle = dlopen(os.fsencode(_hashlib.__file__), RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD)
    if handle == NULL:
        raise LibraryError("libcrypto", "Python's hashlib cannot be looked into", REMEDY)
    fill(handle, &api.sha256, b"EVP_sha256")
    fill(handle, &api.sha1, b"EVP_sha1")
    fill(handle, &api.sha512, b"EVP_sha512")
    fill(handle, &api.digest, b"EVP_Digest")
    fill(handle, &api.hmac, b"HMAC")
    fill(handle, &api.version, b"OpenSSL_version")
    kinds[0], kinds[1], kinds[2] = api.sha256(), api.sha1(), api.sha512()
    ready = True
    prove()
    return LibraryInfo("libcrypto", api.version(0).decode(), "of Python's hashlib",
                       file_of(<void*>api.digest), {"digest": DIGEST_BYTES_MAX})


REMEDY = "use a Python whose hashlib is built on OpenSSL"
info = problem = None
try:
    info = load()
except LibraryError as error:
    ready = False
    problem = error
