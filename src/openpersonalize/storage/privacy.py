"""Which users of the machine may look into a data folder: its owner (modes 0700 and 0600), and where the
setting `data_group` names one, the members of a group, who may read (0750 and 0640).

The folder's own mode is what keeps others out, also of files of earlier releases, and of locks: a lock on a
file needs no more than the right to read it.
"""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import StartError

LOCK_MODE = 0o600
"""Of lock files: who can open one can hold it."""
_OWNER, _GROUP = 0o700, 0o2750
_MARKS = ("format", "metadata.db", "access-keys.root", "buckets")
"""Any of these in a folder says that it is a data folder and nothing else."""


def restrict_umask(group: str) -> None:
    """Let this process and its children make files that nobody else may read, or the group `group` only."""
    os.umask(0o027 if group else 0o077)


def make_private(folder: Path, group: str = "") -> str:
    """Make a data folder where it is missing, and close it to other users of the machine where it is not.

    On systems without such modes (Windows) a folder has the rights of the one it is in, and nothing is done.

    Args:
        folder: the data folder.
        group: a group of the system whose members may read it; empty: nobody but its owner.

    Returns:
        What to tell the operator; empty when nothing was wider than it should be.

    Raises:
        StartError: there is no such group, or this user cannot give the folder to it.
        OSError: the folder cannot be made.
    """
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    if os.name != "posix":
        return ""
    if group:
        _give_to(folder, group)
    wanted = _GROUP if group else _OWNER
    mode = folder.stat().st_mode & 0o7777
    if mode == wanted:
        return ""
    if made or not any(folder.iterdir()):
        folder.chmod(wanted)
        return ""
    wider = mode & ~wanted & 0o077
    if not any((folder / mark).exists() for mark in _MARKS):
        return (
            f"The folder {folder} holds other things beside its data, and other users of this machine may"
            f" look into it (mode {mode:o}): run chmod {wanted:o} {folder}, or name a folder of its own."
            if wider
            else ""
        )
    try:
        folder.chmod(wanted)
    except PermissionError:
        return (
            f"Other users of this machine may look into the data folder {folder} (mode {mode:o}), and it"
            f" belongs to another user: have its owner run chmod {wanted:o} {folder}."
        )
    if not wider:
        return ""
    whose = f"the group {group} may read it now" if group else "it is its owner's alone now"
    return (
        f"Other users of this machine could look into the data folder {folder} (mode {mode:o}); {whose}."
        " The setting data_group lets a group read it."
    )


def _give_to(folder: Path, group: str) -> None:
    import grp

    try:
        number = grp.getgrnam(group).gr_gid
    except KeyError:
        raise StartError(f"There is no group {group} on this machine: choose another data_group.") from None
    try:
        if folder.stat().st_gid != number:
            os.chown(folder, -1, number)
        for lock in (folder / "lock", *folder.glob("*.lock")):
            if lock.exists():
                lock.chmod(LOCK_MODE)
    except PermissionError as error:
        raise StartError(
            f"This user cannot give {folder} to the group {group}: be its owner and a member of the group."
        ) from error
