"""Files of networks: their form, their bounds, and how they reach the plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from pygw.config import ConfigError, networks
from pygw.config.interpolate import Sources
from pygw.config.load import load, parse_config
from pygw.config.networks import NetworkFile, read_networks
from pygw.explain.report import Explainer
from pygw.explain.request import read_request
from pygw.plan import build_plan

CONFIG = """\
listeners: [{{bind: "127.0.0.1:0"}}]
routes: [{{match: {{path: /*}}, middleware: [{{ip: {{{lists}}}}}, {{echo: {{}}}}]}}]
"""


def write(place: Path, text: str | bytes) -> str:
    file = place / "networks.txt"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(file)


def ip_of(lists: str) -> dict[str, object]:
    config = parse_config(CONFIG.format(lists=lists), "pygw.yaml", Sources({}))
    entry: dict[str, object] = build_plan(config, 1, "pygw-1")["routes"][0]["middleware"][0]
    return entry


def test_one_network_a_line_with_comments(tmp_path: Path) -> None:
    text = "\ufeff# a list\n10.0.0.0/8  # ours\r\n\n  192.0.2.1\n2001:DB8::/32#x\n"
    path = write(tmp_path, text)
    assert read_networks(path) == NetworkFile(path, ("10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32"))


def test_bad_lines_are_told_by_their_numbers(tmp_path: Path) -> None:
    path = write(tmp_path, "10.0.0.0/8\n10.0.0.1/8\n\nnonsense\n::1/129\nx\ny\n")
    with pytest.raises(ValueError) as caught:
        read_networks(path)
    assert str(caught.value) == (
        f'{path}: line 2 must have no bits set behind its prefix; did you mean "10.0.0.0/8"?; '
        "line 4 must be a network such as 10.0.0.0/8 or fd00::/8; "
        "line 5 must be a network such as 10.0.0.0/8 or fd00::/8; 2 more lines are wrong"
    )


def test_error_stands_at_the_key(tmp_path: Path) -> None:
    path = write(tmp_path, "10.0.0.0/8\nno\n")
    with pytest.raises(ConfigError) as caught:
        ip_of(f"deny_file: {path}")
    (problem,) = caught.value.problems
    assert problem.path == ("routes", 0, "middleware", 0, "ip", "deny_file")
    assert "line 2 must be a network" in problem.message


def test_bytes_that_are_no_text_are_told_by_their_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="line 2 is not UTF-8"):
        read_networks(write(tmp_path, b"10.0.0.0/8\n\xff\n"))


@pytest.mark.parametrize("bad", ["a\0b", "", 3, None])
def test_what_is_no_path_is_refused(bad: object) -> None:
    with pytest.raises(ValueError):
        read_networks(bad)


def test_file_has_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "10.0.0.0/8\n" * 4)
    monkeypatch.setattr(networks, "NETWORKS_MAX", 3)
    with pytest.raises(ValueError, match="has more than 3 networks"):
        read_networks(path)
    monkeypatch.setattr(networks, "FILE_MAX_BYTES", 40)
    with pytest.raises(ValueError, match="is larger than"):
        read_networks(path)


def test_networks_of_list_and_file_are_one_list(tmp_path: Path) -> None:
    path = write(tmp_path, "10.0.0.0/8\n")
    entry = ip_of(f"allow: [192.0.2.1], allow_file: {path}, deny_file: {path}")
    assert entry["allow"] == ["192.0.2.1/32", "10.0.0.0/8"]
    assert entry["deny"] == ["10.0.0.0/8"]
    assert "closed" not in entry


def test_empty_file_of_those_who_may_come_admits_nobody(tmp_path: Path) -> None:
    entry = ip_of(f"allow_file: {write(tmp_path, '# none')}")
    assert (entry["allow"], entry["closed"]) == ([], True)
    assert "closed" not in ip_of(f"deny_file: {write(tmp_path, '# none')}")


def test_loading_tells_the_files_even_when_they_are_bad(tmp_path: Path) -> None:
    good = write(tmp_path, "10.0.0.0/8")
    config = tmp_path / "pygw.yaml"
    files: set[str] = set()
    config.write_text(CONFIG.format(lists=f"allow_file: {good}, deny_file: /nonexistent"))
    with pytest.raises(ConfigError):
        load(str(config), {}, files=files)
    assert files == {str(config), good, "/nonexistent"}
    config.write_text(CONFIG.format(lists=f"allow_file: {good}"))
    assert good in load(str(config), {}).files


def test_explain_tells_which_network_of_a_file_decided(tmp_path: Path) -> None:
    def told(lists: str, client: str) -> list[str]:
        config = tmp_path / "pygw.yaml"
        config.write_text(CONFIG.format(lists=lists))
        explainer = Explainer(load(str(config), {}))
        report = explainer.report(read_request("GET", "/", [], client, "localhost"))
        explainer.close()
        does: list[str] = report["filters"][0]["does"]
        return does

    path = write(tmp_path, "\n".join(f"10.{n}.0.0/24" for n in range(6)))
    assert "10.5.0.1 is denied by 10.5.0.0/24" in told(f"deny_file: {path}", "10.5.0.1")
    first = "10.0.0.0/24, 10.1.0.0/24, 10.2.0.0/24, 10.3.0.0/24"
    refused = told(f"allow_file: {path}", "10.9.0.1")
    assert f"10.9.0.1 is in none of allow: {first} and 2 more" in refused
