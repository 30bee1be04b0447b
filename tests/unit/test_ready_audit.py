"""The ready hook `hooks/python/audit_log.py`: lines in a file that no request waits for."""

from __future__ import annotations

import gc
import json
from pathlib import Path
from typing import Any

import pytest

from pygw.testing import ConfigError, MakeHook

HOOK = f"python:{Path(__file__).parents[2] / 'hooks/python/audit_log.py'}:AuditLog"


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_an_exchange_is_a_line_without_secrets(pygw_hook: MakeHook, tmp_path: Path) -> None:
    file = tmp_path / "audit"
    config = {"file": str(file), "headers": ["user-agent", "authorization", "x-no"]}
    gateway = pygw_hook(HOOK, config)
    gateway.get("/x?a=1&access_token=t", headers={"user-agent": "u\t", "authorization": "s"})
    gateway.close()
    (line,) = lines(file)
    assert (line["method"], line["path"], line["status"]) == ("GET", "/x", 200)
    assert (line["query"], line["header.authorization"]) == ("a=1&access_token=***", "***")
    assert "header.x-no" not in line
    assert file.stat().st_mode & 0o777 == 0o600


def test_files_are_moved_by_size_and_the_oldest_goes(pygw_hook: MakeHook, tmp_path: Path) -> None:
    file = tmp_path / "audit"
    for n in range(5):
        gateway = pygw_hook(HOOK, {"file": str(file), "size_max": 4096, "keep": 2})
        gateway.get(f"/{n}" + "a" * 2040)
        gateway.get(f"/{n}" + "a" * 2040)
        gateway.close()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["audit", "audit.1", "audit.2"]
    assert all(one.stat().st_size <= 4800 for one in tmp_path.iterdir())
    assert lines(file)[-1]["path"].startswith("/4")


def test_lines_that_find_no_room_are_counted_and_told(
    pygw_hook: MakeHook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "audit"
    with monkeypatch.context() as patch:
        patch.setattr("threading.Thread.start", lambda thread: None)
        patch.setattr("threading.Thread.join", lambda thread, timeout=None: None)
        gateway = pygw_hook(HOOK, {"file": str(file), "queue_max": 1})
        for _ in range(4):
            assert gateway.get("/").status == 200
        made = [one for one in gc.get_objects() if type(one).__name__ == "AuditLog"]
        (hook,) = [one for one in made if one._config.file == str(file)]
    hook._lines.get_nowait()
    gateway.get("/")
    assert hook._lines.get_nowait()["dropped"] == 3
    hook._thread = None
    gateway.close()


def test_a_folder_that_is_not_there_is_an_error(pygw_hook: MakeHook) -> None:
    with pytest.raises(ConfigError, match="no folder that can be written to"):
        pygw_hook(HOOK, {"file": "/no/such/file"})
