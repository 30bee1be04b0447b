# Owns: the filter `respond`: an answer of the operator's making, now or after a while.
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: copy a fixed body: it leaves from the plan.
# Read next: redirect.pxd.
#
# {"filter": "respond", "status": 200..599, "headers": [[name, VALUE], ...], "body": text or
# TEMPLATE, "base64": text, "escape": "text" | "json" | "markup", "delay_ms": n}. base64 in place of
# body gives bytes that are no text; escape says what becomes of values in a TEMPLATE. The optional
# keys are base64, escape (default text) and delay_ms. A body made by a template is at most
# TEMPLATE_BODY_MAX bytes long. Content-Length and Date are the gateway's; a status that has no body
# (204, 205, 304) gets none. With delay_ms the answer is made that much later, and the client may
# leave meanwhile.

from pygw._core.part cimport Part
from pygw._core.types.exchange cimport filter_t
from pygw._core.types.memory cimport arena_t

cdef int respond_build(Part part, arena_t* arena, filter_t* out) except -1
