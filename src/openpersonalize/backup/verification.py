"""Verification of a backup: is all there that was written, and all that it refers to? `problems_of`, and the
manifest that says what was written."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from ..errors import BackupFailed
from ..storage.durable import write_durably
from .databases import EVENTS, METADATA, faults, read_copy
from .references import parts_of, required_objects

FORMAT = 1
MANIFEST = "backup.json"


def write_manifest(root: Path, facts: dict[str, Any]) -> dict[str, Any]:
    """Write down which files a backup has, and return that. Memory: about 200 bytes a file.

    Args:
        root: the backup. facts: what else is known of it.
    """
    manifest = {"format": FORMAT, **facts, "files": _files(root)}
    write_durably(root / MANIFEST, json.dumps(manifest).encode())
    return manifest


def read_manifest(root: Path) -> dict[str, Any]:
    """What a backup says of itself.

    Raises:
        BackupFailed: it is no backup, or a newer release made it.
    """
    try:
        found = json.loads((root / MANIFEST).read_bytes())
        number, files = found["format"], found["files"]
        if not (isinstance(number, int) and isinstance(files, dict)):
            raise TypeError("format or files")
    except PermissionError as error:
        raise BackupFailed(
            f"{error.filename} cannot be read by this user: be the one who made the backup."
        ) from error
    except OSError as error:
        raise BackupFailed(
            f"{root} is no backup ({MANIFEST} is not there): name a folder that `openpersonalize backup`"
            " made."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise BackupFailed(f"{root / MANIFEST} is damaged: take another backup.") from error
    if number > FORMAT:
        raise BackupFailed(
            f"{root} has format {number}, and this release reads up to {FORMAT}: install the newer release."
        )
    return dict(found)


def problems_of(root: Path) -> list[str]:
    """Everything that is wrong with the backup in `root`; nothing when a server can go on from it.

    Raises:
        BackupFailed: as `read_manifest`.
    """
    expected = read_manifest(root)["files"]
    found = _files(root)
    problems = [f"{name} is missing" for name in sorted(expected.keys() - found.keys())]
    problems += [
        f"{name} has {found[name]:,} bytes instead of {expected[name]:,}"
        for name in sorted(expected.keys() & found.keys())
        if found[name] != expected[name]
    ]
    broken = False
    for name in expected:
        if name.endswith(".db") and "/" not in name and name in found:
            told = faults(root / name)
            broken = broken or bool(told)
            problems += [f"{name} is damaged: {one}" for one in told]
    if broken or METADATA not in found:
        return problems
    try:
        return [*problems, *missing(root)]
    except BackupFailed as error:
        return [*problems, error.message]


def missing(root: Path) -> list[str]:
    """What a copy of a data folder refers to and does not have, a line each."""
    return [f"{key} is missing, and {why}" for key, why in missing_objects(root).items()]


def missing_objects(root: Path) -> dict[str, str]:
    """Keys of objects that a copy of a data folder refers to and lacks, and what says so."""
    return {key: why for key, why in referenced_objects(root).items() if not (root / key).is_dir()}


def referenced_objects(root: Path) -> dict[str, str]:
    """Keys of all objects that a copy of a data folder refers to, and what says so.

    Raises:
        BackupFailed: a snapshot does not say what its parts are.
    """
    with closing(read_copy(root / METADATA)) as metadata, ExitStack() as opened:
        there = (root / EVENTS).is_file()
        events = opened.enter_context(closing(read_copy(root / EVENTS))) if there else None
        required = required_objects(metadata, events)
    found = {}
    for key in sorted(required):
        found[key] = f"{EVENTS if key.startswith('segments/') else METADATA} refers to it"
        if key.startswith("snapshots/") and (root / key).is_dir():
            try:
                found.update(dict.fromkeys(sorted(parts_of(root, key)), f"{key} refers to it"))
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise BackupFailed(
                    f"{root / key} does not say what its rows are in ({error}): take another backup."
                ) from error
    return found


def _files(root: Path) -> dict[str, int]:
    """Sizes of the files below a folder by their names; of links, of their own."""
    sizes = {}
    for folder, folders, files in os.walk(root):
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        for name in [*files, *links]:
            path = os.path.join(folder, name)
            sizes[os.path.relpath(path, root)] = os.lstat(path).st_size
    sizes.pop(MANIFEST, None)
    sizes.pop("lock", None)
    return sizes
