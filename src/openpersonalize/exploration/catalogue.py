"""The catalogue of exploration, with the items that came after training: `ExtendedCatalogue`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ..algorithms.item_attribute import ItemVectors
from ..datasets.columns import ColumnSet
from ..datasets.histories import InteractionHistories
from ..storage.idtable import IdTable
from .newcomers import Newcomers

DAY = 86_400
CUT_OFFS_KEPT, MASKS_KEPT, BULKS_KEPT = 8, 64, 4

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float32]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
MakeMask = Callable[[ColumnSet], BoolArray]


@dataclass(frozen=True)
class ExtendedCatalogue:
    """The catalogue of one moment, newcomers included. Immutable but for what it keeps for the event loop.

    What answers ask for and takes time with the number of newcomers is made ready in the consumer's thread
    (`prepare`), before this catalogue takes the place of the one before it.

    Attributes:
        known: n, the model's items.
        ids: the newcomers'; row n + k of an answer is ``ids[k]``. columns: their records.
        created: int64[n + m] seconds. latest: the moment that ages count back from.
        unseen: bool[n], the model's items that had no interactions at training.
        recorded: bool[m], the newcomers that have a record; the others are known by events alone.
        vectors: of the newcomers by their records, as the model has them; None where it has none.
    """

    known: int
    ids: IdTable
    columns: ColumnSet
    created: Int64
    latest: int
    unseen: BoolArray
    recorded: BoolArray
    vectors: ItemVectors | None = None
    _numbers: list[tuple[int, Int64, Int64]] = field(default_factory=list)
    _eligible: dict[float, Int64] = field(default_factory=dict)
    _masks: dict[object, tuple[MakeMask, BoolArray]] = field(default_factory=dict)
    _bulks: dict[int, tuple[InteractionHistories, Int32]] = field(default_factory=dict)

    def prepare(
        self,
        before: ExtendedCatalogue | None,
        histories: Iterable[InteractionHistories],
        newcomers: Newcomers | None,
    ) -> None:
        """Have ready what answers will ask for. Not for an event loop's thread.

        Args:
            before: the catalogue whose place it takes: what was asked of that one is asked again.
            histories: the bulk interactions that filters read. newcomers: see `number`.
        """
        self.ids.find("")
        for one in histories:
            self.bulk_rows(one)
            self._bulks[id(one)] = self._bulks.pop(id(one))  # those in use go last
        if newcomers is not None:
            self.number(newcomers)
        if before is not None:
            for days in list(before._eligible):
                self.eligible(days)
            for key, (make, _) in list(before._masks.items()):
                self.mask(key, make)

    def number(self, newcomers: Newcomers) -> None:
        """Let `numbers` say what the model calls the newcomers by now. Not for an event loop's thread."""
        count = len(newcomers)
        if not self._numbers or self._numbers[0][0] != count:
            numbers = newcomers.numbers(self.ids.series())
            self._numbers[:] = [(count, numbers, np.flatnonzero(numbers >= 0))]

    @property
    def numbers(self) -> Int64:
        """int64[m], what the model calls the newcomers, -1 those that it was told nothing of."""
        return self._numbers[0][1] if self._numbers else np.full(len(self.ids), -1, dtype=np.int64)

    @property
    def numbered(self) -> Int64:
        """int64, ascending, the newcomers that the model was told of: no more than `newcomers.MOST`."""
        return self._numbers[0][2] if self._numbers else np.empty(0, dtype=np.int64)

    def eligible(self, cut_off_days: float) -> Int64:
        """int64 rows, ascending, of the items at most so old."""
        found = self._eligible.get(cut_off_days)
        if found is None:
            oldest = self.latest - cut_off_days * DAY
            found = np.flatnonzero(self.created >= oldest)
            if len(self._eligible) >= CUT_OFFS_KEPT:
                self._eligible.clear()
            self._eligible[cut_off_days] = found
        return found

    def mask(self, key: object, make: MakeMask) -> BoolArray:
        """bool[m] that `make` gives for the newcomers' columns, kept under `key`."""
        found = self._masks.get(key)
        if found is None:
            if len(self._masks) >= MASKS_KEPT:
                self._masks.clear()
            found = self._masks[key] = make, make(self.columns)
        return found[1]

    def bulk_rows(self, histories: InteractionHistories) -> Int32:
        """int32, of each of ``histories.items`` its number among the newcomers, -1 where it is none."""
        kept = self._bulks.get(id(histories))
        if kept is None:
            rows = np.full(len(histories.items), -1, dtype=np.int32)
            numbers = histories.items.find_all(self.ids.series())
            rows[numbers[numbers >= 0]] = np.flatnonzero(numbers >= 0)
            if len(self._bulks) >= BULKS_KEPT:
                self._bulks.pop(next(iter(self._bulks)), None)
            kept = self._bulks[id(histories)] = (histories, rows)
        return kept[1]

    def number_of(self, name: str) -> int | None:
        """The number of a newcomer; None: it is none."""
        number = self.ids.find(name)
        return None if number < 0 else number

    def name(self, row: int) -> str:
        """The id of the newcomer at a row of an answer."""
        return self.ids[row - self.known]

    @property
    def nbytes(self) -> int:
        """About how many bytes it takes beside the model's own."""
        vectors = 0 if self.vectors is None else self.vectors.nbytes
        return self.created.nbytes + self.unseen.nbytes + vectors + 200 * len(self.ids)


@dataclass(frozen=True)
class ExposureCounts:
    """`members`, the catalogue, and float32[n + m] `scale`: 1 / sqrt(1 + times interacted with + times passed
    over) of each item."""

    members: ExtendedCatalogue
    scale: FloatArray

    @property
    def nbytes(self) -> int:
        """About how many bytes it takes."""
        return self.scale.nbytes + self.members.nbytes
