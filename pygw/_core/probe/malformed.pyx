# cython: language_level=3
# Owns: a table of malformed requests by client, on a clock that tests move.
# Thread and GIL: holds the GIL.
# Never does: load in a gateway, or write to standard error.
# Read next: ../malformed.pxd.
"""``Table``: who passes, and the lines about them."""

from libc.stdint cimport uint64_t
from pygw._core.address cimport address_parse
from pygw._core.fault cimport E_DOWN_HEADER
from pygw._core.limits cimport MALFORMED_CLIENTS
from pygw._core.malformed cimport malformed_init, malformed_is, malformed_note, malformed_t
from pygw._core.stats cimport ST_MALFORMED, ST_MALFORMED_CLIENTS
from pygw._core.types.address cimport address_t
from pygw._core.types.exchange cimport limits_t
from pygw._core.view cimport span

CLIENTS = MALFORMED_CLIENTS


cdef void keep(void* arg, const char* line, size_t size) noexcept nogil:
    with gil:
        (<list>arg).append(line[:size])


def is_malformed(error: int) -> bool:
    """malformed_is."""
    return bool(malformed_is(error))


cdef class Table:
    """``lines`` are the lines written so far."""

    cdef malformed_t table
    cdef uint64_t counters[64]
    cdef limits_t limits
    cdef readonly list lines

    def __init__(self, malformed: int, window_ms: int) -> None:
        malformed_init(&self.table, self.counters)
        self.lines = []
        self.table.write = keep
        self.table.write_arg = <void*>self.lines
        self.limits.malformed = malformed
        self.limits.malformed_window_ms = window_ms

    def note(self, client: bytes, now_ms: int, times: int = 1) -> None:
        """So many malformed requests of a client at this moment."""
        cdef address_t a
        cdef const char* text = client
        if not address_parse(&a, span(text, len(client))):
            raise ValueError(client)
        for _ in range(times):
            malformed_note(&self.table, &a, E_DOWN_HEADER, &self.limits, now_ms)

    @property
    def counted(self) -> tuple[int, int]:
        """The counters: malformed requests, clients that passed."""
        return self.counters[<int>ST_MALFORMED], self.counters[<int>ST_MALFORMED_CLIENTS]
