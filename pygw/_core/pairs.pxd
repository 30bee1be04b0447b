# Owns: reading the pairs of a query, "a=1&b=2".
# Thread and GIL: any; no GIL, no state.
# Never does: decode a value: what comes from a URL keeps the spelling it came in.
# Read next: template.pxd.

from libc.stdint cimport uint32_t
from pygw._core.types.header cimport span_t

# One pair as it stands: `whole` is all of it, `value` what follows the first '=' (empty without).
cdef struct pair_t:
    span_t whole              # borrow(the query, while it stays)
    span_t name               # borrow(the query, while it stays)
    span_t value              # borrow(the query, while it stays)

# Takes the next pair off `rest`; False at the end. Pairs stand between '&' (WHATWG URL 5.1); empty
# ones are given, too, but for one at the end.
cdef bint pair_next(span_t* rest, pair_t* pair) noexcept nogil
# Whether a name in a query says `plain`: '+' is a space there, a triplet the byte it stands for.
cdef bint pair_is(span_t name, span_t plain) noexcept nogil
# The value of the first pair of that name, as it came; ptr NULL when there is none.
cdef span_t pair_find(span_t query, span_t plain) noexcept nogil
