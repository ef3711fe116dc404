"""``openpersonalize backup`` and ``openpersonalize restore``: a copy of a data folder while its server goes
on working, and a data folder from such a copy."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import click

from .. import __version__
from ..settings import read_settings
from .job_bar import job_bar
from .options import setting_options


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--verify", is_flag=True, help="check the backup that is in FOLDER, and make none")
@setting_options("data_dir", "database_url")
@click.option("--json", "as_json", is_flag=True, help="print the outcome as JSON")
def backup(folder: Path, verify: bool, as_json: bool, **given: object) -> None:
    """Copy a server's data folder to the new FOLDER while it works; with --verify, exit code 1 when one is
    damaged."""
    from ..backup.making import make_backup
    from ..backup.verification import problems_of, read_manifest
    from ..resources.backends import local_database

    if verify:
        problems, facts = problems_of(folder), read_manifest(folder)
        if as_json:
            click.echo(json.dumps({"folder": str(folder), "made": facts["made"], "problems": problems}))
        for problem in () if as_json else problems:
            click.echo(problem)
        if problems:
            sys.exit(1)
        if not as_json:
            click.echo(f"{folder} is whole: {len(facts['files']):,} files as of {_when(facts['made'])}.")
        return
    settings = read_settings(given)
    with _bar("backup", as_json) as moved:
        made = make_backup(
            settings.data, folder, version=__version__, metadata=local_database(settings), moved=moved
        )
    if as_json:
        record = {"folder": str(made.folder), "made": made.moment, "files": made.files, "bytes": made.bytes}
        click.echo(json.dumps({**record, "linked": made.linked}))
        return
    shared = f", {made.linked:,} of them hard links of the same files" if made.linked else ""
    click.echo(
        f"{folder}: {settings.data} as of {_when(made.moment)}, {made.files:,} files,"
        f" {made.bytes / 1e6:,.1f} MB{shared}; checked."
    )


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@setting_options("data_dir")
@click.option("--json", "as_json", is_flag=True, help="print the outcome as JSON")
def restore(folder: Path, as_json: bool, **given: object) -> None:
    """Check the backup in FOLDER and copy it to an empty --data-dir, where a server goes on from it."""
    from ..backup.restoring import restore_backup

    data = read_settings(given).data
    if given["data_dir"] is None:
        click.echo(f"Restoring to the data folder {data.absolute()}; --data-dir names another.", err=True)
    with _bar("restore", as_json) as moved:
        facts = restore_backup(folder, data, moved=moved)
    if as_json:
        record = {"data_dir": str(data), "made": facts["made"], "files": len(facts["files"])}
        click.echo(json.dumps(record))
        return
    click.echo(
        f"{data} is as {facts['source']} was at {_when(facts['made'])}, {len(facts['files']):,} files:"
        f" openpersonalize serve --data-dir {data}"
    )


@contextmanager
def _bar(label: str, quiet: bool) -> Iterator[Callable[[float, str], None]]:
    with job_bar(label, quiet) as show:
        yield lambda share, step: show(share, step, None)


def _when(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment).astimezone():%Y-%m-%d %H:%M:%S}"
