# Owns: header fields of a plan: lines made once, put into lists of fields by their entries alone.
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: let a filter write what frames a message or belongs to one connection.
# Read next: headers.pxd.

from libc.stdint cimport uint16_t, uint32_t
from pygw._core.part cimport Part
from pygw._core.template cimport template_t
from pygw._core.types.exchange cimport exchange_t
from pygw._core.types.header cimport span_t, header_t, headers_t
from pygw._core.types.memory cimport arena_t

# Whose head the fields stand in: some are the gateway's own there.
cdef enum fields_side:
    FIELDS_REQUEST = 0
    FIELDS_RESPONSE = 1
    FIELDS_REPLY = 2          # of an answer of our own, which sets Date itself

# Lines that are appended as they are. They lie one behind the other, so that they leave as one run.
# Where `values` has a template, it makes the value, and the item holds the name only.
cdef struct fields_t:
    header_t* items           # plan
    template_t** values       # plan: one an item; NULL: all are fixed
    uint32_t count

# Names of which every field is taken out; only name and id of an item count.
cdef struct names_t:
    header_t* items           # plan
    uint32_t count

# Fields that get another name.
cdef struct renames_t:
    header_t* from_names      # plan; only name and id count
    span_t* to_names          # plan
    uint32_t count

# [["Name", VALUE], ...] as lines behind those already in `out`, which has room for `room`. VALUE is
# text, or a list: a template.
cdef int fields_build(list pairs, str place, int side, arena_t* arena, uint32_t room,
                      fields_t* out) except -1
# ["Name", ...] behind those already in `out`, which has room for `room`.
cdef int names_build(list names, str place, int side, arena_t* arena, uint32_t room,
                     names_t* out) except -1

# [["From", "To"], ...].
cdef int renames_build(list pairs, str place, int side, arena_t* arena, renames_t* out) except -1

# Fixed lines only. 0 or E_CORE_MEMORY (also when the list is full).
cdef int fields_append(const fields_t* fields, headers_t* hs, arena_t* arena) noexcept nogil
# All of them; a template that gives nothing gives no field. `absent`: but those whose name is
# there. 0, or what headers_add and template_run say.
cdef int fields_put(const fields_t* fields, exchange_t* x, headers_t* hs,
                    bint absent) noexcept nogil
# Every field of the one name gets the other, behind all others; if there is one, fields that had
# the other name before go. 0 or E_CORE_MEMORY.
cdef int fields_rename(const renames_t* renames, headers_t* hs, arena_t* arena) noexcept nogil
cdef void names_remove(const names_t* names, headers_t* hs) noexcept nogil
