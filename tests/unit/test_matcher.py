"""The Python door to a plan's routes answers as the data plane does."""

from __future__ import annotations

import json

from pygw._core.matcher import Matcher

from .plans import plan, route


def test_a_target_is_matched_by_its_path() -> None:
    matcher = Matcher(json.dumps(plan(route("a", "/a", "exact"), route("b", "/b/"))).encode())
    assert matcher.match("GET", "x", "/a?b=/b/").route == "a"
    assert matcher.match("GET", "x", "/b/c").route == "b"
    assert matcher.match("GET", "x", "/c") == (404, None, {}, ())
    assert matcher.candidates("GET", "x", "/a") == [("a", None)]
