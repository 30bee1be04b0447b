"""The extensions and their compiler flags; everything else about the project is in pyproject.toml.

One extension per ``pygw/_core/**/*.pyx``. ``PYGW_BUILD`` chooses the variant:

- ``release`` (the default): optimised. ``build_ext --inplace`` puts it beside the sources.
- ``debug``: BUG_ON and the malloc arena are on (``PYGW_DEBUG=1``).
- ``asan``: debug, with AddressSanitizer and UndefinedBehaviorSanitizer.
- ``fuzz``: asan, telling ``tests/fuzz/cover.c`` each basic block that runs.
- ``coverage``: debug, with gcov counters; ``tests/tools/coverage.py`` reads them.
- ``coverage-release``: the same without what only a debug build has.

- ``none``: no extensions, for an editable install whose extensions ``build_ext --inplace`` makes.

All but ``release`` build a whole package under ``build/<variant>/pygw``, so that none overwrites
another: put ``build/<variant>`` first on ``PYTHONPATH`` to use it. Only what changed is built
again.
"""

from __future__ import annotations

import os
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

COMMON = [
    "-g",
    "-fno-strict-aliasing",
    "-fvisibility=hidden",
    "-Wno-unused-function",
    "-Wno-sign-compare",
]
SANITIZERS = [
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=undefined",
    "-fno-omit-frame-pointer",
]
COUNTERS = ["--coverage"]
EDGES = ["-fsanitize-coverage=trace-pc"]

# variant -> (macros, compiler flags, linker flags)
VARIANTS: dict[str, tuple[list[tuple[str, str]], list[str], list[str]]] = {
    "release": ([], ["-O2"], []),
    "debug": ([("PYGW_DEBUG", "1")], ["-O1"], []),
    "asan": ([("PYGW_DEBUG", "1")], ["-O1", *SANITIZERS], SANITIZERS),
    "fuzz": ([("PYGW_DEBUG", "1")], ["-O1", *SANITIZERS, *EDGES], SANITIZERS),
    "none": ([], [], []),
    "coverage": ([("PYGW_DEBUG", "1")], ["-O0", *COUNTERS], COUNTERS),
    "coverage-release": ([], ["-O0", *COUNTERS], COUNTERS),
}

VARIANT = os.environ.get("PYGW_BUILD") or "release"
if VARIANT not in VARIANTS:
    raise SystemExit(f"PYGW_BUILD={VARIANT} is none of {', '.join(VARIANTS)}")

HEADERS = sorted(map(str, Path("pygw/include").rglob("*.h")))
DIRECTIVES = {"language_level": 3, "embedsignature": False}
SOURCES = sorted(Path("pygw/_core").rglob("*.pyx"))
JOBS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def extension(source: Path) -> Extension:
    """The extension of one .pyx file, with the variant's flags."""
    macros, compile_flags, link_flags = VARIANTS[VARIANT]
    return Extension(
        ".".join(source.with_suffix("").parts),
        [str(source)],
        define_macros=[("PYGW_VARIANT", f'"{VARIANT}"'), *macros],
        include_dirs=["pygw/include"],
        extra_compile_args=[*COMMON, *compile_flags],
        extra_link_args=link_flags,
        depends=["setup.py", *(HEADERS if "runtimes" in source.parts else [])],
    )


class BuildCore(build_ext):
    """Translates the .pyx files that changed, or whose .pxd did, before the compiler runs."""

    def finalize_options(self) -> None:
        from Cython.Build import cythonize

        self.distribution.ext_modules = cythonize(
            self.distribution.ext_modules,
            build_dir="build/c",
            compiler_directives=DIRECTIVES,
            nthreads=JOBS,
        )
        super().finalize_options()


class BuildPython(build_py):
    """Carries proto/ and the C headers into the package."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        for source in [*Path("proto").rglob("*.proto"), *Path("pygw/include").rglob("*.h")]:
            inside = source if source.parts[0] == "pygw" else Path("pygw", source)
            target = Path(self.build_lib, inside)
            self.mkpath(str(target.parent))
            self.copy_file(str(source), str(target))


options: dict[str, dict[str, object]] = {"build_ext": {"parallel": JOBS}}
if VARIANT not in ("release", "none"):
    options["build"] = {
        "build_base": f"build/{VARIANT}",
        "build_lib": f"build/{VARIANT}",
        "build_temp": f"build/{VARIANT}/objects",
    }

setup(
    ext_modules=[] if VARIANT == "none" else [extension(source) for source in SOURCES],
    cmdclass={"build_ext": BuildCore, "build_py": BuildPython},
    options=options,
)
