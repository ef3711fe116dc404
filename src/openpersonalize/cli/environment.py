"""``openpersonalize env``: the variables that point every AWS client at a server of one's own."""

from __future__ import annotations

import os
import re
import shlex
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import PurePath

import click

from ..access.keys import TABLE
from ..errors import InvalidInput
from ..settings import Settings, read_settings
from ..storage.bucket_service import are_local, named_endpoint
from .options import setting_options

PERSONALIZE = tuple(f"AWS_ENDPOINT_URL_PERSONALIZE{service}" for service in ("", "_RUNTIME", "_EVENTS"))
S3, STS = "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_STS"
NOWHERE = "http://127.0.0.1:9/isolated-by-openpersonalize"
"""The default endpoint of an isolated shell: nobody listens on the discard port, and the path says why."""
_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
OWN_KEYS = "OPAK"
"""How the ids of access keys begin."""
_REACHABLE = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1", "localhost": "127.0.0.1"}  # noqa: S104
_LEADS_AWAY = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
)
"""Variables that would have a client use other credentials or endpoints than those set here."""


def _sh(name: str, value: str | None) -> str:
    return f"unset {name}" if value is None else f"export {name}={shlex.quote(value)}"


def _fish(name: str, value: str | None) -> str:
    if value is None:
        return f"set -e {name}"
    quoted = value if _PLAIN.fullmatch(value) else "'{}'".format(re.sub(r"([\\'])", r"\\\1", value))
    return f"set -gx {name} {quoted}"


def _powershell(name: str, value: str | None) -> str:
    if value is None:
        return f"$Env:{name} = $null"
    return "$Env:{} = '{}'".format(name, _POWERSHELL_QUOTE.sub(r"\1\1", value))


def _cmd(name: str, value: str | None) -> str:
    if value is not None and not _PLAIN.fullmatch(value):
        raise InvalidInput(f"The shell cmd cannot take {name}={value!r}: use another --shell.")
    return f"set {name}={value or ''}"


_POWERSHELL_QUOTE = re.compile("(['\u2018\u2019\u201a\u201b])")  # each of them ends a string there
_PLAIN = re.compile(r"[A-Za-z0-9@:/.,_+\[\]-]+")
SHELLS: dict[str, Callable[[str, str | None], str]] = {
    "sh": _sh,
    "fish": _fish,
    "powershell": _powershell,
    "cmd": _cmd,
}
"""Shell -> the line that gives a variable its value, or none."""


moto_port_option = click.option(
    "--moto-port",
    type=click.IntRange(1, 65535),
    help="port of the other services  [default: the server's + 1]",
)


def port_of_moto(settings: Settings, given: int | None) -> int:
    """The port of the services beside a server with these settings; 0, any free one, where its own is."""
    return given or (settings.port + 1 if settings.port else 0)


@click.command("env")
@setting_options("host", "port", "region", "s3", "data_dir")
@click.option(
    "--key",
    "key_id",
    metavar="ID",
    help="access key to sign with; its secret is asked for, or read from standard input",
)
@click.option(
    "--isolated",
    is_flag=True,
    help="let no call reach Amazon: dummy credentials always, and a default endpoint where nobody listens",
)
@click.option(
    "--sandbox", is_flag=True, help="the server is a sandbox: isolated, but for the services that moto plays"
)
@moto_port_option
@click.option(
    "--shell", type=click.Choice(list(SHELLS)), help="form of the lines  [default: as the shell you run]"
)
def environment(
    shell: str | None,
    isolated: bool,
    sandbox: bool,
    moto_port: int | None,
    key_id: str | None,
    **given: object,
) -> None:
    """Print the lines that point every AWS client at the server.

    In a POSIX shell: eval "$(openpersonalize env)"; for a server with access keys:
    eval "$(openpersonalize env --key ID)"
    """
    settings = read_settings(given)
    default = f"http://127.0.0.1:{port_of_moto(settings, moto_port)}" if sandbox else None
    if isolated and default is None:
        default = NOWHERE
    key = None if key_id is None else (key_id, _secret_of(key_id))
    own = os.environ.get("AWS_ACCESS_KEY_ID", "").startswith(OWN_KEYS)
    guarded = key is None and not own and has_keys(settings)
    lines = environment_lines(
        settings, shell or own_shell(os.environ), os.environ, default=default, key=key, guarded=guarded
    )
    for line in lines:
        click.echo(line)
    if guarded:
        click.echo(
            "This server has access keys: `openpersonalize env --key ID` asks for the secret of one"
            " (`openpersonalize key create` makes one).",
            err=True,
        )


def _secret_of(key_id: str) -> str:
    """The secret of a key: that of the shell, else typed unseen, else a line of standard input.

    Raises:
        InvalidInput: there is none.
    """
    if os.environ.get("AWS_ACCESS_KEY_ID") == key_id and os.environ.get("AWS_SECRET_ACCESS_KEY"):
        return os.environ["AWS_SECRET_ACCESS_KEY"]
    if sys.stdin.isatty():
        return str(click.prompt(f"Secret of {key_id}", hide_input=True, err=True))
    secret = sys.stdin.readline().strip()
    if not secret:
        raise InvalidInput(f"Standard input has no secret of the key {key_id}.")
    return secret


def has_keys(settings: Settings) -> bool:
    """Whether the server has access keys, as far as its data folder or it itself tells."""
    if (settings.data / TABLE).exists():
        return True
    address = server_address(settings.host, settings.port)
    try:
        with urllib.request.urlopen(f"{address}/v1/jobs", timeout=1):  # noqa: S310 (made of host and port)
            return False
    except urllib.error.HTTPError as error:
        return error.code == HTTPStatus.FORBIDDEN
    except (OSError, ValueError):
        return False


def environment_lines(
    settings: Settings,
    shell: str,
    present: Mapping[str, str],
    *,
    default: str | None = None,
    key: tuple[str, str] | None = None,
    guarded: bool = False,
) -> list[str]:
    """The lines for a server with these settings.

    A region that is set already is kept, for a server serves every region. Credentials are made up only where
    there are none: a server without access keys takes any. S3 is pointed here where this server is the one to
    serve it; another S3 that the shell names stays.

    Args:
        shell: one of `SHELLS`.
        present: the environment as it is.
        default: where the calls of all other services go, so that none reaches Amazon: credentials other
            than a key of a server like this are then replaced. None: where they went before.
        key: id and secret of the access key to sign with.
        guarded: whether the server has access keys, so that made up credentials are of no use.
    """
    region = present.get("AWS_REGION") or present.get("AWS_DEFAULT_REGION") or settings.region
    variables: dict[str, str | None] = {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}
    own_key = present.get("AWS_ACCESS_KEY_ID", "").startswith(OWN_KEYS)
    if default is not None:
        variables |= {name: None for name in _LEADS_AWAY if name in present}
        variables |= {"AWS_ENDPOINT_URL": default, "AWS_EC2_METADATA_DISABLED": "true"}
    if key is not None:
        variables |= {name: None for name in (*_CREDENTIALS[1:], "AWS_SESSION_TOKEN") if name in present}
        variables |= {"AWS_ACCESS_KEY_ID": key[0], "AWS_SECRET_ACCESS_KEY": key[1]}
    elif guarded:
        pass
    elif (default is not None and not own_key) or not any(present.get(name) for name in _CREDENTIALS):
        variables |= {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    address = server_address(settings.host, settings.port)
    variables |= dict.fromkeys((*PERSONALIZE, STS), address)
    if are_local(settings, named_endpoint(present)):
        variables[S3] = address
    return [SHELLS[shell](name, value) for name, value in variables.items()]


def server_address(host: str, port: int) -> str:
    """The URL under which this machine reaches a server that listens on `host`. A number rather than
    localhost: S3 clients would look for their buckets below that name."""
    reachable = _REACHABLE.get(host, host)
    if ":" in reachable and not reachable.startswith("["):
        reachable = f"[{reachable}]"
    return f"http://{reachable}:{port}"


def outside_address(host: str, port: int) -> str | None:
    """The URL under which other machines reach a server that listens on every address; None for another."""
    if host not in ("0.0.0.0", "::", ""):  # noqa: S104
        return None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: the system says from where it would
            found = str(probe.getsockname()[0])
        except OSError:
            found = socket.gethostname()
    return f"http://{found}:{port}"


def own_shell(present: Mapping[str, str]) -> str:
    """The shell that somebody runs, as far as its environment tells."""
    shell = PurePath(present.get("SHELL", "")).name
    if shell:
        return "fish" if shell == "fish" else "sh"
    return "powershell" if os.name == "nt" else "sh"
