# cython: language_level=3
# Owns: turning a plan's text into plan_t.
# Thread and GIL: holds the GIL; may run on any thread; touches nothing published.
# Never does: publish, or know a pool (the worker ties targets to pools).
# Read next: build.pxd for the contract, part.pxd for how a value is read.
"""From a plan's JSON text to the structs that the data plane reads."""

import json
import re

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.stdlib cimport calloc, free
from pygw._core.access_log cimport LOG_OFF, LOG_COMBINED, LOG_JSON
from pygw._core.arena cimport arena_init, arena_fini
from pygw._core.check cimport BUG_ON
from pygw._core.filters.body_limit cimport body_limit_build
from pygw._core.filters.echo cimport echo_build
from pygw._core.filters.headers cimport headers_build
from pygw._core.filters.ip cimport ip_build
from pygw._core.filters.ranges cimport ranges_build
from pygw._core.filters.redirect cimport redirect_build
from pygw._core.filters.respond cimport respond_build
from pygw._core.limits cimport (
    FILTERS_MAX, HEAD_MAX, HEADERS_MAX, HOST_NAME_MAX, PLAN_BYTES_MAX, START_LINE_SLACK,
    TARGETS_MAX)
from pygw._core.part cimport Part, plan_alloc, plan_fail, plan_keep
from pygw._core.part import PlanError
from pygw._core.router cimport ROUTE_SCRATCH, router_prepare
from pygw._core.types.exchange cimport (
    chain_t, filter_t, listener_conf_t, plan_t, route_t, MATCH_EXACT, MATCH_PREFIX, PHASES,
    PHASE_REQUEST, PHASE_REQUEST_BODY, PHASE_ATTEMPT, PHASE_RESPONSE, PHASE_RESPONSE_BODY)
from pygw._core.types.memory cimport arena_t
from pygw._core.types.upstream cimport (
    pool_limits_t, target_t, timeouts_t, upstream_t, TARGET_TCP, TARGET_UNIX)
from pygw._core.view cimport span

cdef enum:
    PLAN_VERSION = 1
    URL_BYTES_MAX = 2048
    SOCKET_PATH_MAX = 107     # unix(7): sun_path with its final NUL is 108
    COUNT_MAX = 1000000       # of connections and what waits for them
    RETRIES_MAX = 10
    REPLAY_MAX = 16777216

cdef object CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
cdef object TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}\Z")
cdef object HOST = re.compile(rb"[0-9A-Za-z._:\-]+\Z")


# --- the filters there are ------------------------------------------------------------------------


cdef class Maker:
    cdef filter_build_fn build


cdef dict makers = {}


cdef int filter_register(str name, filter_build_fn build) except -1:
    cdef Maker maker = Maker()
    if name in makers:
        raise ValueError(f"there is a filter {name} already")
    maker.build = build
    makers[name] = maker
    return 0


filter_register("headers", headers_build)
filter_register("ip", ip_build)
filter_register("body_limit", body_limit_build)
filter_register("respond", respond_build)
filter_register("redirect", redirect_build)
filter_register("echo", echo_build)


# --- upstreams ------------------------------------------------------------------------------------


cdef int timeouts_build(Part part, timeouts_t* out) except -1:
    out.connect_ms = part.number_or_off("connect_ms", 0, 0xFFFFFFFFU)
    out.response_ms = part.number_or_off("response_ms", 0, 0xFFFFFFFFU)
    out.between_bytes_ms = part.number_or_off("between_bytes_ms", 0, 0xFFFFFFFFU)
    out.total_ms = part.number_or_off("total_ms", 0, 0xFFFFFFFFU)
    return part.finish()


cdef int pool_build(Part part, pool_limits_t* out) except -1:
    out.idle = part.number_or_off("idle", 0, COUNT_MAX)
    out.connections = part.number("connections", 1, COUNT_MAX)
    out.queue = part.number_or_off("queue", 0, COUNT_MAX)
    out.queue_timeout_ms = part.number_or_off("queue_timeout_ms", 0, 0xFFFFFFFFU)
    out.idle_timeout_ms = part.number_or_off("idle_timeout_ms", 0, 0xFFFFFFFFU)
    out.lifetime_ms = part.number_or_off("lifetime_ms", 0, 0xFFFFFFFFU)
    return part.finish()


cdef int target_build(Part part, arena_t* arena, target_t* out) except -1:
    cdef bytes url = part.text("url", URL_BYTES_MAX)
    cdef bytes family = part.text("family", 16)
    cdef bytes place
    if not url or CONTROL.search(url):
        plan_fail(part.at("url"), "must be text without control bytes")
    plan_keep(arena, url, &out.url)
    if family == b"unix":
        out.family = TARGET_UNIX
        place = part.text("path", SOCKET_PATH_MAX)
        if not place.startswith(b"/") or CONTROL.search(place):
            plan_fail(part.at("path"), "must be an absolute path")
    elif family == b"tcp":
        out.family = TARGET_TCP
        out.port = part.number("port", 1, 65535)
        place = part.text("host", HOST_NAME_MAX)
        if HOST.match(place) is None:
            plan_fail(part.at("host"), "must be a name or an address without brackets")
    else:
        plan_fail(part.at("family"), "must be tcp or unix")
    plan_keep(arena, place, &out.host)
    return part.finish()


cdef int upstream_build(Part part, arena_t* arena, upstream_t* out) except -1:
    cdef list targets = part.parts("targets")
    cdef uint32_t i
    plan_keep(arena, part.name("name"), &out.name)
    if not 0 < len(targets) <= TARGETS_MAX:
        plan_fail(part.at("targets"), f"must be 1 to {<int>TARGETS_MAX} targets")
    out.targets = <target_t*>plan_alloc(arena, len(targets) * sizeof(target_t))
    out.cursor = <uint32_t*>plan_alloc(arena, sizeof(uint32_t))
    for i in range(<uint32_t>len(targets)):
        target_build(targets[i], arena, &out.targets[i])
    out.target_count = <uint32_t>len(targets)
    out.retries = part.number_or_off("retries", 0, RETRIES_MAX)
    out.replay_body = part.number_or_off("replay_body", 0, REPLAY_MAX)
    timeouts_build(part.part("timeouts"), &out.timeouts)
    pool_build(part.part("pool"), &out.limits)
    return part.finish()


cdef upstream_t* upstream_find(plan_t* plan, Part part, str key) except? NULL:
    cdef bytes name
    cdef uint32_t i
    if not part.has(key):
        return NULL
    name = part.text(key, 64)
    for i in range(plan.upstream_count):
        if name == plan.upstreams[i].name.ptr[:plan.upstreams[i].name.len]:
            return &plan.upstreams[i]
    plan_fail(part.at(key), f"no upstream has the name {ascii(name.decode())}")


# --- chains ---------------------------------------------------------------------------------------


cdef bint filter_acts(const filter_t* f, int phase) noexcept nogil:
    if phase == PHASE_REQUEST:
        return f.ops.request != NULL
    if phase == PHASE_REQUEST_BODY:
        return f.ops.request_body != NULL
    if phase == PHASE_ATTEMPT:
        return f.ops.attempt != NULL
    if phase == PHASE_RESPONSE:
        return f.ops.response != NULL
    if phase == PHASE_RESPONSE_BODY:
        return f.ops.response_body != NULL
    return f.ops.log != NULL


cdef int chain_sort(chain_t* chain, arena_t* arena) except -1:
    cdef uint16_t i
    cdef int phase
    cdef filter_t* f
    for phase in range(PHASES):
        for i in range(chain.filter_count):
            f = &chain.filters[i]
            if not filter_acts(f, phase):
                continue
            if chain.by_phase[phase] == NULL:
                chain.by_phase[phase] = <filter_t**>plan_alloc(
                    arena, chain.filter_count * sizeof(filter_t*))
            chain.by_phase[phase][chain.counts[phase]] = f
            chain.counts[phase] += 1
    return 0


cdef int filter_build(Part part, arena_t* arena, filter_t* out) except -1:
    cdef Maker maker
    cdef str name = part.text("filter", 64).decode()
    if name not in makers:
        plan_fail(part.at("filter"), f"there is no filter {ascii(name)}")
    maker = makers[name]
    maker.build(part, arena, out)
    return 0


cdef int chain_build(Part part, arena_t* arena, chain_t* chain) except -1:
    cdef list entries = part.parts("middleware")
    cdef Part entry
    cdef filter_t* f
    if len(entries) > FILTERS_MAX:
        plan_fail(part.at("middleware"), f"has more than {<int>FILTERS_MAX} filters")
    chain.filters = <filter_t*>plan_alloc(arena, len(entries) * sizeof(filter_t))
    for entry in entries:
        f = &chain.filters[chain.filter_count]
        f.slot = chain.filter_count
        filter_build(entry, arena, f)
        chain.filter_count += 1       # from here on plan_free gives its conf back
        entry.finish()
        chain.edits_request_body |= f.ops.edits_request_body
        chain.edits_response_body |= f.ops.edits_response_body
    return chain_sort(chain, arena)


# --- routes ---------------------------------------------------------------------------------------


cdef bytes route_path(Part part):
    cdef char[ROUTE_SCRATCH] form
    cdef bytes path = part.text("path", ROUTE_SCRATCH)
    cdef uint32_t size = router_prepare(span(path, len(path)), form)
    if size == 0:
        plan_fail(part.at("path"), "must begin with / and have only one reading: no //, no dot"
                  " segments, no ; \\ ? # or spaces, no encoded / \\ or NUL")
    return form[:size]


cdef uint8_t route_kind(Part part) except? 255:
    cdef bytes kind = part.text("match", 16)
    if kind not in (b"exact", b"prefix"):
        plan_fail(part.at("match"), "must be exact or prefix")
    return <uint8_t>(MATCH_EXACT if kind == b"exact" else MATCH_PREFIX)


cdef int route_build(plan_t* plan, Part part, Part root, bytes path, route_t* out) except -1:
    out.match = route_kind(part)
    plan_keep(&plan.arena, path, &out.path)
    plan_keep(&plan.arena, part.name("name"), &out.name)
    out.upstream = upstream_find(plan, part, "upstream")
    part.value("upstream")            # null is a value, no key is a fault
    if part.value("timeouts") is not None:
        timeouts_build(part.part("timeouts"), &out.timeouts)
    elif out.upstream != NULL:
        out.timeouts = out.upstream.timeouts
    else:
        out.timeouts = default_timeouts(root)
    chain_build(part, &plan.arena, &out.chain)
    if out.upstream == NULL and out.chain.filter_count == 0:
        plan_fail(part.place, "needs an upstream or a filter that answers")
    return part.finish()


cdef timeouts_t default_timeouts(Part root) except *:
    cdef timeouts_t out
    cdef Part part = root.part("timeouts")
    out.connect_ms = part.number_or_off("connect_ms", 0, 0xFFFFFFFFU)
    out.response_ms = part.number_or_off("response_ms", 0, 0xFFFFFFFFU)
    out.between_bytes_ms = part.number_or_off("between_bytes_ms", 0, 0xFFFFFFFFU)
    out.total_ms = part.number_or_off("total_ms", 0, 0xFFFFFFFFU)
    return out


# Exact ones first, then by falling length of path: the first that matches is the right one.
cdef int routes_build(plan_t* plan, Part root) except -1:
    cdef list parts = root.parts("routes")
    cdef list order = []
    cdef Part part
    cdef dict seen = {}
    unique_names(parts, "routes")
    for part in parts:
        path = route_path(part)
        kind = route_kind(part)
        if seen.setdefault((kind, path), part.place) != part.place:
            plan_fail(part.at("path"), f"{seen[(kind, path)]} has the same path")
        order.append((kind, -len(path), len(order), path, part))
    order.sort(key=sort_key)
    plan.routes = <route_t*>plan_alloc(&plan.arena, len(order) * sizeof(route_t))
    for _, _, _, path, part in order:
        plan.route_count += 1         # from here on plan_free looks at its chain
        route_build(plan, part, root, path, &plan.routes[plan.route_count - 1])
    return 0


def sort_key(entry: tuple) -> tuple:
    """What decides a route's place: kind, falling length, place in the plan."""
    return entry[:3]


cdef int unique_names(list parts, str what) except -1:
    cdef Part part
    cdef dict seen = {}
    for part in parts:
        name = part.name("name")
        if seen.setdefault(name, part.place) != part.place:
            plan_fail(part.at("name"), f"{seen[name]} has the same name")
    return 0


# --- the plan -------------------------------------------------------------------------------------


cdef int limits_build(plan_t* plan, Part root) except -1:
    cdef Part part = root.part("limits")
    cdef Part wait = root.part("timeouts")
    plan.limits.max_connections = part.number("max_connections", 1, COUNT_MAX)
    plan.limits.request_line = part.number("request_line", START_LINE_SLACK, HEAD_MAX)
    plan.limits.head = part.number("head", START_LINE_SLACK, HEAD_MAX)
    plan.limits.headers = part.number("headers", 1, HEADERS_MAX)
    plan.limits.keepalive_requests = part.number_or_off("keepalive_requests", 0, 0xFFFFFFFFU)
    part.finish()
    plan.limits.client_head_ms = wait.number_or_off("client_head_ms", 0, 0xFFFFFFFFU)
    plan.limits.client_body_ms = wait.number_or_off("client_body_ms", 0, 0xFFFFFFFFU)
    plan.limits.keepalive_ms = wait.number_or_off("keepalive_ms", 0, 0xFFFFFFFFU)
    plan.limits.slow_reader_ms = wait.number_or_off("slow_reader_ms", 0, 0xFFFFFFFFU)
    for key in ("connect_ms", "response_ms", "between_bytes_ms", "total_ms"):
        wait.number_or_off(key, 0, 0xFFFFFFFFU)      # resolved in upstreams and routes
    return wait.finish()


cdef int listeners_build(plan_t* plan, Part root) except -1:
    cdef list parts = root.parts("listeners")
    cdef Part part
    cdef listener_conf_t* out
    unique_names(parts, "listeners")
    plan.listeners = <listener_conf_t*>plan_alloc(
        &plan.arena, len(parts) * sizeof(listener_conf_t))
    for part in parts:
        out = &plan.listeners[plan.listener_count]
        plan_keep(&plan.arena, part.name("name"), &out.name)
        half_close = part.text("half_close", 16)
        if half_close not in (b"abort", b"answer"):
            plan_fail(part.at("half_close"), "must be abort or answer")
        out.answer_half_closed = half_close == b"answer"
        part.finish()
        plan.listener_count += 1
    return 0


cdef int upstreams_build(plan_t* plan, Part root) except -1:
    cdef list parts = root.parts("upstreams")
    cdef Part part
    unique_names(parts, "upstreams")
    plan.upstreams = <upstream_t*>plan_alloc(&plan.arena, len(parts) * sizeof(upstream_t))
    for part in parts:
        upstream_build(part, &plan.arena, &plan.upstreams[plan.upstream_count])
        plan.upstream_count += 1
    return 0


cdef uint8_t log_format_of(Part root) except? 255:
    cdef Part part
    if root.value("access_log") is None:
        return LOG_OFF
    part = root.part("access_log")
    name = part.text("format", 16)
    if name not in (b"combined", b"json"):
        plan_fail(part.at("format"), "must be combined or json")
    part.finish()
    return <uint8_t>(LOG_COMBINED if name == b"combined" else LOG_JSON)


cdef int plan_fill(plan_t* plan, Part root) except -1:
    cdef bytes via
    root.number("version", PLAN_VERSION, PLAN_VERSION)
    plan.generation = root.number("generation", 0, 0x7FFFFFFFFFFFFFFFU)
    via = root.text("via", 64)
    if TOKEN.match(via) is None:
        plan_fail("via", "must be a token of at most 64 bytes")
    plan_keep(&plan.arena, via, &plan.via)
    plan.forwarded = root.flag("forwarded")
    plan.trusted = ranges_build(root, "trusted_proxies", &plan.arena, &plan.trusted_count)
    plan.log_format = log_format_of(root)
    limits_build(plan, root)
    listeners_build(plan, root)
    upstreams_build(plan, root)
    routes_build(plan, root)
    return root.finish()


def no_constant(text: str) -> None:
    """Refuses NaN and Infinity, which Python's reader takes and JSON (RFC 8259 6) does not have."""
    plan_fail("", f"is not JSON: {text}")


def no_repeats(pairs: list) -> dict:
    """An object from its pairs; refuses a name that comes twice (RFC 8259 4)."""
    values: dict = {}
    for name, value in pairs:
        if name in values:
            plan_fail("", f"has the key {ascii(name)[:60]} twice in an object")
        values[name] = value
    return values


cdef Part plan_read(bytes text):
    if len(text) > PLAN_BYTES_MAX:
        plan_fail("", f"is longer than {<int>PLAN_BYTES_MAX} bytes")
    try:
        values = json.loads(text.decode("utf-8"), object_pairs_hook=no_repeats,
                            parse_constant=no_constant)
    except PlanError:
        raise
    except RecursionError:
        raise PlanError("the plan is nested too deeply") from None
    except ValueError as error:
        raise PlanError(f"the plan is not JSON: {error}") from None
    return Part(values, "")


cdef plan_t* plan_build(bytes text) except NULL:
    return plan_build_within(text, PLAN_BYTES_MAX)


cdef plan_t* plan_build_within(bytes text, size_t max_bytes) except NULL:
    cdef Part root = plan_read(text)
    cdef plan_t* plan = <plan_t*>calloc(1, sizeof(plan_t))
    if plan == NULL:
        raise MemoryError
    arena_init(&plan.arena, NULL, 0, max_bytes)
    plan.refs = 1
    try:
        plan_fill(plan, root)
    except BaseException:
        plan_free(plan)
        raise
    return plan


cdef void plan_free(plan_t* plan) noexcept nogil:
    cdef chain_t* chain
    cdef filter_t* f
    cdef uint32_t i, j
    BUG_ON(plan.refs > 1)
    for i in range(plan.route_count):
        chain = &plan.routes[i].chain
        for j in range(chain.filter_count):
            f = &chain.filters[j]
            if f.ops.conf_free != NULL:
                f.ops.conf_free(f.conf)
    arena_fini(&plan.arena)
    free(plan)


cdef size_t plan_bytes(plan_t* plan) noexcept nogil:
    return sizeof(plan_t) + plan.arena.bytes
