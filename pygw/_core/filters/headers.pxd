# Owns: the filter `headers`: what the operator sets, adds and removes in both heads.
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: write what frames a message or belongs to one connection, or a second Host.
# Read next: ip.pxd.
#
# {"filter": "headers", "request": EDITS, "response": EDITS}; EDITS is
# {"set": [[name, VALUE], ...], "add": [[name, VALUE], ...], "default": [[name, VALUE], ...],
# "remove": [name, ...], "rename": [[from, to], ...]}, in effect remove, rename, set (takes out
# every field of the name), default (only where there is none), add. VALUE is text or a TEMPLATE;
# one that gives nothing gives no field. A template that is too long: 431. A side without edits
# costs nothing.

from pygw._core.part cimport Part
from pygw._core.types.exchange cimport filter_t
from pygw._core.types.memory cimport arena_t

cdef int headers_build(Part part, arena_t* arena, filter_t* out) except -1
