"""Nothing stays behind after a request with a hook, whatever its language.

Ten thousand requests each, through a worker in memory; `python -m benchmarks.growth` plays a
million. Read next: ``benchmarks/growth.py``.
"""

from __future__ import annotations

import pytest

from benchmarks import growth
from pygw._core import variant
from tests.unit.lua_hooks import needs_lua
from tests.unit.python_hooks import python

REQUESTS = 10_000
KEPT = """
class Hook:
    kept = []

    def request(self, req):
        req.headers["x-user"] = "1"
        self.kept.append(req.headers["host"] + str(len(self.kept)))

    def response(self, req, resp):
        resp.headers["x-hook"] = "1"
"""


@pytest.mark.parametrize(
    "hook", ["native", pytest.param("lua", marks=needs_lua), "python", "async"]
)
def test_a_hook_leaves_nothing_behind(hook: str) -> None:
    found = growth.growth(growth.HOOKS[hook](), REQUESTS)
    if variant.NAME != "release":  # a sanitizer keeps freed memory for a while
        del found["rss"]
    assert growth.grown(found) == {}, found


def test_what_a_hook_keeps_is_growth() -> None:
    found = growth.growth(python(KEPT, "Hook"), REQUESTS)
    if variant.NAME == "asan":  # its allocator, and Python's under it, tell no figures
        pytest.skip("a sanitizer's allocator tells nothing of heap and objects")
    assert {"heap", "objects"} <= growth.grown(found).keys(), found
