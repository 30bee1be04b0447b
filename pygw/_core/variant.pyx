# cython: language_level=3
# Owns: which variant of the core was compiled: release, debug, asan or coverage.
# Thread and GIL: two constants for Python, set at import.
# Never does: change what is compiled; setup.py chooses that.
# Read next: ../../setup.py for the variants, check.pxd for what a debug build checks.

cdef extern from *:
    """
    #ifdef PYGW_DEBUG
    #define PYGW_DEBUG_BUILD 1
    #else
    #define PYGW_DEBUG_BUILD 0
    #endif
    #ifndef PYGW_VARIANT
    #define PYGW_VARIANT (PYGW_DEBUG_BUILD ? "debug" : "release")
    #endif
    """
    const char* PYGW_VARIANT
    int PYGW_DEBUG_BUILD

NAME = PYGW_VARIANT.decode()
DEBUG = PYGW_DEBUG_BUILD != 0
