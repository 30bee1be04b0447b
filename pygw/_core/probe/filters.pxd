# Owns: Python doors to a built plan: its routes, its targets, its chains. For tests and benches.
# Thread and GIL: holds the GIL.
# Never does: load in a gateway.
# Read next: loopback.pyx, which runs exchanges through such a plan.

from pygw._core.types.exchange cimport plan_t
from pygw._core.types.upstream cimport upstream_t

cdef class Plan:
    cdef plan_t* plan         # own
    cdef upstream_t* named(self, str name) except NULL
