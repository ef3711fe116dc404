from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from click.testing import CliRunner

from openpersonalize.cli.environment import NOWHERE, environment_lines, outside_address, server_address
from openpersonalize.cli.main import main
from openpersonalize.errors import InvalidInput
from openpersonalize.settings import read_settings

HOSTILE = "us-east-1;touch x`touch y`$(touch z)'\"\\ "


def lines(
    shell: str = "sh", present: dict[str, str] | None = None, *, isolated: bool = False, **settings: Any
) -> list[str]:
    return environment_lines(
        read_settings({"port": 8077, **settings}, {}),
        shell,
        present or {},
        default=NOWHERE if isolated else None,
    )


def test_every_service_is_pointed_here_and_no_other() -> None:
    assert lines() == [
        "export AWS_REGION=us-east-1",
        "export AWS_DEFAULT_REGION=us-east-1",
        "export AWS_ACCESS_KEY_ID=local",
        "export AWS_SECRET_ACCESS_KEY=local",
        "export AWS_ENDPOINT_URL_PERSONALIZE=http://127.0.0.1:8077",
        "export AWS_ENDPOINT_URL_PERSONALIZE_RUNTIME=http://127.0.0.1:8077",
        "export AWS_ENDPOINT_URL_PERSONALIZE_EVENTS=http://127.0.0.1:8077",
        "export AWS_ENDPOINT_URL_STS=http://127.0.0.1:8077",
        "export AWS_ENDPOINT_URL_S3=http://127.0.0.1:8077",
    ]


@pytest.mark.parametrize(
    "present",
    [
        {"AWS_ACCESS_KEY_ID": "mine"},
        {"AWS_PROFILE": "mine"},
        {"AWS_WEB_IDENTITY_TOKEN_FILE": "/token"},
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/"},
    ],
)
def test_credentials_that_are_there_are_kept(present: dict[str, str]) -> None:
    assert not any("KEY" in line for line in lines(present=present))


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_a_region_that_is_set_is_kept(name: str) -> None:
    found = lines(present={name: "eu-west-1"})
    assert found[:2] == ["export AWS_REGION=eu-west-1", "export AWS_DEFAULT_REGION=eu-west-1"]


@pytest.mark.parametrize(
    ("present", "s3", "told"),
    [
        ({}, "auto", True),
        ({}, "local", True),
        ({}, "aws", False),
        ({"AWS_ENDPOINT_URL_S3": "http://minio:9000"}, "auto", False),
        ({"AWS_ENDPOINT_URL_S3": "http://minio:9000"}, "local", True),
        ({"AWS_ENDPOINT_URL_S3": "http://localhost:8077"}, "auto", True),
        (
            {
                "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
                "AWS_ENDPOINT_URL_PERSONALIZE": "http://127.0.0.1:1",
            },
            "auto",
            True,
        ),
    ],
)
def test_s3_is_pointed_here_where_it_is_served_here(present: dict[str, str], s3: str, told: bool) -> None:
    assert ("export AWS_ENDPOINT_URL_S3=http://127.0.0.1:8077" in lines(present=present, s3=s3)) is told


def test_an_isolated_shell_reaches_nobody_else() -> None:
    present = {
        "AWS_ACCESS_KEY_ID": "AKIAREAL",
        "AWS_SECRET_ACCESS_KEY": "real",
        "AWS_SESSION_TOKEN": "real",
        "AWS_PROFILE": "real",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    }
    found = lines(present=present, isolated=True)
    assert {"export AWS_ACCESS_KEY_ID=local", "export AWS_SECRET_ACCESS_KEY=local"} <= set(found)
    assert {f"unset {name}" for name in list(present)[2:]} <= set(found)
    assert f"export AWS_ENDPOINT_URL={NOWHERE}" in found
    own = lines(present={"AWS_ACCESS_KEY_ID": "OPAKMINE"}, isolated=True)
    assert not any("ACCESS_KEY" in line for line in own)


@pytest.mark.parametrize(
    ("shell", "line", "gone"),
    [
        ("fish", "set -gx AWS_REGION us-east-1", "set -e AWS_PROFILE"),
        ("powershell", "$Env:AWS_REGION = 'us-east-1'", "$Env:AWS_PROFILE = $null"),
        ("cmd", "set AWS_REGION=us-east-1", "set AWS_PROFILE="),
    ],
)
def test_other_shells(shell: str, line: str, gone: str) -> None:
    found = lines(shell, {"AWS_PROFILE": "x"}, isolated=True)
    assert (found[0], gone in found) == (line, True)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("::1", "http://[::1]:80"),
        ("localhost", "http://127.0.0.1:80"),  # S3 clients would look for buckets below the name
        ("shop", "http://shop:80"),
    ],
)
def test_addresses_that_can_be_reached(host: str, address: str) -> None:
    assert server_address(host, 80) == address


def test_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENPERSONALIZE_REGION", "eu-central-1")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    result = CliRunner().invoke(main, ["env", "--port", "9000", "--shell", "sh", "--isolated"])
    assert result.exit_code == 0
    assert "export AWS_REGION=eu-central-1" in result.output
    assert "export AWS_ENDPOINT_URL_PERSONALIZE=http://127.0.0.1:9000" in result.output
    assert f"export AWS_ENDPOINT_URL={NOWHERE}" in result.output


def evaluated(shell: str, script: list[str], folder: Path) -> dict[str, str]:
    """The environment after a shell has evaluated the lines."""
    text = "\n".join([*script, "env -0"])
    found = subprocess.run(
        [shell, "-c", text], capture_output=True, check=True, cwd=folder, env={"PATH": os.environ["PATH"]}
    ).stdout.decode()
    return dict(line.split("=", 1) for line in found.split("\0") if "=" in line)


@pytest.mark.parametrize("shell", ["sh", "bash", "zsh", "fish"])
@pytest.mark.parametrize("region", ["us-east-1", HOSTILE])
def test_a_shell_takes_the_values_as_they_are(shell: str, region: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    script = lines("fish" if shell == "fish" else "sh", {"AWS_REGION": region})
    found = evaluated(shell, script, tmp_path)
    assert found["AWS_REGION"] == region
    assert found["AWS_ENDPOINT_URL_PERSONALIZE_EVENTS"] == "http://127.0.0.1:8077"
    assert list(tmp_path.iterdir()) == []


def test_powershell_and_cmd_run_nothing_either() -> None:
    assert lines("powershell", {"AWS_REGION": "a'; rm x"})[0] == "$Env:AWS_REGION = 'a''; rm x'"
    for quote in "\u2018\u2019\u201a\u201b":  # typographic quotes end a string of PowerShell, too
        assert lines("powershell", {"AWS_REGION": f"a{quote}; rm x"})[0].endswith(f"'a{quote}{quote}; rm x'")
    with pytest.raises(InvalidInput, match="cmd cannot take AWS_REGION"):
        lines("cmd", {"AWS_REGION": "a&calc"})


def test_a_call_that_leaves_an_isolated_shell_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    for line in lines(isolated=True):
        name, value = line.removeprefix("export ").split("=", 1)
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(EndpointConnectionError, match="isolated-by-openpersonalize"):
        boto3.Session().client("iam").list_roles()


KEY = ("OPAKAAAAAAAAAAAAAAAA", "se/cret")


def test_a_key_takes_the_place_of_whatever_the_shell_has() -> None:
    present = {"AWS_PROFILE": "mine", "AWS_SESSION_TOKEN": "t", "AWS_ACCESS_KEY_ID": "AKIA"}
    settings = read_settings({"port": 8077}, {})
    found = environment_lines(settings, "sh", present, key=KEY)
    for line in (
        "unset AWS_PROFILE",
        "unset AWS_SESSION_TOKEN",
        f"export AWS_ACCESS_KEY_ID={KEY[0]}",
        f"export AWS_SECRET_ACCESS_KEY={KEY[1]}",
    ):
        assert line in found


def test_a_server_with_keys_gets_no_made_up_credentials(tmp_path: Path) -> None:
    settings = read_settings({"port": 8077}, {})
    assert not any("KEY" in line for line in environment_lines(settings, "sh", {}, guarded=True))
    (tmp_path / "access-keys.json").write_text("{}")
    made = CliRunner().invoke(main, ["env", "--data-dir", str(tmp_path)], env={"AWS_ACCESS_KEY_ID": None})
    assert made.exit_code == 0
    assert "KEY" not in made.stdout
    assert "openpersonalize env --key ID" in made.stderr


def test_the_secret_of_a_key_is_read_from_standard_input() -> None:
    made = CliRunner().invoke(
        main, ["env", "--key", KEY[0], "--shell", "sh"], input=f"{KEY[1]}\n", env={"AWS_PROFILE": None}
    )
    assert f"export AWS_SECRET_ACCESS_KEY={KEY[1]}" in made.stdout
    made = CliRunner().invoke(main, ["env", "--key", KEY[0]], input="")
    assert made.exit_code == 2
    assert "has no secret" in made.output


def test_where_other_machines_find_a_server_that_listens_everywhere() -> None:
    assert outside_address("127.0.0.1", 8077) is None
    found = outside_address("0.0.0.0", 8077)
    assert found is not None
    assert found.startswith("http://")
    assert found.endswith(":8077")
    assert "0.0.0.0" not in found
