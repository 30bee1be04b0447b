# Owns: which route an exchange takes.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: change the bytes that are forwarded.
# Read next: balance.pxd.
#
# The form that decides must be the form the origin sees, and the origin sees the raw bytes and
# reads them in its own way. So:
#
# A plain path is matched as it stands, after one scan. Plain: begins with '/'; printable ASCII
# without '%', '\', ';', '#', '?'; no empty segment but the last, no segment "." or "..".
#
# Any other path can be read in more than one way, and takes a route only if each reading takes that
# same route; else none (a 404 is no bypass). The readings:
#   literal  unreserved characters decoded, triplets in upper case (equal to the path as it came by
#            RFC 3986 6.2.2.1 and 6.2.2.2), dot segments left alone
#   normal   the same with dot segments resolved (RFC 3986 6.2.2.3)
#   lenient  what forgiving origins do: every triplet decoded, '\' read as '/', parameters cut off
#            at ';', empty segments dropped, dot segments resolved
# No route at all for a path that
#   climbs above the root, has a malformed triplet, an encoded NUL, a control byte, '#' or '?'
#   has a dot segment in disguise (%2e, "..;", next to '\' or %2f)
#   has dot segments beside anything else that is read differently ('\', %2f, %5c, ';', "//"), or a
#   slash in disguise among parameters: origins that do some but not all of this read a third path
#   is not plain and longer than ROUTE_SCRATCH in one of its forms
#
# "*" (OPTIONS *) asks for the server as a whole: only the route of prefix "/" takes it.

from libc.stdint cimport uint32_t
from pygw._core.types.header cimport span_t
from pygw._core.types.exchange cimport plan_t, route_t

cdef enum:
    ROUTE_SCRATCH = 8192      # bytes of a path's form other than the one it came in

# The route for a path: exact before prefix, longest prefix first; NULL: none.
cdef route_t* router_match(plan_t* plan, span_t path) noexcept nogil
# For build: the form in which a route's path is kept, written to `out` (ROUTE_SCRATCH bytes).
# Returns its length, or 0 for a path that has more than one reading and could hide another route.
cdef uint32_t router_prepare(span_t path, char* out) noexcept nogil
