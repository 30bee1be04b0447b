"""The services behind the gateway, played by the test.

Owns: what a service answers, and every request it got.
Runs in: tests of hooks.
Never does: decide when bytes move; `gateway` does.
Read next: `messages`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pygw._core.watched_worker import End

from .messages import Answer, Seen, read_message

Answering = Answer | int | str | bytes
"""What stands for an answer: a status alone, a body alone, or all of it."""


class Origin:
    """A service: it answers what it was told last, `200 ok` if nothing.

    gateway.origin.answer(503)                          # from now on
    gateway.origin.answer("hello", headers={"x-a": "1"})
    gateway.origin.then(500, 200)                       # the next two, in this order
    gateway.origin.handler = lambda seen: seen.path     # by the request
    gateway.origin.refuse()                             # connects fail
    """

    def __init__(self) -> None:
        self.requests: list[Seen] = []
        """Every request it got, in order."""
        self.handler: Callable[[Seen], Answering] | None = None
        self.policy = "accept"
        self._usual = Answer(200, "ok")
        self._next: list[Answering] = []

    def answer(self, answer: Answering | None = None, /, **parts: object) -> None:
        """Answers so from now on; `parts` are those of `Answer`, as in `answer(200, body="hi")`."""
        self._usual = answer_of(answer, **parts)
        self.handler = None
        self.policy = "accept"

    def then(self, *answers: Answering) -> None:
        """The next answers, each for one request, before what it says otherwise."""
        self._next.extend(answers)

    def refuse(self, reason: str = "ECONNREFUSED") -> None:
        """Connections fail with that errno from now on, until `answer`."""
        self.policy = reason

    def silent(self) -> None:
        """Takes requests and never answers, until `answer`."""
        self.answer(after_s=float("inf"))

    def twin(self) -> Origin:
        """One that answers the same, and has got nothing yet."""
        twin = Origin()
        twin.handler, twin.policy, twin._usual = self.handler, self.policy, self._usual
        return twin

    def answer_to(self, seen: Seen) -> Answer:
        """What it answers to a request."""
        self.requests.append(seen)
        if self._next:
            return answer_of(self._next.pop(0))
        return answer_of(self.handler(seen)) if self.handler is not None else self._usual


def answer_of(said: Answering | None = None, /, **parts: object) -> Answer:
    """The answer that is meant; TypeError for what can be none."""
    if isinstance(said, Answer) and not parts:
        return said
    if isinstance(said, bool) or not isinstance(said, Answer | int | str | bytes | None):
        raise TypeError(f"{said!r} is no answer: say a status, a body or an Answer")
    if isinstance(said, int):
        parts = {"status": said, **parts}
    elif isinstance(said, str | bytes):
        parts = {"body": said, **parts}
    return Answer(**parts)  # type: ignore[arg-type]


@dataclass
class Link:
    """One connection that the gateway opened."""

    end: End
    origin: Origin
    name: str
    read: int = 0
    due_ms: float | None = None
    waiting: list[bytes] = field(default_factory=list)
    ends: bool = False
    over: bool = False

    @property
    def idle(self) -> bool:
        """Whether it stays open with nothing asked and nothing answered."""
        return not (self.over or self.waiting or self.due_ms is not None or self.end.closed)

    def listen(self, now_ms: int) -> Seen | None:
        """A request that has come whole since, which is then answered when its time is there."""
        if not self.idle:
            return None
        data = self.end.received()
        found = read_message(data, self.read)
        if found is None or not found.message.complete:
            return None
        self.read = found.end
        method, target, _ = found.line.split(" ")
        plain = found.message
        seen = Seen(plain.headers, plain.body, plain.chunks, plain.trailers, True, method, target)
        seen.upstream = self.name
        answer = self.origin.answer_to(seen)
        self.waiting = answer.pieces(method)
        self.due_ms = now_ms + answer.after_s * 1000
        self.ends = answer.cut is not None or (
            answer.raw is not None and b"content-length" not in answer.raw.lower()
        )
        return seen

    def speak(self, now_ms: int) -> bool:
        """The next piece of an answer that is due; False when there is none."""
        if self.due_ms is None or self.due_ms > now_ms or not self.waiting:
            return False
        if not self.end.closed:
            self.end.send(self.waiting.pop(0))
        else:
            self.waiting.clear()
        if not self.waiting:
            self.due_ms = None
            if self.ends and not self.end.closed:
                self.end.finish()
                self.over = True
        return True
