# Owns: the filter `request_id`: under which name, in which form and of whom an id is taken.
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: take an id that could not stand in a log or a field.
# Read next: ../forwarding.pxd, which gives every request an id before.
#
# {"filter": "request_id", "header": name, "trust": "proxies" | "all" | "none",
# "format": "uuid7" | "hex"}. An id that came in `header` is kept if its sender is trusted, it came
# once, and it is sane (forwarding.pxd); else there is a new one: a UUID of version 7, or the same
# as 32 hex digits. It becomes exchange.request_id, so X-Request-ID, log and templates behind this
# filter say it, and it stands in `header` both ways.

from pygw._core.part cimport Part
from pygw._core.types.exchange cimport filter_t
from pygw._core.types.memory cimport arena_t

cdef int request_id_build(Part part, arena_t* arena, filter_t* out) except -1
