"""Configurations of other programs, read and written anew as a `pygw.yaml`.

Owns: what `pygw import` does, but for its command line.
What cannot be carried over is never dropped in silence: it becomes a `Remark` with its place and
reason, which the command prints and the written file repeats as comments.
Runs in: the process of the command.
Never does: serve, or touch the network.
Read next: `draft`, then `nginx` and `openapi`.
"""

from .draft import Draft, ImportFailed, Place, Remark
from .write import finish

__all__ = ["Draft", "ImportFailed", "Place", "Remark", "finish"]
