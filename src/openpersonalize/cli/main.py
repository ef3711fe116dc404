"""The command ``openpersonalize`` and its subcommands, one module each: `main`."""

from __future__ import annotations

import importlib
import sys
from typing import Any, cast

import click

from .. import __version__
from ..errors import OpenPersonalizeError

COMMANDS = {
    "quickstart": "quickstart:quickstart",
    "serve": "serve:serve",
    "sandbox": "sandbox:sandbox",
    "env": "environment:environment",
    "key": "key:key",
    "validate": "validate:validate",
    "status": "status:status",
    "import": "imports:import_file",
    "train": "train:train",
    "versions": "versions:versions",
    "recommend": "recommend:recommend",
    "explain": "explain:explain",
    "jobs": "jobs:jobs",
    "cp": "copy:copy",
    "delete-user": "delete_user:delete_user",
    "doctor": "doctor:doctor",
    "backup": "backup:backup",
    "restore": "backup:restore",
    "evaluate": "evaluate:evaluate",
    "recipes": "recipes:recipes",
    "demo": "demo:demo",
}
"""Where each command lives, in the order of the help. A command's module is imported when it is called: what
one needs (Polars, boto3) takes half a second, which the others do without."""


class Commands(click.Group):
    """The group of `COMMANDS`. Tells errors raised on purpose in one sentence, without a traceback, and
    exits with 2."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        return cast(click.Command, getattr(importlib.import_module(f"{__package__}.{module}"), name))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except OpenPersonalizeError as error:
            click.echo(f"openpersonalize: {error.message}", err=True)
            sys.exit(2)
        except BrokenPipeError:
            raise
        except OSError as error:
            click.echo(f"openpersonalize: {error.filename or ''}: {error.strerror or error}", err=True)
            sys.exit(2)
        except Exception as error:
            if "botocore" not in sys.modules:
                raise
            from boto3.exceptions import Boto3Error
            from botocore.exceptions import BotoCoreError, ClientError

            from .connection import in_one_sentence

            if not isinstance(error, BotoCoreError | ClientError | Boto3Error):
                raise
            click.echo(f"openpersonalize: {in_one_sentence(error).message}", err=True)
            sys.exit(2)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, message="openpersonalize %(version)s")
def main() -> None:
    """Amazon Personalize that anyone can run: the same API, real models, one process."""
