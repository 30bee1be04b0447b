# cython: language_level=3
# Owns: upstreams and their targets from their entries in a plan.
# Thread and GIL: holds the GIL; may run on any thread; touches nothing published.
# Never does: publish.
# Read next: build_upstreams.pxd for the contract.
"""The upstream side of a plan."""

import re

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from pygw._core.affinity cimport affinity_id
from pygw._core.balance cimport balance_hash
from pygw._core.balance_table cimport slots_build, turns_build
from pygw._core.limits cimport HOST_NAME_MAX, SPLITS_MAX, TARGETS_MAX
from pygw._core.part cimport plan_alloc, plan_fail, plan_keep, plan_unique
from pygw._core.types.memory cimport arena_t
from pygw._core.types.exchange cimport route_t
from pygw._core.types.upstream cimport *
from pygw._core.view cimport span

cdef enum:
    URL_BYTES_MAX = 2048
    SOCKET_PATH_MAX = 107     # unix(7): sun_path with its final NUL is 108
    COUNT_MAX = 1000000       # of connections and what waits for them
    RETRIES_MAX = 10
    WEIGHT_MAX = 1000
    FAULTS_MAX = 1000
    REPLAY_MAX = 16777216
    COOKIE_BYTES_MAX = 512

cdef object CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
cdef object TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
cdef dict BALANCES = {"round_robin": BALANCE_ROUND_ROBIN, "hash": BALANCE_HASH,
                      "least_connections": BALANCE_LEAST_CONNECTIONS,
                      "random_two": BALANCE_RANDOM_TWO}
cdef dict SOURCES = {"client_ip": HASH_CLIENT_IP, "path": HASH_PATH, "header": HASH_HEADER,
                     "cookie": HASH_COOKIE}
cdef dict CONDITIONS = {"connect_failure": RETRY_CONNECT_FAILURE, "reset": RETRY_RESET,
                        "response_timeout": RETRY_RESPONSE_TIMEOUT}
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
    out.weight = part.number("weight", 1, WEIGHT_MAX)
    out.priority = part.number("priority", 0, PRIORITIES_MAX - 1)
    out.key = balance_hash(out.url.ptr, out.url.len)
    mark_build(part, arena, out)
    return part.finish()


# The target's mark in a sticky cookie, and the field that sets it.
cdef int mark_build(Part part, arena_t* arena, target_t* out) except -1:
    cdef bytes mark, cookie
    part.value("id")
    part.value("cookie")
    if not part.has("id"):
        return 0
    mark = part.text("id", 16)
    out.sticky_id = affinity_id(span(mark, len(mark)))
    if out.sticky_id == 0:
        plan_fail(part.at("id"), "must be 16 hexadecimal digits, not all 0")
    cookie = part.text("cookie", COOKIE_BYTES_MAX)
    if not cookie or CONTROL.search(cookie):
        plan_fail(part.at("cookie"), "must be text without control bytes")
    plan_keep(arena, cookie, &out.cookie)
    return 0


cdef int statuses_build(Part part, statuses_t* out) except -1:
    cdef uint32_t status
    for value in part.items("statuses"):
        if type(value) is not int or not 400 <= value <= 599:
            plan_fail(part.at("statuses"), "must be statuses from 400 to 599")
        status = value
        out.bits[(status - 400) >> 6] |= <uint64_t>1 << ((status - 400) & 63)
    return 0


cdef int retry_build(Part part, retry_t* out) except -1:
    out.attempts = part.number("attempts", 0, RETRIES_MAX)
    for value in part.items("on"):
        if type(value) is not str or value not in CONDITIONS:
            plan_fail(part.at("on"), f"must be of {', '.join(CONDITIONS)}")
        out.on |= <uint32_t>CONDITIONS[value]
    statuses_build(part, &out.statuses)
    out.budget = part.number("budget", 0, SHARES)
    out.floor = part.number("floor", 0, COUNT_MAX)
    return part.finish()


cdef int eject_build(Part part, eject_t* out) except -1:
    out.faults = part.number("faults", 1, FAULTS_MAX)
    out.back_off_ms = part.number("back_off_ms", 1, 0x7FFFFFFFU)
    out.back_off_max_ms = part.number("max_back_off_ms", out.back_off_ms, 0x7FFFFFFFU)
    statuses_build(part, &out.statuses)
    return part.finish()


cdef int balance_build(Part part, arena_t* arena, upstream_t* out) except -1:
    cdef str by = part.text("by", 32).decode()
    part.value("key")
    part.value("name")
    if by not in BALANCES:
        plan_fail(part.at("by"), f"must be {', '.join(BALANCES)}")
    out.balance = <uint8_t>BALANCES[by]
    if out.balance == BALANCE_HASH:
        key = part.text("key", 16).decode()
        if key not in SOURCES:
            plan_fail(part.at("key"), f"must be {', '.join(SOURCES)}")
        out.hash_source = <uint8_t>SOURCES[key]
        if out.hash_source in (HASH_HEADER, HASH_COOKIE):
            plan_keep(arena, token_of(part, "name"), &out.hash_name)
    return part.finish()


cdef bytes token_of(Part part, str key):
    cdef bytes text = part.text(key, 255)
    if TOKEN.match(text) is None:
        plan_fail(part.at(key), "must be a token")
    return text


# Targets by priority, those of each as a group.
cdef int groups_build(upstream_t* out, arena_t* arena) except -1:
    cdef uint32_t i
    cdef group_t* g = NULL
    out.groups = <group_t*>plan_alloc(arena, PRIORITIES_MAX * sizeof(group_t))
    for i in range(out.target_count):
        if i == 0 or out.targets[i].priority != out.targets[i - 1].priority:
            g = &out.groups[out.group_count]
            g.targets = &out.targets[i]
            out.group_count += 1
        g.count += 1
    for i in range(out.group_count):
        turns_build(&out.groups[i], arena)
        if out.balance == BALANCE_HASH:
            slots_build(&out.groups[i], arena)
    return 0


cdef int targets_build(Part part, arena_t* arena, upstream_t* out) except -1:
    cdef list targets = part.parts("targets")
    cdef uint32_t i
    if not 0 < len(targets) <= TARGETS_MAX:
        plan_fail(part.at("targets"), f"must be 1 to {<int>TARGETS_MAX} targets")
    targets.sort(key=priority_of)
    out.targets = <target_t*>plan_alloc(arena, len(targets) * sizeof(target_t))
    for i in range(<uint32_t>len(targets)):
        target_build(targets[i], arena, &out.targets[i])
    out.target_count = <uint32_t>len(targets)
    return 0


def priority_of(target: Part) -> int:
    """The number of a target's group."""
    return target.number("priority", 0, PRIORITIES_MAX - 1)


cdef int upstream_build(Part part, arena_t* arena, upstream_t* out) except -1:
    plan_keep(arena, part.name("name"), &out.name)
    out.standing = <standing_t*>plan_alloc(arena, sizeof(standing_t))
    targets_build(part, arena, out)
    balance_build(part.part("balance"), arena, out)
    groups_build(out, arena)
    part.value("sticky")
    if part.has("sticky"):
        plan_keep(arena, token_of(part, "sticky"), &out.sticky)
    if part.value("eject") is not None:
        eject_build(part.part("eject"), &out.eject)
    retry_build(part.part("retries"), &out.retry)
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


cdef int splits_build(plan_t* plan, Part part, route_t* route) except -1:
    cdef list parts = part.parts("upstream")
    cdef Part one
    cdef split_t* out
    if not 0 < len(parts) <= SPLITS_MAX:
        plan_fail(part.at("upstream"), f"must be 1 to {<int>SPLITS_MAX} upstreams")
    route.splits = <split_t*>plan_alloc(&plan.arena, len(parts) * sizeof(split_t))
    for one in parts:
        out = &route.splits[route.split_count]
        out.upstream = upstream_find(plan, one, "to")
        if out.upstream == NULL:
            plan_fail(one.at("to"), "must name an upstream")
        out.weight = one.number("weight", 0, WEIGHT_MAX)
        timeouts_build(one.part("timeouts"), &out.timeouts)
        one.finish()
        route.split_count += 1
        route.split_weights += out.weight
    if route.split_weights == 0:
        plan_fail(part.at("upstream"), "needs a weight above 0")
    route.upstream = route.splits[0].upstream
    route.timeouts = route.splits[0].timeouts
    return 0


cdef int route_upstreams_build(plan_t* plan, Part part, route_t* route) except -1:
    value = part.value("upstream")        # null is a value, no key is a fault
    if isinstance(value, list):
        splits_build(plan, part, route)
    else:
        route.upstream = upstream_find(plan, part, "upstream")
        if route.upstream != NULL:
            route.timeouts = route.upstream.timeouts
    return 0
