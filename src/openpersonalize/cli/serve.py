"""``openpersonalize serve``: run a server until it is told to stop."""

from __future__ import annotations

import errno
import ipaddress
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from .. import __version__
from ..access.keys import KeyRing
from ..errors import StartError
from ..settings import Settings, read_settings, unknown_variables
from ..storage.folder import DataFolder, locked_database
from ..storage.privacy import restrict_umask
from .environment import SHELLS, environment_lines, outside_address, server_address
from .options import setting_options

if TYPE_CHECKING:
    from ..server.connections import Limits

FILES_KEPT = 256
"""Open files that are no connections: stores, models, children."""
MOST_FILES = 65536


@click.command()
@setting_options()
def serve(**given: object) -> None:
    """Run the server: all three services of Amazon Personalize on one port."""
    from ..recipes.registry import registry
    from ..resources.backends import local_database

    take_standard_descriptors()
    settings = read_settings(given)
    for variable, meant in unknown_variables(os.environ):
        click.echo(f"{variable} is no setting{meant and f'; {meant} is one'}. It is ignored.", err=True)
    registry()  # a package that announces a broken recipe stops the start here
    restrict_umask(settings.data_group)
    database = local_database(settings)
    with ExitStack() as held:
        folder = held.enter_context(closing(DataFolder.open(settings.data, settings.data_group)))
        if database is not None:
            held.enter_context(locked_database(database))
        if folder.notice:
            click.echo(folder.notice, err=True)
        keys = KeyRing(settings.data)
        check_exposure(settings.host, keys, settings.data)
        with listening(settings.host, settings.port) as listener:
            settings = replace(settings, port=listener.getsockname()[1])
            if settings.workers == 1:
                _run_here(settings, listener, keys)
            else:
                _run_workers(settings, listener, keys)


def check_exposure(host: str, keys: KeyRing, folder: Path) -> None:
    """Refuse to listen to other machines while nothing says who may call.

    Raises:
        StartError: `host` is not loopback and no access key is in force.
    """
    if not keys.usable and not is_loopback(host):
        raise StartError(
            f"Without access keys the server listens on loopback only, not on {host}: make a key first with "
            f"`openpersonalize key create --role admin --data-dir {folder}`."
        )


def is_loopback(host: str) -> bool:
    """Whether every address of `host` is this machine's loopback."""
    try:
        found = socket.getaddrinfo(host or None, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError:
        return False
    return all(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]).is_loopback for entry in found)


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A bound socket; IPv4 where the name has both kinds of address.

    Raises:
        StartError: the address is not this machine's, or the port is taken or not allowed.
    """
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise StartError(f"{host} is no address to listen on ({error}): choose another --host.") from error
    family, kind, protocol, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    listener = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":  # elsewhere the option would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
        listener.set_inheritable(True)
        yield listener
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            reason = f"Port {port} of {host} is taken: stop the other server, or choose another --port."
        elif error.errno == errno.EACCES:
            reason = f"Port {port} is not allowed to you: choose a --port above 1023."
        elif error.errno == errno.EADDRNOTAVAIL:
            reason = f"{host} is no address of this machine: choose another --host."
        else:
            raise
        raise StartError(reason) from error
    finally:
        listener.close()


def take_standard_descriptors() -> None:
    """Put /dev/null where a caller closed standard input, output or error: else the next files that are
    opened, a lock or a database, would be these, and get what libraries and processes print."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest that is free: this one


# ------------------------------------------------------------------------------------------ running


def server_options(settings: Settings, limits: Limits | None = None) -> dict[str, Any]:
    """How uvicorn is set up.

    Args:
        limits: of its connections; by default what the settings and the limit of open files allow.
    """
    from ..server.connectionfactory import ConnectionFactory

    return {
        "host": settings.host,
        "port": settings.port,
        "loop": "auto",  # uvloop where there is one
        "http": ConnectionFactory(limits or connection_limits(settings)),
        "ws": "none",
        "lifespan": "on",
        "interface": "asgi3",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "timeout_graceful_shutdown": 30,
    }


def connection_limits(settings: Settings) -> Limits:
    """The limits of connections that the settings and the limit of open files allow."""
    from ..server.connections import Limits

    most = min(settings.max_connections, max(16, open_files() - FILES_KEPT))
    return Limits(
        connections=most,
        per_address=min(settings.connections_per_address, max(8, most // 2)),
        linger_bytes=2 * settings.max_body_bytes,
    )


def open_files() -> int:
    """How many files this process may have open, now that its soft limit is raised as far as it goes."""
    if os.name != "posix":
        return 8192
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
        except (ValueError, OSError):  # some systems allow less than they say
            pass
    return MOST_FILES if soft == resource.RLIM_INFINITY else soft


def _run_here(settings: Settings, listener: socket.socket, keys: KeyRing) -> None:
    import uvicorn

    from ..engine.cores import calculate_alone
    from ..logs import configure_logging
    from ..server.app import create_app

    configure_logging(settings.log_level, settings.log_format, settings.access_log)
    calculate_alone()
    app = create_app(settings)
    app.on_ready = lambda: click.echo(banner(settings, keys))
    app.on_start_failed = lambda error: None  # it is raised below
    signal.signal(signal.SIGTERM, _leave)  # uvicorn drains first, then hands the signal back
    try:
        uvicorn.Server(uvicorn.Config(app, **server_options(settings))).run(sockets=[listener])
    except KeyboardInterrupt:
        pass
    except SystemExit:
        if app.failure is not None:
            raise app.failure from None
        raise


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


def _run_workers(settings: Settings, listener: socket.socket, keys: KeyRing) -> None:
    import uvicorn
    from uvicorn.config import STARTUP_FAILURE
    from uvicorn.supervisors import Multiprocess

    from ..clock import SystemClock
    from ..installation import Installation
    from ..logs import configure_logging
    from ..server.worker import SETTINGS_VARIABLE

    configure_logging(settings.log_level, settings.log_format, settings.access_log)
    Installation.open(
        settings, SystemClock()
    ).close()  # migrates once, and fails here rather than in every worker
    with tempfile.TemporaryDirectory(prefix="openpersonalize-metrics-") as metrics:
        os.environ[SETTINGS_VARIABLE] = settings.to_json()
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics
        click.echo(banner(settings, keys))
        config = uvicorn.Config(
            "openpersonalize.server.worker:worker_app",
            factory=True,
            workers=settings.workers,
            **server_options(settings),
        )
        supervisor = Multiprocess(config, sockets=[listener])
        supervisor.run()
        if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
            raise StartError("A worker process could not start; the log above says why.")


def banner(settings: Settings, keys: KeyRing) -> str:
    """What a server says of itself when it starts: where it is, what it keeps where, how to reach it."""
    guarded = (
        "requests must be signed with an access key"
        if keys.configured
        else "this machine only, no access keys"
    )
    shell = "powershell" if os.name == "nt" else "sh"
    assert shell in SHELLS
    lines = environment_lines(settings, shell, os.environ, guarded=keys.configured)
    indented = "\n".join(f"    {line}" for line in lines)
    outside = outside_address(settings.host, settings.port)
    elsewhere = "" if outside is None else f"\n  address      {outside} from other machines"
    key = " --key ID" if keys.configured else ""
    return f"""\
OpenPersonalize {__version__} at {server_address(settings.host, settings.port)} ({guarded})
  account      {settings.account}
  region       {settings.region} (and any other that a client asks for)
  port         {settings.port}{elsewhere}
  data folder  {settings.data}
Point any AWS client here, or run: eval "$(openpersonalize env{key} --port {settings.port})"
{indented}"""
