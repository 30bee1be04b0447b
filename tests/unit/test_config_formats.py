"""TOML, JSON and objects of a program: the same configuration, the same errors."""

from __future__ import annotations

import json
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pygw.config import ConfigError, Mark, parse_config
from pygw.config.app import is_app, plain_data
from pygw.config.document import DEPTH_MAX
from pygw.config.formats import read_document
from pygw.config.formats.yaml import Loader
from pygw.config.interpolate import Sources
from pygw.config.load import check_object, load

from .test_plan import FULL

ENVIRON = {"N": "3", "YES": "true", "TOKEN": "12"}
SMALLEST: dict[str, Any] = {
    "listeners": [{"bind": "127.0.0.1:0"}],
    "routes": [{"match": {"path": "/*"}, "middleware": [{"echo": {}}]}],
}


def error_of(text: str, file: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, file, Sources(ENVIRON))
    return caught.value


def in_toml(data: object) -> str:
    """Plain data as TOML, in inline tables."""
    if isinstance(data, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {in_toml(v)}" for k, v in data.items()) + "}"
    if isinstance(data, list):
        return "[" + ", ".join(map(in_toml, data)) + "]"
    return json.dumps(data, ensure_ascii=False)


def toml_file(data: dict[str, Any]) -> str:
    return "".join(f"{key} = {in_toml(value)}\n" for key, value in data.items())


def test_all_formats_give_the_same_configuration() -> None:
    data = yaml.load(FULL, Loader)
    expected = parse_config(FULL, "pygw.yaml", Sources({}))
    assert parse_config(json.dumps(data, indent=1), "pygw.json", Sources({})) == expected
    assert parse_config(toml_file(data), "pygw.toml", Sources({})) == expected
    assert check_object(data, "app:gateway").config == expected


PLAIN = st.recursive(
    st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab\"'é ", min_size=1),
                                                                inner, max_size=4),
)  # fmt: skip


@given(st.dictionaries(st.text('abc{}[],:"\\\n', min_size=1), PLAIN, max_size=5))
def test_json_is_read_as_the_standard_library_reads_it(data: dict[str, Any]) -> None:
    text = json.dumps(data, indent=2).replace("$", "")
    document = read_document(text, "x.json", Sources({}))
    assert document.data == json.loads(text)
    assert document.problems == []


@given(st.dictionaries(st.text("abc", min_size=1), PLAIN, max_size=5), st.integers(0, 3))
def test_json_places_are_where_the_values_stand(data: dict[str, Any], indent: int) -> None:
    text = json.dumps(data, indent=indent).replace("$", "")
    document = read_document(text, "x.json", Sources({}))
    lines = text.split("\n")

    def walk(value: object, path: tuple[str | int, ...]) -> None:
        entry = document.locate(path)
        assert entry is not None and entry.at is not None and entry.caret is not None
        rest = "\n".join([lines[entry.caret.line - 1][entry.caret.column - 1 :],
                          *lines[entry.caret.line :]])  # fmt: skip
        assert json.JSONDecoder().raw_decode(rest)[0] == value
        if path and isinstance(path[-1], str):
            assert lines[entry.at.line - 1][entry.at.column - 1 :].startswith(json.dumps(path[-1]))
        inner = value.items() if isinstance(value, dict) else ()
        for key, one in enumerate(value) if isinstance(value, list) else inner:
            walk(one, (*path, key))

    walk(json.loads(text), ())


def test_error_in_json_has_line_column_and_caret() -> None:
    text = json.dumps({**SMALLEST, "limits": {"headers": -3}}, indent=2)
    assert error_of(text, "pygw.json").render() == (
        "pygw.json:20:5  error  limits.headers: must be at least 1, got -3\n"
        '   20 |     "headers": -3\n'
        "      |                ^\n"
        "1 error, nothing was applied"
    )


def test_error_in_toml_names_the_key() -> None:
    text = toml_file({**SMALLEST, "limits": {"headers": -3}, "workrs": 1})
    assert error_of(text, "pygw.toml").render() == (
        "pygw.toml  error  limits.headers: must be at least 1, got -3\n"
        'pygw.toml  error  workrs: unknown key; did you mean "workers"?\n'
        "2 errors, nothing was applied"
    )


@pytest.mark.parametrize(
    ("file", "text", "message", "mark"),
    [
        ("x.json", "", "not valid JSON: the text is empty; write a mapping:"
         ' {"listeners": [...], "routes": [...]}', Mark(1, 1)),
        ("x.json", '{\n "a": [1,\n]}', "not valid JSON: a comma stands behind the last entry;"
         " take it out", Mark(2, 9)),
        ("x.json", '{"a": 1 "b": 2}', 'not valid JSON: "b" behind an entry; write a comma'
         " between two entries", Mark(1, 9)),
        ("x.json", '{"a": NaN}', "not valid JSON: NaN is no number of JSON; write digits, or text"
         " in double quotes", Mark(1, 7)),
        ("x.json", '{"a": %s}' % ("1" * 5000), "not valid JSON: a number has too many digits; write"
         " a shorter one", Mark(1, 7)),
        ("x.json", "[" * 100_000, "nested too deeply; at most 32 levels", Mark(1, DEPTH_MAX + 1)),
        ("x.toml", "b = [1,\n", "not valid TOML: invalid value at the end of the text; write"
         ' "text" in quotes, a number, true, false, [list] or {key = value}', None),
        ("x.toml", "a = 1\na = 2\n", "not valid TOML: cannot overwrite a value; a key may stand"
         " once", Mark(2, 6)),
        ("x.toml", "a = 01\n", "not valid TOML: expected newline or end of document after a"
         " statement; does a text lack its quotes?", Mark(1, 6)),
        ("x.toml", "a = " + "[" * 100_000, "nested too deeply; at most 32 levels", None),
        ("x.toml", "a = " + "[" * 40 + "]" * 40, "nested too deeply; at most 32 levels", None),
    ],
)  # fmt: skip
def test_text_that_cannot_be_read_is_one_clear_error(
    file: str, text: str, message: str, mark: Mark | None
) -> None:
    (problem,) = error_of(text, file).problems
    assert (problem.message, problem.at) == (message, mark)


def test_duplicate_key_in_json_is_an_error_at_the_second() -> None:
    text = json.dumps(SMALLEST)[:-1] + ',\n "drain": "3s",\n "drain": {"x": [1]}}'
    (problem,) = error_of(text, "x.json").problems
    assert problem.message == "duplicate key; it stands in line 2 already"
    assert problem.at == Mark(3, 2)


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        ('{"a": null}', ("a",), "has no value; write one or take the key out"),
        ('{"a": ["\\ud800"]}', ("a", 0), "must be text in Unicode, without lone surrogates"),
        ('{"\\ud800": 1}', (), "a key must be text in Unicode, without lone surrogates"),
        ('{"a": "${NOPE}"}', ("a",), "environment variable NOPE is not set; write ${NOPE:-default}"
         " to do without"),
    ],
)  # fmt: skip
def test_what_json_can_hold_but_no_configuration_is_refused(
    text: str, path: tuple[str, ...], message: str
) -> None:
    (problem,) = read_document(text, "x.json", Sources({})).problems
    assert (problem.path, problem.message) == (path, message)


def test_date_in_toml_is_refused() -> None:
    document = read_document("a = 1979-05-27\n", "x.toml", Sources({}))
    (problem,) = document.problems
    assert problem.message == (
        "must be text, a number, true, false, a list or a mapping, got date; write it as text"
    )


@pytest.mark.parametrize("write", [json.dumps, toml_file])
def test_reference_stands_for_a_number_where_a_number_must_stand(write: Any) -> None:
    file = "x.json" if write is json.dumps else "x.toml"
    data = {**SMALLEST, "workers": "${N}", "forwarding": {"forwarded": "${YES}", "via": "${N}"}}
    config = parse_config(write(data), file, Sources(ENVIRON))
    assert (config.workers, config.forwarding.forwarded, config.forwarding.via) == (3, True, "3")
    problem = error_of(write({**data, "workers": "${YES}0"}), file).problems[0]
    assert problem.message == 'must be a whole number, got "${YES}0"'


def test_schema_key_is_for_editors() -> None:
    text = json.dumps({"$schema": "./pygw.schema.json", **SMALLEST})
    assert parse_config(text, "x.json", Sources({})).workers == 1


# --- objects --------------------------------------------------------------------------------------


def test_object_may_hold_what_python_has_for_it() -> None:
    data = {
        "drain": timedelta(seconds=1.5),
        "forwarding": {"trusted_proxies": (ip_network("10.0.0.0/8"),), "via": None},
        "access_log": {"path": Path("/tmp/x.log")},
        **SMALLEST,
    }
    config = check_object(plain_data(data), "app:gateway").config
    assert config.drain == 1500
    assert config.forwarding.trusted_proxies == ["10.0.0.0/8"]
    assert config.access_log is not None and config.access_log.path == "/tmp/x.log"


def test_dollar_has_no_meaning_in_an_object() -> None:
    respond = {"match": {"path": "/x"}, "middleware": [{"respond": {"body": "${HOME}"}}]}
    config = check_object({**SMALLEST, "routes": [respond]}, "app:gateway").config
    assert config.routes[0].middleware[0].respond is not None
    assert config.routes[0].middleware[0].respond.body == "${HOME}"


def test_object_with_a_strange_value_is_refused_at_its_key() -> None:
    with pytest.raises(TypeError, match=r"routes\[0\]\.x: set is no value of a configuration"):
        plain_data({"routes": [{"x": {1}}]})
    with pytest.raises(ConfigError, match=r"error  a: must be text, a number"):
        check_object({"a": {1}}, "app:gateway")


def test_object_that_contains_itself_is_refused() -> None:
    loop: dict[str, Any] = {}
    loop["a"] = loop
    with pytest.raises(ConfigError, match="nested too deeply; at most 32 levels"):
        check_object(loop, "app:gateway")


@pytest.mark.parametrize(
    ("source", "answer"),
    [("app:gateway", True), ("a.b:c.d", True), ("pygw.yaml", False), ("/x/app:gw", False)],
)
def test_object_is_named_by_module_and_name(source: str, answer: bool) -> None:
    assert is_app(source) is answer


APPS = {
    "a dict": (f"gateway = {SMALLEST}", None),
    "a function": (f"def gateway():\n    return {SMALLEST}", None),
    "an attribute": (f"class gateway:\n    to_data = lambda: {SMALLEST}", None),
    "prints": (f"print('hello')\ngateway = {SMALLEST}", None),
    "no module": (None, "there is no module app in "),
    "missing import": ("import nothing_like_it", "app.py:1: ModuleNotFoundError: No module"),
    "no name": ("gatewey = {}", 'app has no gateway; did you mean "gatewey"?'),
    "not a configuration": ("gateway = 5", "gateway is a int; it must be a pygw.Gateway, a dict"),
    "a mistake": ("x = 1\ngateway = 1 / 0", "app.py:2: ZeroDivisionError: division by zero"),
    "not Python": ("gateway = (", "app.py:1: '(' was never closed"),
    "exits": ("import sys\nsys.exit(3)", "app.py:2: SystemExit: 3"),
    "is killed": ("import os\nos._exit(3)", "ended with code 3 before it made any"),
    "strange value": ("gateway = {'a': {1}}", "a: set is no value of a configuration"),
    "contains itself": ("gateway = {}\ngateway['a'] = gateway", "RecursionError"),
    "wrong key": ("gateway = {'workrs': 1}", 'workrs: unknown key; did you mean "workers"?'),
}


@pytest.mark.parametrize("name", APPS)
def test_program_makes_the_configuration(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, wrong = APPS[name]
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / "app.py").write_text(text)
    if wrong is None:
        loaded = load("app:gateway")
        assert loaded.config.workers == 1
        assert loaded.files == (str(tmp_path / "app.py"),)
        return
    with pytest.raises(ConfigError) as caught:
        load("app:gateway")
    assert wrong in str(caught.value)
    assert str(caught.value).startswith("app:gateway  error  ")
    assert "Traceback" not in str(caught.value)


def test_program_is_read_anew_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for workers in (1, 2):
        data = {**SMALLEST, "workers": workers}
        (tmp_path / "part.py").write_text(f"data = {data!r}  # {'x' * workers}\n")
        (tmp_path / "app.py").write_text("from part import data as gateway\n")
        loaded = load("app:gateway")
        assert loaded.config.workers == workers
        assert set(loaded.files) == {str(tmp_path / name) for name in ("app.py", "part.py")}
