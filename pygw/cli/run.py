"""`pygw run`.

Owns: what to serve (a configuration, one service, the quickstart) and the banner.
Runs in: the supervisor's process.
Never does: supervise; that is `pygw.supervisor`.
Read next: `pygw.supervisor`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from .. import __version__
from .common import fail, find_config

if TYPE_CHECKING:
    from ..config import Config
    from ..config.load import Loaded
    from ..listeners import OpenListener
    from ..watch import Looks

QUICKSTART_BIND = "127.0.0.1:8080"
"""Where the quickstart and `--to` listen: this machine only."""


@dataclass(frozen=True)
class Job:
    """What `run` was asked to serve, and how the banner names where requests go."""

    config: Config
    leads_to: str
    file: ConfigFile | None = None


@dataclass
class ConfigFile:
    """A configuration that can be read again. `looks`: how all files looked before they were."""

    path: str
    overrides: Mapping[str, Any]
    looks: Looks = field(default_factory=dict)
    loaded: Loaded | None = None

    def load(self) -> Config:
        """The configuration as the file says it now; ConfigError when it is wrong."""
        from ..config.load import load
        from ..watch import Looker

        files = Looker()
        for path in self.looks:
            files.add(path)  # one that is not reached because of an error may be what is mended
        try:
            loaded = load(self.path, overrides=self.overrides, files=files)
        finally:
            self.looks = files.looks
        self.looks = {path: files.looks[path] for path in loaded.files}
        self.loaded = loaded
        return loaded.config

    def told(self, text: str) -> str:
        """A worker's message, with the place in the file that it is about."""
        from ..plan.refusal import told

        return text if self.loaded is None else told(self.loaded, text)


@click.command("run")
@click.argument("config", required=False, type=click.Path())
@click.option("--to", "target", metavar="URL", help="Proxy everything to this one service.")
@click.option("--listen", metavar="ADDR", help="Listen here instead of at the first listener.")
@click.option("--workers", type=click.IntRange(1, 256), help="Worker processes.")
@click.option("--watch", is_flag=True, help="Reload when the configuration changes.")
def command(
    config: str | None, target: str | None, listen: str | None, workers: int | None, watch: bool
) -> None:
    """Serve until TERM or Ctrl-C; HUP reloads the configuration.

    Without CONFIG, ./pygw.yaml, $PYGW_CONFIG and /etc/pygw/pygw.yaml are looked for; without any of
    them a built-in echo answers on 127.0.0.1:8080.
    """
    if config is not None and target is not None:
        raise click.UsageError("give a CONFIG or --to, not both")
    overrides: dict[str, Any] = {} if workers is None else {"workers": workers}
    if listen is not None:
        overrides["listen"] = _checked_bind(listen)
    job = _to_job(target, overrides) if target is not None else _config_job(config, overrides)
    if watch and job.file is None:
        raise click.UsageError("--watch needs a configuration file")
    sys.exit(_serve(job, watch, _library_versions()))


def render_banner(job: Job, listeners: Sequence[OpenListener], libraries: Mapping[str, str]) -> str:
    """What `run` prints once everything serves: versions, then a line for each listener."""
    count = job.config.workers
    parts = [f"pygw {__version__}", f"{count} worker{'' if count == 1 else 's'}"]
    parts += [f"{name} {'.'.join(v.split('.')[:2])}" for name, v in libraries.items()]
    lines = [" · ".join(parts)]
    for listener in listeners:
        scheme = "" if listener.bind.family == "unix" else "http://"
        lines.append(f"  proxy  {scheme}{listener.bind} → {job.leads_to}")
    lines[-1] += "   Ctrl-C to stop"
    return "\n".join(lines)


def _serve(job: Job, watch: bool, libraries: Mapping[str, str]) -> int:
    import asyncio

    from ..log import set_up_log
    from ..supervisor import Supervisor

    def announce(listeners: Sequence[OpenListener]) -> None:
        click.echo(render_banner(job, listeners, libraries), err=True)

    async def serve() -> int:
        file = job.file
        supervisor = Supervisor(
            job.config,
            announce,
            load=file.load if file else None,
            tell=file.told if file else str,
        )
        watching = None
        if watch and file is not None:
            watching = asyncio.create_task(_watch(file, supervisor.reload))
        try:
            return await supervisor.run()
        finally:
            if watching is not None:
                watching.cancel()

    set_up_log()
    return asyncio.run(serve())


async def _watch(file: ConfigFile, reload: Callable[[], None]) -> None:
    from ..watch import Watch

    files = Watch(lambda: file.looks)
    while True:
        await files.changed()
        reload()


def _config_job(path: str | None, overrides: Mapping[str, Any]) -> Job:
    from ..config import Config, ConfigError

    path = path if path is not None else find_config()
    if path is None:
        listen = overrides.get("listen", QUICKSTART_BIND)
        data = {
            "workers": overrides.get("workers", 1),
            "listeners": [{"name": "http", "bind": listen}],
            "routes": [{"name": "echo", "match": {"path": "/*"}, "middleware": [{"echo": {}}]}],
        }
        return Job(Config.from_data(data), "built-in echo")
    file = ConfigFile(path, overrides)
    try:
        config = file.load()
    except ConfigError as error:
        fail(str(error))
    count = len(config.routes)
    return Job(config, f"{count} route{'' if count == 1 else 's'} of {path}", file)


def _to_job(url: str, overrides: Mapping[str, Any]) -> Job:
    from ..config import Config
    from ..config.values import parse_target

    try:
        target = parse_target(url)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--to") from None
    data = {
        "workers": overrides.get("workers", 1),
        "listeners": [{"name": "http", "bind": overrides.get("listen", QUICKSTART_BIND)}],
        "upstreams": {"to": {"targets": [target.url]}},
        "routes": [{"name": "to", "match": {"path": "/*"}, "upstream": "to"}],
    }
    return Job(Config.from_data(data), target.url)


def _checked_bind(text: str) -> str:
    from ..config.values import parse_bind

    try:
        return str(parse_bind(text))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--listen") from None


def _library_versions() -> dict[str, str]:
    """The C libraries' versions; ends the command when one of them cannot be used."""
    from .. import doctor as examiner

    report = examiner.report()
    if not report.ok:
        fail(examiner.render(report).rstrip("\n"))
    return {row.part: row.version for row in report.rows if row.part in ("libuv", "llhttp")}
