"""How `pygw routes` and `pygw explain` tell of copies, and of filters that are off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pygw.config.load import Loaded, check_object
from pygw.explain.report import Explainer
from pygw.explain.request import read_request
from pygw.explain.routes import render_rows, rows_of
from pygw.explain.text import render_report
from pygw.plan import build_plan
from tests.unit.lua_hooks import needs_lua

Json = dict[str, Any]


def loaded(**route: Any) -> Loaded:
    upstreams = {
        name: {"targets": [f"http://127.0.0.1:{port}"]}
        for name, port in (("api", 9000), ("shadow", 9100), ("other", 9200))
    }
    one = {"match": {"path": "/*"}, "upstream": "api"} | route
    listeners = [{"bind": "127.0.0.1:8080"}]
    data = {"listeners": listeners, "upstreams": upstreams, "routes": [one]}
    return check_object(data, "test")


def explained(config: Loaded, body: bytes = b"") -> Json:
    explainer = Explainer(config)
    try:
        fields = [f"Content-Length: {len(body)}"]
        asked = read_request("POST", "http://a/x", fields, "127.0.0.1", "localhost")
        return explainer.report(asked, body)
    finally:
        explainer.close()


def table(config: Loaded) -> str:
    return render_rows(rows_of(config.config, build_plan(config.config, 1, "test")))


def test_table_has_a_column_for_mirrors_where_a_route_has_one() -> None:
    assert table(loaded(mirror=["shadow", {"to": "other", "share": "12.5%"}])) == (
        "METHODS  HOST  PATH  CONDITIONS  UPSTREAM  MIRROR               MIDDLEWARE  ROUTE\n"
        "*        *     /*    -           api       shadow, other 12.5%  -           r1\n"
    )
    assert "MIRROR" not in table(loaded())


def test_mirror_that_gets_no_copy_of_a_request_is_told_apart() -> None:
    mirrors = [{"to": "shadow", "body_max": "3B"}, {"to": "other", "share": "50%"}]
    config = loaded(mirror=mirrors)
    small, large = explained(config, b"abc"), explained(config, b"abcd")
    assert [one["copied"] for one in small["upstream"]["mirrors"]] == [True, None]
    assert [one["copied"] for one in large["upstream"]["mirrors"]] == [False, None]
    assert "copies of 100.00% to shadow\n" in render_report(small)
    assert "no copy of this request to shadow\n" in render_report(large)
    assert "copies of 50.00% to other\n" in render_report(large)


def test_filter_that_is_off_keeps_its_place_among_those_that_are_told() -> None:
    off = {"maintenance": {"enabled": False}}
    report = explained(loaded(middleware=[off, {"body_limit": "0B"}, off]), b"x")
    assert [(one["filter"], one["verdict"]) for one in report["filters"]] == [
        ("maintenance", "off"),
        ("body_limit", "reply"),
        ("maintenance", "off"),
    ]
    told = render_report(report)
    assert " 1 maintenance  is off\n" in told
    assert "not reached: filter 2 answers before\n" in told


@needs_lua
def test_what_a_hook_fetches_is_no_copy(tmp_path: Path) -> None:
    file = tmp_path / "ask.lua"
    file.write_text('return function(req) gw.fetch("shadow") end\n')
    hook = {"lua": {"file": str(file), "fetch": ["shadow"]}}
    config = loaded(mirror=[{"to": "shadow", "body_max": "3B"}], middleware=[hook])
    small, large = explained(config, b"abc"), explained(config, b"abcd")
    assert [one["copied"] for one in small["upstream"]["mirrors"]] == [True]
    assert [one["copied"] for one in large["upstream"]["mirrors"]] == [False]
