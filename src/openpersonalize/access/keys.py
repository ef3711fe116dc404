"""Access keys of an installation: who may call, and the secrets that requests are signed with.

Checking a signature needs the secret itself, so it cannot be kept as a hash. It is not kept at all: a
secret is derived, HMAC-SHA256 of the key's own record under the installation's root (32 random bytes in
``access-keys.root``, readable by its owner only), and printed once. Nothing but the root has to be guarded,
no cipher is needed (the standard library has none, and a package for one would be the only compiled
dependency whose failure opens a server), and an edited record, say one with another role, no longer has the
secret that its holder knows.

The table ``access-keys.json`` holds ids, roles, trackers and dates. It is replaced atomically under a lock;
servers look at it every `RELOAD_SECONDS`. As soon as the table exists every request has to be signed, also
when all of
its keys were revoked: revoking the last key never opens a server.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout

from ..errors import InvalidInput, ResourceNotFound, StartError
from ..storage.privacy import LOCK_MODE, make_private

BOUND_ROLES = ("events", "catalogue", "ingest")
"""The roles whose keys can be bound to an event tracker."""
ROLES = {
    "admin": "everything",
    "runtime": "the three calls that ask for recommendations, and why these were given",
    "events": "PutEvents and PutActionInteractions; with a tracker, only to that tracker",
    "catalogue": "PutItems, PutUsers and PutActions; with a tracker, only to datasets of its group",
    "ingest": "what events and catalogue may, with or without a tracker",
    "buckets": "S3: buckets and objects, to read and to write",
    "read": "every Describe, List and Get call of the control plane, jobs, names of S3 objects",
}
RELOAD_SECONDS = 2.0
TABLE, ROOT, LOCK = "access-keys.json", "access-keys.root", "access-keys.lock"
_FORMAT = 1
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AccessKey:
    """One key's record.

    Attributes:
        id: the access key id, 20 characters, ``OPAK`` first.
        role: one of `ROLES`.
        tracker: tracking id that the key is bound to (`BOUND_ROLES`), or None.
        created_at: seconds since the epoch of the creation or the last rotation.
        generation: random text, new at each rotation; the secret follows from it.
        revoked_at: seconds since the epoch, or None while the key is in force.
    """

    id: str
    role: str
    tracker: str | None
    created_at: float
    generation: str
    revoked_at: float | None = None


@dataclass(frozen=True, slots=True)
class Holder:
    """A key in force, as the signature check needs it."""

    id: str
    secret: str
    role: str
    tracker: str | None


class KeyRing:
    """The keys of one data folder. Safe to use from several threads; any number of processes may share the
    folder."""

    def __init__(self, folder: Path, *, lock_seconds: float = 10.0) -> None:
        """Read the keys of `folder`.

        Args:
            folder: the data folder.
            lock_seconds: how long to wait for another process that changes keys.

        Raises:
            StartError: the table is damaged or newer than this program, or the root lacks, or others can
                read it.
        """
        self._folder = folder
        self._lock_seconds = lock_seconds
        self._lost = self._watched = False
        self._guard = threading.Lock()
        self._looked = 0.0
        self._stamp: tuple[int, int, int] | None = None
        self._holders: dict[str, Holder] = {}
        self._configured = False
        self._reload()

    # ------------------------------------------------------------------------------ a server's side

    @property
    def configured(self) -> bool:
        """Whether requests have to be signed. Once true in a process it stays true."""
        self._look()
        return self._configured

    @property
    def usable(self) -> bool:
        """Whether any key is in force."""
        self._look()
        return bool(self._holders)

    def find(self, key_id: str) -> Holder | None:
        """The holder of `key_id`, or None when it is unknown or revoked."""
        return self._holders.get(key_id)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """For as long as the block runs, a thread looks at the table; asking for keys then reads no file, so
        that an event loop may."""
        ends = threading.Event()

        def watch() -> None:
            while not ends.wait(RELOAD_SECONDS):
                self._look_now()

        thread = threading.Thread(target=watch, name="access-keys", daemon=True)
        thread.start()
        self._watched = True
        try:
            yield
        finally:
            self._watched = False
            ends.set()
            thread.join()

    def _look(self) -> None:
        if not self._watched and time.monotonic() - self._looked >= RELOAD_SECONDS:
            self._look_now()

    def _look_now(self) -> None:
        try:
            self._reload()
        except (StartError, OSError) as error:  # a server in service does not stop over a bad edit
            _log.error("the access keys could not be read again, the former ones stay in force: %s", error)

    def _reload(self) -> None:
        self._looked = time.monotonic()
        stamp = self._table_stamp()
        if stamp is None and self._configured and not self._lost:
            _log.error(
                "the table of access keys %s is gone; the former keys stay in force", self._folder / TABLE
            )
        self._lost = stamp is None
        if stamp is None or stamp == self._stamp:
            return
        keys = self.keys()
        root = self._root()
        holders = {
            key.id: Holder(key.id, _secret(root, key), key.role, key.tracker)
            for key in keys
            if key.revoked_at is None
        }
        self._stamp, self._holders, self._configured = stamp, holders, True

    def _table_stamp(self) -> tuple[int, int, int] | None:
        try:
            found = (self._folder / TABLE).stat()
        except FileNotFoundError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    # -------------------------------------------------------------------------- the operator's side

    def keys(self) -> list[AccessKey]:
        """All keys, revoked ones included, oldest first.

        Raises:
            StartError: the table is damaged or newer than this program.
        """
        path = self._folder / TABLE
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            if document["format"] > _FORMAT:
                raise StartError(f"{path} was written by a newer version: upgrade this program.")
            return [AccessKey(**row) for row in document["keys"]]
        except FileNotFoundError:
            return []
        except (ValueError, KeyError, TypeError) as error:
            raise StartError(
                f"{path} is damaged ({error}): restore it, or remove it and make new keys."
            ) from error

    def create(self, role: str, tracker: str | None = None) -> tuple[AccessKey, str]:
        """A new key and its secret, which cannot be had again.

        Raises:
            InvalidInput: no such role, or a tracker with a role that streams nothing.
            StartError: another process does not let go of the keys.
        """
        if role not in ROLES:
            raise InvalidInput(f"The role must be one of {', '.join(ROLES)}, not {role!r}.")
        if tracker is not None and role not in BOUND_ROLES:
            raise InvalidInput(
                f"Only a key of the roles {', '.join(BOUND_ROLES)} can be bound to a tracker, not {role}."
            )
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
        key_id = "OPAK" + "".join(secrets.choice(alphabet) for _ in range(16))
        key = AccessKey(key_id, role, tracker, round(time.time(), 3), secrets.token_hex(16))
        return key, self._store(key)

    def rotate(self, key_id: str) -> tuple[AccessKey, str]:
        """A new secret for a key; the old one stops working within 15 seconds.

        Raises:
            ResourceNotFound: no such key, or it is revoked.
        """
        key = replace(
            self._in_force(key_id), created_at=round(time.time(), 3), generation=secrets.token_hex(16)
        )
        return key, self._store(key)

    def revoke(self, key_id: str) -> AccessKey:
        """Put a key out of force for good, within 15 seconds on running servers.

        Raises:
            ResourceNotFound: no such key, or it is revoked already.
        """
        key = replace(self._in_force(key_id), revoked_at=round(time.time(), 3))
        self._store(key)
        return key

    def _in_force(self, key_id: str) -> AccessKey:
        for key in self.keys():
            if key.id == key_id and key.revoked_at is None:
                return key
        raise ResourceNotFound(
            f"There is no key {key_id} in force; `openpersonalize key list` shows those there are."
        )

    def _store(self, key: AccessKey) -> str:
        """Add or replace a record; returns the key's secret."""
        if not self._folder.exists():  # of one that exists, the server knows who may read it
            make_private(self._folder)
        with self._guard, self._locked():
            root = self._root(create=True)
            keys = {row.id: row for row in self.keys()} | {key.id: key}
            document = {"format": _FORMAT, "keys": [asdict(row) for row in keys.values()]}
            _write_private(self._folder / TABLE, json.dumps(document, indent=1).encode())
        self._reload()
        return _secret(root, key)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = FileLock(self._folder / LOCK, timeout=self._lock_seconds, mode=LOCK_MODE)
        try:
            with lock:
                yield
        except Timeout as error:
            raise StartError(
                f"Another process has held {lock.lock_file} for {self._lock_seconds:g} seconds: find it with"
                f" `fuser {lock.lock_file}`, end it, and try again."
            ) from error

    def _root(self, *, create: bool = False) -> bytes:
        path = self._folder / ROOT
        try:
            if os.name == "posix" and path.stat().st_mode & 0o077:
                raise StartError(f"{path} can be read by others: run chmod 600 {path}.")
            root = path.read_bytes()
        except FileNotFoundError:
            if not create or (self._folder / TABLE).exists():
                raise StartError(
                    f"{path} is missing, and with it the secrets of all keys: restore it, or remove {TABLE} "
                    "beside it and make new keys."
                ) from None
            root = secrets.token_bytes(32)
            _write_private(path, root)
        if len(root) != 32:
            raise StartError(f"{path} is damaged: restore it, or remove it and {TABLE} and make new keys.")
        return root


def _secret(root: bytes, key: AccessKey) -> str:
    """40 characters, 240 bits: HMAC-SHA256 of what the key is, under the root."""
    record = json.dumps([key.id, key.role, key.tracker, key.generation]).encode()
    return base64.urlsafe_b64encode(hmac.digest(root, record, hashlib.sha256)).decode()[:40]


def _write_private(path: Path, content: bytes) -> None:
    """Replace a file atomically and durably; only its owner may read it (on Windows: as the folder says)."""
    staged = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    staged.replace(path)
