# Owns: the filter `gzip`: compressing responses for clients that accept it.
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: compress what says not to, or delay what has come.
# Read next: ../deflater.pxd, ../coding.pxd.
#
# {"filter": "gzip", "level": 1..9, "min_length": bytes, "types": ["text/*", ...]}. A type is
# compared without parameters and case; one '*' in it stands for anything.
#
# A response could be compressed if its type is among `types`, its length is at least `min_length`
# or unknown, its status has a body of its own (not 1xx, 204, 205, 206, 304), it has neither
# Content-Encoding nor Content-Range nor a digest of its content (RFC 9530), and no-transform does
# not stand in its Cache-Control. Each such response gets `Vary: Accept-Encoding`, a 304 that may
# stand for one too. It is compressed if the client takes gzip (as Accept-Encoding stands where
# this filter does), speaks HTTP/1.1, did not say no-transform, and one of GZIP_STREAMS_MAX
# compressors is free: then Content-Encoding is set, Content-Length and Accept-Ranges go, a strong
# ETag becomes a weak one with a mark. HEAD gets the fields of GET. Marks are taken off
# If-None-Match and If-Match before the service sees them, and a 304 has the tag that the client
# asked with.
#
# Content is compressed as it comes, so much a turn (XF_STEPPED), and leaves, flushed, when nothing
# more is at hand (XF_HELD).

from pygw._core.part cimport Part
from pygw._core.types.exchange cimport filter_t
from pygw._core.types.memory cimport arena_t

cdef int gzip_build(Part part, arena_t* arena, filter_t* out) except -1
