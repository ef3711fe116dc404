from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

from openpersonalize import __version__
from openpersonalize.cli.main import main
from openpersonalize.settings import SETTINGS


def test_version() -> None:
    assert CliRunner().invoke(main, ["--version"]).output == f"openpersonalize {__version__}\n"


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "openpersonalize", "-h"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: openpersonalize [OPTIONS] COMMAND")


@pytest.mark.parametrize("command", sorted(main.commands))
def test_every_command_explains_itself(command: str) -> None:
    result = CliRunner().invoke(main, [command, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_serve_has_an_option_for_every_setting() -> None:
    options = CliRunner().invoke(main, ["serve", "--help"]).output
    for row in SETTINGS:
        assert f"--{row.name.replace('_', '-')} " in options
        assert f"OPENPERSONALIZE_{row.name.upper()}" in options.replace("\n", "").replace(" ", "")
