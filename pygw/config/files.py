"""Files that a configuration names: bodies, lists of networks.

Owns: reading one whole, within a bound, and the words for what went wrong.
Runs in: the control plane.
Never does: know what is in it.
Read next: `networks`, `targets`.
"""

from __future__ import annotations


def read_file(path: str, max_bytes: int) -> bytes:
    """The content of the file at `path`, seen from the working directory.

    ValueError for one that cannot be read or has more than `max_bytes`, a whole number of MiB.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(max_bytes + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no such path"
        raise ValueError(f"cannot read {path}: {reason}") from None
    if len(content) > max_bytes:
        raise ValueError(f"{path} is larger than {max_bytes >> 20}MiB")
    return content
