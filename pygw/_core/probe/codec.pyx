# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Owns: the codecs of proto/pygw/v1 for tests and benchmarks: bytes in, bytes out.
# Thread and GIL: any thread; the codecs run without the GIL.
# Never does: serve traffic.
# Read next: pb/http_codec.pxd.
"""Decodes a message of the schema into structs, and encodes them again."""

from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy
from pygw._core.pb.hook_codec cimport hook_call_decode, hook_call_encode
from pygw._core.pb.hook_reply_codec cimport hook_reply_decode, hook_reply_encode
from pygw._core.pb.hook_reply_views cimport hook_reply_view_t
from pygw._core.pb.hook_views cimport hook_call_view_t
from pygw._core.pb.http_codec cimport (
    request_decode, request_encode, response_decode, response_encode)
from pygw._core.pb.http_views cimport PYGW_HTTP_VIEWS, request_view_t, response_view_t
from pygw._core.pb.session_codec cimport session_decode, session_encode
from pygw._core.pb.session_views cimport session_view_t
from pygw._core.pb.wire cimport (
    WIRE_BAD, WIRE_CUT, WIRE_DEEP, WIRE_DEPTH, WIRE_RANGE, WIRE_ROOM, WIRE_TWICE, WIRE_UTF8,
    wire_room_t)
from pygw._core.types.header cimport HF_REMOVED, header_t

ERRORS = {
    WIRE_CUT: "cut", WIRE_BAD: "bad", WIRE_RANGE: "range", WIRE_UTF8: "utf8", WIRE_DEEP: "deep",
    WIRE_ROOM: "room", WIRE_TWICE: "twice",
}
DEPTH = WIRE_DEPTH
LAYOUT = PYGW_HTTP_VIEWS

cdef enum kind:
    REQUEST
    RESPONSE
    SESSION
    HOOK_CALL
    HOOK_REPLY

KINDS = {
    "Request": REQUEST, "Response": RESPONSE, "Session": SESSION, "HookCall": HOOK_CALL,
    "HookReply": HOOK_REPLY,
}

cdef union any_t:
    request_view_t request
    response_view_t response
    session_view_t session
    hook_call_view_t call
    hook_reply_view_t reply


cdef int decode(kind k, any_t* v, const char* ptr, size_t size, wire_room_t* room) noexcept nogil:
    if k == REQUEST:
        return request_decode(&v.request, ptr, size, room)
    if k == RESPONSE:
        return response_decode(&v.response, ptr, size, room)
    if k == SESSION:
        return session_decode(&v.session, ptr, size, room)
    if k == HOOK_CALL:
        return hook_call_decode(&v.call, ptr, size, room)
    return hook_reply_decode(&v.reply, ptr, size, room)


cdef int64_t encode(kind k, const any_t* v, char* room, size_t size) noexcept nogil:
    if k == REQUEST:
        return request_encode(&v.request, room, size)
    if k == RESPONSE:
        return response_encode(&v.response, room, size)
    if k == SESSION:
        return session_encode(&v.session, room, size)
    if k == HOOK_CALL:
        return hook_call_encode(&v.call, room, size)
    return hook_reply_encode(&v.reply, room, size)


# Blocks of exactly the size that is given, so that a sanitizer sees a byte too many.
cdef class Memory:
    cdef char* at              # own: of PyMem_RawMalloc
    cdef size_t size

    def __cinit__(self, size_t size, bytes filled=b""):
        self.size = size
        self.at = <char*>PyMem_RawMalloc(size or 1)
        if self.at == NULL:
            raise MemoryError
        memcpy(self.at, PyBytes_AS_STRING(filled), len(filled))

    def __dealloc__(self):
        PyMem_RawFree(self.at)


def recode(name: str, data: bytes, room_size: int = 1 << 20, out_size: int = 1 << 20,
           removed: int = -1) -> bytes | str:
    """The message decoded and encoded again, or the name of the error.

    ``removed``: the header of a request that a hook took out in between.
    """
    cdef kind k = KINDS[name]
    cdef Memory given = Memory(len(data), data)
    cdef Memory room_of = Memory(room_size)
    cdef Memory out = Memory(out_size)
    cdef any_t v
    cdef wire_room_t room
    cdef int64_t size
    cdef int error, gone = removed
    room.at = room_of.at
    room.end = room_of.at + room_of.size
    with nogil:
        error = decode(k, &v, given.at, given.size, &room)
        if error == 0 and gone >= 0:
            (<header_t*>&v.request.headers[gone]).flags = HF_REMOVED
        size = encode(k, &v, out.at, out.size) if error == 0 else error
    if size < 0:
        return ERRORS[<int>size]
    return PyBytes_FromStringAndSize(out.at + out.size - size, size)


def time_decode(data: bytes, rounds: int) -> None:
    """A request decoded ``rounds`` times."""
    turn(data, rounds, True, False)


def time_encode(data: bytes, rounds: int) -> None:
    """A request encoded ``rounds`` times."""
    turn(data, rounds, False, True)


def time_both(data: bytes, rounds: int) -> None:
    """A request decoded and encoded again ``rounds`` times."""
    turn(data, rounds, True, True)


cdef turn(bytes data, uint64_t rounds, bint decodes, bint encodes):
    cdef Memory room_of = Memory(1 << 16)
    cdef Memory out = Memory(1 << 16)
    cdef const char* ptr = PyBytes_AS_STRING(data)
    cdef size_t size = len(data)
    cdef request_view_t v
    cdef wire_room_t room
    cdef uint64_t _
    cdef int64_t good = 0
    room.at = room_of.at
    room.end = room_of.at + room_of.size
    good = request_decode(&v, ptr, size, &room)
    with nogil:
        for _ in range(rounds):
            if decodes:
                room.at = room_of.at
                good |= request_decode(&v, ptr, size, &room)
            if encodes:
                good |= request_encode(&v, out.at, out.size)
    if good < 0:
        raise ValueError(ERRORS[<int>good])
