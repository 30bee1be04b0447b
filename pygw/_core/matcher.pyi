from collections.abc import Sequence
from typing import NamedTuple

class Match(NamedTuple):
    status: int
    route: str | None
    params: dict[str, str]
    allow: tuple[str, ...]

class Candidate(NamedTuple):
    route: str
    failed: str | None

class Matcher:
    def __init__(self, plan: bytes) -> None: ...
    def match(
        self,
        method: str,
        host: str,
        target: str,
        headers: Sequence[tuple[str, str]] = (),
        client: str = "127.0.0.1",
    ) -> Match: ...
    def candidates(
        self,
        method: str,
        host: str,
        target: str,
        headers: Sequence[tuple[str, str]] = (),
        client: str = "127.0.0.1",
    ) -> list[Candidate]: ...
