"""`pygw import` as a person and a script meet it."""

from __future__ import annotations

from pathlib import Path

from .test_cli import pygw

NGINX = """server {
    listen 127.0.0.1:8080;
    location / { proxy_pass http://127.0.0.1:9000; proxy_set_header Host $host; }
    location /static/ { root /var/www; }
}
"""
OPENAPI = """openapi: 3.0.3
info: {title: t, version: "1"}
servers: [{url: "http://127.0.0.1:9000"}]
paths: {/x: {get: {operationId: x, responses: {"200": {description: ok}}}}}
"""


def test_import_writes_data_to_stdout_and_what_is_lost_to_stderr(tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text(NGINX)
    done = pygw("import", "nginx", "nginx.conf", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("# Imported from nginx.conf by pygw ")
    assert "#   nginx.conf:4: root /var/www: pygw serves no files\n" in done.stdout
    assert "nginx.conf:4: not carried over: root /var/www: pygw serves no files\n" in done.stderr
    assert done.stderr.endswith("2 routes, 1 upstream; 2 things not carried over\n")


def test_what_import_writes_passes_check(tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text(NGINX)
    assert pygw("import", "nginx", "nginx.conf", "-o", "pygw.yaml", cwd=tmp_path).returncode == 0
    done = pygw("check", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (
        0,
        "pygw.yaml: ok, 2 routes, 1 upstream, 1 listener\n",
    )


def test_import_does_not_write_over_a_file_unless_forced(tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text(NGINX)
    (tmp_path / "out.yaml").write_text("mine")
    done = pygw("import", "nginx", "nginx.conf", "-o", "out.yaml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "out.yaml is there already; --force writes over it\n"
    assert (tmp_path / "out.yaml").read_text() == "mine"
    done = pygw("import", "nginx", "nginx.conf", "-o", "out.yaml", "--force", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert (tmp_path / "out.yaml").read_text().startswith("# Imported from nginx.conf")


def test_strict_import_fails_when_something_is_lost(tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text(NGINX)
    assert pygw("import", "nginx", "--strict", "nginx.conf", cwd=tmp_path).returncode == 1


def test_exit_codes_of_import(tmp_path: Path) -> None:
    (tmp_path / "broken.conf").write_text("server {")
    (tmp_path / "empty.conf").write_text("")
    done = pygw("import", "nginx", "broken.conf", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == 'broken.conf:1: "server" has no closing "}"\n'
    done = pygw("import", "nginx", "empty.conf", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "empty.conf: nothing in it could be carried over\n"
    assert pygw("import", "nginx", "none.conf", cwd=tmp_path).returncode == 1
    assert pygw("import", "nginx", cwd=tmp_path).returncode == 2
    assert pygw("import", "apache", "x", cwd=tmp_path).returncode == 2
    (tmp_path / "api.yaml").write_text(OPENAPI)
    assert pygw("import", "openapi", "api.yaml", "--to", "ftp://x", cwd=tmp_path).returncode == 2
