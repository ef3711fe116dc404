"""What a recipe learns from and how: `TrainingData`, `Configuration`, `Training`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import polars as pl

from ..datasets.schemas import MAX_TIMESTAMP
from ..datasets.selection import EventSelection
from ..datasets.sequences import Sequences
from ..errors import JobFailed
from ..storage.idtable import IdTable
from .facts import Counted, Value
from .item_attributes import ItemAttributes
from .item_counts import ItemCounts
from .objective import Objective

if TYPE_CHECKING:
    from .model import Model

KindName: TypeAlias = Literal["items", "actions", "users"]


@dataclass(frozen=True)
class Configuration:
    """The solution's settings as a recipe reads them: every hyperparameter has its checked, typed value."""

    parameters: Mapping[str, Value]
    objective: Objective | None = None


@dataclass(frozen=True)
class Kind:
    """One kind of thing that answers may consist of: items, actions or users.

    Attributes:
        name: which of them.
        ids: its table; numbers in arrays are places in it.
        records: metadata aligned with `ids` (row k describes number k; nulls where a row is missing), only
            the columns that may train; None without such a dataset.
        textual: columns of `records` that hold prose; its other strings are categories, joined by ``|``.
    """

    ids: IdTable
    records: pl.DataFrame | None = None
    textual: frozenset[str] = frozenset()
    name: KindName = "items"


@dataclass(frozen=True)
class Behaviour:
    """What users did with items, where these are not what is ranked.

    Attributes:
        items: of the interactions. interactions: by user, oldest first. selection: which of them were chosen.
    """

    items: Kind
    interactions: Sequences
    selection: EventSelection


@dataclass(frozen=True)
class TrainingData:
    """What a recipe learns from.

    Attributes:
        ranked: what answers consist of.
        interactions: the selected interactions, by user, oldest first, with what is known about their users;
            None for a recipe that needs none where there are none.
        counted: what popularity counts of them.
        of_items: the items of the interactions with their records, where `ranked` is another kind.
        attributes: what can be asked about, for a recipe that is asked about attributes of items
            (`Facts.needs_attribute`); None for others.
        behaviour: what users did with items, for a recipe that ranks actions; None for others.
    """

    ranked: Kind
    interactions: Sequences | None
    counted: Counted = "users"
    of_items: Kind | None = None
    attributes: ItemAttributes | None = None
    behaviour: Behaviour | None = None

    @classmethod
    def of(
        cls, sequences: Sequences, records: pl.DataFrame | None = None, textual: frozenset[str] = frozenset()
    ) -> TrainingData:
        """Items that are ranked by interactions; `records` and `textual` as in `Kind`."""
        return cls(Kind(sequences.items, records, textual), sequences)

    @classmethod
    def of_users(
        cls, sequences: Sequences, records: pl.DataFrame | None = None, textual: frozenset[str] = frozenset()
    ) -> TrainingData:
        """Users that are ranked for items (`Task.SEGMENT`); `records` and `textual` are of the items."""
        items = Kind(sequences.items, records, textual)
        return cls(Kind(sequences.users, name="users"), sequences, of_items=items)

    @property
    def items(self) -> Kind:
        """The items of the interactions, whatever is ranked."""
        return self.ranked if self.of_items is None else self.of_items

    @property
    def sequences(self) -> Sequences:
        """The interactions, for a recipe that needs them.

        Raises:
            JobFailed: there are none.
        """
        if self.interactions is None:
            raise JobFailed("The dataset group has no interactions to train on.")
        return self.interactions

    @cached_property
    def counts(self) -> ItemCounts:
        """Popularity of what is ranked; of users, how many items they interacted with."""
        if self.interactions is None:
            return ItemCounts.none(len(self.ranked.ids))
        if self.ranked.name == "users":
            return ItemCounts.of_users(self.interactions)
        return ItemCounts.of(self.interactions, self.counted)


@dataclass(frozen=True)
class Training:
    """How to train: the same record for every recipe, so that none invents its own seed or thread option.

    Attributes:
        seed: the source of every random choice; one seed and one data set give one model, bit for bit.
        threads: threads to use; 1 or more.
        progress: called as ``progress(step, done, total, unit)``, often.
        omit: told of a step that ends here, and will not come again in later fits of this training.
        check: call it between pieces of work; it raises when the training was stopped.
        moment: seconds, when the training began; an event of a client whose clock is wrong may claim more.
        warm_state: what `Tunes.tuned_state` of an earlier fit of the same recipe on nearly the same data
            returned (the fit that was measured): choices that need not be made again. Empty for a first fit.
        warm_model: the model of that fit, to go on from; None for a first fit, or when it is not at hand.
        line: told what is worth a line in the job's log.
        budget_seconds: about how long the learned part of one fit may take; None: as long as it needs.
        sentence_encoder: folder of an encoder of texts that the operator gave; None: none.
        memory_bytes: how much memory it may take; None: what is free.
    """

    seed: int = 0
    threads: int = 1
    progress: Callable[[str, float, float, str], None] = lambda step, done, total, unit: None
    check: Callable[[], None] = lambda: None
    moment: int = MAX_TIMESTAMP
    warm_state: Mapping[str, Any] = field(default_factory=dict)
    warm_model: Model | None = None
    line: Callable[[str], None] = lambda text: None
    budget_seconds: float | None = None
    memory_bytes: int | None = None
    sentence_encoder: Path | None = None
    omit: Callable[[str], None] = lambda step: None
