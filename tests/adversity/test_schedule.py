"""Every fault at once: an origin that misbehaves by a seeded plan, and clients that check.

The seed is in the test's name, so a failure replays. Whatever the origin does, a complete 200
carries its own request's body, a bad answer is a 5xx or a cut, and a good one is never lost.
"""

from __future__ import annotations

import os
import random
import threading

import pytest

from tests.peers.client import Client
from tests.peers.fleet import Stage
from tests.peers.gateway import Gateway
from tests.peers.payload import answer, chunk, chunked_answer, head, request
from tests.peers.served import Served
from tests.peers.settings import SHORT, proxy_config
from tests.peers.wire import Cut, Message

SEEDS = [int(word) for word in os.environ.get("FAULT_SEEDS", "1 20 300").split()]
REQUESTS = 60
CLIENTS = 4
GOOD = ("length", "chunked", "close", "early_hints", "slow_pieces")
BAD = (
    "leave", "reset", "junk", "half_head", "cut_length", "cut_chunked", "bad_chunk", "silent",
    "stall", "two_framings", "extra_answer", "switch", "interim_flood",
)  # fmt: skip


def body_for(target: bytes) -> bytes:
    """What the answer to this target must carry."""
    return target * 50


def misbehave(served: Served, fault: str, asked: Message) -> bool:
    """Answer one request in the way of the fault; False ends the connection."""
    body = body_for(asked.target)
    length = head("200 OK", f"Content-Length: {len(body)}")
    if fault == "slow_pieces":
        served.send_pieces([length, body[:100], body[100:]], gap_s=0.02)
        return True
    said = {
        "length": length + body,
        "chunked": chunked_answer([body[:70], body[70:]]),
        "close": head("200 OK", "Connection: close") + body,
        "early_hints": head("103 Early Hints", "Link: <a>") + length + body,
        "leave": b"",
        "reset": b"",
        "junk": b"what?\r\n\r\n",
        "half_head": b"HTTP/1.1 200 OK\r\nContent-Le",
        "cut_length": length + body[:10],
        "cut_chunked": head("200 OK", "Transfer-Encoding: chunked") + chunk(body[:10]),
        "bad_chunk": head("200 OK", "Transfer-Encoding: chunked") + chunk(body[:10]) + b"zz\r\n",
        "silent": b"",
        "stall": length + body[:10],
        "two_framings": length[:-2] + b"Transfer-Encoding: chunked\r\n\r\n" + chunk(body),
        "extra_answer": length + body + answer(b"poison"),
        "switch": head("101 Switching Protocols", "Upgrade: x", "Connection: upgrade"),
        "interim_flood": head("103 Early Hints") * 50,
    }[fault]
    served.send(said)
    if fault in ("silent", "stall", "extra_answer", "switch"):
        served.wait_gone(3.0)
    if fault == "reset":
        served.reset()
    return fault in ("length", "chunked", "early_hints")


class Plan:
    """What happens to each target, drawn from the seed."""

    def __init__(self, seed: int) -> None:
        dice = random.Random(seed)
        self.faults = {
            f"/{client}/{number}".encode(): dice.choice(GOOD if dice.random() < 0.5 else BAD)
            for client in range(CLIENTS)
            for number in range(REQUESTS)
        }
        self.methods = {
            target: dice.choice(["GET", "GET", "POST", "PUT"]) for target in self.faults
        }

    def script(self, served: Served) -> None:
        """An origin connection that follows the plan."""
        served.cut_allowed = True
        while True:
            asked = served.read_request()
            if asked.target not in self.faults:
                served.send(served.handler(asked))
            elif not misbehave(served, self.faults[asked.target], asked):
                return


def play(gw: Gateway, plan: Plan, number: int, wrong: list[str]) -> None:
    """One client: all its requests in order, each outcome checked."""
    client = gw.client()
    for at in range(REQUESTS):
        target = f"/{number}/{at}"
        fault, method = plan.faults[target.encode()], plan.methods[target.encode()]
        if client.ended != "open" or client.left:
            client = gw.client()
        body = b"b" * 300 if method != "GET" else None
        client.send(request(target, method=method, body=body))
        if said := judge(client, target, fault):
            wrong.append(f"{method} {target} {fault}: {said}")
    client.close()


def judge(client: Client, target: str, fault: str) -> str:
    """What is wrong with the outcome; empty when it is right."""
    good = fault in GOOD or fault == "extra_answer"
    try:
        got = client.recv_response()
    except Cut:
        client.cut_allowed = True
        client.close()
        return "a good answer was cut" if good else ""
    if got.closes:
        client.close()
    if got.status == 200:
        return "" if good and got.body == body_for(target.encode()) else f"200 with {got.body!r}"
    if good:
        return f"{got.status} for a good answer: {got.text}"
    return "" if got.status in (502, 504) else f"status {got.status}"


@pytest.mark.parametrize("seed", SEEDS)
def test_fault_schedule(stage: Stage, seed: int) -> None:
    print(f"FAULT_SEEDS={seed}")
    plan = Plan(seed)
    origin = stage.origin(0)
    origin.serve_script(plan.script)
    gw = stage.gateway(proxy_config(origin, timeouts=SHORT))
    wrong: list[str] = []
    threads = [
        threading.Thread(target=play, args=(gw, plan, number, wrong)) for number in range(CLIENTS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(50)
    assert not any(thread.is_alive() for thread in threads), "a client hangs"
    assert not wrong, "\n".join(wrong)
    assert len(gw.log_entries(CLIENTS * REQUESTS)) == CLIENTS * REQUESTS
