# cython: language_level=3
# Owns: address ranges of a plan.
# Thread and GIL: holds the GIL; building only.
# Never does: match (cidr_set.pxd does).
# Read next: ranges.pxd for the contract.

from cpython.bytearray cimport PyByteArray_AS_STRING
from pygw._core.address cimport cidr_parse
from pygw._core.cidr_set cimport cidr_set_build
from pygw._core.part cimport Part, plan_fail, plan_text
from pygw._core.types.address cimport cidr_set_t, cidr_t
from pygw._core.types.memory cimport arena_t
from pygw._core.view cimport span


cdef int ranges_build(Part part, str key, arena_t* arena, cidr_set_t* out) except -1:
    cdef list items = part.items(key)
    cdef size_t size = len(items), i
    cdef bytearray memory = bytearray(size * sizeof(cidr_t))
    cdef cidr_t* ranges = <cidr_t*>PyByteArray_AS_STRING(memory)
    cdef bytes text
    for i in range(size):
        place = f"{part.at(key)}[{i}]"
        text = plan_text(items[i], place, 64)
        if not cidr_parse(&ranges[i], span(text, len(text))):
            plan_fail(place, f"not a CIDR range: {ascii(items[i])}")
    return cidr_set_build(out, ranges, <unsigned int>size, arena)
