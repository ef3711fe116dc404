"""``openpersonalize sandbox``: the server, and beside it the other AWS services that programs call."""

from __future__ import annotations

from typing import Any

import click

from ..settings import read_settings
from .environment import moto_port_option, port_of_moto
from .moto_endpoints import moto_endpoints
from .options import setting_options
from .serve import serve


@click.command()
@setting_options()
@moto_port_option
@click.pass_context
def sandbox(context: click.Context, /, moto_port: int | None, **given: Any) -> None:
    """Run the server and, played by moto, IAM, SSM, EventBridge and other services of AWS.

    For programs that make roles, parameters or rules beside what they do with Personalize. In their shell:
    eval "$(openpersonalize env --sandbox)"
    """
    settings = read_settings(given)
    port = port_of_moto(settings, moto_port)
    with moto_endpoints(port, settings.account, settings.allowed_origins) as address:
        found = address.rpartition(":")[2]
        click.echo(
            f"Other services of AWS at {address} (this machine only, forgotten when this ends). For both:\n"
            f'    eval "$(openpersonalize env --sandbox --port {settings.port} --moto-port {found})"'
        )
        context.invoke(serve, **given)
