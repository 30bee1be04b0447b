# Owns: what a route asks of a request besides host and path: method, fields, query, client.
# Thread and GIL: one worker's loop; no GIL; no I/O, no state.
# Never does: look at a field or parameter that occurs twice as if it had one value.
# Read next: types/route.pxd for the shapes, router.pxd.
#
# A test for a value holds when the name occurs exactly once and with that value: servers differ on
# which of two they take. Fields that were taken out (a stranger's forwarding fields) do not occur.
# Names and values of the query are read as forms write them: '&' between pairs, the first '='
# within one, '+' a space, triplets decoded; a malformed triplet stands for itself.
#
# An OPTIONS whose method does not hold is yet taken by a route that answers preflights, if it is
# one (Origin, and one Access-Control-Request-Method) for a method that the route takes: who
# decides on a GET of another origin decides on its preflight (WHATWG Fetch 4.8).

from libc.stdint cimport uint64_t
from pygw._core.types.address cimport address_t
from pygw._core.types.header cimport span_t
from pygw._core.types.message cimport request_t
from pygw._core.types.route cimport conditions_t, dfa_t

cdef enum condition:
    CONDITIONS_HOLD = 0
    CONDITION_HEADERS = 1
    CONDITION_QUERY = 2
    CONDITION_CLIENT = 3
    CONDITION_METHOD = 4

# The first of a route's conditions that does not hold, the method last: when only the method fails,
# the methods that would do are added to `allow`.
cdef int conditions_judge(const conditions_t* c, const request_t* request,
                          const address_t* client, uint64_t* allow) noexcept nogil
# Whether an expression takes the whole text.
cdef bint dfa_takes(const dfa_t* dfa, span_t text) noexcept nogil
