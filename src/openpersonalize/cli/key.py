"""``openpersonalize key``: make, list, rotate and revoke the access keys of an installation."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from ..access.keys import ROLES, AccessKey, KeyRing
from ..settings import read_settings
from .options import setting_options

_SOON = "Running servers follow within 15 seconds."


@click.group()
def key() -> None:
    """Access keys: who may call a server, and as what.

    A server without keys serves this machine only and checks no signature. From the first key on every
    request has to be signed, as with Amazon.
    """


@key.command()
@click.option(
    "--role",
    required=True,
    type=click.Choice(list(ROLES)),
    help="; ".join(f"{r}: {t}" for r, t in ROLES.items()),
)
@click.option("--tracker", metavar="ID", help="tracking id that a key that streams data is bound to")
@setting_options("data_dir")
def create(role: str, tracker: str | None, **given: object) -> None:
    """Make a key and print its secret, once."""
    _print_secret(*_ring(given).create(role, tracker))


@key.command("list")
@setting_options("data_dir")
def list_keys(**given: object) -> None:
    """Show all keys, without their secrets."""
    keys = _ring(given).keys()
    if not keys:
        click.echo(
            "There are no keys: servers on this data folder serve this machine only and check no signature."
        )
        return
    click.echo(f"{'ACCESS KEY ID':<22}{'ROLE':<11}{'STATE':<9}{'SINCE':<21}TRACKER")
    for row in keys:
        state = "active" if row.revoked_at is None else "revoked"
        since = datetime.fromtimestamp(row.revoked_at or row.created_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
        click.echo(f"{row.id:<22}{row.role:<11}{state:<9}{since:<21}{row.tracker or ''}".rstrip())


@key.command()
@click.argument("key_id", metavar="ID")
@setting_options("data_dir")
def rotate(key_id: str, **given: object) -> None:
    """Give a key a new secret; the old one stops working."""
    _print_secret(*_ring(given).rotate(key_id))


@key.command()
@click.argument("key_id", metavar="ID")
@setting_options("data_dir")
def revoke(key_id: str, **given: object) -> None:
    """Put a key out of force for good."""
    ring = _ring(given)
    ring.revoke(key_id)
    click.echo(f"{key_id} is revoked. {_SOON}")
    if not ring.usable:
        click.echo("No key is in force now: every request is refused until you make one.")


def _ring(given: dict[str, object]) -> KeyRing:
    return KeyRing(read_settings(given).data)


def _print_secret(made: AccessKey, secret: str) -> None:
    bound = f", bound to the tracker {made.tracker}" if made.tracker else ""
    click.echo(f"AWS_ACCESS_KEY_ID={made.id}")
    click.echo(f"AWS_SECRET_ACCESS_KEY={secret}")
    click.echo(f"Role {made.role}{bound}. The secret is shown only this once. {_SOON}", err=True)
