"""The data folder: its layout, and the lock that lets one server at a time work on it."""

from __future__ import annotations

import uuid
from pathlib import Path

from filelock import FileLock, Timeout

from ..errors import StartError
from .durable import write_durably

FORMAT = 1
FOLDERS = ("snapshots", "artifacts", "buckets", "staging")
_NOBODY = "none"


class DataFolder:
    """An open data folder, locked for this server until it is closed or its process ends, however it ends.

    Layout: ``metadata.db`` (resources, jobs), ``events.db`` (live log), ``snapshots/``, ``artifacts/``,
    ``buckets/`` (the local stand-in for S3), ``staging/`` (folders being filled), ``format`` (the layout's version),
    ``instance`` (the server now at work), ``lock``.

    Attributes:
        path: the folder.
        instance: the id of this run of the server. Its worker processes read it with `read_instance`; what carries
            another id was left by a server that is no more.
    """

    def __init__(self, path: Path, instance: str, lock: FileLock) -> None:
        self.path = path
        self.instance = instance
        self._lock = lock

    @classmethod
    def open(cls, path: Path) -> DataFolder:
        """Make the layout where it is missing and take the lock.

        Raises:
            StartError: another server uses the folder, it cannot be written, or a newer release made it.
        """
        try:
            path.mkdir(parents=True, exist_ok=True)
            lock = FileLock(path / "lock", timeout=0, thread_local=False)
            lock.acquire()
        except Timeout as error:
            raise StartError(
                f"The data folder {path} is in use by another server; stop that one, or name another folder with"
                " --data-dir."
            ) from error
        except OSError as error:
            raise _unwritable(path, error) from error
        try:
            _check_format(path)
            for name in FOLDERS:
                (path / name).mkdir(exist_ok=True)
            instance = uuid.uuid4().hex
            write_durably(path / "instance", instance.encode())
        except OSError as error:
            lock.release()
            raise _unwritable(path, error) from error
        except BaseException:
            lock.release()
            raise
        return cls(path, instance, lock)

    def close(self) -> None:
        """Let another server have the folder."""
        self._lock.release()


def read_instance(path: Path) -> str:
    """The id of the server now at work on a data folder; "none" where no server ever was."""
    try:
        return (path / "instance").read_text("ascii")
    except FileNotFoundError:
        return _NOBODY


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
            f"The data folder {path} has format {text}, and this release reads formats up to {FORMAT}; install the"
            " newer release that made it, or name another folder with --data-dir."
        )


def _unwritable(path: Path, error: OSError) -> StartError:
    return StartError(
        f"The data folder {path} cannot be written ({error.strerror or error}); give this user write access, free"
        " space, or name another folder with --data-dir."
    )
