# Owns: the filter `cors`: which pages of other origins may read answers (WHATWG Fetch 3.2).
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: let any origin in with credentials, or leave a service's own word on the matter.
# Read next: request_id.pxd.
#
# {"filter": "cors", "origins": [origin, ...] or null, "methods": [name, ...] or null,
# "headers": [name, ...] or null, "expose": [name, ...], "credentials": true | false,
# "max_age_s": n or null, "private_network": true | false}. An origin is "scheme://host[:port]",
# "scheme://*.host[:port]" (any depth below host, not host itself), or "null". null: any origin
# (answered "*"), any method, any header (the request's own list is given back).
#
# A preflight (OPTIONS with Origin and Access-Control-Request-Method) is answered 204 here and goes
# no further; from an origin that is not let in, without a field of CORS. Of every other answer the
# service's Access-Control-* go, and ours are added for an origin that is let in. Whenever the
# answer depends on Origin, Vary says so, also to requests without one.

from pygw._core.part cimport Part
from pygw._core.types.exchange cimport filter_t
from pygw._core.types.memory cimport arena_t

cdef int cors_build(Part part, arena_t* arena, filter_t* out) except -1
