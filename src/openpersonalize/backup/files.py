"""Copies of files and of published folders, with their modes and times and on the disk: `FileCopier`.

An object of the object store (a folder below one of `OBJECTS`) never changes, so on one file system its files
are hard links: no room and hardly any time. What may be written again, such as the callers' buckets, is
copied byte by byte.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from ..storage.durable import sync_file, sync_folder

OBJECTS = {
    "snapshots": 1,
    "parts": 1,
    "artifacts": 1,
    "erasures": 1,
    "segments": 2,
    "online": 2,
}
"""Where published folders lie in a data folder, and how many names below it."""

PARTIAL = ".partial"
_BLOCK = 1 << 20
_TRIES = 5
_NO_LINK = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


class FileCopier:
    """Copies from one data folder to another. For one thread.

    Attributes:
        linked: files that are hard links. copied: files that were copied. bytes: how many those had.
    """

    def __init__(
        self, source: Path, target: Path, *, link: bool, moved: Callable[[int], None] = lambda size: None
    ) -> None:
        """Copy from `source` to `target`, which exists.

        Args:
            link: whether immutable files may be hard links.
            moved: told the bytes of each file that is done.
        """
        self._source, self._target = source, target
        self._link = link
        self._moved = moved
        self.linked = self.copied = self.bytes = 0

    def object(self, key: str) -> bool:
        """Copy a published folder, whole or not at all; False: there is none, or it was removed meanwhile."""
        here, there = self._source / key, self._target / key
        if there.is_dir():
            return True
        partial = self._target / PARTIAL / uuid.uuid4().hex
        partial.parent.mkdir(exist_ok=True)
        try:
            before = here.stat().st_ino
            self.folder(str(Path(key).parent))
            self._tree(here, partial)
            # Removing begins with a renaming, so what is there now was whole all the time.
            if here.stat().st_ino != before:
                return False
            sync_folder(partial)
            os.rename(partial, there)
        except (FileNotFoundError, NotADirectoryError):
            return False
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return True

    def folder(self, name: str) -> None:
        """Make a folder and those above it, with the modes of the source's."""
        path = Path(name)
        for one in [*reversed(path.parents), path]:
            made = self._target / one
            if not made.is_dir():
                made.mkdir()
                same_rights(self._source / one, made)

    def file(self, name: str) -> bool:
        """Copy a file that may be written to, as it was at one moment, where the copy is not the same
        already; False: it is gone, or no file."""
        here, there = self._source / name, self._target / name
        for _ in range(_TRIES):
            try:
                before = here.lstat()
                if not (stat.S_ISREG(before.st_mode) or stat.S_ISLNK(before.st_mode)):
                    return False
                if _same(before, there):
                    return True
                self.folder(str(Path(name).parent))
                there.unlink(missing_ok=True)
                self._copy(here, there)
                after = here.lstat()
            except FileNotFoundError:
                there.unlink(missing_ok=True)
                return False
            if (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns):
                return True
        return True  # somebody writes to it all the time; no moment is better than another

    def _tree(self, here: Path, there: Path) -> None:
        there.mkdir()
        for entry in list(os.scandir(here)):
            if entry.is_dir(follow_symlinks=False):
                self._tree(Path(entry.path), there / entry.name)
            elif not self._linked(Path(entry.path), there / entry.name):
                self._copy(Path(entry.path), there / entry.name)
        same_rights(here, there)
        sync_folder(there)

    def _linked(self, here: Path, there: Path) -> bool:
        if not self._link:
            return False
        try:
            os.link(here, there, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
            self._link = error.errno not in (errno.EXDEV, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
            return False
        self.linked += 1
        self._moved(here.lstat().st_size)
        return True

    def _copy(self, here: Path, there: Path) -> None:
        if here.is_symlink():
            os.symlink(os.readlink(here), there)
            return
        with here.open("rb") as source, there.open("xb") as sink:
            shutil.copyfileobj(source, sink, _BLOCK)
        shutil.copystat(here, there)
        _same_owner(here, there)
        sync_file(there)
        size = there.stat().st_size
        self.copied += 1
        self.bytes += size
        self._moved(size)


def object_keys(root: Path) -> Iterator[str]:
    """The keys of the published folders of a data folder, as they are found."""
    for name, depth in OBJECTS.items():
        for path in root.joinpath(name).glob("/".join(["*"] * depth)):
            if path.is_dir() and not path.name.startswith("."):
                yield path.relative_to(root).as_posix()


def plain_files(root: Path, below: str) -> Iterator[str]:
    """The files below a folder of a data folder, links among them, by their names from its root."""
    for folder, folders, files in os.walk(root / below):
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        for name in [*files, *links]:
            yield os.path.relpath(os.path.join(folder, name), root)


def _same(state: os.stat_result, there: Path) -> bool:
    try:
        found = there.lstat()
    except FileNotFoundError:
        return False
    return (state.st_size, state.st_mtime_ns, state.st_mode) == (
        found.st_size,
        found.st_mtime_ns,
        found.st_mode,
    )


def same_rights(here: Path, there: Path) -> None:
    """Give a copy the modes, and where this user may, the owner of what it is a copy of."""
    shutil.copymode(here, there)
    _same_owner(here, there)


def _same_owner(here: Path, there: Path) -> None:
    """Who runs as root leaves files to their owner."""
    if os.name == "posix" and os.geteuid() == 0:
        state = here.stat()
        os.chown(there, state.st_uid, state.st_gid)
