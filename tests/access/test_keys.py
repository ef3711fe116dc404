from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from openpersonalize.access import keys
from openpersonalize.access.keys import KeyRing
from openpersonalize.errors import InvalidInput, ResourceNotFound, StartError


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rings look at the table whenever they are asked."""
    monkeypatch.setattr(keys, "RELOAD_SECONDS", 0.0)


def test_a_folder_without_keys(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    assert not ring.configured
    assert not ring.usable
    assert ring.keys() == []
    assert list(tmp_path.iterdir()) == []


def test_a_key_and_its_secret(tmp_path: Path) -> None:
    key, secret = KeyRing(tmp_path).create("runtime")
    assert len(key.id) == 20
    assert len(secret) == 40
    found = KeyRing(tmp_path).find(key.id)
    assert found is not None
    assert (found.secret, found.role, found.tracker) == (secret, "runtime", None)
    assert secret not in (tmp_path / keys.TABLE).read_text()


def test_no_two_secrets_are_alike(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    assert len({ring.create("admin")[1] for _ in range(5)}) == 5


@pytest.mark.parametrize(("role", "tracker"), [("owner", None), ("runtime", "t-1")])
def test_wrong_roles(tmp_path: Path, role: str, tracker: str | None) -> None:
    with pytest.raises(InvalidInput):
        KeyRing(tmp_path).create(role, tracker)
    assert KeyRing(tmp_path).keys() == []


@pytest.mark.usefixtures("at_once")
def test_changes_reach_a_running_server(tmp_path: Path) -> None:
    serving, operator = KeyRing(tmp_path), KeyRing(tmp_path)
    assert not serving.configured
    key, secret = operator.create("events", "t-1")
    assert serving.configured
    assert serving.find(key.id) is not None
    _, renewed = operator.rotate(key.id)
    assert serving.usable
    found = serving.find(key.id)
    assert found is not None
    assert found.secret == renewed != secret
    operator.revoke(key.id)
    assert not serving.usable
    assert serving.find(key.id) is None
    assert serving.configured, "revoking the last key must not open the server"
    assert KeyRing(tmp_path).configured


@pytest.mark.usefixtures("at_once")
def test_a_ring_that_is_watched_learns_of_keys_and_reads_nothing_when_asked(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    with ring.watched():
        key, _ = KeyRing(tmp_path).create("admin")
        end = time.monotonic() + 10
        while not ring.configured:
            assert time.monotonic() < end
            time.sleep(0.01)
        assert ring.find(key.id) is not None
    KeyRing(tmp_path).revoke(key.id)
    assert not ring.usable


@pytest.mark.usefixtures("at_once")
def test_losing_the_table_does_not_open_a_running_server(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ring = KeyRing(tmp_path)
    key, _ = ring.create("admin")
    (tmp_path / keys.TABLE).unlink()
    for _ in range(3):
        assert ring.configured
    assert ring.find(key.id) is not None
    assert caplog.text.count("is gone") == 1


@pytest.mark.usefixtures("at_once")
def test_damaging_the_table_leaves_the_keys_of_a_running_server(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ring = KeyRing(tmp_path)
    key, _ = ring.create("admin")
    (tmp_path / keys.TABLE).write_text("{")
    assert ring.usable
    assert ring.find(key.id) is not None
    assert "former ones stay in force" in caplog.text


def test_within_the_reload_time_the_table_is_not_looked_at(tmp_path: Path) -> None:
    assert keys.RELOAD_SECONDS < 15
    ring = KeyRing(tmp_path)
    KeyRing(tmp_path).create("admin")
    assert not ring.configured


@pytest.mark.parametrize("change", ["rotate", "revoke"])
def test_a_key_not_in_force_cannot_be_changed(tmp_path: Path, change: str) -> None:
    ring = KeyRing(tmp_path)
    key, _ = ring.create("admin")
    ring.revoke(key.id)
    for key_id in (key.id, "OPAKNONE"):
        with pytest.raises(ResourceNotFound, match="key list"):
            getattr(ring, change)(key_id)


def test_an_edited_role_loses_the_secret(tmp_path: Path) -> None:
    key, secret = KeyRing(tmp_path).create("read")
    table = tmp_path / keys.TABLE
    table.write_text(table.read_text().replace('"read"', '"admin"'))
    found = KeyRing(tmp_path).find(key.id)
    assert found is not None
    assert found.secret != secret


def _damage(text: str) -> Callable[[Path], None]:
    return lambda folder: (folder / keys.TABLE).write_text(text) and None


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (_damage("{"), "damaged"),
        (_damage("[]"), "damaged"),
        (_damage('{"format": 1, "keys": [{"id": "x"}]}'), "damaged"),
        (_damage('{"format": 2, "keys": []}'), "newer version"),
        (lambda folder: (folder / keys.ROOT).unlink(), "missing"),
        (lambda folder: (folder / keys.ROOT).write_bytes(b"short"), "damaged"),
    ],
)
def test_what_keeps_a_server_from_starting(
    tmp_path: Path, spoil: Callable[[Path], None], sentence: str
) -> None:
    KeyRing(tmp_path).create("admin")
    spoil(tmp_path)
    with pytest.raises(StartError, match=sentence):
        KeyRing(tmp_path)


def test_a_lost_root_is_not_replaced_while_keys_depend_on_it(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    ring.create("admin")
    (tmp_path / keys.ROOT).unlink()
    with pytest.raises(StartError, match="missing"):
        ring.create("admin")
    assert not (tmp_path / keys.ROOT).exists()


@pytest.mark.skipif(os.name != "posix", reason="file modes")
def test_only_the_owner_reads_the_files(tmp_path: Path) -> None:
    KeyRing(tmp_path).create("admin")
    for name in (keys.ROOT, keys.TABLE):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    (tmp_path / keys.ROOT).chmod(0o640)
    with pytest.raises(StartError, match="chmod 600"):
        KeyRing(tmp_path)


def test_the_table_is_json_with_the_records_only(tmp_path: Path) -> None:
    key, _ = KeyRing(tmp_path).create("events", "t-1")
    [row] = json.loads((tmp_path / keys.TABLE).read_text())["keys"]
    assert row["id"] == key.id
    assert set(row) == {"id", "role", "tracker", "created_at", "generation", "revoked_at"}
