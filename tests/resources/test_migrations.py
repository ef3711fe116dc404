from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from openpersonalize.clock import SystemClock
from openpersonalize.engine.leases import Leases
from openpersonalize.engine.runnerlease import RunnerLease
from openpersonalize.resources import migrations
from openpersonalize.resources.backends import open_metadata_store
from openpersonalize.resources.internals import VersionInternal
from openpersonalize.resources.sqlitedatabase import SqliteDatabase, open_database
from openpersonalize.resources.tables import SCHEMA_VERSION, metadata
from openpersonalize.settings import read_settings


def described(database: SqliteDatabase) -> dict[str, Any]:
    """Tables, columns and indexes as the database itself tells them."""
    with database.reading() as connection:
        look = sa.inspect(connection)
        return {
            table: {
                "columns": [
                    (c["name"], str(c["type"]), c["nullable"], c["primary_key"])
                    for c in look.get_columns(table)
                ],
                "indexes": sorted(
                    (i["name"], i["column_names"], i["unique"]) for i in look.get_indexes(table)
                ),
                "unique": sorted(u["column_names"] for u in look.get_unique_constraints(table)),
                "foreign": sorted(
                    (f["constrained_columns"], f["referred_table"], f["options"].get("ondelete"))
                    for f in look.get_foreign_keys(table)
                ),
            }
            for table in look.get_table_names()
            if table != migrations.VERSION_TABLE
        }


def test_the_migrations_in_order_equal_the_tables(tmp_path: Path) -> None:
    stepped, direct = open_database(tmp_path / "a.db"), open_database(tmp_path / "b.db")
    with stepped.writing() as connection:
        migrations.upgrade(connection)
    with direct.writing() as connection:
        metadata.create_all(connection)
    assert described(stepped) == described(direct)
    with stepped.reading() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": migrations.VERSION_TABLE})
        assert compare_metadata(context, metadata) == []
    stepped.close()
    direct.close()


def test_the_newest_migration_is_the_one_the_tables_name() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_heads() == [SCHEMA_VERSION]


def test_upgrading_twice_changes_nothing(tmp_path: Path) -> None:
    database = open_database(tmp_path / "a.db")
    with database.writing() as connection:
        assert migrations.current_version(connection) is None
        migrations.upgrade(connection)
    once = described(database)
    with database.writing() as connection:
        assert migrations.current_version(connection) == SCHEMA_VERSION
        migrations.upgrade(connection)
    assert described(database) == once
    database.close()


OLD_ROWS = (
    """
    INSERT INTO resources VALUES (
        'arn:aws:personalize:us-east-1:000000000000:solution/s/1', '000000000000', 'us-east-1',
        'solution-version', '1', NULL, NULL, 'CREATE IN_PROGRESS', 1, 1, '{}',
        '{"seed": 7, "pinned": {"ITEMS": "snapshots/i"}, "position": 9, "upon": "artifacts/a"}'
    )
    """,
    """
    INSERT INTO jobs (
        id, account, region, kind, resource_arn, payload, state, attempts, crashes, errors, created, owner,
        lease_until, holds_slot, stop_requested, problem_count
    ) VALUES (
        'j', '000000000000', 'us-east-1', 'train',
        'arn:aws:personalize:us-east-1:000000000000:solution/s/1', '{}', 'running', 1, 0, 0, 1,
        '77-0123456789abcdef', 9999999999999, 1, 0, 0
    )
    """,
)


def test_a_database_of_the_first_release_goes_on_with_its_jobs(tmp_path: Path) -> None:
    """Its job at work has a lease of its own, which no release since knows; its runner is no more."""
    settings = read_settings({"data_dir": str(tmp_path)}, {})
    database = open_database(tmp_path / "metadata.db")
    with database.writing() as connection:
        migrations.upgrade(connection, "0001")
        for text in OLD_ROWS:
            connection.exec_driver_sql(text)
    database.close()
    store = open_metadata_store(settings, SystemClock())
    scope = store.scope("000000000000", "us-east-1")
    with scope.read() as tx:
        (version,) = tx.find("solution-version")
    kept = VersionInternal.of(version)
    assert (kept.seed, kept.snapshots, kept.position) == (7, {"ITEMS": "snapshots/i"}, 9)
    assert kept.base_artifact == "artifacts/a"
    leases = Leases(store, RunnerLease.take(store, settings.data / "runners"))
    assert leases.requeue_lost() == 1
    (job,) = leases.claim(("train",), 1, 1)
    assert (job.id, job.attempts, job.crashes) == ("j", 2, 1)
    store.close()
