from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from openpersonalize.cli.environment import environment_lines, server_address
from openpersonalize.cli.main import main
from openpersonalize.errors import InvalidInput


def test_every_service_is_pointed_here_and_no_other() -> None:
    lines = environment_lines("127.0.0.1", 8077, "us-east-1", "sh", {})
    assert lines == [
        "export AWS_REGION=us-east-1",
        "export AWS_DEFAULT_REGION=us-east-1",
        "export AWS_ACCESS_KEY_ID=local",
        "export AWS_SECRET_ACCESS_KEY=local",
        "export AWS_ENDPOINT_URL_PERSONALIZE=http://127.0.0.1:8077",
        "export AWS_ENDPOINT_URL_PERSONALIZE_RUNTIME=http://127.0.0.1:8077",
        "export AWS_ENDPOINT_URL_PERSONALIZE_EVENTS=http://127.0.0.1:8077",
    ]


@pytest.mark.parametrize("present", [{"AWS_ACCESS_KEY_ID": "mine"}, {"AWS_PROFILE": "mine"}])
def test_credentials_that_are_there_are_kept(present: dict[str, str]) -> None:
    assert not any("KEY" in line for line in environment_lines("localhost", 1, "us-east-1", "sh", present))


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_a_region_that_is_set_is_kept(name: str) -> None:
    lines = environment_lines("localhost", 1, "us-east-1", "sh", {name: "eu-west-1"})
    assert lines[:2] == ["export AWS_REGION=eu-west-1", "export AWS_DEFAULT_REGION=eu-west-1"]


@pytest.mark.parametrize(
    ("shell", "line"),
    [
        ("fish", "set -gx AWS_REGION us-east-1"),
        ("powershell", "$Env:AWS_REGION = 'us-east-1'"),
        ("cmd", "set AWS_REGION=us-east-1"),
    ],
)
def test_other_shells(shell: str, line: str) -> None:
    assert environment_lines("localhost", 1, "us-east-1", shell, {})[0] == line


@pytest.mark.parametrize("value", ["a;touch made", "$(touch made)", "`touch made`", "a' b", "a\\'b", 'a"b'])
def test_no_value_is_a_command_of_the_shell(tmp_path: Path, value: str) -> None:
    [line, *_] = environment_lines("localhost", 1, "us-east-1", "sh", {"AWS_REGION": value})
    shown = subprocess.run(
        ["sh", "-c", f'{line}; printf %s "$AWS_REGION"'],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout == value
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("shell", "value", "line"),
    [
        ("fish", "a';b\\", "set -gx AWS_REGION 'a\\';b\\\\'"),
        ("powershell", "$(x)'\u2019", "$Env:AWS_REGION = '$(x)''\u2019\u2019'"),
    ],
)
def test_values_are_quoted_for_other_shells(shell: str, value: str, line: str) -> None:
    assert environment_lines("localhost", 1, "us-east-1", shell, {"AWS_REGION": value})[0] == line


@pytest.mark.parametrize(
    ("shell", "value"), [("cmd", "a&b"), ("cmd", "%PATH%"), ("sh", "a\nb"), ("sh", "\x1b[2J")]
)
def test_what_cannot_be_quoted_is_refused(shell: str, value: str) -> None:
    with pytest.raises(InvalidInput):
        environment_lines("localhost", 1, "us-east-1", shell, {"AWS_REGION": value})


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("::1", "http://[::1]:80"),
        ("shop", "http://shop:80"),
    ],
)
def test_addresses_that_can_be_reached(host: str, address: str) -> None:
    assert server_address(host, 80) == address


def test_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENPERSONALIZE_REGION", "eu-central-1")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    result = CliRunner().invoke(main, ["env", "--port", "9000", "--shell", "sh"])
    assert result.exit_code == 0
    assert "export AWS_REGION=eu-central-1" in result.output
    assert "export AWS_ENDPOINT_URL_PERSONALIZE=http://127.0.0.1:9000" in result.output


@pytest.mark.skipif(os.name != "posix", reason="a POSIX shell")
def test_a_shell_evaluates_the_lines(tmp_path: Path) -> None:
    lines = "\n".join(environment_lines("127.0.0.1", 1, "us-east-1", "sh", {}))
    shown = subprocess.run(
        ["sh", "-c", f"{lines}\nenv"],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"]},
    ).stdout
    assert "AWS_ENDPOINT_URL_PERSONALIZE_EVENTS=http://127.0.0.1:1" in shown
