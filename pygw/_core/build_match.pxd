# Owns: what a route asks of a request, from the entry `match` of a plan.
# Thread and GIL: holds the GIL; may run on any thread; touches nothing published.
# Never does: judge a request, or place a route in the tree.
# Read next: conditions.pxd, build_router.pxd.

from libc.stdint cimport uint8_t, uint32_t
from pygw._core.part cimport Part
from pygw._core.types.memory cimport arena_t
from pygw._core.types.route cimport conditions_t, dfa_t

# The expressions of a plan by their text.
cdef class Expressions:
    cdef dfa_t* dfas                  # plan
    cdef dict places                  # text: place in `dfas`

    # The place of an expression; `where` is for the PlanError when there is none of this text.
    cdef uint32_t place(self, str text, str where) except? 0

# The plan's map `expressions`, which may be left out: text to {classes, next, accepts}, each a text
# of hexadecimal digits: for each byte its column, for each state a row of states, for each state
# whether it accepts. State 0 is the end of all hope, 1 the first.
cdef Expressions expressions_build(Part root, arena_t* arena)
# The conditions of a `match`; NULL when there are none. `rank` is set to what build_router wants.
cdef conditions_t* conditions_build(Part part, Expressions known, arena_t* arena,
                                    list rank) except? NULL
# llhttp's number of a method; ValueError for one that no request has.
cdef uint8_t method_number(bytes name) except? 255
# The hosts of a `match`, folded.
cdef list hosts_build(Part part)
# The segments of a `match`'s path, and the names in it.
cdef tuple segments_build(Part part, Expressions known)
