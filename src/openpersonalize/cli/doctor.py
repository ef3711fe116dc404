"""``openpersonalize doctor``: whether this machine, the data folder and the server are as they should be."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from importlib import metadata

import click

from ..errors import OpenPersonalizeError
from ..settings import Settings, read_settings, unknown_variables
from .connection import Connection, connection_options
from .options import setting_options

LEAST_FREE = 5 * 10**9
"""Bytes of disk below which trainings are likely to fail."""
LEAST_FILES = 1024
MOST_SKEW = 60.0
"""Seconds that two clocks may differ; Amazon's signatures allow five minutes."""


@dataclass(frozen=True)
class Check:
    """One thing looked at: whether it is well, and what was found or is to be done."""

    name: str
    ok: bool
    found: str


@click.command()
@connection_options
@setting_options("data_dir")
@click.option("--json", "as_json", is_flag=True, help="print everything as JSON")
def doctor(endpoint: str | None, as_json: bool, **given: object) -> None:
    """Look for what is wrong with installation, data folder and server; exit code 1 when something is."""
    settings = read_settings(given)
    checks = [*_installation(), *_environment(), *_folder(settings), *_server(endpoint, given, settings)]
    if as_json:
        click.echo(json.dumps([asdict(one) for one in checks], indent=2))
    else:
        for one in checks:
            mark = click.style("ok  ", fg="green") if one.ok else click.style("BAD ", fg="red", bold=True)
            click.echo(f"{mark} {one.name:<16} {one.found}")
    if not all(one.ok for one in checks):
        sys.exit(1)


def _installation() -> Iterator[Check]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Check("python", sys.version_info >= (3, 11), f"{version}; 3.11 or newer is needed")
    yield _tried("torch", lambda: f"{metadata.version('torch')}; {_cuda()}")
    yield _tried("polars", lambda: metadata.version("polars"))
    yield _tried("boto3", lambda: metadata.version("boto3"))
    yield Check("cores", True, f"{os.cpu_count()}; trainings use all of them unless --threads says otherwise")
    if os.name == "posix":
        import resource

        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        enough = hard == resource.RLIM_INFINITY or hard >= LEAST_FILES
        found = "no limit" if hard == resource.RLIM_INFINITY else f"at most {hard:,}"
        yield Check("open files", enough, found if enough else f"{found}; raise the limit (ulimit -n)")


def _cuda() -> str:
    build = metadata.version("torch").partition("+")[2]
    return "the build for processors only" if build == "cpu" else "runs on processors, whatever the build"


def _environment() -> Iterator[Check]:
    unknown = unknown_variables(os.environ)
    names = "; ".join(f"{name} is no setting{meant and f', {meant} is one'}" for name, meant in unknown)
    yield Check("variables", not unknown, names or "all OPENPERSONALIZE_ variables are settings")


def _folder(settings: Settings) -> Iterator[Check]:
    from ..storage.folder import holds_something_else, in_use

    folder = settings.data
    there = folder.exists()
    base = next(one for one in (folder, *folder.parents) if one.exists())
    if there and (other := holds_something_else(folder)):
        yield Check("data folder", False, f"{folder} holds something else ({other}); name another one")
    elif there:
        writable = os.access(folder, os.W_OK)
        used = "a server uses it" if in_use(folder) else "no server uses it now"
        told = f"{folder.absolute()} ({used})" if writable else f"{folder} cannot be written by this user"
        yield Check("data folder", writable, told)
    else:
        told = f"{folder.absolute()} is not there, so no server uses it; the first one would make it"
        yield Check("data folder", os.access(base, os.W_OK), told)
    free = shutil.disk_usage(base).free
    yield Check("disk", free >= LEAST_FREE, f"{free / 1e9:.1f} GB free; {LEAST_FREE / 1e9:.0f} are wanted")


def _server(endpoint: str | None, given: dict[str, object], settings: Settings) -> Iterator[Check]:
    connection = Connection.of(endpoint, {name: given[name] for name in ("host", "port", "region")})
    before = time.time()
    yield _tried(
        "server",
        lambda: f"{connection.address}: {connection.page('/health')['status']}{_of_other_folder(settings)}",
    )
    yield _tried("pages", lambda: f"{len(connection.page('/v1/jobs')['jobs'])} jobs")

    def called() -> str:
        answer = connection.client("personalize").list_recipes(maxResults=1)
        sent = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
        skew = 0.0 if sent is None else parsedate_to_datetime(sent).timestamp() - before
        if abs(skew) > MOST_SKEW:
            raise OpenPersonalizeError(f"its clock is {skew:+.0f} s apart from this one; signatures expire")
        return "the server answers them"

    yield _tried("calls", called)


def _of_other_folder(settings: Settings) -> str:
    """What to add of a server that answers while nobody uses the data folder that this shell names."""
    from ..storage.folder import in_use

    if in_use(settings.data):
        return ""
    return "; its data folder is another one than that above (--data-dir, OPENPERSONALIZE_DATA_DIR)"


def _tried(name: str, look: Callable[[], str]) -> Check:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return Check(name, True, look())
    except OpenPersonalizeError as error:
        return Check(name, False, error.message)
    except (BotoCoreError, ClientError, metadata.PackageNotFoundError, OSError) as error:
        return Check(name, False, f"{error}".partition("\n")[0])
