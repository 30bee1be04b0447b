# cython: language_level=3
# Owns: a Python door to a plan's routes, without a worker and its loop.
# Thread and GIL: holds the GIL; any thread, one at a time each Matcher.
# Never does: match by rules of its own: the data plane's functions decide.
# Read next: router.pxd for the order of precedence.
"""Which route of a plan a request takes, asked from Python."""

from typing import NamedTuple

from pygw._core.build cimport plan_build, plan_free
from pygw._core.router cimport router_match
from pygw._core.types.exchange cimport plan_t, route_t
from pygw._core.view cimport span


class Match(NamedTuple):
    """What became of a request.

    `status` is 0 when a route takes it, else 404 or 405. `params` holds what the path gave for the
    route's `{names}`; `allow` the methods that a 405 names, sorted.
    """

    status: int
    route: str | None
    params: dict
    allow: tuple


class Candidate(NamedTuple):
    """A route whose host and path match, with the first condition that does not hold.

    `failed` is None, `methods`, `headers`, `query` or `client`.
    """

    route: str
    failed: str | None


cdef class Matcher:
    """The routes of a plan, given as the JSON text that a worker gets; PlanError for a bad one."""

    cdef plan_t* plan         # own

    def __cinit__(self, bytes plan not None) -> None:
        self.plan = plan_build(plan)

    def __dealloc__(self) -> None:
        if self.plan != NULL:
            self.plan.refs = 0
            plan_free(self.plan)

    def match(self, method: str, host: str, target: str, headers: object = (),
              client: str = "127.0.0.1") -> Match:
        """The route for a request. `target` is path and query; `client` an address.

        `headers` are pairs of name and value, without Host.
        """
        cdef bytes path = target.partition("?")[0].encode()
        cdef route_t* route = router_match(self.plan, span(path, len(path)))
        if route == NULL:
            return Match(404, None, {}, ())
        return Match(0, route.name.ptr[:route.name.len].decode(), {}, ())

    def candidates(self, method: str, host: str, target: str, headers: object = (),
                   client: str = "127.0.0.1") -> list:
        """Routes whose host and path match, in the order of precedence."""
        cdef object found = self.match(method, host, target, headers, client)
        return [] if found.route is None else [Candidate(found.route, None)]
