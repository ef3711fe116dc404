"""Back ends of the metadata store, by the scheme of the database URL: `open_metadata_store`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from ..clock import Clock
from ..errors import StartError
from ..settings import Settings
from .sqlitestore import SqliteMetadataStore
from .store import MetadataStore


def open_metadata_store(settings: Settings, clock: Clock) -> MetadataStore:
    """Open the database that the settings name, creating it or bringing its tables up to date.

    Raises:
        StartError: no back end knows the URL; the database is damaged, cannot be written, or was written by a
            newer release.
    """
    url = settings.database_url
    if not url:
        return SqliteMetadataStore.open(settings.data / "metadata.db", clock)
    for prefix, opener in _BACKENDS.items():
        if url.startswith(prefix):
            return opener(url.removeprefix(prefix), clock)
    raise StartError(
        f"database_url {url.split('://')[0]}://... is not supported by this release; leave it empty, or write"
        " sqlite:///PATH."
    )


def _open_sqlite(path: str, clock: Clock) -> MetadataStore:
    return SqliteMetadataStore.open(_resolved(path), clock)


def local_database(settings: Settings) -> Path | None:
    """The database file that the settings name outside the data folder; None: it is in there, or no file."""
    path = settings.database_url.removeprefix(_FILE)
    return _resolved(path) if settings.database_url.startswith(_FILE) else None


def _resolved(path: str) -> Path:
    return Path(path).expanduser().resolve()


_FILE = "sqlite:///"
_BACKENDS: Mapping[str, Callable[[str, Clock], MetadataStore]] = {_FILE: _open_sqlite}
"""What opens a URL that begins so; told the rest of it."""
