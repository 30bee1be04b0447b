# Owns: the proof that a library's callbacks sit where llhttp.pxd declares them.
# Thread and GIL: runs once, while llhttp is imported, under the GIL; its memory is not shared.
# Never does: serve traffic.
# Read next: llhttp.pyx, which calls it.

from pygw._core.libs.llhttp_abi cimport llhttp_api

# Bytes that llhttp_settings_init zeroes at the start of a settings struct; -1 if it leaves a gap or
# writes beyond PROBE_BYTES.
cdef int settings_bytes(const llhttp_api* api) noexcept nogil

# Bytes that llhttp_init writes at the start of a parser, or -1 as above. Only after settings_bytes
# has been found right.
cdef int parser_bytes(const llhttp_api* api) noexcept nogil

# Parses a known message of `type` (HTTP_REQUEST or HTTP_RESPONSE) with every callback set. Answers
# "" if each fired in its own slot and in its order, else one phrase that says what happened
# instead. Only to be called once both sizes have been found right.
cdef str slots_problem(const llhttp_api* api, int type)
