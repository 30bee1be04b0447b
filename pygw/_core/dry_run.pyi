from typing import NamedTuple

ANSWER: bytes

class Step(NamedTuple):
    place: int
    phase: str
    verdict: str
    before: bytes
    after: bytes

class Ran(NamedTuple):
    status: int
    cause: str
    route: str | None
    params: dict[str, str]
    client: str
    targets: list[tuple[str, str]]
    aside: list[str]
    sent: list[bytes]
    answer: bytes
    steps: list[Step]
    lost: int

class DryRun:
    def __init__(self, plan_json: bytes) -> None: ...
    def ask(
        self,
        request: bytes,
        client: str = "127.0.0.1:1234",
        listener: int = 0,
        answer: bytes = ...,
    ) -> Ran: ...
    def close(self) -> None: ...
