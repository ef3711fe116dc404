from __future__ import annotations

import pytest
from click.testing import CliRunner

from openpersonalize import __version__
from openpersonalize.cli.main import main
from openpersonalize.settings import SETTINGS


def test_version() -> None:
    assert CliRunner().invoke(main, ["--version"]).output == f"openpersonalize {__version__}\n"


@pytest.mark.parametrize("command", ["serve", "env", "key", "cp", "jobs", "demo"])
def test_every_command_explains_itself(command: str) -> None:
    result = CliRunner().invoke(main, [command, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_serve_has_an_option_for_every_setting() -> None:
    options = CliRunner().invoke(main, ["serve", "--help"]).output
    for row in SETTINGS:
        assert f"--{row.name.replace('_', '-')} " in options
        assert f"OPENPERSONALIZE_{row.name.upper()}" in options.replace("\n", "").replace(" ", "")
