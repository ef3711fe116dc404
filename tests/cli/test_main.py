from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from openpersonalize import __version__
from openpersonalize.cli.main import COMMANDS, main
from openpersonalize.settings import SETTINGS


def test_version() -> None:
    assert CliRunner().invoke(main, ["--version"]).output == f"openpersonalize {__version__}\n"


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "openpersonalize", "-h"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: openpersonalize [OPTIONS] COMMAND")


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_explains_itself(command: str) -> None:
    result = CliRunner().invoke(main, [command, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_a_command_loads_nothing_that_only_others_need() -> None:
    """A server that cannot start says so at once, and the process over several workers stays small."""
    code = (
        "import sys; from openpersonalize.cli.main import main\n"
        "main(['serve', '--help'], standalone_mode=False)\n"
        "print({'polars', 'numpy', 'boto3', 'torch'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("set()\n")


def test_every_command_is_named_as_it_calls_itself() -> None:
    context = click.Context(main)
    assert [main.get_command(context, name).name for name in COMMANDS] == list(COMMANDS)


def test_serve_has_an_option_for_every_setting() -> None:
    options = CliRunner().invoke(main, ["serve", "--help"]).output
    for row in SETTINGS:
        assert f"--{row.name.replace('_', '-')} " in options
        assert f"OPENPERSONALIZE_{row.name.upper()}" in options.replace("\n", "").replace(" ", "")
