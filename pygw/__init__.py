"""pygw: an edge gateway with a Cython data plane on uvloop's libuv and httptools' llhttp.

Owns the version, which the build reads from here. Importing it loads no library, starts nothing.
Read next: ``cli`` for the commands, ``_core`` for the data plane.
"""

from .gateway import Gateway

__version__ = "0.1.0"

__all__ = ["Gateway"]
