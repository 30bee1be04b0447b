# cython: language_level=3, boundscheck=False
# Owns: sets of ranges without a plan around them.
# Thread and GIL: holds the GIL; the bench runs without it.
# Never does: load in a gateway.
# Read next: ../cidr_set.pxd.
"""``CidrSet``: ranges to look in."""

from cpython.bytearray cimport PyByteArray_AS_STRING
from libc.stdint cimport uint32_t, uint64_t
from pygw._core.address cimport address_parse
from pygw._core.arena cimport arena_fini, arena_init
from pygw._core.cidr_set cimport cidr_set_bytes, cidr_set_has
from pygw._core.filters.ranges cimport ranges_build
from pygw._core.part cimport Part
from pygw._core.types.address cimport address_t, cidr_set_t
from pygw._core.types.memory cimport arena_t
from pygw._core.view cimport span


cdef class CidrSet:
    """A set as a plan has it. ``nodes`` are the places of its trie, ``size`` its bytes."""

    cdef arena_t arena
    cdef cidr_set_t held
    cdef bytearray asked      # address_t, one behind the other

    def __init__(self, ranges: list[str]) -> None:
        arena_init(&self.arena, NULL, 0, 1 << 30)
        ranges_build(Part({"ranges": ranges}, ""), "ranges", &self.arena, &self.held)

    def __dealloc__(self) -> None:
        arena_fini(&self.arena)

    def __contains__(self, address: str) -> bool:
        cdef address_t a
        cdef bytes text = address.encode()
        if not address_parse(&a, span(<const char*>text, len(text))):
            raise ValueError(address)
        return bool(cidr_set_has(&self.held, &a))

    @property
    def nodes(self) -> int:
        return self.held.places

    @property
    def size(self) -> int:
        return cidr_set_bytes(&self.held)

    def prepare(self, addresses: list[str]) -> None:
        """What ``look`` looks for."""
        cdef address_t* a
        cdef bytes text
        self.asked = bytearray(len(addresses) * sizeof(address_t))
        a = <address_t*>PyByteArray_AS_STRING(self.asked)
        for address in addresses:
            text = address.encode()
            if not address_parse(a, span(<const char*>text, len(text))):
                raise ValueError(address)
            a += 1

    def look(self, rounds: int) -> int:
        """Looks for the prepared addresses, one after the other; how many were there."""
        cdef const address_t* a = <address_t*>PyByteArray_AS_STRING(self.asked)
        cdef uint64_t _, n = rounds, count = len(self.asked) // sizeof(address_t), at = 0
        cdef uint32_t there = 0
        with nogil:
            for _ in range(n):
                there += cidr_set_has(&self.held, &a[at])
                at += 1
                if at == count:
                    at = 0
        return there
