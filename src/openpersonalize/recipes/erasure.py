"""Erasure of users from artifacts, trained models with the users' last events: `erase_from_artifact`.

What a model learned of many people stays; what it knows of one goes: the id, the history, what was done in
anonymous sessions, the profile with every value that nobody else had, what was measured on it. A model that
ranks users is written anew without them.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import polars as pl

from ..storage.idtable import IdTable
from ..storage.objects import ObjectStore
from .artifact import Artifact, fingerprint
from .artifact_behaviour import PERSONAL as OF_BEHAVIOUR
from .model import Segments
from .question_values import PREFIX
from .user_histories import UserHistories

_PERSONAL = ("users.", "history.", "profiles.", "linked/", PREFIX, *OF_BEHAVIOUR)
"""Files that hold something of single users; others are taken over as they are."""

_OF_USERS = ("counts.", "model/")
"""Files that do where users are what answers consist of."""


def erase_from_artifact(objects: ObjectStore, previous: str, key: str, users: pl.Series) -> bool:
    """Publish an artifact like another without some users; False, and nothing is, where it knows none.

    Done again after a crash it finds its own work and keeps it. Memory: the ids and the histories.

    Raises:
        FileNotFoundError: the artifact is gone.
    """
    artifact = Artifact.open(objects.fetch(previous))
    tables = [artifact.users]
    tables += [] if artifact.profiles is None else [artifact.profiles.ids]
    tables += [] if artifact.linked is None else [artifact.linked.users]
    tables += [] if artifact.behaviour is None else [artifact.behaviour.users]
    if not any((table.find_all(users) >= 0).any() for table in tables):
        return False
    if not objects.exists(key):
        staged = objects.stage()
        try:
            _write(artifact, staged, users)
            objects.publish(staged, key)
        except BaseException:
            shutil.rmtree(staged, ignore_errors=True)
            raise
    return True


def _write(artifact: Artifact, folder: Path, users: pl.Series) -> None:
    stays = ~artifact.users.series().is_in(users.implode()).to_numpy()
    IdTable.from_series(artifact.users.series().filter(pl.Series(stays))).save(folder, "users")
    UserHistories(artifact.folder, "history").without(stays, folder)
    if artifact.behaviour is not None:
        artifact.behaviour.without(users, folder)
    if artifact.profiles is not None:
        artifact.profiles.without(users).save(folder)
    if artifact.linked is not None:
        artifact.linked.without(users, folder / "linked")
    if artifact.questions is not None:
        artifact.questions.without(users).save(folder)
    personal: tuple[str, ...] = _PERSONAL
    if artifact.ranked is artifact.users:
        personal += _OF_USERS
        artifact.counts.without(stays).save(folder)
        (folder / "model").mkdir()
        model = artifact.model
        assert isinstance(model, Segments)
        model.without_users(stays).save(folder / "model")
    files = dict(artifact.manifest["files"])
    for path in list(files):
        if path.startswith(personal):
            del files[path]
        else:
            _take_over(artifact.folder / path, folder / path)
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name.startswith(personal):
            files[name] = fingerprint(path)
    counts_now = {**artifact.manifest["counts"], "users": int(stays.sum())}
    described = {**artifact.manifest, "counts": counts_now, "files": files}
    (folder / "manifest.json").write_text(json.dumps(described, indent=1, sort_keys=True), "utf-8")


def _take_over(source: Path, target: Path) -> None:
    """Published files never change, so both folders may name one; where links are not to be had, a copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
