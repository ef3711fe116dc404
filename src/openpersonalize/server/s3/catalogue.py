"""What S3 knows of buckets and objects beyond the bytes of files, `Catalogue`: ETags, metadata, checksums,
policies, uploads in progress. One SQLite file, ``buckets.db``, shared by processes.

An object's row counts only for a file of the very size and time that it names, so that files which came into
the folder another way, or replaced an object there, need no row: they are objects without metadata. Without
the whole database every file is still there.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from ...errors import StartError

_FORMAT = 1
_BUSY_SECONDS = 30
_TABLES = """
CREATE TABLE IF NOT EXISTS buckets (name TEXT PRIMARY KEY, region TEXT, policy TEXT);
CREATE TABLE IF NOT EXISTS objects (
    bucket TEXT, key TEXT, size INTEGER, modified INTEGER, etag TEXT, details TEXT,
    PRIMARY KEY (bucket, key));
CREATE TABLE IF NOT EXISTS uploads (id TEXT PRIMARY KEY, bucket TEXT, key TEXT, began REAL, details TEXT);
CREATE INDEX IF NOT EXISTS uploads_by_key ON uploads (bucket, key, id);
CREATE TABLE IF NOT EXISTS parts (
    upload TEXT, number INTEGER, etag TEXT, size INTEGER, modified REAL, checksum TEXT, file TEXT,
    PRIMARY KEY (upload, number));
"""


class Details(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a client says of an object.

    Attributes:
        headers: ``content-type`` and the other headers that are given back as they came.
        metadata: the ``x-amz-meta-`` headers, without that prefix.
        algorithm, checksum_type: of the checksum; of an upload, the one that its parts shall have.
        checksum: the checksum's value, None where there is none.
    """

    headers: dict[str, str] = {}
    metadata: dict[str, str] = {}
    algorithm: str | None = None
    checksum_type: str | None = None
    checksum: str | None = None


class Upload(msgspec.Struct, frozen=True):
    """A multipart upload in progress; `began` in seconds since 1970."""

    id: str
    bucket: str
    key: str
    began: float
    details: Details


class Part(msgspec.Struct, frozen=True):
    """One part of an upload: number, MD5 in hexadecimal, size, time, checksum, and the name of its file."""

    number: int
    etag: str
    size: int
    modified: float
    checksum: str | None
    file: str


_read_details = msgspec.json.Decoder(Details).decode
_write_details = msgspec.json.Encoder().encode


class Catalogue:
    """The database; safe to use from several threads and processes."""

    def __init__(self, path: Path) -> None:
        """Open or make the file.

        Raises:
            StartError: it is damaged, cannot be written, or a newer release made it.
        """
        self._turn = threading.RLock()
        self._reading = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = _connection(path)
            (found,) = self._writer.execute("PRAGMA user_version").fetchone()
            if found > _FORMAT:
                raise StartError(
                    f"{path} was written by a newer version of this program: start that version."
                )
            self._writer.executescript(f"BEGIN IMMEDIATE;{_TABLES}PRAGMA user_version = {_FORMAT};COMMIT;")
            self._reader = _connection(path)
        except sqlite3.OperationalError as error:
            raise StartError(
                f"{path} cannot be opened for writing ({error}): check the permissions and free space."
            ) from error
        except sqlite3.DatabaseError as error:
            raise StartError(
                f"{path} is damaged ({error}): move it away; objects stay, without their metadata."
            ) from error

    def close(self) -> None:
        """Let go of the file."""
        with self._turn, self._reading:
            self._writer.close()
            self._reader.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A transaction that excludes every other writer, in other processes too: what happens to files
        inside happens one after the other. Committed to the disk at the end, rolled back when it raises.
        Reads do not wait for it, and do not see what it wrote before its end."""
        with self._turn:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    def _read(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        with self._reading:
            return self._reader.execute(statement, values).fetchall()

    def _write(self, statement: str, *values: object) -> None:
        with self._turn:
            self._writer.execute(statement, values)

    # ------------------------------------------------------------------------------------- buckets

    def bucket(self, name: str) -> tuple[str | None, str | None]:
        """(region, policy) of a bucket, as far as known."""
        rows = self._read("SELECT region, policy FROM buckets WHERE name = ?", name)
        return rows[0] if rows else (None, None)  # type: ignore[return-value]

    def set_region(self, name: str, region: str) -> None:
        """Remember where a bucket was made, and nothing of one of that name before."""
        self._write("INSERT OR REPLACE INTO buckets VALUES (?, ?, NULL)", name, region)

    def set_policy(self, name: str, policy: str | None) -> None:
        """Remember a bucket's policy, None: that it has none."""
        self._write(
            "INSERT INTO buckets VALUES (?, NULL, ?)"
            " ON CONFLICT (name) DO UPDATE SET policy = excluded.policy",
            name,
            policy,
        )

    def forget_bucket(self, name: str) -> list[str]:
        """Remember nothing of a bucket, its objects and the uploads to it; returns these uploads' ids."""
        uploads = [
            str(upload_id) for (upload_id,) in self._read("SELECT id FROM uploads WHERE bucket = ?", name)
        ]
        for upload_id in uploads:
            self.forget_upload(upload_id)
        self._write("DELETE FROM buckets WHERE name = ?", name)
        self._write("DELETE FROM objects WHERE bucket = ?", name)
        return uploads

    # ------------------------------------------------------------------------------------- objects

    def object(self, bucket: str, key: str, size: int, modified: int) -> tuple[str, Details] | None:
        """(ETag, details) of the object whose file has this size and time (nanoseconds)."""
        return self.objects(bucket, [(key, size, modified)]).get(key)

    def objects(self, bucket: str, files: Iterable[tuple[str, int, int]]) -> dict[str, tuple[str, Details]]:
        """The same of many files, given by (key, size, time)."""
        wanted = {key: (size, modified) for key, size, modified in files}
        keys = list(wanted)
        found = {}
        for at in range(0, len(keys), 500):
            some = keys[at : at + 500]
            marks = ", ".join("?" * len(some))
            for key, size, modified, etag, details in self._read(
                "SELECT key, size, modified, etag, details FROM objects"  # noqa: S608
                f" WHERE bucket = ? AND key IN ({marks})",
                bucket,
                *some,
            ):
                if wanted[str(key)] == (size, modified):
                    found[str(key)] = (str(etag), _read_details(str(details)))
        return found

    def set_object(
        self, bucket: str, key: str, size: int, modified: int, etag: str, details: Details
    ) -> None:
        """Remember an object in place of the former one of that key."""
        text = _write_details(details).decode()
        self._write(
            "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?)",
            bucket,
            key,
            size,
            modified,
            etag,
            text,
        )

    def forget_object(self, bucket: str, key: str) -> None:
        """Remember nothing of an object."""
        self._write("DELETE FROM objects WHERE bucket = ? AND key = ?", bucket, key)

    # ------------------------------------------------------------------------------------- uploads

    def upload(self, upload_id: str) -> Upload | None:
        """An upload in progress."""
        rows = self._read("SELECT * FROM uploads WHERE id = ?", upload_id)
        return _upload(rows[0]) if rows else None

    def uploads(self, bucket: str, prefix: str, after: tuple[str, str], most: int) -> list[Upload]:
        """Uploads to keys that begin with `prefix`, in order of (key, id), those after `after`."""
        rows = self._read(
            "SELECT * FROM uploads WHERE bucket = ?1 AND substr(key, 1, length(?2)) = ?2"
            " AND (key, id) > (?3, ?4) ORDER BY key, id LIMIT ?5",
            bucket,
            prefix,
            *after,
            most,
        )
        return [_upload(row) for row in rows]

    def add_upload(self, upload: Upload) -> None:
        """Remember a new upload."""
        text = _write_details(upload.details).decode()
        self._write(
            "INSERT INTO uploads VALUES (?, ?, ?, ?, ?)",
            upload.id,
            upload.bucket,
            upload.key,
            upload.began,
            text,
        )

    def number_of_uploads(self) -> int:
        """Uploads in progress."""
        return int(str(self._read("SELECT COUNT(*) FROM uploads")[0][0]))

    def stale_uploads(self, before: float) -> list[str]:
        """Ids of the uploads that began before a time and got no part since."""
        rows = self._read(
            "SELECT id FROM uploads WHERE began < ?1"
            " AND NOT EXISTS (SELECT 1 FROM parts WHERE upload = id AND parts.modified >= ?1)",
            before,
        )
        return [str(upload_id) for (upload_id,) in rows]

    def forget_upload(self, upload_id: str) -> None:
        """Remember nothing of an upload and its parts."""
        self._write("DELETE FROM parts WHERE upload = ?", upload_id)
        self._write("DELETE FROM uploads WHERE id = ?", upload_id)

    def parts(self, upload_id: str, after: int = 0, most: int = 10_000) -> list[Part]:
        """Parts of an upload with numbers above `after`, in order."""
        rows = self._read(
            "SELECT number, etag, size, modified, checksum, file FROM parts"
            " WHERE upload = ? AND number > ? ORDER BY number LIMIT ?",
            upload_id,
            after,
            most,
        )
        return [Part(*row) for row in rows]  # type: ignore[arg-type]

    def set_part(self, upload_id: str, part: Part) -> None:
        """Remember a part in place of the former one of that number."""
        self._write(
            "INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?, ?, ?)",
            upload_id,
            part.number,
            part.etag,
            part.size,
            part.modified,
            part.checksum,
            part.file,
        )


def _upload(row: tuple[object, ...]) -> Upload:
    upload_id, bucket, key, began, details = row
    return Upload(str(upload_id), str(bucket), str(key), float(str(began)), _read_details(str(details)))


def _connection(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = ON")  # what was deleted is not to be found in the file
    return connection
