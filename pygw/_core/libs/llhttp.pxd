# Owns: the one table of llhttp's functions.
# Thread and GIL: filled once at import; a parser is its thread's and needs no GIL.
# Never does: stand for a library whose layout was not proven at import.
# Read next: llhttp_abi.pxd for what the table holds, llhttp.pyx for the guards,
#   ../http1_read.pxd for the rules above the floor.

from pygw._core.libs.llhttp_abi cimport *

# Never changed after the import, no entry is NULL.
cdef llhttp_api llhttp
