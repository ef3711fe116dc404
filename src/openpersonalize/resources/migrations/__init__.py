"""Changes of the metadata database's tables, a file each in `versions`, applied in order when a store is
opened."""

from __future__ import annotations

import logging
from pathlib import Path

import sqlalchemy as sa

from ...errors import StartError
from ..tables import SCHEMA_VERSION

VERSION_TABLE = "schema_version"
_FOLDER = Path(__file__).parent


def upgrade(connection: sa.Connection, version: str = SCHEMA_VERSION) -> None:
    """Bring the tables to a version, the newest, inside the transaction that `connection` has open.

    Raises:
        StartError: the database was written by a newer release.
    """
    if current_version(connection) == version:
        return
    # Alembic takes longer to import than the usual start takes altogether.
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    script = ScriptDirectory.from_config(config)
    found = current_version(connection)
    known = {revision.revision for revision in script.walk_revisions()}
    if found is not None and found not in known:
        raise StartError(
            f"The metadata database has tables of version {found}, and this release knows them up to"
            f" {SCHEMA_VERSION}; install the newer release that wrote it, or restore a backup from before."
        )
    with EnvironmentContext(
        config, script, fn=lambda revision, _: script._upgrade_revs(version, revision)
    ) as environment:
        environment.configure(connection=connection, version_table=VERSION_TABLE)
        environment.run_migrations()


def current_version(connection: sa.Connection) -> str | None:
    """The version of the tables, None for an empty database."""
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.scalar(sa.select(sa.column("version_num")).select_from(sa.table(VERSION_TABLE)))
