# cython: language_level=3
# Owns: reading a plan's JSON values with their place in every complaint; PlanError.
# Thread and GIL: holds the GIL; any thread, one plan at a time each.
# Never does: run while an exchange does; know what a value is for.
# Read next: part.pxd for the contract.
"""What a plan's text may hold, value by value, and the error for everything else."""

import re

from libc.string cimport memcpy
from pygw._core.arena cimport arena_bytes, arena_zalloc

cdef object NAME = re.compile(rb"[A-Za-z0-9_.\-]{1,64}\Z")


class PlanError(ValueError):
    """A plan that cannot be compiled; the text names the place and the fault."""


cdef int plan_fail(str place, str message) except -1:
    raise PlanError(f"{place}: {message}" if place else f"the plan {message}")


cdef bytes plan_text(object value, str place, size_t max_bytes):
    if not isinstance(value, str):
        plan_fail(place, "must be text")
    try:
        text = (<str>value).encode("utf-8")
    except UnicodeEncodeError:
        plan_fail(place, "must be text that UTF-8 can carry")
    if <size_t>len(text) > max_bytes:
        plan_fail(place, f"must be at most {max_bytes} bytes long")
    return text


cdef int plan_full(arena_t* arena) except -1:
    plan_fail("", f"takes more memory than it may have ({arena.max_bytes} bytes)")


cdef void* plan_alloc(arena_t* arena, size_t size) except NULL:
    cdef void* memory = arena_zalloc(arena, size if size else 1)
    if memory == NULL:
        plan_full(arena)
    return memory


cdef int plan_keep(arena_t* arena, bytes text, span_t* out) except -1:
    cdef size_t size = len(text)
    cdef char* copy = arena_bytes(arena, size + 1)
    if copy == NULL:
        plan_full(arena)
    memcpy(copy, <const char*>text, size + 1)    # COPY: the plan outlives its text
    out.ptr = copy
    out.len = <unsigned int>size
    return 0


cdef class Part:
    """One JSON object of a plan and its place in it."""

    def __init__(self, values: object, place: str) -> None:
        if not isinstance(values, dict):
            plan_fail(place, "must be an object")
        self.values = values
        self.place = place
        self.unread = set(values)

    cdef str at(self, str key):
        return f"{self.place}.{key}" if self.place else key

    cdef bint has(self, str key) except? 0:
        self.unread.discard(key)
        return self.values.get(key) is not None

    cdef object value(self, str key):
        self.unread.discard(key)
        if key not in self.values:
            plan_fail(self.at(key), "is missing")
        return self.values[key]

    cdef uint64_t number(self, str key, uint64_t low, uint64_t high) except? 0:
        value = self.value(key)
        if type(value) is not int:
            plan_fail(self.at(key), "must be a whole number")
        if not low <= value <= high:
            plan_fail(self.at(key), f"must be from {low} to {high}, got {shown(value)}")
        return value

    cdef uint64_t number_or_off(self, str key, uint64_t low, uint64_t high) except? 0:
        if self.value(key) is None:
            return 0
        return self.number(key, low, high)

    cdef bint flag(self, str key) except? 0:
        value = self.value(key)
        if type(value) is not bool:
            plan_fail(self.at(key), "must be true or false")
        return value

    cdef bytes text(self, str key, size_t max_bytes):
        return plan_text(self.value(key), self.at(key), max_bytes)

    cdef bytes name(self, str key):
        text = self.text(key, 64)
        if NAME.match(text) is None:
            plan_fail(self.at(key), "must be 1 to 64 letters, digits or _ . -")
        return text

    cdef list items(self, str key):
        value = self.value(key)
        if not isinstance(value, list):
            plan_fail(self.at(key), "must be a list")
        return value

    cdef Part part(self, str key):
        return Part(self.value(key), self.at(key))

    cdef list parts(self, str key):
        return [Part(value, f"{self.at(key)}[{i}]") for i, value in enumerate(self.items(key))]

    cdef int finish(self) except -1:
        for key in sorted(self.unread):
            plan_fail(self.at(shown(key)), "unknown key")
        return 0


def shown(value: object) -> str:
    """A value as it may stand in an error text: printable and short."""
    try:
        text = ascii(value) if isinstance(value, str) else str(value)
    except ValueError:
        return "a huge number"
    text = text.strip("'") if isinstance(value, str) else text
    return text if len(text) <= 40 else text[:40] + "…"


cdef int plan_unique(list parts, str what) except -1:
    cdef Part part
    cdef dict seen = {}
    for part in parts:
        name = part.name("name")
        if seen.setdefault(name, part.place) != part.place:
            plan_fail(part.at("name"), f"{seen[name]} has the same name")
    return 0
