# Owns: where a request goes on to: another path, another query.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: route again, touch request.target (the log tells what was asked), or let a path out
#   that an origin could read as another.
# Read next: http1_write.pxd.
#
# The start line is written anew from path and query (MF_LINE_EDITED), for each attempt. Params keep
# pointing into what came. "*" (OPTIONS *) has no path to edit: it stays, and the call succeeds.
#
# A clean path begins with '/' and has one reading: visible ASCII without '?', '#' and '\'; '%' only
# before two hex digits that are not 00; no empty segment but the last (runs of '/' become one); no
# segment that is "." or "..", whichever way its dots are written and whether '/', %2f, %5c or ';'
# ends it. What breaks these is refused with E_DOWN_TARGET (400), never repaired.

from libc.stdint cimport uint32_t
from pygw._core.types.exchange cimport exchange_t
from pygw._core.types.header cimport span_t

# Copies `path` to `out` (path.len bytes), clean; returns its length, 0 when it is refused.
cdef uint32_t path_clean(span_t path, char* out) noexcept nogil
# prefix + path, clean, becomes the path. 0, E_DOWN_TARGET or E_CORE_MEMORY; then nothing changed.
cdef int retarget_path(exchange_t* x, span_t prefix, span_t path) noexcept nogil
# `query` (in the arena or the plan, without '?') becomes the query; empty: the target has none.
# 0, or E_DOWN_TARGET for a byte that no query may have.
cdef int retarget_query(exchange_t* x, span_t query) noexcept nogil
