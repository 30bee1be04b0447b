# Owns: the tree that finds a route, from the routes' forms.
# Thread and GIL: holds the GIL; may run on any thread; touches nothing published.
# Never does: read a plan's text, or match a request.
# Read next: types/route.pxd for the tree, router.pxd.

from libc.stdint cimport uint32_t
from pygw._core.types.exchange cimport plan_t
from pygw._core.types.route cimport dfa_t

cdef enum segment_kind:
    SEGMENT_LITERAL = 0       # value: its bytes
    SEGMENT_INTEGER = 1
    SEGMENT_EXPRESSION = 2    # value: place of its dfa
    SEGMENT_PARAM = 3
    SEGMENT_REST = 4          # value: what stands before the star; the last one

# What the tree has to know of a route.
cdef class Form:
    cdef readonly list hosts          # folded; ".a.b" for "*.a.b"; [b""]: any
    cdef readonly list segments       # (segment_kind, value)
    cdef readonly tuple rank          # how much its conditions ask: the greater comes first
    cdef readonly uint32_t place      # in plan.routes
    cdef readonly bint asks           # has conditions
    cdef readonly str where           # for complaints

# Builds plan.router and plan.lenient; `dfas` are the plan's. PlanError when more than
# ROUTE_CANDIDATES_MAX routes end at one place, more than ROUTE_EXPRESSIONS_MAX expressions stand at
# one, or the memory does not suffice.
cdef int router_build(plan_t* plan, list forms, const dfa_t* dfas) except -1
