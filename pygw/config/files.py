"""Files that a configuration names: bodies, lists of networks.

Owns: reading one whole, within a bound, and the words for what went wrong.
Runs in: the control plane.
Never does: know what is in it.
Read next: `networks`, `targets`.
"""

from __future__ import annotations

import errno

REMEDIES = {
    errno.ENOENT: "; create it, or mend the path",
    errno.ENOTDIR: "; mend the path: what stands before a / must be a directory",
    errno.EACCES: "; let the user that runs pygw read it",
    errno.EPERM: "; let the user that runs pygw read it",
    errno.EISDIR: "; name a file in it",
    errno.ENAMETOOLONG: "; shorten the path",
    errno.ELOOP: "; mend the links, which lead in a circle",
}
"""What to do about a file that cannot be opened."""


def told_error(error: OSError) -> str:
    """The system's words for what went wrong, and what to do about it."""
    return f"{error.strerror}{REMEDIES.get(error.errno or 0, '')}"


def read_file(path: str, max_bytes: int) -> bytes:
    """The content of the file at `path`, seen from the working directory.

    ValueError for one that cannot be read or has more than `max_bytes`, a whole number of MiB.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(max_bytes + 1)
    except (OSError, ValueError) as error:
        reason = told_error(error) if isinstance(error, OSError) else "no such path; mend it"
        raise ValueError(f"cannot read {path}: {reason}") from None
    if len(content) > max_bytes:
        raise ValueError(
            f"{path} is larger than {max_bytes >> 20}MiB, which is the most; make it shorter"
        )
    return content


def read_text(path: str, max_bytes: int) -> str:
    """The text of such a file, without a mark of byte order; ValueError names the line that is not
    UTF-8."""
    content = read_file(path, max_bytes)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ValueError(f"{path}: line {line} is not UTF-8") from None
