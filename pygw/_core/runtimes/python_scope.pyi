class Gone(RuntimeError):
    """A view was used after the run of the hook that it was given to: keep a `copy()`."""

class Refused(ValueError):
    """The gateway does not do that: bytes the wire forbids, a field of its own, too late."""

def loop_thread_is(ident: int) -> None: ...
