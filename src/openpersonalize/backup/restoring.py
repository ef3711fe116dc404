"""Restoring of a data folder from a backup (`restore_backup`).

The copy goes straight into the data folder, which may be a disk of its own, under its lock. Until all of it
is there the file ``format`` holds a sentence instead of a number: a server refuses such a folder, and the
next restore begins anew.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..errors import BackupFailed
from ..storage.durable import sync_folder, write_durably
from ..storage.privacy import LOCK_MODE
from .files import FileCopier, same_rights
from .making import Moved, explained
from .verification import problems_of, read_manifest

_BEGUN = b"A backup is being restored into this folder.\n"
_PASSED = frozenset(("lock", "lost+found"))


def restore_backup(backup: Path, data: Path, *, moved: Moved = lambda share, step: None) -> dict[str, Any]:
    """Check the backup and copy it to `data`, which is empty or is not there; what the backup says of itself.

    Raises:
        BackupFailed: the sentence says what to do.
    """
    with explained(backup, data):
        manifest = read_manifest(backup)
        moved(0.0, "checking")
        problems = problems_of(backup)
        if problems:
            raise BackupFailed(f"{backup} is damaged: {'; '.join(problems[:20])}. Use another backup.")
        data.mkdir(parents=True, exist_ok=True)
        lock = FileLock(data / "lock", timeout=0, mode=LOCK_MODE, thread_local=False)
        try:
            lock.acquire()
        except Timeout as error:
            raise BackupFailed(
                f"The data folder {data} is in use by a server: stop it, or name an empty folder with"
                " --data-dir."
            ) from error
        try:
            _clear(data)
            write_durably(data / "format", _BEGUN)
            _copy(backup, data, manifest["files"], moved)
        finally:
            lock.release()
    moved(1.0, "")
    return manifest


def _clear(data: Path) -> None:
    """Remove what a restore left that did not come to its end.

    Raises:
        BackupFailed: the folder holds something else.
    """
    there = sorted(entry for entry in data.iterdir() if entry.name not in _PASSED)
    format_file = data / "format"
    if there and not (format_file.is_file() and format_file.read_bytes() == _BEGUN):
        names = ", ".join(entry.name for entry in there[:3])
        raise BackupFailed(
            f"{data} is not empty ({names}): name an empty folder with --data-dir, or move this one away"
            " first."
        )
    for entry in there:
        if entry == format_file:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _copy(backup: Path, data: Path, sizes: dict[str, int], moved: Moved) -> None:
    total = max(1, sum(sizes.values()))
    done = 0

    def count(size: int) -> None:
        nonlocal done
        done += size
        moved(done / total, "copying")

    copier = FileCopier(backup, data, link=False, moved=count)
    folders = [os.path.relpath(folder, backup) for folder, _, _ in os.walk(backup)]
    for name in folders:
        copier.folder(name)
    for name in sizes:
        if name != "format":
            copier.file(name)
    same_rights(backup, data)
    for name in reversed(folders):
        sync_folder(data / name)
    content = (backup / "format").read_bytes() if "format" in sizes else b"1\n"
    write_durably(data / "format", content)
    if "format" in sizes:
        same_rights(backup / "format", data / "format")
