from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contract.metadata_store import MetadataStoreContract, SetClock
from openpersonalize.clock import SystemClock
from openpersonalize.errors import StartError
from openpersonalize.resources.backends import open_metadata_store
from openpersonalize.resources.changes import LOOK_SECONDS
from openpersonalize.resources.store import MetadataStore
from openpersonalize.settings import Settings, read_settings
from shapes import misspelt_attributes


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings({"data_dir": str(tmp_path / "data")}, {})


class TestSqlite(MetadataStoreContract):
    @pytest.fixture
    def reopen(self, settings: Settings, clock: SetClock) -> Iterator[Callable[[], MetadataStore]]:
        opened: list[MetadataStore] = []

        def open_again() -> MetadataStore:
            opened.append(open_metadata_store(settings, clock))
            return opened[-1]

        yield open_again
        for store in opened:
            store.close()

    @pytest.fixture
    def store(self, reopen: Callable[[], MetadataStore]) -> MetadataStore:
        return reopen()


def test_a_database_can_lie_elsewhere(tmp_path: Path, settings: Settings) -> None:
    elsewhere = tmp_path / "else where" / "m.db"
    open_metadata_store(replace(settings, database_url=f"sqlite:///{elsewhere}"), SystemClock()).close()
    assert elsewhere.exists()
    with pytest.raises(StartError, match="leave it empty"):
        open_metadata_store(replace(settings, database_url="postgresql://u:secret@h/d"), SystemClock())


def test_a_commit_whose_process_died_before_it_told_is_noticed(settings: Settings) -> None:
    store = open_metadata_store(settings, SystemClock())
    before = store.resources_version()
    with sqlite3.connect(
        settings.data / "metadata.db"
    ) as connection:  # all that a killed process left behind
        connection.execute("UPDATE change_numbers SET number = number + 1")
    connection.close()
    give_up = time.monotonic() + 30
    while store.resources_version() == before:
        assert time.monotonic() < give_up
        time.sleep(0.01)
    told = store.resources_version()
    time.sleep(4 * LOOK_SECONDS)
    assert store.resources_version() == told  # it is told once
    store.close()


def test_a_commit_that_nobody_lived_to_tell_is_noticed_at_the_next_start(settings: Settings) -> None:
    store = open_metadata_store(settings, SystemClock())
    before = store.resources_version()
    store.close()
    with sqlite3.connect(settings.data / "metadata.db") as connection:
        connection.execute("UPDATE change_numbers SET number = number + 1")
    connection.close()
    store = open_metadata_store(settings, SystemClock())
    assert store.resources_version() != before
    store.close()


def test_what_was_deleted_is_in_no_file_after_a_purge(settings: Settings) -> None:
    store, secret = open_metadata_store(settings, SystemClock()), b"of-somebody-who-is-gone"
    scope = store.scope("000000000000", "us-east-1")

    def found() -> bool:
        return any(secret in path.read_bytes() for path in settings.data.glob("metadata.db*"))

    with scope.write() as tx:
        tx.add("schema", scope.arn("schema/s"), "s", attributes={"schema": secret.decode() * 500})
    store.purge()
    assert found()
    with scope.write() as tx:
        tx.remove(scope.arn("schema/s"))
    store.purge()
    assert not found()
    store.close()


def test_a_damaged_file_says_what_to_do(settings: Settings) -> None:
    path = settings.data / "metadata.db"
    path.parent.mkdir()
    path.write_bytes(b"this is no database, whatever its name says" * 100)
    with pytest.raises(StartError, match=r"is damaged .* restore it .* from a backup"):
        open_metadata_store(settings, SystemClock())


def test_damage_in_the_middle_is_noticed_at_start(settings: Settings) -> None:
    store = open_metadata_store(settings, SystemClock())
    scope = store.scope("000000000000", "us-east-1")
    with scope.write() as tx:
        for n in range(200):
            tx.add("schema", scope.arn(f"schema/{n}"), str(n), attributes={"schema": "x" * 500})
    store.close()
    path = settings.data / "metadata.db"
    assert not path.with_name("metadata.db-wal").exists()
    content = bytearray(path.read_bytes())
    middle = len(content) // 8192 * 4096
    content[middle : middle + 4096] = os.urandom(4096)
    path.write_bytes(content)
    with pytest.raises(StartError, match=r"is damaged \([^*]+\); restore"):
        open_metadata_store(settings, SystemClock())


def test_a_newer_database_is_refused(settings: Settings) -> None:
    open_metadata_store(settings, SystemClock()).close()
    with sqlite3.connect(settings.data / "metadata.db") as connection:
        connection.execute("UPDATE schema_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(StartError, match=r"tables of version 9999.* install the newer release"):
        open_metadata_store(settings, SystemClock())


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs file permissions that bind this user")
def test_a_folder_that_cannot_be_written_is_refused(settings: Settings) -> None:
    settings.data.mkdir()
    settings.data.chmod(0o500)
    with pytest.raises(StartError, match=r"cannot be written .* --data-dir"):
        open_metadata_store(settings, SystemClock())


def test_a_file_in_the_way_of_the_folder_is_refused(settings: Settings) -> None:
    settings.data.write_text("")
    with pytest.raises(StartError, match="--data-dir"):
        open_metadata_store(settings, SystemClock())


WRITER = """
import sys
from openpersonalize.clock import SystemClock
from openpersonalize.resources.backends import open_metadata_store
from openpersonalize.settings import read_settings
store = open_metadata_store(read_settings({"data_dir": sys.argv[1]}, {}), SystemClock())
scope = store.scope("000000000000", "us-east-1")
for n in range(int(sys.argv[3])):
    with scope.write() as tx:
        arn = scope.arn(f"schema/{sys.argv[2]}-{n}")
        tx.add("schema", arn, "s", attributes={"pad": "x" * 2000})
        tx.enqueue("job", arn, {"n": n})
        total = tx.count("schema")
    print(n, total, flush=True)
"""


def start_writer(settings: Settings, name: str, rows: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, settings.data_dir, name, str(rows)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_processes_open_and_write_one_file_together(settings: Settings) -> None:
    writers = [start_writer(settings, f"w{n}", 25) for n in range(3)]
    totals: list[int] = []
    for writer in writers:
        output, _ = writer.communicate(timeout=60)
        assert writer.returncode == 0
        totals += [int(line.split()[1]) for line in output.splitlines()]
    assert sorted(totals) == list(range(1, 76))


@pytest.mark.parametrize("acknowledged", [3, 12])
def test_what_was_acknowledged_survives_kill_9(settings: Settings, acknowledged: int) -> None:
    writer = start_writer(settings, "w", 100_000)
    assert writer.stdout is not None
    last = 0
    while last < acknowledged:
        last = int(writer.stdout.readline().split()[0])
    writer.send_signal(signal.SIGKILL)
    for line in writer.stdout:
        if line.endswith("\n"):
            last = int(line.split()[0])
    writer.wait()
    writer.stdout.close()
    store = open_metadata_store(settings, SystemClock())
    scope = store.scope("000000000000", "us-east-1")
    with scope.read() as tx:
        found: list[Any] = tx.find("schema")
        assert len(found) in (last + 1, last + 2)
        for resource in found:
            assert tx.job(resource.arn) is not None
    store.close()


def test_an_attribute_that_describe_would_drop_is_found(settings: Settings) -> None:
    """The check of whatever a live server of the tests leaves behind, see `live.Server.stop`."""
    store = open_metadata_store(settings, SystemClock())
    scope = store.scope("000000000000", "us-east-1")
    with scope.write() as tx:
        tx.add("campaign", scope.arn("campaign/a"), "a", attributes={"minProvisionedTPS": 1})
        tx.add("schema", scope.arn("schema/a"), "a", attributes={"schema": "{}", "domian": "ECOMMERCE"})
    store.close()
    assert misspelt_attributes(settings.data / "metadata.db") == [("schema", "domian")]
