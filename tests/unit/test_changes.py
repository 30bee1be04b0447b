"""The line that says what a reload changed."""

from __future__ import annotations

import weakref
from typing import Any

import pytest

from pygw.changes import describe_changes, tell_changes
from pygw.config import Config

ECHO: list[Any] = [{"echo": {}}]


def route(path: str, **more: Any) -> dict[str, Any]:
    return {"match": {"path": path}, "middleware": ECHO} | more


BASE: dict[str, Any] = {
    "listeners": [{"bind": "127.0.0.1:8080"}],
    "upstreams": {"a": {"targets": ["http://127.0.0.1:1"]}},
    "routes": [route("/x"), route("/y", name="why")],
}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "nothing changed"),
        ({"routes": [*BASE["routes"], route("/z")]}, "+1 route"),
        ({"routes": [route("/y", name="why")]}, "-1 route"),
        ({"routes": [route("/1"), route("/2")]}, "+2 routes, -2 routes"),
        ({"routes": list(reversed(BASE["routes"]))}, "nothing changed"),
        ({"routes": [route("/x"), route("/other", name="why")]}, "~1 route"),
        ({"upstreams": {}}, "-1 upstream"),
        ({"upstreams": {"a": {"targets": ["http://127.0.0.1:2"]}}}, "~1 upstream"),
        ({"listeners": [{"bind": "127.0.0.1:8081"}]}, "+1 listener, -1 listener"),
        ({"listeners": [{"bind": "127.0.0.1:8080", "half_close": "answer"}]}, "~1 listener"),
        ({"workers": 3, "limits": {"head": "8KiB"}}, "workers, limits"),
    ],
)
def test_changes_are_one_line(changes: dict[str, Any], line: str) -> None:
    assert describe_changes(Config.from_data(BASE), Config.from_data(BASE | changes)) == line


def test_old_configuration_goes_where_its_changes_are_told() -> None:
    pair = [Config.from_data(BASE), Config.from_data(BASE | {"workers": 3})]
    old = weakref.ref(pair[0])
    assert tell_changes(pair) == "workers"
    assert pair == [] and old() is None
