"""Making what was written to a disk stay there."""

from __future__ import annotations

import os
import uuid
from pathlib import Path


def sync_file(path: Path) -> None:
    """Return when the file's content is on the disk.

    Raises:
        OSError: the disk reported an error; the content must be taken as lost.
    """
    # Windows flushes only what was opened for writing.
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Return when the folder's list of names is on the disk; where a platform cannot open folders, it
    does so itself."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(root: Path) -> None:
    """Return when everything below `root`, and `root` itself, is on the disk. Symbolic links are refused."""
    for folder, folders, files in os.walk(root, topdown=False):
        here = Path(folder)
        for name in files + folders:
            if (here / name).is_symlink():
                raise ValueError(f"{here / name} is a symbolic link; a published folder holds its own files")
        for name in files:
            sync_file(here / name)
        sync_folder(here)


def write_durably(path: Path, content: bytes) -> None:
    """Replace a small file at once and for good: a reader finds the old content or the new, after a
    crash too."""
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        partial.write_bytes(content)
        sync_file(partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(path.parent)
