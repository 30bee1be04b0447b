# cython: language_level=3
# Owns: what an entry for a hook says, and what its code says of itself, as the plan has it.
# Thread and GIL: builds plans; holds the GIL.
# Never does: run a hook, or serve by what `describe` made of its code.
# Read next: hook_conf.pxd for the contract.
"""Entries for hooks, as a plan holds them."""

import json

from libc.stdint cimport uint32_t
from pygw._core.hook_cache cimport caching_build
from pygw._core.hook_mask cimport mask_build, mask_names
from pygw._core.hooks cimport runtime_find, runtime_ops
from pygw._core.limits cimport (
    FETCH_UPSTREAMS_MAX, HOOK_BODY_MAX, HOOK_CODE_MAX, HOOK_CONFIG_MAX)
from pygw._core.part cimport Part, plan_alloc, plan_fail, plan_keep, plan_text
from pygw._core.types.exchange cimport *
from pygw._core.types.header cimport span_t
from pygw._core.types.hook cimport *
from pygw._core.types.memory cimport arena_t
from pygw._core.types.upstream cimport upstream_t

cdef enum:
    DEADLINE_MAX_MS = 3600000
    FILE_BYTES_MAX = 4096

cdef dict PHASE_NUMBERS = {
    "request": PHASE_REQUEST, "request_body": PHASE_REQUEST_BODY, "attempt": PHASE_ATTEMPT,
    "response": PHASE_RESPONSE, "response_body": PHASE_RESPONSE_BODY, "log": PHASE_LOG}
cdef dict POLICIES = {b"fail": HOOK_FAIL, b"skip": HOOK_SKIP}
cdef dict BODIES = {b"none": HOOK_BODY_NONE, b"buffered": HOOK_BODY_WHOLE,
                    b"stream": HOOK_BODY_STREAM}


cdef uint32_t phases_of(object names, str place) except? 0:
    cdef uint32_t mask = 0
    for name in names:
        if name not in PHASE_NUMBERS:
            plan_fail(place, f"{ascii(name)[:40]} is no phase: there are"
                             f" {', '.join(PHASE_NUMBERS)}")
        mask |= 1 << <int>PHASE_NUMBERS[name]
    return mask


# Where the entry says nothing (null), the code does, or the default.
cdef int choice(Part part, str key, dict choices, str told) except -1:
    value = told.encode() if part.value(key) is None else part.text(key, 16)
    if value not in choices:
        plan_fail(part.at(key), f"must be one of {b', '.join(choices).decode()}")
    return choices[value]


# What the language says of the code: phases, may_wait, and the configuration with its defaults.
cdef dict describe(Part part, arena_t* arena, hook_t* hook):
    cdef bytes code = part.text("code", HOOK_CODE_MAX)
    cdef bytes file = part.text("file", FILE_BYTES_MAX)
    cdef uint32_t wanted
    try:
        which, ask = runtime_find(part.text("runtime", 16).decode())
        told = ask(code, file.decode(), part.value("config"))
        config = json.dumps(told["config"], separators=(",", ":")).encode()
    except ValueError as error:
        plan_fail(part.place, str(error))
    if len(config) > HOOK_CONFIG_MAX:
        plan_fail(part.at("config"), f"must be at most {<int>HOOK_CONFIG_MAX} bytes of JSON")
    plan_keep(arena, code, &hook.code)
    plan_keep(arena, file, &hook.file)
    plan_keep(arena, config, &hook.config)
    hook.runtime = which
    hook.ops = runtime_ops(which)
    hook.phases = phases_of(told["phases"], part.place)
    hook.may_wait = told["may_wait"]
    if part.value("phases") is not None:
        wanted = phases_of(part.items("phases"), part.at("phases"))
        if wanted & ~<uint32_t>hook.phases:
            plan_fail(part.at("phases"), "names a phase for which the hook has no code; it has "
                                         + ", ".join(told["phases"]))
        hook.phases = wanted
    return told


# Upstreams that it may fetch from; hook_tie finds them.
cdef int fetches_build(Part part, arena_t* arena, hook_t* hook) except -1:
    cdef list names = part.items("fetch") if part.has("fetch") else []
    cdef bytes text
    if len(names) > FETCH_UPSTREAMS_MAX:
        plan_fail(part.at("fetch"), f"names more than {<int>FETCH_UPSTREAMS_MAX} upstreams")
    hook.fetch_names = <span_t*>plan_alloc(arena, len(names) * sizeof(span_t))
    hook.fetch_to = <upstream_t**>plan_alloc(arena, len(names) * sizeof(upstream_t*))
    for name in names:
        text = plan_text(name, part.at("fetch"), 64)
        plan_keep(arena, text, &hook.fetch_names[hook.fetch_count])
        hook.fetch_count += 1
    return 0


cdef int hook_conf_build(Part part, arena_t* arena, hook_t* hook) except -1:
    plan_keep(arena, part.name("name"), &hook.name)
    told = describe(part, arena, hook)
    bodies = 1 << <int>PHASE_REQUEST_BODY | 1 << <int>PHASE_RESPONSE_BODY
    usual = "buffered" if hook.phases & bodies else "none"
    hook.policy = choice(part, "on_error", POLICIES, told.get("on_error") or "fail")
    hook.body = choice(part, "body", BODIES, told.get("body") or usual)
    hook.body_max = part.number("body_max", 0, HOOK_BODY_MAX)
    hook.deadline_ms = part.number_or_off("deadline_ms", 0, DEADLINE_MAX_MS)
    if part.value("deadline_ms") is None:
        hook.deadline_ms = told.get("deadline_ms") or 0
    if hook.body == HOOK_BODY_NONE and hook.phases & bodies:
        plan_fail(part.at("body"), "is none, but the hook has code for bodies: say buffered or"
                                   " stream")
    if hook.body != HOOK_BODY_NONE and not hook.phases & bodies:
        plan_fail(part.at("body"), "the hook has no code for bodies: leave it out")
    fetches_build(part, arena, hook)
    reads = mask_names(part, "reads", told.get("reads"))
    hook.reads = mask_build(part, "reads", reads, arena)
    writes = mask_names(part, "writes", told.get("writes"))
    hook.writes = mask_build(part, "writes", writes, arena)
    hook.caching = caching_build(part, hook, reads, arena)
    hook.masked = hook.reads != NULL
    hook.kept = hook.may_wait or hook.caching != NULL
    hook.watched = hook.writes != NULL or hook.caching != NULL
    return 0
