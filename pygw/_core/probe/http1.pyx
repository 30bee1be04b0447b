# cython: language_level=3
# Owns: a Python door to the HTTP/1 reader and writer, for tests and fuzzing.
# Thread and GIL: any thread; GIL.
# Never does: serve traffic: the gateway never imports it.
# Read next: ../http1_read.pxd, ../http1_write.pxd.
"""HTTP/1 messages read and written by the core, seen from Python."""

from libc.stdint cimport uint16_t, uint32_t, uint64_t
from pygw._core.limits cimport ARENA_MAX, BODY_SPANS
from pygw._core.arena cimport arena_fini, arena_init
from pygw._core.headers cimport (
    header_id_of, header_name_of, header_name_valid, header_value_valid, headers_add, headers_find,
    headers_find_name, headers_init, headers_mark_hop, headers_remove_name, headers_set)
from pygw._core.http1_read cimport (
    READ_END, READ_HEAD, http1_found_t, http1_read, http1_read_finish, http1_reader_move,
    http1_reader_request, http1_reader_response, http1_reader_t)
from pygw._core.http1_write cimport (
    http1_reason, http1_write_chunk_line, http1_write_request, http1_write_response,
    http1_write_trailers, pieces_t)
from pygw._core.probe.memory cimport Guarded
from pygw._core.view cimport span
from pygw._core.types.exchange cimport limits_t
from pygw._core.types.header cimport header_t, headers_t, span_t
from pygw._core.types.memory cimport arena_t
from pygw._core.types.message cimport half_t, request_t, response_t

from pygw._core.fault import faults

NAMES = {row["number"]: name for name, row in faults().items()}
STATES = ("waiting", "head", "body", "done", "cut")
FRAMINGS = ("none", "length", "chunked", "close", "tunnel")
FORMS = ("origin", "absolute", "asterisk")
FLAGS = {
    1: "keep_alive", 2: "expect_continue", 4: "upgrade", 8: "head_only", 16: "te_trailers",
    32: "self_made", 64: "has_via", 128: "line_edited", 256: "body_edited",
    512: "connection_listed",
}
HEADER_FLAGS = {1: "hop", 2: "edited", 4: "removed", 8: "sensitive"}


cdef bytes text(span_t s):
    return b"" if s.len == 0 else s.ptr[:s.len]


cdef frozenset flag_names(uint32_t mask, dict names):
    return frozenset(name for bit, name in names.items() if mask & <uint32_t>bit)


cdef str fault_name(int error):
    return None if error == 0 else NAMES.get(error, str(error))


cdef dict field_dict(const header_t* h):
    cdef span_t raw
    raw.ptr = h.name.ptr
    raw.len = h.raw_len
    return {
        "name": text(h.name),
        "value": text(h.value),
        "id": h.id,
        "flags": flag_names(h.flags, HEADER_FLAGS),
        "raw": text(raw),
    }


cdef list field_list(const headers_t* hs):
    return [field_dict(&hs.items[i]) for i in range(hs.count)]


cdef class Message:
    """One message in memory of its own: what a stream would hold of it."""

    cdef request_t request
    cdef response_t response
    cdef http1_reader_t reader
    cdef http1_found_t found
    cdef limits_t limits
    cdef arena_t arena
    cdef header_t items[4]        # few, so that lists outgrow them
    cdef header_t trailer_items[1]
    cdef half_t* half
    cdef bint is_response

    def __cinit__(self):
        arena_init(&self.arena, NULL, 0, ARENA_MAX)

    def __dealloc__(self):
        arena_fini(&self.arena)

    cdef void open(self, bint is_response, bint head_request) noexcept:
        self.is_response = is_response
        self.half = &self.response.half if is_response else &self.request.half
        self.half.arena = &self.arena
        headers_init(&self.half.headers, self.items, 4)
        headers_init(&self.half.trailers, self.trailer_items, 1)
        if is_response:
            http1_reader_response(&self.reader, &self.response, &self.limits, head_request)
        else:
            http1_reader_request(&self.reader, &self.request, &self.limits)

    cdef dict head_dict(self):
        cdef half_t* half = self.half
        cdef dict head = {
            "version": half.version,
            "framing": FRAMINGS[half.framing],
            "length": half.length,
            "flags": flag_names(half.flags, FLAGS),
            "line": text(half.line),
            "fields": field_list(&half.headers),
        }
        if self.is_response:
            head.update(status=self.response.status, reason=text(self.response.reason))
            return head
        head.update(
            method=text(self.request.method_name), method_number=self.request.method,
            form=FORMS[self.request.form], target=text(self.request.target),
            scheme=text(self.request.scheme), authority=text(self.request.authority),
            path=text(self.request.path), query=text(self.request.query))
        return head


cdef class Reading:
    """One message being read piece by piece, each piece in front of a guard page."""

    cdef Message message
    cdef Guarded room
    cdef Guarded other            # the room of the next move
    cdef bytes held               # the head so far
    cdef readonly object head
    cdef readonly list body
    cdef readonly object error
    cdef readonly bint ended
    cdef readonly size_t consumed
    cdef readonly int calls       # of http1_read

    def __init__(self, str kind, bint head_request, size_t room, dict limits):
        if kind not in ("request", "response"):
            raise ValueError("kind is request or response")
        self.message = message_new(limits)
        self.message.open(kind == "response", head_request)
        self.room = Guarded(room)
        self.other = Guarded(room)
        self.held = b""
        self.body = []

    cdef const char* place(self, bytes data) except NULL:
        """Put data before the guard page, behind the head so far while that is being read."""
        cdef http1_reader_t* r = &self.message.reader
        cdef bytes held = self.held + data if self.head is None else data
        cdef const char* start = self.other.place(held, len(held))
        self.room.forget()
        self.room, self.other = self.other, self.room
        if self.head is None and self.held:
            http1_reader_move(r, start)
        return start + len(held) - len(data)

    cdef size_t step(self, bytes data) except? 0:
        """Give data to the reader once; returns what it used."""
        cdef Message m = self.message
        cdef const char* at = self.place(data)
        cdef int error = http1_read(&m.reader, at, <uint32_t>len(data), &m.found)
        cdef uint32_t i
        self.calls += 1
        self.error = fault_name(error)
        if m.found.events & READ_HEAD:
            self.head = m.head_dict()
        elif self.head is None:
            self.held = self.held + data if m.reader.head_bytes else b""
        for i in range(m.found.count):
            self.body.append(text(m.found.body[i]))
        self.ended = m.found.events & READ_END != 0
        self.consumed += m.found.consumed
        return m.found.consumed

    def feed(self, bytes data not None) -> None:
        """Read data, in as many calls as the reader asks for; stops at the end and at a fault."""
        cdef size_t used
        while data and not self.ended and self.error is None:
            used = self.step(data)
            if used == len(data) or self.ended or self.error is not None:
                return
            if used == 0 or self.message.found.count < BODY_SPANS:
                raise AssertionError(f"the reader stopped after {used} of {len(data)} bytes")
            data = data[used:]

    def finish(self):
        """Tell the reader that the peer has closed; the fault's name or None."""
        return fault_name(http1_read_finish(&self.message.reader))

    def outcome(self) -> dict[str, object]:
        """What was read so far; equal for equal bytes, however they were split."""
        return {
            "error": self.error,
            "head": self.head,
            "body": b"".join(self.body),
            "received": self.message.half.received,
            "trailers": field_list(&self.message.half.trailers) if self.ended else [],
            "ended": self.ended,
            "state": STATES[self.message.half.state],
            "consumed": self.consumed if self.error is None else None,
        }


cdef Message message_new(dict limits):
    cdef Message m = Message()
    for name in limits:
        if name not in ("request_line", "head", "headers"):
            raise ValueError(f"no limit is called {name}")
    m.limits.request_line = limits.get("request_line", 8192)
    m.limits.head = limits.get("head", 32768)
    m.limits.headers = limits.get("headers", 100)
    return m


def read(bytes data not None, str kind="request", splits=(), *, bint head_request=False,
         bint finish=False, **limits) -> dict[str, object]:
    """Read one message from data, cut at the offsets in splits.

    kind is "request" or "response"; limits are request_line, head (bytes) and headers (count).
    Returns error (the E_* name or None), head, body, trailers, ended, state and consumed; with
    finish also finish_error: what the reader says to the peer's close behind the data.
    """
    reading = Reading(kind, head_request, len(data), limits)
    at = 0
    for cut in (*splits, len(data)):
        reading.feed(data[at:cut])
        at = cut
    outcome = reading.outcome()
    if finish:
        outcome["finish_error"] = reading.finish() if reading.error is None else None
        outcome["state"] = STATES[reading.message.half.state]
    return outcome


cdef list piece_list(const pieces_t* pieces, const char* start, size_t size):
    """Each piece's bytes, and whether they lie in the head as it came."""
    cdef list out = []
    cdef uint64_t total = 0
    for i in range(pieces.count):
        inside = start <= pieces.items[i].ptr < start + size
        out.append((text(pieces.items[i]), bool(inside)))
        total += pieces.items[i].len
    if total != pieces.bytes:
        raise AssertionError(f"{total} bytes in pieces that say {pieces.bytes}")
    return out


cdef int edit_apply(Message m, tuple edit) except -100:
    cdef headers_t* hs = &m.half.headers
    cdef bytes name = edit[1]
    cdef bytes value = edit[2] if len(edit) > 2 else b""
    cdef header_t* h
    if edit[0] == "remove":
        headers_remove_name(hs, span(name, len(name)))
        return 0
    if edit[0] == "add":
        return headers_add(hs, &m.arena, span(name, len(name)), span(value, len(value)))
    if edit[0] == "set":
        return headers_set(hs, &m.arena, span(name, len(name)), span(value, len(value)))
    if edit[0] == "patch":          # in place: the field has no line any more
        h = headers_find_name(hs, span(name, len(name)), NULL)
        if h == NULL:
            raise KeyError(name)
        h.value = span(value, len(value))
        h.raw_len = 0
        return 0
    raise ValueError(f"unknown edit {edit[0]}")


def write(bytes data not None, str kind="request", *, str framing=None, edits=(), flags=0,
          length=None, half_flags=0, bint hop=True,
          bint head_request=False) -> list[tuple[bytes, bool]]:
    """Read the head in data, edit it, and write it again.

    edits are ("add" | "set" | "patch", name, value) and ("remove", name); flags is a write_flag
    mask; half_flags is added to the half's; hop marks hop-by-hop fields first. Returns the pieces:
    bytes, and whether they are the very bytes that came. ValueError when data has no good head or
    an edit is refused.
    """
    cdef Message m = message_new({})
    cdef Guarded room = Guarded(len(data))
    cdef const char* start = room.place(data, len(data))
    cdef pieces_t pieces
    cdef int error
    m.open(kind == "response", head_request)
    error = http1_read(&m.reader, start, <uint32_t>len(data), &m.found)
    if error or not m.found.events & READ_HEAD:
        raise ValueError(f"no head: {fault_name(error)}")
    if hop:
        headers_mark_hop(&m.half.headers)
    m.half.flags |= <uint32_t>half_flags
    if length is not None:
        m.half.length = length
    for edit in edits:
        error = edit_apply(m, edit)
        if error:
            raise ValueError(f"edit refused: {fault_name(error)}")
    chosen = m.half.framing if framing is None else FRAMINGS.index(framing)
    if m.is_response:
        error = http1_write_response(&m.response, chosen, flags, &pieces)
    else:
        error = http1_write_request(&m.request, chosen, flags, &pieces)
    if error:
        raise MemoryError(fault_name(error))
    return piece_list(&pieces, start, len(data))


def write_own(int status, fields=(), *, bytes reason=b"", str framing="length", length=0,
              flags=0) -> bytes:
    """The head of an answer of the gateway's own."""
    cdef Message m = message_new({})
    cdef pieces_t pieces
    m.open(True, False)
    m.response.status = status
    m.response.reason = span(reason, len(reason))
    m.half.length = length
    for name, value in fields:
        if edit_apply(m, ("add", name, value)):
            raise ValueError("field refused")
    if http1_write_response(&m.response, FRAMINGS.index(framing), flags, &pieces):
        raise MemoryError("no memory for a head")
    return b"".join(piece for piece, _ in piece_list(&pieces, NULL, 0))


def write_trailers(fields=()) -> bytes:
    """The end of a chunked body with these trailers."""
    cdef Message m = message_new({})
    cdef pieces_t pieces
    m.open(True, False)
    for name, value in fields:
        if edit_apply(m, ("add", name, value)):
            raise ValueError("field refused")
    if http1_write_trailers(&m.half.headers, &m.arena, &pieces):
        raise MemoryError("no memory for trailers")
    return b"".join(piece for piece, _ in piece_list(&pieces, NULL, 0))


def chunk_line(uint64_t size) -> bytes:
    """The line before a chunk of size bytes."""
    cdef char out[18]
    return out[:http1_write_chunk_line(out, size)]


def reason(uint32_t status) -> bytes:
    """The reason phrase of a status code; empty when it has none."""
    return text(http1_reason(status))


def header_id(bytes name not None) -> int:
    """The header_id of a field name."""
    return header_id_of(span(name, len(name)))


def header_name(uint16_t id) -> bytes:
    """The canonical spelling of a header_id."""
    return text(header_name_of(id))


def name_valid(bytes name not None) -> bool:
    """Whether name is a token."""
    return header_name_valid(span(name, len(name)))


def value_valid(bytes value not None) -> bool:
    """Whether value may be a field's value."""
    return header_value_valid(span(value, len(value)))


cdef class Fields:
    """A list of fields of its own, as a half has one."""

    cdef Message message

    def __init__(self):
        self.message = message_new({})
        self.message.open(False, False)

    def edit(self, *edit) -> str | None:
        """Apply ("add" | "set", name, value) or ("remove", name); the fault's name or None."""
        return fault_name(edit_apply(self.message, edit))

    def find(self, bytes name not None) -> list[dict[str, object]]:
        """Every field of that name that is not removed."""
        cdef headers_t* hs = &self.message.half.headers
        cdef header_t* h = headers_find_name(hs, span(name, len(name)), NULL)
        out = []
        while h != NULL:
            out.append(field_dict(h))
            h = headers_find_name(hs, span(name, len(name)), h)
        return out

    def find_id(self, uint16_t id) -> list[dict[str, object]]:
        """Every field with that header_id that is not removed."""
        cdef headers_t* hs = &self.message.half.headers
        cdef header_t* h = headers_find(hs, id, NULL)
        out = []
        while h != NULL:
            out.append(field_dict(h))
            h = headers_find(hs, id, h)
        return out

    def mark_hop(self) -> None:
        """Mark what is hop-by-hop."""
        headers_mark_hop(&self.message.half.headers)

    def as_received(self) -> None:
        """Make every field look as if a peer had sent it."""
        cdef headers_t* hs = &self.message.half.headers
        for i in range(hs.count):
            hs.items[i].flags = 0

    def all(self) -> list[dict[str, object]]:
        """Every entry, removed ones included."""
        return field_list(&self.message.half.headers)
