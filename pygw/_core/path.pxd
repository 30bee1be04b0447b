# Owns: the readings of a path: how servers may take the bytes of a request's path.
# Thread and GIL: one worker's loop; no GIL; no I/O, no state.
# Never does: change the bytes that are forwarded, or choose a route.
# Read next: router.pxd, which wants every reading to lead to the same route.
#
# A plain path is matched as it stands, after one scan. Plain: begins with '/'; printable ASCII
# without '%', '\', ';', '#', '?'; no empty segment but the last, no segment "." or "..".
#
# Any other path can be read in more than one way:
#   literal  unreserved characters decoded, triplets in upper case (equal to the path as it came by
#            RFC 3986 6.2.2.1 and 6.2.2.2), dot segments left alone
#   normal   the same with dot segments resolved (RFC 3986 6.2.2.3)
#   lenient  what forgiving origins do: every triplet decoded, '\' read as '/', parameters cut off
#            at ';', empty segments dropped, dot segments resolved
# No reading, and so no route, has a path that
#   climbs above the root, has a malformed triplet, an encoded NUL, a control byte, '#' or '?'
#   has a dot segment in disguise (%2e, "..;", next to '\' or %2f)
#   has dot segments beside anything else that is read differently ('\', %2f, %5c, ';', "//"), or a
#   slash in disguise among parameters: origins that do some but not all of this read a third path
#   is not plain and longer than ROUTE_SCRATCH in one of its forms

from libc.stdint cimport uint32_t
from pygw._core.types.header cimport span_t

cdef enum:
    ROUTE_SCRATCH = 8192      # bytes of a path's form other than the one it came in

cdef bint path_is_plain(span_t path) noexcept nogil
# Each writes a reading to `out` (ROUTE_SCRATCH bytes) and returns its length; 0: there is none.
cdef uint32_t path_literal(span_t path, char* out) noexcept nogil
cdef uint32_t path_lenient(span_t path, char* out) noexcept nogil
# The normal reading from the literal one, in place.
cdef uint32_t path_resolve(char* literal, uint32_t size) noexcept nogil
# Every triplet decoded, for the literals of a route; the length. `out` may be `text`.
cdef uint32_t path_decode(span_t text, char* out) noexcept nogil
# For build: the form in which a route's path is kept, written to `out` (ROUTE_SCRATCH bytes).
# Returns its length, or 0 for a path that has more than one reading and could hide another route.
cdef uint32_t path_prepare(span_t path, char* out) noexcept nogil
