# cython: language_level=3
# Owns: a Python door to a plan's routes, without a worker and its loop.
# Thread and GIL: holds the GIL; any thread, one at a time each Matcher.
# Never does: match by rules of its own: the data plane's functions decide.
# Read next: router.pxd for the order of precedence.
"""Which route of a plan a request takes, asked from Python."""

from typing import NamedTuple

from libc.stdint cimport uint32_t
from libc.string cimport memset
from pygw._core.address cimport address_parse
from pygw._core.arena cimport arena_fini, arena_init
from pygw._core.build cimport plan_build, plan_free
from pygw._core.build_match cimport method_number
from pygw._core.conditions cimport (
    CONDITION_CLIENT, CONDITION_HEADERS, CONDITION_METHOD, CONDITION_QUERY)
from pygw._core.fault cimport E_CORE_MEMORY, fault_get
from pygw._core.headers cimport header_id_of
from pygw._core.libs.llhttp cimport llhttp
from pygw._core.limits cimport HEADERS_MAX
from pygw._core.path cimport ROUTE_SCRATCH
from pygw._core.router cimport asked_t, router_ask, router_match, seen_t
from pygw._core.types.address cimport ADDRESS_UNIX, address_t
from pygw._core.types.exchange cimport plan_t, route_t
from pygw._core.types.header cimport header_t, span_t
from pygw._core.types.memory cimport arena_t
from pygw._core.types.message cimport request_t
from pygw._core.view cimport span

cdef enum:
    SEEN_MAX = 1024           # candidates that are listed

cdef dict FAILED = {
    CONDITION_METHOD: "methods", CONDITION_HEADERS: "headers", CONDITION_QUERY: "query",
    CONDITION_CLIENT: "client",
}


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

    `failed` is None, `headers`, `query`, `client` or, when all else holds, `methods`.
    """

    route: str
    failed: str | None


cdef str text_of(span_t s):
    return s.ptr[:s.len].decode("utf-8", "backslashreplace")


# A request as the reader leaves it, and the bytes it points to.
cdef class Question:
    cdef request_t request
    cdef address_t client
    cdef header_t[256] fields         # HEADERS_MAX
    cdef arena_t arena                # own
    cdef list kept

    def __cinit__(self, method: str, host: str, target: str, headers: object,
                  client: str) -> None:
        path, _, query = target.partition("?")
        memset(&self.request, 0, sizeof(request_t))
        memset(&self.client, 0, sizeof(address_t))
        arena_init(&self.arena, NULL, 0, ROUTE_SCRATCH)
        self.kept = []
        self.request.method = method_number(method.encode())
        self.request.method_name = self.keep(method)
        self.request.authority = self.keep(host)
        self.request.path = self.keep(path)
        self.request.query = self.keep(query)
        self.request.half.headers.items = self.fields
        for name, value in headers:
            self.add(name, value)
        if client == "unix:":
            self.client.family = ADDRESS_UNIX
        elif not address_parse(&self.client, self.keep(client)):
            raise ValueError(f"not an address: {client!r}")

    def __dealloc__(self) -> None:
        arena_fini(&self.arena)

    cdef span_t keep(self, str text) except *:
        cdef bytes made = text.encode("utf-8", "surrogateescape")
        self.kept.append(made)
        return span(<const char*>made, len(made))

    cdef int add(self, str name, str value) except -1:
        cdef header_t* field = &self.fields[self.request.half.headers.count]
        if self.request.half.headers.count == HEADERS_MAX:
            raise ValueError(f"more than {<int>HEADERS_MAX} headers")
        memset(field, 0, sizeof(header_t))
        field.name = self.keep(name)
        field.value = self.keep(value.strip(" \t"))
        field.id = header_id_of(field.name)
        self.request.half.headers.count += 1
        return 0


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
        """The route for a request. `target` is path and query; `client` an address or "unix:".

        `headers` are pairs of name and value, without Host. ValueError for a method that no
        request has or a client that is no address.
        """
        cdef Question question = Question(method, host, target, headers, client)
        cdef asked_t asked
        cdef route_t* route
        cdef uint32_t i
        router_ask(&asked, self.plan, &question.request, &question.client, &question.arena)
        cdef int error = router_match(&asked, &route)
        if error == E_CORE_MEMORY:
            raise MemoryError
        if error != 0:
            names = [llhttp.method_name(i).decode() for i in range(64) if asked.allow >> i & 1]
            return Match(fault_get(error).status, None, {}, tuple(sorted(names)))
        params = {text_of(route.param_names[i]): text_of(asked.params[i])
                  for i in range(route.param_count)}
        return Match(0, text_of(route.name), params, ())

    def candidates(self, method: str, host: str, target: str, headers: object = (),
                   client: str = "127.0.0.1") -> list:
        """Routes whose host and path match, in the order of precedence; at most 1024."""
        cdef Question question = Question(method, host, target, headers, client)
        cdef asked_t asked
        cdef seen_t[1024] seen        # SEEN_MAX
        cdef route_t* route
        cdef uint32_t i
        cdef dict found = {}
        router_ask(&asked, self.plan, &question.request, &question.client, NULL)
        asked.seen = seen
        asked.seen_max = SEEN_MAX
        router_match(&asked, &route)
        for i in range(asked.seen_count):
            name = text_of(self.plan.routes[seen[i].route].name)
            found.setdefault(name, Candidate(name, FAILED.get(seen[i].failed)))
        return list(found.values())
