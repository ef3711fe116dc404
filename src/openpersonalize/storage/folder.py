"""The data folder: its layout, and the lock that lets one server at a time work on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ..errors import StartError
from .durable import write_durably
from .privacy import LOCK_MODE, make_private

FORMAT = 1
OWN = frozenset(
    (
        *("format", "metadata.db", "events.db", "buckets", "snapshots", "artifacts", "lock"),
        *("access-keys.json", "access-keys.root", "server.log"),
    )
)
"""Names of which a data folder has at least one: as a server left it, or as ``cp`` or ``key`` began it."""
FOLDERS = ("snapshots", "artifacts", "buckets", "staging", "runners")


class DataFolder:
    """An open data folder, locked for this server until it is closed or its process ends, however it ends.

    Layout: ``metadata.db`` (resources, jobs), ``events.db`` (live log), ``snapshots/``, ``artifacts/``,
    ``buckets/`` (the local stand-in for S3), ``staging/`` (folders being filled), ``runners/`` (who runs
    jobs), ``work/`` (how far jobs are, see `workfolder`), ``counters`` (what changed,
    see `counters`), ``format`` (the layout's version), ``lock``.

    Attributes:
        path: the folder.
        notice: what to tell the operator of who could look into it; empty when all is well.
    """

    def __init__(self, path: Path, lock: FileLock, notice: str) -> None:
        self.path = path
        self.notice = notice
        self._lock = lock

    @classmethod
    def open(cls, path: Path, group: str = "") -> DataFolder:
        """Make the layout where it is missing, close the folder to other users and take the lock.

        Args:
            path: the folder.
            group: a group of the system whose members may read it; empty: its owner alone.

        Raises:
            StartError: another server uses the folder, it cannot be written, a newer release made it, or it
                holds something else.
        """
        _check_own(path)
        try:
            notice = make_private(path, group)
            lock = FileLock(path / "lock", timeout=0, mode=LOCK_MODE, thread_local=False)
            lock.acquire()
        except Timeout as error:
            raise StartError(
                f"The data folder {path} is in use by another server; stop that one, or name another folder"
                " with --data-dir."
            ) from error
        except OSError as error:
            raise _unwritable(path, error) from error
        try:
            _check_format(path)
            for name in FOLDERS:
                (path / name).mkdir(exist_ok=True)
        except OSError as error:
            lock.release()
            raise _unwritable(path, error) from error
        except BaseException:
            lock.release()
            raise
        return cls(path, lock, notice)

    def close(self) -> None:
        """Let another server have the folder."""
        self._lock.release()


@contextmanager
def locked_database(path: Path) -> Iterator[None]:
    """Hold a metadata database that lies outside the data folder, for one server at a time: the models and
    snapshots that it names lie in that server's folder.

    Raises:
        StartError: another server uses it, or its folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{path}.lock", timeout=0, mode=LOCK_MODE, thread_local=False)
        lock.acquire()
    except Timeout as error:
        raise StartError(
            f"The metadata database {path} is in use by another server, whose data folder holds what it"
            " names; stop that one, or name another database with --database-url."
        ) from error
    except OSError as error:
        raise _unwritable(path.parent, error) from error
    try:
        yield
    finally:
        lock.release()


def holds_something_else(path: Path) -> str:
    """Some names of a folder that holds files and none of a data folder; empty of any other."""
    try:
        there = {entry.name for entry in path.iterdir()} - {"lost+found"}
    except OSError:  # there is none yet, or it is told later why it cannot be used
        return ""
    visible = {name for name in there if not name.startswith(".")}
    return "" if there & OWN else ", ".join(sorted(visible)[:3])


def in_use(path: Path) -> bool:
    """Whether a server holds the lock of a data folder now.

    Raises:
        OSError: the lock cannot be looked at.
    """
    if not (path / "lock").exists():
        return False
    try:
        with FileLock(path / "lock", timeout=0, mode=LOCK_MODE, thread_local=False):
            return False
    except Timeout:
        return True


def _check_own(path: Path) -> None:
    other = holds_something_else(path)
    if other:
        raise StartError(
            f"The folder {path} holds something else ({other}); name an empty folder, or one that a server"
            " has used, with --data-dir."
        )


def _check_format(path: Path) -> None:
    file = path / "format"
    if not file.exists():
        write_durably(file, f"{FORMAT}\n".encode())
        return
    text = file.read_text("ascii", errors="replace").strip()
    if not text.isdigit():
        raise StartError(f"{file} does not hold a number; restore the data folder {path} from a backup.")
    if int(text) > FORMAT:
        raise StartError(
            f"The data folder {path} has format {text}, and this release reads up to {FORMAT}; install"
            " the newer release that made it, or name another folder with --data-dir."
        )


def _unwritable(path: Path, error: OSError) -> StartError:
    return StartError(
        f"The data folder {path} cannot be written ({error.strerror or error}); give this user write access,"
        " free space, or name another folder with --data-dir."
    )
