# Owns: the answering side of a client's connection: HTTP/1 as the exchange's downstream stream.
# Thread and GIL: one worker's loop; no GIL.
# Never does: read.
# Read next: downstream.pxd.

from pygw._core.types.stream cimport stream_ops_t

# The calls of types/stream.pxd. Whether the connection lives on is decided with the final head:
# "Connection: close" goes out when the client wants it, the worker drains, the request can not be
# read to its end cheaply, or the answer ends with the connection.
cdef const stream_ops_t* down_stream_ops() noexcept nogil
