# Owns: which route a request takes.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: change the bytes that are forwarded.
# Read next: path.pxd for the readings of a path, conditions.pxd, then balance.pxd.
#
# Of all routes whose whole predicate holds, the most specific takes the request. The order in the
# file plays no part. Compared are, one after the other:
#
#   host        an exact name, then "*.name" (the longer first, any number of labels for the star),
#               then any. Ports and a final dot play no part, nor does case.
#   path        segment by segment from the left: a literal, then {name:int} (1 to 19 digits), then
#               {name:expression}, then {name} (one segment, not empty), then a wildcard at the end:
#               "/a*" (the longer first), then "/*" (what follows may be empty and hold slashes). A
#               path that ends beats a wildcard. Two expressions at one place must not take the same
#               segment: the configuration's check sees to it.
#   conditions  with methods, then more header tests, then more query tests, then with client,
#               then with HEAD but without GET: who takes HEAD for GET's sake comes after who names
#               HEAD alone; then with preflights
#
# Two routes that are equal in all this and that one request could match are refused by the check;
# here the earlier one in the plan would win.
#
# When routes match but for the method, there is none, and `allow` holds all their methods.
#
# The form that decides must be the form the origin sees, and the origin sees the raw bytes and
# reads them in its own way (path.pxd): each reading of a path must lead to the same route, else
# there is none (a 404 is no bypass). Names are taken from the path as it stands, when it is not
# plain from its normal reading.
#
# "*" (OPTIONS *) asks for the server as a whole: only routes of the path "/*" take it.

from libc.stdint cimport uint32_t, uint64_t
from pygw._core.types.address cimport address_t
from pygw._core.types.exchange cimport exchange_t, plan_t, route_t
from pygw._core.types.header cimport span_t
from pygw._core.types.memory cimport arena_t
from pygw._core.types.message cimport request_t

# A route that host and path match, and its first condition that does not hold (conditions.pxd).
cdef struct seen_t:
    uint32_t route            # place in plan.routes
    int failed

# What a request asked and what was found for it.
cdef struct asked_t:
    const plan_t* plan        # borrow(caller, until router_match returns)
    const request_t* request  # borrow(caller, until router_match returns)
    const address_t* client   # borrow(caller, until router_match returns)
    arena_t* arena            # borrow(caller, until router_match returns): for names of odd paths
    seen_t* seen              # borrow(caller, until router_match returns); NULL but for explain
    uint32_t seen_max         # room there; then nothing is found, everything that fits is listed
    uint32_t seen_count
    uint64_t allow            # methods of the routes that match but for theirs
    uint32_t param_count      # names of the route found
    span_t params[16]         # ROUTE_PARAMS_MAX: of the request's head or of `arena`

# Prepares the question; `arena` may be NULL when names do not matter.
cdef void router_ask(asked_t* a, const plan_t* plan, const request_t* request,
                     const address_t* client, arena_t* arena) noexcept nogil
# 0 with *out set, E_CORE_NO_ROUTE, E_CORE_METHOD or E_CORE_MEMORY.
cdef int router_match(asked_t* a, route_t** out) noexcept nogil
# The same for an exchange: its route, its params, or its `allow`.
cdef int router_take(exchange_t* x) noexcept nogil
