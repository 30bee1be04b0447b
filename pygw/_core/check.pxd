# Owns: nothing; the macros that state what must never happen, and two branch hints.
# Thread and GIL: any; no Python.
# Never does: anything at all in a release build.
# Read next: limits.pxd, then types/.

cdef extern from *:
    """
    #ifndef PYGW_CHECK
    #define PYGW_CHECK
    #include <stdio.h>
    #include <stdlib.h>
    #ifndef PYGW_DEBUG
    #define PYGW_DEBUG 0
    #endif
    #define BUG_ON(c) do { if (PYGW_DEBUG && (c)) { \\
        fprintf(stderr, "pygw BUG_ON(%s) at %s:%d\\n", #c, __FILE__, __LINE__); \\
        abort(); } } while (0)
    #endif
    """
    # Stops a debug build when `cond` holds; costs nothing in a release build.
    void BUG_ON(bint cond) noexcept nogil
    # Branch hints; Cython's own C prelude defines them.
    bint likely(bint cond) noexcept nogil
    bint unlikely(bint cond) noexcept nogil
    const bint PYGW_DEBUG
