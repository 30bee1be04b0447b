# cython: language_level=3
# Owns: address ranges of a plan.
# Thread and GIL: holds the GIL; building only.
# Never does: match (address.pxd does).
# Read next: ranges.pxd for the contract.

from libc.stdint cimport uint32_t
from pygw._core.address cimport cidr_parse
from pygw._core.part cimport Part, plan_alloc, plan_fail, plan_text
from pygw._core.types.address cimport cidr_t
from pygw._core.types.memory cimport arena_t
from pygw._core.view cimport span


cdef cidr_t* ranges_build(Part part, str key, arena_t* arena, uint32_t* count) except NULL:
    cdef list items = part.items(key)
    cdef size_t size = len(items)
    cdef cidr_t* ranges = <cidr_t*>plan_alloc(arena, size * sizeof(cidr_t))
    cdef bytes text
    for i, item in enumerate(items):
        place = f"{part.at(key)}[{i}]"
        text = plan_text(item, place, 64)
        if not cidr_parse(&ranges[<size_t>i], span(text, len(text))):
            plan_fail(place, f"not a CIDR range: {ascii(item)}")
    count[0] = <uint32_t>size
    return ranges
