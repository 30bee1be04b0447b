# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: the fields of a head and the variables of an exchange, as Python sees them.
# Thread and GIL: holds the GIL, on the loop's thread.
# Never does: build a dict of a head, or edit it but by the host table.
# Read next: python_fields.pxd for the contract.
"""Lazy mappings over one exchange."""

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport uint32_t
from pygw._core.headers cimport headers_scan
from pygw._core.hook_mask cimport mask_allows_name
from pygw._core.hooks cimport hook_enter, hook_leave
from pygw._core.runtimes.python_scope cimport *
from pygw._core.types.exchange cimport exchange_t
from pygw._core.types.header cimport header_t, headers_t, span_t, HF_HOP, HF_REMOVED
from pygw._core.types.hook cimport *

cdef object MISSING = object()


# --- fields ---------------------------------------------------------------------------------------


@cython.final
@cython.freelist(16)
@cython.no_gc
cdef class Headers:
    """The fields of one head, names in any case. With a str as key values are str (latin-1, so
    that each byte comes back as it was), with bytes they are bytes. A name that came twice is
    there twice: ``len``, iteration and ``items`` tell each field, ``[]`` and ``get`` the first.
    Reading costs what is read: no dict is built."""

    cdef headers_t* fields(self) except NULL:
        cdef exchange_t* x = call_of(self.of).x
        return &x.request.half.headers if self.side == SIDE_REQUEST else &x.response.half.headers

    # The place of the first field of the name behind `after` (-1: of all); -1: none.
    cdef Py_ssize_t find(self, object name, Py_ssize_t after) except -2:
        cdef headers_t* hs = self.fields()
        cdef span_t wanted
        cdef object _held = view_text(name, LATIN_1, &wanted)
        cdef header_t* h
        if wanted.len == 0 or not mask_allows_name(self.of.call.hook.reads, self.side, wanted):
            return -1
        h = headers_scan(&hs.items[after + 1], hs.items + hs.count, wanted, HF_REMOVED | HF_HOP)
        return -1 if h == NULL else h - hs.items

    # Whether a field is there for this hook.
    cdef bint shows(self, header_t* h) noexcept:
        return not h.flags & (HF_REMOVED | HF_HOP) and mask_allows_name(
            self.of.call.hook.reads, self.side, h.name)

    cdef object value(self, object name, Py_ssize_t place):
        cdef headers_t* hs = self.fields()
        return text_like(name, hs.items[place].value)

    cdef int edit(self, int what, object name, object value) except -1:
        cdef edit_t e
        cdef object _held_name = view_text(name, LATIN_1, &e.name)
        cdef object _held_value = view_text(value, LATIN_1, &e.value)
        e.what = what
        e.side = self.side
        return edit_or_raise(self.of, &e, name)

    def __getitem__(self, name not None):
        cdef Py_ssize_t place = self.find(name, -1)
        if place < 0:
            raise KeyError(name)
        return self.value(name, place)

    def get(self, name not None, default=None):
        """The first value of the name, or ``default``."""
        cdef Py_ssize_t place = self.find(name, -1)
        return default if place < 0 else self.value(name, place)

    def getall(self, name not None) -> list:
        """Every value of the name, in order."""
        cdef Py_ssize_t place = self.find(name, -1)
        cdef list found = []
        while place >= 0:
            found.append(self.value(name, place))
            place = self.find(name, place)
        return found

    def __contains__(self, name) -> bool:
        return self.find(name, -1) >= 0

    def __setitem__(self, name not None, value not None) -> None:
        self.edit(EDIT_HEADER_SET, name, value)

    def set(self, name not None, value not None) -> None:
        """This value takes the place of all of the name."""
        self.edit(EDIT_HEADER_SET, name, value)

    def add(self, name not None, value not None) -> None:
        """One more field of the name."""
        self.edit(EDIT_HEADER_ADD, name, value)

    def delete(self, name not None) -> int:
        """Takes out all fields of the name; how many they were."""
        return self.edit(EDIT_HEADER_DEL, name, b"")

    def __delitem__(self, name not None) -> None:
        if self.edit(EDIT_HEADER_DEL, name, b"") == 0:
            raise KeyError(name)

    def items(self) -> list:
        """Every field as a pair of str, in order."""
        cdef headers_t* hs = self.fields()
        cdef list found = []
        cdef uint32_t i
        for i in range(hs.count):
            if self.shows(&hs.items[i]):
                found.append((text(hs.items[i].name), text(hs.items[i].value)))
        return found

    def keys(self) -> list:
        """The name of every field, in order."""
        return [name for name, _ in self.items()]

    def values(self) -> list:
        """The value of every field, in order."""
        return [value for _, value in self.items()]

    def __iter__(self):
        # Over a copy: what an edit moves does not matter to it.
        return iter(self.keys())

    def __len__(self) -> int:
        cdef headers_t* hs = self.fields()
        cdef Py_ssize_t count = 0
        cdef uint32_t i
        for i in range(hs.count):
            count += self.shows(&hs.items[i])
        return count

    def __repr__(self) -> str:
        gone = self.of is None or self.of.call == NULL
        return "<Headers: gone>" if gone else f"<Headers: {len(self)}>"


cdef Headers headers_view(Scope of, int side):
    cdef Headers made = Headers.__new__(Headers)
    made.of = of
    made.side = side
    return made


# --- variables ------------------------------------------------------------------------------------


@cython.final
@cython.freelist(8)
@cython.no_gc
cdef class Vars:
    """Variables of the exchange, which all its hooks share, whatever their language. With a str as
    key values are str (UTF-8), with bytes they are bytes."""

    cdef object find(self, object name, object default):
        cdef hook_call_t* call = call_of(self.of)
        cdef hook_call_t* before = NULL
        cdef const span_t* value
        cdef span_t wanted
        cdef object _held = view_text(name, UTF_8, &wanted)
        cdef bint inside = call.hooks.running == call
        if not inside:
            before = hook_enter(call)
        value = call.hooks.api.var_get(call.hooks, wanted.ptr, wanted.len)
        if not inside:
            hook_leave(call, before)
        if value == NULL:
            return default
        if type(name) is bytes:
            return PyBytes_FromStringAndSize(value.ptr, value.len)
        return value.ptr[:value.len].decode("utf-8", "surrogateescape")

    def __getitem__(self, name not None):
        found = self.find(name, MISSING)
        if found is MISSING:
            raise KeyError(name)
        return found

    def get(self, name not None, default=None):
        """The value of the variable, or ``default``."""
        return self.find(name, default)

    def __contains__(self, name) -> bool:
        return self.find(name, MISSING) is not MISSING

    def __setitem__(self, name not None, value not None) -> None:
        cdef edit_t e
        cdef object _held_name = view_text(name, UTF_8, &e.name)
        cdef object _held_value = view_text(value, UTF_8, &e.value)
        e.what = EDIT_VAR
        edit_or_raise(self.of, &e, name)


cdef Vars vars_view(Scope of):
    cdef Vars made = Vars.__new__(Vars)
    made.of = of
    return made
