# Owns: the short way through a head that arrived whole and holds nothing unusual.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: refuse anything. What it does not take is llhttp's to judge, from the first byte on.
# Read next: http1_scan.pyx, http1_read.pyx.
#
# llhttp takes some twelve instructions a byte; this takes three and decides nothing that llhttp would
# decide otherwise. Each test that reads a message whole and in pieces holds one against the other, for
# a message in pieces is always read by llhttp.

from libc.stdint cimport uint32_t
from pygw._core.types.message cimport half_t

# Reads the field lines that begin at `line`: name, value and raw_len of every entry of half.headers.
# Returns one past the empty line; NULL when llhttp has to look: the section does not end before
# `end`, a name is no token, a value has a byte besides SP and visible ASCII, a line ends otherwise
# than in CRLF, there are more than `most` fields, or memory is out. half.headers is then to be
# emptied.
cdef const char* http1_scan_fields(half_t* half, const char* line, const char* end,
                                   uint32_t most) noexcept nogil

# llhttp's number of a common method; -1 when llhttp has to be asked.
cdef int http1_scan_method(const char* name, uint32_t size) noexcept nogil
