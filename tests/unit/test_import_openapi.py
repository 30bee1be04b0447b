"""`pygw.imports.openapi`: descriptions in, routes out; what is refused and what is never done."""

from __future__ import annotations

from pathlib import Path

import pytest

from pygw.imports import ImportFailed
from pygw.imports.openapi import import_openapi, to_route_path

HEAD = "openapi: 3.0.3\ninfo: {title: t, version: '1'}\n"

# Seven lines that stand for ten million values.
BOMB = "a0: &a0 [1]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 8)
)


def failure(tmp_path: Path, text: str | bytes, name: str = "a.yaml") -> str:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(ImportFailed) as caught:
        import_openapi(str(path))
    return str(caught.value).replace(str(tmp_path) + "/", "")


@pytest.mark.parametrize(
    ("path", "kinds", "own"),
    [
        ("/", {}, "/"),
        ("/users/{id}", {"id": "integer"}, "/users/{id:int}"),
        ("/users/{user-id}", {"user-id": "string"}, "/users/{user_id}"),
        ("/{a-b}/{a_b}", {}, "/{a_b}/{a_b_2}"),
        ("/{1st}", {}, "/{p_1st}"),
        ("/ü/a b", {}, "/%C3%BC/a%20b"),
        ("/trailing/", {}, "/trailing/"),
    ],
)
def test_path_templates_become_route_paths(path: str, kinds: dict[str, str], own: str) -> None:
    assert to_route_path(path, kinds) == own


def test_parameter_within_a_segment_is_refused() -> None:
    with pytest.raises(ValueError, match="a parameter in part only"):
        to_route_path("/files/{name}.json", {})


def test_a_target_from_outside_takes_the_place_of_all_servers(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(
        HEAD + "servers: [{url: 'https://api.example.com/v1'}]\n"
        "paths: {/x: {get: {responses: {'200': {description: ok}}}}}\n"
    )
    draft = import_openapi(str(path), "http://127.0.0.1:9005")
    assert draft.upstreams == {"t": {"targets": ["http://127.0.0.1:9005"]}}
    assert [route["match"]["path"] for route in draft.routes] == ["/v1/x"]
    assert not [one for one in draft.remarks if one.lost]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a.yaml: must be a mapping with the key openapi"),
        ("a: [", "a.yaml: line 2: did not find expected node content"),
        (b"openapi: \xff", "a.yaml:1: not valid UTF-8"),
        ("swagger: '2.0'", "a.yaml: Swagger 2.0 is not read; convert it to OpenAPI 3 first"),
        ("openapi: 4.0.0", "a.yaml: openapi must be 3.0.x or 3.1.x, got 4.0.0"),
        (HEAD + "paths: {/x: {get: {}}}", "a.yaml:3: paths./x.get: 'responses' is a required"),
        (HEAD + "paths: {x: {}}", "a.yaml:3: paths: 'x' does not match any of the regexes"),
        (HEAD + BOMB, "a.yaml: is nested too deeply or holds too many values"),
        (HEAD + "a: &a [*a]\n", "a.yaml: is nested too deeply or holds too many values"),
    ],
)
def test_what_is_no_description_is_refused(tmp_path: Path, text: str | bytes, message: str) -> None:
    assert failure(tmp_path, text).startswith(message)


def test_no_reference_leads_out_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("something outside was opened")

    monkeypatch.setattr("socket.socket.connect", forbidden)
    monkeypatch.setattr("urllib.request.urlopen", forbidden)
    path = tmp_path / "a.yaml"
    path.write_text(
        HEAD + "servers: [{url: 'http://127.0.0.1:9000'}]\n"
        "paths:\n"
        "  /a: {$ref: 'http://127.0.0.1:1/a.yaml'}\n"
        "  /b: {$ref: 'file:///etc/passwd'}\n"
        "  /c: {get: {responses: {'200': {$ref: 'other.yaml#/R'}}}}\n"
    )
    draft = import_openapi(str(path))
    assert [route["match"]["path"] for route in draft.routes] == ["/c"]
    told = [one.message for one in draft.remarks if one.lost]
    assert "file:///etc/passwd: references out of the file are not followed" in told
    assert "/a: its reference leads nowhere" in told


def test_circular_reference_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(HEAD + "paths: {/a: {$ref: '#/paths/~1a'}, /b: {$ref: 'x'}}\n")
    draft = import_openapi(str(path))
    assert draft.routes == []
