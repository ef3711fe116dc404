"""The command ``openpersonalize`` and its subcommands, one module each: `main`."""

from __future__ import annotations

import sys
from typing import Any

import click
from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError

from .. import __version__
from ..errors import OpenPersonalizeError
from .backup import backup, restore
from .connection import in_one_sentence
from .copy import copy
from .delete_user import delete_user
from .demo import demo
from .doctor import doctor
from .environment import environment
from .evaluate import evaluate
from .explain import explain
from .imports import import_file
from .jobs import jobs
from .key import key
from .quickstart import quickstart
from .recipes import recipes
from .recommend import recommend
from .sandbox import sandbox
from .serve import serve
from .status import status
from .train import train
from .validate import validate
from .versions import versions


class OneSentence(click.Group):
    """A group that tells errors raised on purpose in one sentence, without a traceback, and exits with 2."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (BotoCoreError, ClientError, Boto3Error) as error:
            click.echo(f"openpersonalize: {in_one_sentence(error).message}", err=True)
            sys.exit(2)
        except OpenPersonalizeError as error:
            click.echo(f"openpersonalize: {error.message}", err=True)
            sys.exit(2)
        except BrokenPipeError:
            raise
        except OSError as error:
            click.echo(f"openpersonalize: {error.filename or ''}: {error.strerror or error}", err=True)
            sys.exit(2)


@click.group(
    cls=OneSentence, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(__version__, message="openpersonalize %(version)s")
def main() -> None:
    """Amazon Personalize that anyone can run: the same API, real models, one process."""


# A command lives in a module of its own and is added here.
for command in (
    *(quickstart, serve, sandbox, environment, key, validate),
    *(status, import_file, train, versions, recommend, explain, jobs, copy, delete_user, doctor),
    *(backup, restore),
    *(evaluate, recipes, demo),
):
    main.add_command(command)
