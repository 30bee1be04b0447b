"""Which module of the core may cimport which: the table of levels, and what breaks it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from tests.tidy.tree import Source

# A module cimports modules of its own level or below. `x/*` is every module of a folder.
LEVELS: tuple[frozenset[str], ...] = tuple(
    frozenset(names.split())
    for names in (
        "types/* libs/* pb/* check limits route_hash view",
        "arena block buffer fault half notice shortage stats",
        "address affinity answer attempt balance bill chain cidr_set coding conditions deflater"
        " detached exchange exchange_memory filters/* forwarding gather headers hook_body"
        " hook_cache hook_conf hook_line hook_mask hook_run hooks"
        " http1_check http1_chunk http1_line http1_read http1_write ids log_line mirror pairs part"
        " path reply retarget router server_timing split standing steps template",
        "runtimes/*",
        "access_log clock down down_answer downstream inlet listener malformed outlet pins pool"
        " relay resolver timer transport transport_memory transport_uv upstream",
        "balance_table bill_read bills build build_filters build_match build_mirrors build_router"
        " build_routes build_upstreams chain_trace dry_run host matcher memory_worker pace variant"
        " profiled_worker watched_worker worker",
        "probe/*",
    )
)

CORE = "pygw/_core/"
_CIMPORT = re.compile(r"^[ \t]*(?:from\s+(pygw[\w.]*)\s+cimport|cimport\s+(pygw[\w.]*))", re.M)
_IMPORT = re.compile(r"^[ \t]*(?:from\s+(\.*[\w.]*)\s+import\b|import\s+([\w., ]+))", re.M)


def module_of(path: str) -> str | None:
    """`pygw/_core/types/header.pxd` gives `types/header`; None outside the core."""
    if not path.startswith(CORE) or not path.endswith((".pyx", ".pxd")):
        return None
    name = path.removeprefix(CORE).rsplit(".", 1)[0]
    return None if name.endswith("__init__") else name


def level_of(module: str) -> int | None:
    """A module's level; None when the table does not know it."""
    folder = module.rpartition("/")[0]
    for level, names in enumerate(LEVELS):
        if module in names or f"{folder}/*" in names:
            return level
    return None


def cimports_of(code: str) -> list[tuple[int, str]]:
    """Line and module of each cimport from the core."""
    found = []
    for match in _CIMPORT.finditer(code):
        name = (match[1] or match[2]).removeprefix("pygw._core.").replace(".", "/")
        found.append((code.count("\n", 0, match.start()) + 1, name))
    return found


def climbing_cimports(source: Source) -> list[str]:
    """Cimports of a higher level, and modules that the table does not know."""
    module = module_of(source.path)
    if module is None:
        return []
    level = level_of(module)
    if level is None:
        return [source.at(1, f"the table of levels does not know {module}")]
    found = []
    for line, name in cimports_of(source.code):
        other = level_of(name)
        if other is None:
            found.append(source.at(line, f"the table of levels does not know {name}"))
        elif other > level:
            found.append(source.at(line, f"{module} (level {level}) cimports {name} ({other})"))
    return found


def cimport_graph(sources: Iterable[Source]) -> dict[str, set[str]]:
    """Which module cimports which, headers and bodies taken together."""
    graph: dict[str, set[str]] = {}
    for source in sources:
        module = module_of(source.path)
        if module is not None:
            edges = graph.setdefault(module, set())
            edges |= {name for _, name in cimports_of(source.code) if name != module}
    return graph


def cycles_in(graph: Mapping[str, set[str]]) -> list[str]:
    """Each cycle once, as `a > b > a`, beginning at its alphabetically first module."""
    found: set[tuple[str, ...]] = set()

    def walk(path: list[str], done: set[str]) -> None:
        for name in sorted(graph.get(path[-1], ())):
            if name in path:
                cycle = path[path.index(name) :]
                turn = cycle.index(min(cycle))
                found.add((*cycle[turn:], *cycle[:turn]))
            elif name not in done:
                walk([*path, name], done)
        done.add(path[-1])

    done: set[str] = set()
    for name in sorted(graph):
        if name not in done:
            walk([name], done)
    return [" > ".join((*cycle, cycle[0])) for cycle in sorted(found)]


def control_imports(source: Source) -> list[str]:
    """Imports of the control plane in the core: it never asks who drives it."""
    if not source.path.startswith(CORE):
        return []
    found = []
    for match in _IMPORT.finditer(source.code):
        for name in re.split(r"[ ,]+", match[1] or match[2] or ""):
            ours = name == "pygw" or name.startswith(("pygw.", ".."))
            if ours and not (name + ".").startswith("pygw._core."):
                line = source.code.count("\n", 0, match.start()) + 1
                found.append(source.at(line, f"the core imports {name}"))
    return found
