"""``openpersonalize env``: the variables that point every AWS client at a server of one's own."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from pathlib import PurePath

import click

from ..errors import InvalidInput
from ..settings import read_settings
from .options import setting_options

SHELLS = {
    "sh": "export {name}={value}",
    "fish": "set -gx {name} {value}",
    "powershell": "$Env:{name} = {value}",
    "cmd": "set {name}={value}",
}
_SERVICES = ("PERSONALIZE", "PERSONALIZE_RUNTIME", "PERSONALIZE_EVENTS")


@click.command("env")
@setting_options("host", "port", "region")
@click.option(
    "--shell", type=click.Choice(list(SHELLS)), help="form of the lines  [default: as the shell you run]"
)
def environment(shell: str | None, **given: object) -> None:
    """Print the lines that point every AWS client at the server.

    In a POSIX shell: eval "$(openpersonalize env)"
    """
    settings = read_settings(given)
    for line in environment_lines(
        settings.host, settings.port, settings.region, shell or _own_shell(os.environ), os.environ
    ):
        click.echo(line)


def environment_lines(host: str, port: int, region: str, shell: str, present: Mapping[str, str]) -> list[str]:
    """The lines for a server at `host` and `port`.

    A region that is set already is kept, for a server serves every region. Credentials are made up only where
    there are none: a server without access keys takes any.

    Args:
        shell: one of `SHELLS`.
        present: the environment as it is.
    """
    region = present.get("AWS_REGION") or present.get("AWS_DEFAULT_REGION") or region
    variables = {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}
    if not present.get("AWS_ACCESS_KEY_ID") and not present.get("AWS_PROFILE"):
        variables |= {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    address = server_address(host, port)
    variables |= {f"AWS_ENDPOINT_URL_{service}": address for service in _SERVICES}
    return [SHELLS[shell].format(name=name, value=_quoted(value, shell)) for name, value in variables.items()]


def _quoted(value: str, shell: str) -> str:
    """A value as one word of a shell that takes nothing in it as a command.

    Raises:
        InvalidInput: the shell has no way to write it.
    """
    if any(not char.isprintable() for char in value):
        raise InvalidInput(f"{value!r} cannot be the value of a variable: it holds control characters.")
    if shell == "sh":
        return shlex.quote(value)
    if shell == "fish":  # inside single quotes a backslash escapes itself and the quote
        plain = value.replace("\\", "\\\\").replace("'", "\\'")
        return value if shlex.quote(value) == value else f"'{plain}'"
    if shell == "powershell":  # its four typographic single quotes end a text as well
        return "'" + re.sub("(['\u2018\u2019\u201a\u201b])", r"\1\1", value) + "'"
    if any(char in '"%!^&|<>' for char in value):
        raise InvalidInput(f"{value!r} cannot be written safely for cmd: use PowerShell.")
    return value


def server_address(host: str, port: int) -> str:
    """The URL under which this machine reaches a server that listens on `host`."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(host, host)  # noqa: S104 (compared)
    if ":" in reachable and not reachable.startswith("["):
        reachable = f"[{reachable}]"
    return f"http://{reachable}:{port}"


def _own_shell(present: Mapping[str, str]) -> str:
    shell = PurePath(present.get("SHELL", "")).name
    if shell:
        return "fish" if shell == "fish" else "sh"
    return "powershell" if os.name == "nt" else "sh"
