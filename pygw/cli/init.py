"""`pygw init`.

Owns: the first configuration of a person who has none.
Runs in: the process of the command.
Never does: overwrite a file.
"""

from __future__ import annotations

import json
import os

import click

from .common import fail

SCHEMA_NAME = "pygw.schema.json"
"""The schema's file, beside the configuration, which names it in its first line."""

TEMPLATE = """\
# yaml-language-server: $schema=pygw.schema.json
#
# pygw check              tells everything that is wrong with this file
# pygw run                serves it
# pygw schema --format markdown     is the reference of every key

# Where clients are accepted: an address and port, or unix:/path. 0.0.0.0:8080 is every interface.
listeners:
  - bind: 127.0.0.1:8080

# The services behind the gateway, each under a name of your own.
upstreams:
  api:
    targets:
      - http://127.0.0.1:9000
      # More targets share the requests.
    timeouts:
      connect: 2s
      response: 30s

# Which requests go where.
routes:
  # Answered by pygw itself, for whoever asks whether it is there.
  - name: health
    match:
      path: /health
    middleware:
      - respond: {status: 200, body: "ok"}

  # A final * takes every path that begins so.
  - name: api
    match:
      path: /api/*
    middleware:
      - body_limit: 10MiB
      - headers:
          request:
            set: {X-Gateway: pygw}
          response:
            remove: [Server]
    upstream: api

  # All the rest shows the request as it arrived; replace it by what you need.
  - name: echo
    match:
      path: /*
    middleware:
      - echo: {}

# What holds for the whole gateway. These are the defaults; take the # away to change one.
# workers: 1
# drain: 30s
# access_log: {path: "-", format: combined}
# forwarding: {trusted_proxies: [], forwarded: false}
# timeouts: {client_head: 10s, client_body: 30s, keepalive: 75s, slow_reader: 30s}
# limits: {max_connections: 4000, head: 32KiB, headers: 100}

# Values from the environment and from files: ${VAR}, ${VAR:-default}, ${file:/run/secrets/x}.
"""


@click.command("init")
@click.argument("path", default="pygw.yaml", type=click.Path(dir_okay=False))
def command(path: str) -> None:
    """Write a commented configuration to PATH (pygw.yaml), and its schema for editors beside it.

    It can be served at once. A file that is there stays as it is.
    """
    from ..config.schema import config_schema

    schema_path = os.path.join(os.path.dirname(path), SCHEMA_NAME)
    if not _write_new(path, TEMPLATE):
        fail(f"{path} is there already; nothing was written")
    click.echo(f"wrote {path}")
    schema = json.dumps(config_schema(), ensure_ascii=False, indent=2) + "\n"
    if _write_new(schema_path, schema):
        click.echo(f"wrote {schema_path}, by which an editor completes and checks {path}")
    else:
        click.echo(f"{schema_path} is there already and stays; pygw schema prints the newest")
    click.echo("next: pygw check, then pygw run")


def _write_new(path: str, text: str) -> bool:
    """Write a file that is not there yet; False if it is."""
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    except OSError as error:
        fail(f"cannot write {path}: {error.strerror}")
    return True
