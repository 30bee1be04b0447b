"""What becomes of a request, as data.

Owns: the report of `pygw explain`, put together from what the data plane did and from what the
configuration says.
Runs in: the process of the command.
Never does: decide: route, verdicts, bytes and targets are the data plane's.
Read next: `text`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from pygw._core.dry_run import ANSWER, DryRun, Ran, Step
from pygw._core.matcher import Matcher

from ..config.choices import SHARES
from ..config.load import Loaded
from ..config.model.middleware import Middleware
from ..config.networks import NetworkFile
from ..plan import build_plan, serialise_plan
from ..plan.filters import is_on
from .effects import Picture, changes
from .misses import near_misses
from .predicate import conditions_of, hosts_of, path_of, told_networks
from .request import Request
from .routes import filter_name, upstreams_of

Json = dict[str, Any]
Plan = Mapping[str, Any]

LOOKS = 16
"""How often a request is run to see whether it always goes to the same target."""


class Explainer:
    """One configuration, asked about any number of requests; `close` ends it."""

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded
        self.plan = build_plan(loaded.config, 1, "pygw-explain")
        text = serialise_plan(self.plan)
        self.matcher = Matcher(text)
        self.run = DryRun(text)
        self.places = {one["name"]: n for n, one in enumerate(self.plan["routes"])}

    def close(self) -> None:
        """Give the data plane's memory back."""
        self.run.close()

    def report(self, request: Request, body: bytes = b"", answer: bytes = ANSWER) -> Json:
        """What becomes of the request and its body, and of the bytes that a service answers.

        Plain data, secrets masked.
        """
        asked = request.head + body
        ran = self.run.ask(asked, request.peer, answer=answer)
        out: Json = {
            "request": {
                "method": request.method,
                "url": request.url,
                "client": ran.client or request.client,
            },
            "outcome": _outcome(ran),
            "status": ran.status,
            "cause": None if ran.cause == "-" else ran.cause,
            "route": None,
            "near_misses": near_misses(self.matcher, self.plan, request, ran),
            "allow": self._allow(request, ran),
            "filters": [],
            "upstream": None,
            "forwarded": None,
            "answer": _fields_of(ran.answer),
        }
        if ran.route is not None:
            place = self.places[ran.route]
            planned = self.plan["routes"][place]
            out["route"] = _route(planned, ran)
            out["filters"] = self._filters(place, ran)
            if ran.targets or planned["upstream"] is not None:
                out["upstream"] = self._upstream(planned, asked, request.peer, ran)
                if not ran.targets:
                    out["upstream"]["why"] = f"not reached: {_reason(out['filters'])}"
        if ran.sent:
            out["forwarded"] = _text(ran.sent[0].partition(b"\r\n\r\n")[0]).split("\r\n")
        masked: Json = self.loaded.secrets.mask(out)
        return masked

    def _allow(self, request: Request, ran: Ran) -> list[str]:
        if ran.status != 405 or ran.route is not None:
            return []
        fields = dict(_pairs(_fields_of(ran.answer)["fields"]))
        return [one.strip() for one in fields.get("allow", "").split(",") if one.strip()]

    # --- filters ---

    def _filters(self, place: int, ran: Ran) -> list[Json]:
        entries = self.loaded.config.routes[place].middleware
        stopped = next((s.place for s in ran.steps if s.verdict in ("reply", "abort")), None)
        out = []
        number = -1
        for entry in entries:
            one: Json = {"filter": filter_name(entry), "verdict": "next", "does": []}
            if not is_on(entry):
                out.append(one | {"verdict": "off"})
                continue
            number += 1  # its place in the plan
            own = [step for step in ran.steps if step.place == number]
            asked = stopped is None or number <= stopped
            for step in own:
                if step.verdict != "next":
                    one["verdict"] = step.verdict
                one["does"] += _does(step)
            if not asked:
                one["verdict"] = "not reached"
            else:
                one["does"] = [*_admission(entry, ran, one["verdict"]), *one["does"]]
            out.append(one)
        return out

    # --- upstream ---

    def _upstream(self, planned: Plan, asked: bytes, peer: str, ran: Ran) -> Json:
        shares = upstreams_of(planned)
        name = ran.targets[0][0] if ran.targets else None
        out: Json = {
            "name": name or (next(iter(shares)) if len(shares) == 1 else None),
            "shares": shares,
            "target": ran.targets[0][1] if ran.targets else None,
            "pinned": False,
            "why": "",
            "eligible": [],
            "mirrors": [],
        }
        if not ran.targets:
            return out
        upstream = next(one for one in self.plan["upstreams"] if one["name"] == name)
        best = min(one.get("priority", 0) for one in upstream["targets"])
        out["eligible"] = [
            {"url": one["url"], "weight": one.get("weight", 1)}
            for one in upstream["targets"]
            if one.get("priority", 0) == best
        ]
        again = [self.run.ask(asked, peer) for _ in range(LOOKS)]
        out["mirrors"] = [_mirror(one, [ran, *again]) for one in planned.get("mirrors", ())]
        same = all(one.targets[:1] == ran.targets[:1] for one in again)
        sure = len(out["eligible"]) == 1 or _by_request(upstream, asked)
        out["pinned"] = same and sure and len(shares) == 1
        out["why"] = _choice(upstream, out, len(shares) > 1)
        return out


def _mirror(planned: Plan, runs: Sequence[Ran]) -> Json:
    """A mirror, and whether it gets a copy of this request: None where chance decides."""
    copied: bool | None = any(planned["to"] in one.aside for one in runs)
    if 0 < planned["share"] < SHARES:
        copied = None if copied or planned["share"] * len(runs) < 3 * SHARES else False
    return {"to": planned["to"], "share": planned["share"] / SHARES, "copied": copied}


def _by_request(upstream: Plan, asked: bytes) -> bool:
    """Whether the upstream may choose by something of the request; whether it did is seen."""
    balance = upstream.get("balance") or {}
    sticky = upstream.get("sticky")
    cookie = sticky if isinstance(sticky, str) else (sticky or {}).get("cookie", "")
    return balance.get("by") == "hash" or (bool(cookie) and f"{cookie}=".encode() in asked)


def _choice(upstream: Plan, out: Json, shared: bool) -> str:
    balance = upstream.get("balance") or {"by": "round_robin"}
    by = str(balance.get("by", "round_robin")).replace("_", " ")
    if shared:
        return "one of several upstreams by weight; this time this one"
    if len(out["eligible"]) == 1:
        return "the only target of its priority"
    if not out["pinned"]:
        return f"{by}: each of them may be next"
    if by == "hash":
        key = " ".join(filter(None, (str(balance["key"]), str(balance.get("name") or ""))))
        return f"hash of {key.replace('_', ' ')}"
    return f"the cookie {upstream['sticky']}" if upstream.get("sticky") else by


def _outcome(ran: Ran) -> str:
    if ran.targets:
        return "forwarded"
    return "answered" if ran.route is not None else "refused"


def _reason(filters: Sequence[Json]) -> str:
    for number, one in enumerate(filters, 1):
        if one["verdict"] in ("reply", "abort"):
            return f"filter {number} answers before"
    return "the request is refused before"


def _route(planned: Plan, ran: Ran) -> Json:
    match = planned["match"]
    return {
        "name": planned["name"],
        "methods": list(match.get("methods", ())),
        "hosts": list(hosts_of(planned)),
        "path": path_of(planned),
        "params": ran.params,
        "conditions": conditions_of(planned),
    }


def _does(step: Step) -> list[str]:
    before, after = Picture.read(step.before), Picture.read(step.after)
    if step.verdict == "reply":
        return [f"answers {after.line}"]
    if step.verdict == "wait":
        return ["waits; what it does then shows in what is sent or answered"]
    if step.verdict != "next":
        return [f"ends the request ({step.verdict})"]
    where = {"request": "", "attempt": "", "response": "answer: "}[step.phase]
    return [f"{where}{change}" for change in changes(before, after)]


def _admission(entry: Middleware, ran: Ran, verdict: str) -> list[str]:
    """Words for filters that admit or refuse: nothing of that can be seen in a head."""
    if entry.body_limit is not None and verdict == "next":
        return [f"lets bodies of up to {entry.body_limit} bytes pass"]
    if entry.ip is None:
        return []
    if verdict == "next":
        return [f"admits {ran.client}"]
    for network in _listed(entry.ip.deny, entry.ip.deny_file):
        if _within(ran.client, network):
            return [f"{ran.client} is denied by {network}"]
    allow = _listed(entry.ip.allow, entry.ip.allow_file)
    if not allow:
        return [f"{ran.client} is in none of allow, whose file has no network"]
    return [f"{ran.client} is in none of allow: {told_networks(allow)}"]


def _listed(networks: Sequence[str], file: NetworkFile | None) -> list[str]:
    return [*networks, *(file.networks if file is not None else ())]


def _within(client: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(client) in ipaddress.ip_network(network)
    except ValueError:
        return False


def _fields_of(answer: bytes) -> Json:
    """Status and fields of the answer that the client gets."""
    head, _, body = answer.partition(b"\r\n\r\n")
    line, *fields = _text(head).split("\r\n")
    words = line.split(" ")
    status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
    return {"status": status, "fields": fields, "body": _text(body[:2000])}


def _pairs(fields: Sequence[str]) -> list[tuple[str, str]]:
    return [(name.lower(), value.strip()) for name, _, value in (f.partition(":") for f in fields)]


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")
