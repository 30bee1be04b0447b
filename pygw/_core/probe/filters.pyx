# cython: language_level=3
# Owns: Python doors to a built plan: its routes, its targets, its chains. For tests and benches.
# Thread and GIL: holds the GIL.
# Never does: load in a gateway.
# Read next: filters.pxd.
"""A plan as the data plane sees it: what ``build``, ``router`` and ``balance`` make of a text."""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset
from pygw._core.balance cimport ask_t, balance_hash, balance_mix, balance_pick
from pygw._core.build cimport plan_build, plan_build_within, plan_bytes, plan_free
from pygw._core.libs.llhttp cimport HTTP_GET
from pygw._core.libs.uv cimport uv
from pygw._core.part cimport plan_alloc
from pygw._core.part import PlanError
from pygw._core.probe.memory cimport Guarded
from pygw._core.reply cimport reply_date
from pygw._core.path cimport ROUTE_SCRATCH, path_prepare
from pygw._core.router cimport asked_t, router_ask, router_match
from pygw._core.standing cimport budget_request, budget_retry
from pygw._core.types.address cimport address_t
from pygw._core.types.exchange cimport chain_t, route_t
from pygw._core.types.header cimport span_t
from pygw._core.types.message cimport request_t
from pygw._core.types.upstream cimport (
    health_t, pool_limits_t, target_t, timeouts_t, upstream_t)
from pygw._core.view cimport span

__all__ = ["Plan", "PlanError", "date", "path_form"]

cdef Guarded PATHS = Guarded(65536)
PHASES = ("request", "request_body", "attempt", "response", "response_body", "log")


cdef str text_of(span_t s):
    return s.ptr[:s.len].decode("utf-8")


cdef dict chain_of(chain_t* chain):
    cdef int phase
    cdef uint32_t i
    cdef dict phases = {}
    for phase in range(6):
        assert (chain.by_phase[phase] == NULL) == (chain.counts[phase] == 0)
        names = [chain.by_phase[phase][i].ops.name.decode() for i in range(chain.counts[phase])]
        if names:
            phases[PHASES[phase]] = names
    return {
        "filters": [chain.filters[i].ops.name.decode() for i in range(chain.filter_count)],
        "slots": [chain.filters[i].slot for i in range(chain.filter_count)],
        "phases": phases,
        "edits": (bool(chain.edits_request_body), bool(chain.edits_response_body)),
    }


cdef dict route_of(route_t* route):
    return {
        "name": text_of(route.name),
        "path": text_of(route.path),
        "upstream": None if route.upstream == NULL else text_of(route.upstream.name),
        "timeouts": timeouts_of(&route.timeouts),
        "chain": chain_of(&route.chain),
    }


cdef dict timeouts_of(timeouts_t* t):
    return {"connect_ms": t.connect_ms, "response_ms": t.response_ms,
            "between_bytes_ms": t.between_bytes_ms, "total_ms": t.total_ms}


cdef dict target_of(target_t* t):
    assert t.host.ptr[t.host.len] == 0
    return {"url": text_of(t.url), "host": text_of(t.host), "port": t.port,
            "family": "unix" if t.family else "tcp", "pool": t.pool != NULL}


cdef dict upstream_of(upstream_t* u):
    cdef pool_limits_t* p = &u.limits
    cdef uint32_t i
    return {
        "name": text_of(u.name),
        "targets": [target_of(&u.targets[i]) for i in range(u.target_count)],
        "retries": u.retry.attempts,
        "replay_body": u.replay_body,
        "timeouts": timeouts_of(&u.timeouts),
        "pool": {"idle": p.idle, "connections": p.connections, "queue": p.queue,
                 "queue_timeout_ms": p.queue_timeout_ms, "idle_timeout_ms": p.idle_timeout_ms,
                 "lifetime_ms": p.lifetime_ms},
    }


cdef class Plan:
    """A plan built from its JSON text; ``PlanError`` (a ``ValueError``) when it is bad."""

    def __cinit__(self, bytes text not None, max_bytes: int | None = None) -> None:
        if max_bytes is None:
            self.plan = plan_build(text)
        else:
            self.plan = plan_build_within(text, max_bytes)

    def __dealloc__(self) -> None:
        if self.plan != NULL:
            self.plan.refs = 0
            plan_free(self.plan)

    @property
    def size_bytes(self) -> int:
        """Bytes of memory the plan takes."""
        return plan_bytes(self.plan)

    def summary(self) -> dict[str, object]:
        """All of the plan but limits, in the data plane's order."""
        cdef uint32_t i
        cdef plan_t* p = self.plan
        return {
            "generation": p.generation,
            "refs": p.refs,
            "via": text_of(p.via),
            "forwarded": bool(p.forwarded),
            "log_format": p.log_format,
            "trusted": [(p.trusted.ranges[i].family, p.trusted.ranges[i].bits)
                        for i in range(p.trusted.count)],
            "listeners": [(text_of(p.listeners[i].name), bool(p.listeners[i].answer_half_closed))
                          for i in range(p.listener_count)],
            "upstreams": [upstream_of(&p.upstreams[i]) for i in range(p.upstream_count)],
            "routes": [route_of(&p.routes[i]) for i in range(p.route_count)],
        }

    def limits(self) -> dict[str, int]:
        """The bounds on clients, timeouts in milliseconds."""
        return dict(self.plan.limits)

    def match(self, bytes path not None) -> str | None:
        """The name of the route that takes a path; the path ends at a guard page."""
        cdef request_t request
        cdef address_t client
        cdef asked_t asked
        cdef route_t* route
        memset(&request, 0, sizeof(request_t))
        memset(&client, 0, sizeof(address_t))
        request.path = span(PATHS.place(path, len(path)), len(path))
        request.method = HTTP_GET
        router_ask(&asked, self.plan, &request, &client, NULL)
        router_match(&asked, &route)
        return None if route == NULL else text_of(route.name)

    cdef upstream_t* named(self, str name) except NULL:
        cdef uint32_t i
        for i in range(self.plan.upstream_count):
            if text_of(self.plan.upstreams[i].name) == name:
                return &self.plan.upstreams[i]
        raise KeyError(name)

    def pick(self, str name not None, tried: int | None = None, *, bytes key=b"",
             sticky: int = 0, now_ns: int = 1) -> int | None:
        """The place of the target that the named upstream offers next, other than ``tried``.

        ``key`` is what is hashed, ``sticky`` what the cookie says.
        """
        cdef upstream_t* u = self.named(name)
        cdef ask_t ask
        cdef target_t* target
        ask.tried = NULL if tried is None else &u.targets[<int>tried]
        ask.hash = balance_hash(key, len(key)) if key else 0
        ask.sticky_id = sticky
        ask.now_ns = now_ns
        target = balance_pick(u, &ask)
        return None if target == NULL else target - u.targets

    def pick_many(self, str name not None, int times, *, prefix: str | None = None) -> dict:
        """How often each target is offered in so many picks, by its URL; keys are numbered."""
        cdef list hits = [0] * self.named(name).target_count
        for i in range(times):
            key = b"" if prefix is None else f"{prefix}{i}".encode()
            hits[self.pick(name, key=key)] += 1
        return {text_of(self.named(name).targets[i].url): hit for i, hit in enumerate(hits)}

    def standing(self, str name not None, list health not None) -> None:
        """Gives each target of the named upstream a health: (active, ejected_until_ms)."""
        cdef upstream_t* u = self.named(name)
        cdef health_t* own
        cdef uint32_t i
        for i in range(u.target_count):
            own = <health_t*>plan_alloc(&self.plan.arena, sizeof(health_t))
            own.active, until_ms = health[i]
            own.ejected_until_ns = until_ms * 1000000
            own.back_off_ms = 250
            u.targets[i].health = own

    def url(self, str name not None, int place) -> str:
        """The URL of a target by its place."""
        return text_of(self.named(name).targets[place].url)

    def bench_pick(self, str name not None, uint64_t times, *, bytes key=b"") -> float:
        """Nanoseconds of one pick."""
        cdef upstream_t* u = self.named(name)
        cdef ask_t ask
        cdef uint64_t start, _i
        ask.tried = NULL
        ask.hash = balance_hash(key, len(key)) if key else 0
        ask.sticky_id = 0
        ask.now_ns = 1
        start = uv.hrtime()
        for _i in range(times):
            if key:
                ask.hash = balance_mix(ask.hash)
            balance_pick(u, &ask)
        return (uv.hrtime() - start) / <double>times

    def budget(self, str name not None, now_ms: int, *, bint retry=False) -> bool:
        """Counts a first attempt, or asks for a retry."""
        cdef upstream_t* u = self.named(name)
        cdef uint64_t now_ns = <uint64_t>now_ms * 1000000
        if retry:
            return budget_retry(u.standing, &u.retry, now_ns)
        budget_request(u.standing, now_ns)
        return True

    def empty(self, str name not None) -> None:
        """Takes all targets from the named upstream, which no text can do."""
        self.named(name).target_count = 0


def path_form(bytes path not None) -> bytes | None:
    """The form in which a route's path is kept; None for one that a route cannot have."""
    cdef char[ROUTE_SCRATCH] out
    cdef uint32_t size = path_prepare(span(PATHS.place(path, len(path)), len(path)), out)
    return out[:size] if size else None


def date() -> bytes:
    """The Date of an answer made now (RFC 9110 5.6.7)."""
    cdef span_t s = reply_date()
    return s.ptr[:s.len]
