"""The command ``openpersonalize`` and its subcommands, one module each: `main`."""

from __future__ import annotations

import sys
from typing import Any

import click
from botocore.exceptions import BotoCoreError, ClientError

from .. import __version__
from ..errors import OpenPersonalizeError
from .connection import in_one_sentence
from .copy import copy
from .demo import demo
from .environment import environment
from .evaluate import evaluate
from .jobs import jobs
from .key import key
from .quickstart import quickstart
from .recipes import recipes
from .serve import serve
from .validate import validate


class OneSentence(click.Group):
    """A group that tells errors raised on purpose in one sentence, without a traceback, and exits with 2."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (BotoCoreError, ClientError) as error:
            click.echo(f"openpersonalize: {in_one_sentence(error).message}", err=True)
            sys.exit(2)
        except OpenPersonalizeError as error:
            click.echo(f"openpersonalize: {error.message}", err=True)
            sys.exit(2)


@click.group(
    cls=OneSentence, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(__version__, message="openpersonalize %(version)s")
def main() -> None:
    """Amazon Personalize that anyone can run: the same API, real models, one process."""


# A command lives in a module of its own and is added here.
for command in (quickstart, serve, environment, key, copy, jobs, validate, evaluate, recipes, demo):
    main.add_command(command)
