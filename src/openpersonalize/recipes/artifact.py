"""What a training leaves behind: one immutable folder with the model, the catalogue and the users' last
events.

    manifest.json     format, recipe, selection, counts, live-log position, size and SHA-256 of every other
    file items.*, users.*  the id tables, and that of what answers consist of where it is neither
    attributes.*      values of the items' attributes, of a recipe that is asked about them
    profiles.*        what the Users dataset said about everybody in it, where it has columns that train
    counts.*          how popular everything was that answers consist of
    history.*         the last `HISTORY_LENGTH` selected events of every user, flat arrays
    questions.*       what the version scored, question by question (`question_values`)
    exposure.*        how new and how well known the items were
    linked/           what users did in anonymous sessions before they were known, where anybody did
    behaviour.*       what users did with items, where actions are ranked (`artifact_behaviour`)
    model/            what the model saved

Opening maps the large files and reads none of them, so it takes milliseconds whatever the size.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from ..algorithms.arrays import Float32, Int16, Int32, Int64
from ..datasets.histories import InteractionHistories, build_histories
from ..datasets.profiles import Profiles
from ..datasets.selection import EventSelection
from ..datasets.sequences import Sequences
from ..errors import JobFailed
from ..exploration.exposure import Exposure
from ..storage.idtable import IdTable
from .artifact_behaviour import ArtifactBehaviour
from .complete import CompleteModel, tuned_state
from .incremental import Earlier
from .item_attributes import ItemAttributes
from .item_counts import ItemCounts
from .model import Model
from .query import HISTORY_LENGTH
from .question_values import QuestionValues
from .recipe import Recipe
from .registry import recipe as find_recipe
from .training import TrainingData
from .user_histories import UserHistories

FORMAT = 3
"""Raised when an older program could not read the folder any more. Up to 2 the popularity of the items was a
part of every model."""

UNTOLD_HISTORY_LENGTH = 200
"""Newest events of a user in artifacts whose manifest does not say how many."""


def write_artifact(
    folder: Path,
    *,
    model: Model,
    recipe: Recipe,
    data: TrainingData,
    selection: EventSelection,
    position: int,
    manifest: Mapping[str, Any] | None = None,
    exposure: Exposure | None = None,
    linked: pl.LazyFrame | None = None,
    questions: QuestionValues | None = None,
) -> None:
    """Write everything into the empty `folder`; the manifest last.

    Args:
        folder: a staged folder of the object store.
        model: its numbers are those of what is ranked.
        recipe: what trained it.
        data: all of it, for the histories and the popularity.
        selection: which live events count.
        position: place in the live log up to which events are in `sequences`.
        manifest: what else is worth remembering: metrics, durations, data pinned.
        exposure: of the items; None: as far as `data` tells.
        linked: streamed interactions of any type, from anonymous sessions, under the users they belong to:
            USER_ID, ITEM_ID, TIMESTAMP and perhaps EVENT_TYPE. None: there are none.
        questions: the metrics of each held-out question; None: nothing was held out.
    """
    sequences = data.interactions or Sequences.without_events(data.ranked.ids)
    tables = {"items": data.items.ids, "users": sequences.users, data.ranked.name: data.ranked.ids}
    for name, table in tables.items():
        table.save(folder, name)
    if data.attributes is not None:
        data.attributes.save(folder)
    if sequences.profiles is not None:
        sequences.profiles.save(folder)
    data.counts.save(folder)
    UserHistories.write(folder, "history", sequences)
    if data.behaviour is not None:
        ArtifactBehaviour.write(folder, data.behaviour)
    (exposure or Exposure.of(sequences)).save(folder)
    if linked is not None:
        _write_linked(folder, linked)
    if questions is not None:
        questions.save(folder)
    (folder / "model").mkdir()
    model.save(folder / "model")
    described = {
        **(manifest or {}),
        "format": FORMAT,
        "recipe": recipe.name,
        "ranked": data.ranked.name,
        "package": type(recipe).__module__.partition(".")[0],
        "selection": selection.json(),
        "event_types": list(sequences.event_types),
        "position": position,
        "history_length": HISTORY_LENGTH,
        "counts": {
            "users": len(sequences.users),
            "items": len(sequences.items),
            "interactions": len(sequences.item),
        },
        "settled": tuned_state(model),
        "files": {path: fingerprint(folder / path) for path in _files(folder)},
    }
    (folder / "manifest.json").write_text(json.dumps(described, indent=1, sort_keys=True), "utf-8")


class Artifact:
    """A trained version, opened for reading; safe to share between threads.

    Attributes:
        manifest: what `write_artifact` described. items, users: the id tables. ranked: that of what answers
        consist of. event_types: in order of numbers.
        selection: which events count. position: place in the live log that training read up to.
    """

    def __init__(self, folder: Path, manifest: Mapping[str, Any]) -> None:
        """Use `open`."""
        self.folder = folder
        self.manifest = manifest
        self.items = IdTable.load(folder, "items")
        self.users = IdTable.load(folder, "users")
        ranked = manifest.get("ranked", "items")
        known = {"items": self.items, "users": self.users}
        self.ranked = known[ranked] if ranked in known else IdTable.load(folder, ranked)
        self.event_types: tuple[str, ...] = tuple(manifest["event_types"])
        self.selection = EventSelection.from_json(manifest["selection"])
        self.position: int = manifest["position"]
        self._histories = UserHistories(folder, "history")

    @classmethod
    def open(cls, folder: Path) -> Artifact:
        """Open a published folder.

        Raises:
            JobFailed: it was written by a newer version of this program.
        """
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        if manifest["format"] > FORMAT:
            raise JobFailed(
                f"The model has format {manifest['format']}; this program reads formats up to {FORMAT}. "
                "Upgrade openpersonalize, or train a new solution version."
            )
        return cls(folder, manifest)

    @property
    def recipe(self) -> Recipe:
        """The recipe that trained it.

        Raises:
            JobFailed: the package that brought the recipe is not installed any more.
        """
        name, package = self.manifest["recipe"], self.manifest["package"]
        found = find_recipe(name)
        if found is None:
            raise JobFailed(f"Recipe {name} comes from the package {package}, which is not installed.")
        return found

    @cached_property
    def model(self) -> Model:
        """The model, opened on first use."""
        return self.recipe.load(self.folder / "model", self.ranked, self.counts)

    @cached_property
    def complete(self) -> CompleteModel:
        """The model with every capability, opened on first use."""
        return CompleteModel(self.model, self.recipe.facts.task, self.counts)

    @cached_property
    def counts(self) -> ItemCounts:
        """The popularity at training of what answers consist of."""
        return ItemCounts.load(self.folder)

    @cached_property
    def profiles(self) -> Profiles | None:
        """What was known about users at training, opened on first use; None when nothing was."""
        return Profiles.load(self.folder)

    @cached_property
    def attributes(self) -> ItemAttributes:
        """The items' attributes at training, of a recipe that is asked about them."""
        return ItemAttributes.load(self.folder, self.items)

    @cached_property
    def exposure(self) -> Exposure:
        """How new and how well known the items were at training."""
        return Exposure.load(self.folder, len(self.items))

    @property
    def questions(self) -> QuestionValues | None:
        """The metrics of each held-out question; None where there are none."""
        return QuestionValues.load(self.folder)

    @cached_property
    def behaviour(self) -> ArtifactBehaviour | None:
        """What users had done with items; None where items are ranked."""
        return ArtifactBehaviour.load(self.folder)

    @cached_property
    def linked(self) -> InteractionHistories | None:
        """What users did in anonymous sessions before they were known, as of the training: their histories in
        the live log begin later. None where nobody did."""
        folder = self.folder / "linked"
        return InteractionHistories.open(folder) if folder.is_dir() else None

    def history(self, user: str) -> tuple[Int32, Int64, Int16, Float32]:
        """item, time, event type and weight of a user's last events, oldest first; empty when unknown."""
        return self._histories.of(self.users.find(user))

    @property
    def earlier(self) -> Earlier:
        """What an update goes on from."""
        item, time = self._histories.columns[:2]
        ptr = self._histories.ptr
        most = self.manifest.get("history_length", UNTOLD_HISTORY_LENGTH)
        return Earlier(self.model, self.users, self.items, self.event_types, ptr, item, time, most)

    def verify(self) -> list[str]:
        """Files that are missing or differ from what was written; empty when all is well. Reads all."""
        return [
            path
            for path, written in self.manifest["files"].items()
            if not (self.folder / path).is_file() or fingerprint(self.folder / path) != written
        ]


def _write_linked(folder: Path, linked: pl.LazyFrame) -> None:
    """Index what there is, as a stream; nothing is left where there is nothing."""
    part = folder / "linked.parquet"
    linked.sink_parquet(part, maintain_order=True)
    if pl.scan_parquet(part).select(pl.len()).collect().item():
        build_histories([part], folder / "linked", linked.collect_schema().names())
    part.unlink()


def _files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def fingerprint(path: Path) -> dict[str, Any]:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"sha256": digest, "size": path.stat().st_size}
