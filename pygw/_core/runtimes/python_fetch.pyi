from typing import Any, final

from pygw._core.runtimes.python_copies import HeadersCopy

class FetchError(RuntimeError):
    reason: str
    cause: str
    def __init__(self, reason: str, cause: str) -> None: ...

@final
class Fetched:
    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> HeadersCopy: ...
    @property
    def body(self) -> bytes: ...
    @property
    def text(self) -> str: ...
    def json(self) -> Any: ...
