# cython: language_level=3
# Owns: upstreams and their targets from their entries in a plan.
# Thread and GIL: holds the GIL; may run on any thread; touches nothing published.
# Never does: publish.
# Read next: build_upstreams.pxd for the contract.
"""The upstream side of a plan."""

import re

from libc.stdint cimport uint16_t, uint32_t
from pygw._core.limits cimport HOST_NAME_MAX, TARGETS_MAX
from pygw._core.part cimport plan_alloc, plan_fail, plan_keep, plan_unique
from pygw._core.types.memory cimport arena_t
from pygw._core.types.upstream cimport pool_limits_t, target_t, TARGET_TCP, TARGET_UNIX

cdef enum:
    URL_BYTES_MAX = 2048
    SOCKET_PATH_MAX = 107     # unix(7): sun_path with its final NUL is 108
    COUNT_MAX = 1000000       # of connections and what waits for them
    RETRIES_MAX = 10
    REPLAY_MAX = 16777216

cdef object CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
cdef object HOST = re.compile(rb"[0-9A-Za-z._:\-]+\Z")


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


cdef int upstreams_build(plan_t* plan, Part root) except -1:
    cdef list parts = root.parts("upstreams")
    cdef Part part
    plan_unique(parts, "upstreams")
    plan.upstreams = <upstream_t*>plan_alloc(&plan.arena, len(parts) * sizeof(upstream_t))
    for part in parts:
        upstream_build(part, &plan.arena, &plan.upstreams[plan.upstream_count])
        plan.upstream_count += 1
    return 0


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
