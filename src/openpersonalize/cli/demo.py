"""``openpersonalize demo``: the whole journey on a real shop's history, on a server of its own."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

import click

from ..errors import StartError
from ..storage.privacy import make_private
from .demo_shop import Shop, read_tables
from .own_server import own_server

MARKER = ".made-by-the-demo"
CUSTOMER = "16954"


@click.command()
@click.option(
    "--data-dir", default="openpersonalize-demo", show_default=True, help="folder of the demo's server"
)
@click.option("--customer", default=CUSTOMER, show_default=True, help="a customer of the shop to look at")
def demo(data_dir: str, customer: str) -> None:
    """Import a real shop's history, train, deploy, recommend, filter, stream an event. About a minute."""
    started = time.monotonic()
    folder = _fresh_folder(Path(data_dir))
    tables = read_tables()
    with own_server(folder, ("--s3", "local")) as endpoint:
        click.echo(f"Server on {endpoint}, everything it keeps is in {folder}/")
        shop = Shop(endpoint, tables, customer)
        shop.fill(folder / "buckets")
        shop.build()
        shop.show()
        click.secho(f"\nDone in {time.monotonic() - started:.0f} s.", bold=True)
        _say_what_next(shop, data_dir)


def _fresh_folder(folder: Path) -> Path:
    if folder.exists():
        if not (folder / MARKER).exists() and any(folder.iterdir()):
            raise StartError(f"{folder} holds something that is not the demo's: choose another --data-dir.")
        shutil.rmtree(folder)
    make_private(folder)
    (folder / MARKER).write_text("The demo empties this folder at its next start.\n")
    return folder


def _say_what_next(shop: Shop, data_dir: str) -> None:
    """The next steps, as lines to paste."""
    click.echo(
        f"""
What to try next: keep the server running in one terminal,
{_activation()}
    openpersonalize serve --data-dir {data_dir}          (or: make serve)

and ask it from another with any AWS client, unchanged:

    eval "$(openpersonalize env)"
    aws personalize list-campaigns
    aws personalize-runtime get-recommendations --user-id {shop.customer} \\
        --campaign-arn {shop.campaign} \\
        --filter-arn {shop.filter}
    openpersonalize cp my-interactions.csv s3://my-bucket/interactions.csv --data-dir {data_dir}"""
    )


def _activation() -> str:
    """The line that brings the command onto the path, where it is not there yet."""
    if shutil.which("openpersonalize"):
        return ""
    return f"\n    . {Path(sys.executable).with_name('activate')}          (in both terminals)"
