"""Command line options made from the rows of the settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from ..settings import SETTINGS, Setting

Command = TypeVar("Command", bound=Callable[..., Any])


def setting_options(*names: str) -> Callable[[Command], Command]:
    """An option for each of the named settings, or for every one; values not given reach the command as
    None."""
    rows = [row for row in SETTINGS if not names or row.name in names]

    def decorate(command: Command) -> Command:
        for row in reversed(rows):
            variable = f"environment: OPENPERSONALIZE_{row.name.upper()}"
            command = click.option(
                f"--{row.name.replace('_', '-')}",
                row.name,
                metavar="VALUE",
                callback=_parsed(row),
                help=f"{row.help}  [default: {_shown(row.default)}; {variable}]",
            )(command)
        return command

    return decorate


def _parsed(row: Setting) -> Callable[[click.Context, click.Parameter, str | None], Any]:
    def parse(context: click.Context, parameter: click.Parameter, value: str | None) -> Any:
        if value is None:
            return None
        try:
            return row.parse(value)
        except ValueError as error:
            raise click.BadParameter(f"{value!r} cannot be read ({error}).") from error

    return parse


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "none" if value == "" else str(value)
