"""Where the header of native hooks is: `cc $(python -m pygw.native) -shared -fPIC hook.c`.

Owns: `include_dir`.
Runs in: builds of native hooks.
Never does: compile anything.
Read next: `pygw/include/pygw_plugin.h`.
"""

from __future__ import annotations

from pathlib import Path


def include_dir() -> str:
    """The directory of `pygw_plugin.h`."""
    return str(Path(__file__).parent / "include")


if __name__ == "__main__":
    print(f"-I{include_dir()}")
