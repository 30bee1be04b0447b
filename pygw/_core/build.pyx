# cython: language_level=3
# Owns: turning a plan's text into plan_t.
# Thread and GIL: holds the GIL; may run on any thread; touches nothing published.
# Never does: publish, or know a pool (the worker ties targets to pools).
# Read next: build.pxd for the contract, part.pxd for how a value is read.
"""From a plan's JSON text to the structs that the data plane reads."""

import json
import re

from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport calloc, free
from pygw._core.access_log cimport LOG_OFF, LOG_COMBINED, LOG_JSON
from pygw._core.arena cimport arena_init, arena_fini
from pygw._core.build_filters cimport chain_free
from pygw._core.build_routes cimport routes_build
from pygw._core.build_upstreams cimport upstreams_build
from pygw._core.check cimport BUG_ON
from pygw._core.filters.hook cimport hook_of, hook_tie
from pygw._core.filters.ranges cimport ranges_build
from pygw._core.limits cimport HEAD_MAX, HEADERS_MAX, PLAN_BYTES_MAX, START_LINE_SLACK
from pygw._core.part cimport Part, plan_alloc, plan_fail, plan_keep, plan_unique
from pygw._core.part import PlanError
from pygw._core.types.exchange cimport chain_t, listener_conf_t, plan_t

cdef enum:
    PLAN_VERSION = 1
    COUNT_MAX = 1000000       # of connections

cdef object TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}\Z")


cdef int limits_build(plan_t* plan, Part root) except -1:
    cdef Part part = root.part("limits")
    cdef Part wait = root.part("timeouts")
    plan.limits.max_connections = part.number("max_connections", 1, COUNT_MAX)
    plan.limits.request_line = part.number("request_line", START_LINE_SLACK, HEAD_MAX)
    plan.limits.head = part.number("head", START_LINE_SLACK, HEAD_MAX)
    plan.limits.headers = part.number("headers", 1, HEADERS_MAX)
    plan.limits.keepalive_requests = part.number_or_off("keepalive_requests", 0, 0xFFFFFFFFU)
    plan.limits.malformed = part.number_or_off("malformed", 0, 0xFFFFFFFFU)
    plan.limits.malformed_window_ms = part.number("malformed_window_ms", 1, 0xFFFFFFFFU)
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
    plan_unique(parts, "listeners")
    plan.listeners = <listener_conf_t*>plan_alloc(
        &plan.arena, len(parts) * sizeof(listener_conf_t))
    for part in parts:
        out = &plan.listeners[plan.listener_count]
        plan_keep(&plan.arena, part.name("name"), &out.name)
        half_close = part.text("half_close", 16)
        if half_close not in (b"abort", b"answer"):
            plan_fail(part.at("half_close"), "must be abort or answer")
        out.answer_half_closed = half_close == b"answer"
        out.server_timing = part.has("server_timing") and part.flag("server_timing")
        plan.timed |= out.server_timing
        part.finish()
        plan.listener_count += 1
    return 0


cdef uint8_t log_format_of(plan_t* plan, Part root) except? 255:
    cdef Part part
    if root.value("access_log") is None:
        return LOG_OFF
    part = root.part("access_log")
    name = part.text("format", 16)
    if name not in (b"combined", b"json"):
        plan_fail(part.at("format"), "must be combined or json")
    plan.log_hooks = part.has("hooks") and part.flag("hooks")
    if plan.log_hooks and name != b"json":
        plan_fail(part.at("hooks"), "needs the format json")
    plan.timed |= plan.log_hooks
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
    ranges_build(root, "trusted_proxies", &plan.arena, &plan.trusted)
    plan.log_format = log_format_of(plan, root)
    limits_build(plan, root)
    listeners_build(plan, root)
    upstreams_build(plan, root)
    routes_build(plan, root)
    hooks_collect(plan)
    return root.finish()


# Every hook of every chain: they are loaded before the plan is served.
cdef int hooks_collect(plan_t* plan) except -1:
    cdef uint32_t i, k, count = 0
    cdef chain_t* chain
    for i in range(plan.route_count):
        count += plan.routes[i].chain.filter_count
    if count == 0:
        return 0
    plan.hooks = <void**>plan_alloc(&plan.arena, count * sizeof(void*))
    for i in range(plan.route_count):
        chain = &plan.routes[i].chain
        for k in range(chain.filter_count):
            if hook_of(&chain.filters[k]) != NULL:
                hook_tie(hook_of(&chain.filters[k]), plan)
                plan.hooks[plan.hook_count] = hook_of(&chain.filters[k])
                plan.hook_count += 1
    return 0


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
    cdef uint32_t i
    BUG_ON(plan.refs > 1)
    for i in range(plan.route_count):
        chain_free(&plan.routes[i].chain)
    arena_fini(&plan.arena)
    free(plan)


cdef size_t plan_bytes(plan_t* plan) noexcept nogil:
    return sizeof(plan_t) + plan.arena.bytes
