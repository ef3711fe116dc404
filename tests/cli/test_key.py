from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from openpersonalize.access.keys import KeyRing
from openpersonalize.cli.main import main


def run(tmp_path: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["key", *words, "--data-dir", str(tmp_path)])


def made(result: Result) -> dict[str, str]:
    assert result.exit_code == 0, result.output
    return dict(line.split("=", 1) for line in result.stdout.splitlines())


def test_a_key_from_creation_to_revocation(tmp_path: Path) -> None:
    assert "no keys" in run(tmp_path, "list").output
    values = made(run(tmp_path, "create", "--role", "events", "--tracker", "t-1"))
    key_id, secret = values["AWS_ACCESS_KEY_ID"], values["AWS_SECRET_ACCESS_KEY"]
    found = KeyRing(tmp_path).find(key_id)
    assert found is not None
    assert (found.secret, found.role, found.tracker) == (secret, "events", "t-1")
    listed = run(tmp_path, "list").output
    assert secret not in listed
    [row] = [line for line in listed.splitlines() if line.startswith(key_id)]
    assert row.split()[1:3] == ["events", "active"]
    assert row.endswith("t-1")
    assert made(run(tmp_path, "rotate", key_id))["AWS_SECRET_ACCESS_KEY"] != secret
    revoked = run(tmp_path, "revoke", key_id)
    assert revoked.exit_code == 0
    assert "every request is refused" in revoked.output
    assert "revoked" in run(tmp_path, "list").output
    assert KeyRing(tmp_path).find(key_id) is None


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["revoke", "OPAKNONE"], "no key OPAKNONE"),
        (["rotate", "OPAKNONE"], "no key OPAKNONE"),
        (["create", "--role", "admin", "--tracker", "t"], "Only a key of the roles events"),
        (["create", "--role", "owner"], "'owner'"),
        (["create"], "--role"),
    ],
)
def test_mistakes(tmp_path: Path, words: list[str], sentence: str) -> None:
    result = run(tmp_path, *words)
    assert result.exit_code == 2
    assert sentence in result.output
    assert KeyRing(tmp_path).keys() == []
