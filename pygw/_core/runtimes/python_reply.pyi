from collections.abc import Iterable, Mapping
from typing import final

@final
class Reply:
    """An answer of the hook's own: `return Reply(401, "missing key\\n")`."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...]
    content_type: str
    def __init__(
        self,
        status: int,
        body: bytes | bytearray | memoryview | str = b"",
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        content_type: str | None = None,
    ) -> None: ...

@final
class Abort:
    """The type of `ABORT`."""

ABORT: Abort
