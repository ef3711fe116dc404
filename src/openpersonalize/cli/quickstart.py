"""``openpersonalize quickstart``: from CSV files as people have them to the first recommendation."""

from __future__ import annotations

import re
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import InvalidInput, OpenPersonalizeError
from ..settings import Settings, read_settings
from .columns import in_columns
from .connection import ENDPOINT, Connection, named_address
from .conversion import Conversion
from .options import setting_options
from .own_server import own_server, serve_command
from .quickstart_resources import Made, Source, free_name, make, script

if TYPE_CHECKING:
    from ..datasets.adaptation import Adaptation

_SHOWN = 10
_LONGEST_TITLE = 30
_LONGEST_NAME = 48
"""Of a dataset group: names of what belongs to it, and numbers of others called so, follow it."""


@click.command()
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE.csv [ITEMS.csv] [USERS.csv]",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
)  # fmt: skip
@click.option("--yes", is_flag=True, help="do what is proposed without asking")
@click.option("--name", help="of the dataset group and what belongs to it  [default: that of the first file]")
@click.option(
    "--endpoint", metavar="URL", help=f"server to use  [default: {ENDPOINT}, or one that is started]"
)
@setting_options("host", "port", "region", "data_dir")
def quickstart(
    files: tuple[Path, ...], yes: bool, name: str | None, endpoint: str | None, **given: Any
) -> None:
    """Look at your CSV files, import them, train, and recommend: the first answer in minutes.

    The first file holds interactions (who did what, when); items and users may follow. Columns may have any
    usual name, dates any usual form.
    """
    started = time.monotonic()
    settings = read_settings(given)
    with (
        tempfile.TemporaryDirectory(prefix="openpersonalize-", ignore_cleanup_errors=True) as place,
        ExitStack() as stack,
    ):
        converted = _converted(_look(files, Path(place)), Path(place))
        small = converted["INTERACTIONS"].small
        title, server = name or _title(files[0]), _server(endpoint, settings, small, given.get("region"))
        used = None
        if _answers(named_address(endpoint, settings)) or (endpoint is None and settings.data.exists()):
            # What is there decides under which name there will be more.
            used = stack.enter_context(server)
            title = free_name(used[0].client("personalize"), title)
        _propose(converted, title)
        if small:
            click.echo("  This is less data than Amazon takes; the models are for trying things out only.")
        if not yes:
            if not sys.stdin.isatty():
                raise InvalidInput("Nobody is there to be asked: say --yes to have this done.")
            if not click.confirm("\nDo this?", default=True):
                raise click.Abort
        if used is None:
            used = stack.enter_context(server)
            title = free_name(used[0].client("personalize"), title)
        connection, command = used
        sources = [Source(kind, one.path, one.found.schema or "") for kind, one in converted.items()]
        made = make(connection, title, sources)
        _answer(connection, made)
        click.echo("\nThe calls that did this, for your own program:\n")
        click.echo(script(made, connection.region))
        click.secho(f"Done in {time.monotonic() - started:.0f} s.", bold=True)
        _say_what_next(connection, made, command)


def _look(files: tuple[Path, ...], place: Path) -> dict[str, Adaptation]:
    from ..datasets.adaptation import Adaptation
    from ..datasets.schemas import spelled

    adapted: dict[str, Adaptation] = {}
    for number, path in enumerate(files):
        one = Adaptation.of(path, place, "INTERACTIONS" if number == 0 else None)
        if one.dataset_type in adapted:
            raise InvalidInput(
                f"{path.name} looks like {spelled(one.dataset_type)}, and so does another file."
            )
        adapted[one.dataset_type] = one
    return adapted


def _converted(adapted: dict[str, Adaptation], place: Path) -> dict[str, Conversion]:
    """The files as they are imported.

    Raises:
        InvalidInput: an import would not take them.
    """
    converted = {kind: Conversion.of(one, place) for kind, one in adapted.items()}
    wrong = [sentence for one in converted.values() for sentence in one.wrong]
    if wrong:
        raise InvalidInput(f"The files cannot be used. {'; '.join(wrong[:_SHOWN])}")
    return converted


def _propose(converted: dict[str, Conversion], title: str) -> None:
    from ..datasets.inspection import between
    from ..datasets.schemas import spelled

    for kind, one in converted.items():
        file = one.adaptation
        click.secho(f"{file.source.name}: {spelled(kind)}, {file.rows:,} rows", bold=True)
        for sentence in (*one.words(), *one.found.notes):
            click.echo(f"  {sentence}")
    for sentence in between({kind: one.found for kind, one in converted.items()}):
        click.echo(f"  {sentence}")
    click.secho("\nWhat will be done", bold=True)
    click.echo(f"  A dataset group {title!r} with these datasets is made and filled.")
    click.echo(
        "  aws-user-personalization-v2 is trained on all events, of any type: what each user will want next."
    )
    click.echo(
        "  A campaign answers GetRecommendations for any user; a filter leaves out what they met before."
    )


@contextmanager
def _server(
    endpoint: str | None, settings: Settings, small: bool, region: str | None
) -> Iterator[tuple[Connection, str]]:
    """The server named, one that runs where it usually does, or one started here, in the region that the
    command line names; how to start it again."""
    address = named_address(endpoint, settings)
    running = _answers(address)
    if endpoint and not running:
        raise OpenPersonalizeError(f"No server answers at {endpoint}.")
    if running:
        click.echo(f"The server at {address} is used.")
        if small:
            click.echo(
                "For so little data it has to run with --minimum-data off, an option of `openpersonalize"
                " serve`: unless it does, stop it and start it again with it."
            )
        yield Connection.of(address, {"region": region}), ""
        return
    from ..storage.privacy import make_private

    folder = settings.data
    if not folder.exists():
        make_private(folder)
    options = ("--s3", "local", *(("--minimum-data", "off") if small else ()))
    command = serve_command(folder, settings.port, small)
    with own_server(folder, options, settings.port) as own:
        click.echo(f"A server is started at {own}; it keeps everything in {folder}.")
        yield Connection.of(own, {"region": region}), command


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address.rstrip('/')}/health", timeout=2):  # noqa: S310 (an address of ours)
            return True
    except (OSError, ValueError):
        return False


def _answer(connection: Connection, made: Made) -> None:
    runtime, name = connection.client("personalize-runtime"), made.filter.rpartition("/")[2]
    request = {"campaignArn": made.campaign, "userId": made.user, "numResults": _SHOWN}
    plain = runtime.get_recommendations(**request)["itemList"]
    new = runtime.get_recommendations(filterArn=made.filter, **request)["itemList"]
    click.secho(f"\nGetRecommendations for user {made.user}", bold=True)
    rows = [("  SCORE", "ITEM", "", f"WITH FILTER {name}", "")]
    for item, other in zip_longest(plain, new):
        score = "" if item is None else f"{item.get('score', 0.0):.5f}"
        rows.append((f"  {score}", *_named(item, made), *_named(other, made)))
    click.echo(in_columns(rows))
    click.echo(f"  The filter leaves out what {made.user} met before" + ("." if new else ": everything."))


def _named(item: dict[str, Any] | None, made: Made) -> tuple[str, str]:
    """An item's id and the beginning of its title."""
    if item is None:
        return "", ""
    title = made.titles.get(item["itemId"], "")
    return item["itemId"], title if len(title) <= _LONGEST_TITLE else f"{title[: _LONGEST_TITLE - 3]}..."


def _title(path: Path) -> str:
    found = re.sub(r"[^a-zA-Z0-9]+", "-", path.name.partition(".")[0]).strip("-")[:_LONGEST_NAME]
    return found or "quickstart"


def _say_what_next(connection: Connection, made: Made, command: str) -> None:
    click.echo("\nWhat to try next:")
    if command:
        click.echo(f"    {command}      (the server of this command ends with it)")
    options = f"--port {connection.address.rpartition(':')[2]}"
    if connection.region != Settings().region:
        options += f" --region {connection.region}"
    click.echo(f'    eval "$(openpersonalize env {options})"')
