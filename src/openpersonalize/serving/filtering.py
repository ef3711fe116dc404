"""Filters applied for one user: `UserFilters`, the candidates that an expression and a history leave."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from ..algorithms.topk import FloatArray, Rows
from ..caching import ByteLRU
from ..datasets.columns import ColumnSet
from ..exploration.catalogue import ExtendedCatalogue
from ..filters.compiler import BoundFilter
from ..storage.idtable import IdTable
from .catalogue import Catalogue, Value
from .history import Int32, InteractedItems, bulk_parts, interacted, live_parts
from .loaded import GroupData, LoadedVersion
from .ranked import EVERYTHING, BoolArray, CandidateMask, bias_of
from .scoring import Scorer
from .states import UserState

STATIC_BYTES = 64 * 1024 * 1024
"""Memory for the static parts of filters, per deployment."""
MOST_DROPPED = 64
"""Filters, by their values, whose dropped rows are kept with a user's state. A state's size is summed up
whenever it grows, so what one caller can add to one user is bounded by number as well."""
MOST_SEEN = 0.5
"""Share of the items that a user interacted with, from which on an answer without them is one without all."""


class UserFilters:
    """What filters leave of a deployment's catalogue. Belongs to one thread, the event loop's.

    Memory: `STATIC_BYTES`; what belongs to a user lies in the user's state.
    """

    def __init__(
        self,
        loaded: LoadedVersion,
        items: Catalogue,
        group: GroupData,
        scorer: Scorer,
        *,
        now: Callable[[], float],
        window: int = 0,
    ) -> None:
        """Make them.

        Args:
            loaded: the version. items: current item records, aligned with the version's items.
            group: the other current data. scorer: told when more is kept of a user. now: the time.
            window: newest interactions per user and event type that filters see; 0 = all.
        """
        self._loaded, self._items, self._group, self._scorer = loaded, items, group, scorer
        self._bulk = group.bulk(loaded)
        self._now, self._window = now, window
        self._static: ByteLRU[tuple[BoolArray | None, FloatArray | None]] = ByteLRU(
            STATIC_BYTES, _size, "filters"
        )

    def decided(self, chosen: BoundFilter, state: UserState) -> BoundFilter:
        """A filter with its conditions on the user decided."""
        return chosen.decided(_Facts(self, state)) if chosen.depends_on_user_fields else chosen

    def mask(self, chosen: BoundFilter | None, state: UserState) -> CandidateMask:
        """What a filter (see `decided`) leaves of the catalogue for a user. The item asked about is no answer
        about itself."""
        left = self._left(chosen, state)
        anchor = state.anchor
        return left if anchor is None or anchor.row is None else left.without(frozenset((anchor.row,)))

    def _left(self, chosen: BoundFilter | None, state: UserState) -> CandidateMask:
        if chosen is None:
            return EVERYTHING
        keep, bias = self._static_part(chosen)
        if chosen.is_static:
            return CandidateMask(keep, bias)
        dropped = self._dropped(chosen, state)
        if dropped is not None:
            return CandidateMask(keep, bias, dropped)
        row, known = self._current_item(state)
        facts, columns = _Facts(self, state), self._items.columns
        kept = chosen.keep(columns, user=facts, current_item=row, current_columns=known, static=keep)
        return CandidateMask(kept)

    def _current_item(self, state: UserState) -> tuple[int | None, ColumnSet]:
        """The row of the item asked about, and the columns where it stands; None: it has no record."""
        anchor = state.anchor
        if anchor is not None and anchor.row is None and anchor.record:
            return 0, self._items.unlisted([anchor.item])
        return None if anchor is None else anchor.row, self._items.columns

    def excludes_seen(self, chosen: BoundFilter | None, state: UserState) -> bool:
        """Whether a filter (see `decided`) leaves out most of what the model knows of the user: then the
        answer is one without the items interacted with, and its weights are those of such answers. In a shop
        with views, a filter of what was bought leaves out little."""
        if chosen is None or not chosen.excludes_interactions:
            return False
        found = state.seen_excluded.get(chosen.key)
        if found is None:
            query = self._scorer.query(state, True)
            items = set(query.item.tolist()) if query is not None else set()
            left_out = items.intersection(chosen.rows_excluded(_Facts(self, state)).tolist())
            found = len(left_out) >= MOST_SEEN * len(items)
            while len(state.seen_excluded) >= MOST_DROPPED:
                del state.seen_excluded[next(iter(state.seen_excluded))]
            state.seen_excluded[chosen.key] = found
        return found

    def keeps_newcomers(
        self, chosen: BoundFilter, state: UserState, members: ExtendedCatalogue, numbers: Rows
    ) -> BoolArray:
        """Which newcomers, by number, pass a filter (see `decided`)."""
        static = members.mask(chosen.key, chosen.static_mask)
        if chosen.is_static:
            return static[numbers]
        if state.newcomers_interacted is None or state.newcomers_interacted[0] is not members:
            rows = [members.bulk_rows(one.histories) for one in self._bulk]
            state.newcomers_interacted = (
                members,
                self._gather(state, self.live_newcomers(state, members), rows),
            )
            self._scorer.resized(state)
        row, known = self._current_item(state)
        facts, columns = _Facts(self, state, state.newcomers_interacted[1]), members.columns
        kept = chosen.keep(columns, user=facts, current_item=row, current_columns=known, static=static)
        return kept[numbers]

    def live_newcomers(self, state: UserState, members: ExtendedCatalogue) -> Int32:
        """int32[k] in order of arrival: the number of each item of the live history among the newcomers, -1
        where it is none. Only what the model does not know is looked for."""
        known = self._scorer.live_rows(state)
        found = np.full(len(known), -1, dtype=np.int32)
        unknown = np.flatnonzero(known < 0)
        if len(unknown):
            names = state.live.items()
            wanted = pl.Series([names[place] for place in unknown.tolist()], dtype=pl.String)
            found[unknown] = members.ids.find_all(wanted)
        return found

    def keeps_unknown(self, chosen: BoundFilter, state: UserState, ids: Sequence[str]) -> dict[str, bool]:
        """Which of `ids`, items the model does not know, pass a filter: tested on their current records."""
        ordered = sorted(set(ids), key=str.encode)
        table = IdTable.from_series(pl.Series(ordered, dtype=pl.String))
        live = table.find_all(pl.Series(state.live.items(), dtype=pl.String))
        rows = [one.rows_among(ordered) for one in self._bulk]
        row, known = self._current_item(state)
        facts, columns = _Facts(self, state, self._gather(state, live, rows)), self._items.unlisted(ordered)
        keep = chosen.keep(columns, user=facts, current_item=row, current_columns=known)
        return dict(zip(ordered, keep.tolist(), strict=True))

    def interacted(self, state: UserState) -> InteractedItems:
        """The items that a user interacted with."""
        if state.anchor is not None:  # whatever the user asks about
            state = self._scorer.state(state.user, state.context)
        if state.interacted is None:
            rows = [one.rows for one in self._bulk]
            state.interacted = self._gather(state, self._scorer.live_rows(state), rows)
            self._scorer.resized(state)
        return state.interacted

    def value(self, user: str, field: str) -> Value:
        """The user's value of a Users column; None when it is null or nothing is known."""
        users = self._group.users()
        return users.value(user, field) if users is not None else None

    def _static_part(self, chosen: BoundFilter) -> tuple[BoolArray | None, FloatArray | None]:
        key = (chosen.key, self._items.columns.version)
        found = self._static.get(key)
        if found is None:
            keep = chosen.static_mask(self._items.columns)
            found = (None, None) if keep.all() else (keep, bias_of(keep))
            self._static.put(key, found)
        return found

    def _dropped(self, chosen: BoundFilter, state: UserState) -> frozenset[int] | None:
        """The rows a filter drops for a user; None when it does more than that beside its static part."""
        found = state.dropped.get(chosen.key)
        if found is None:
            rows = chosen.dropped_rows(_Facts(self, state))
            if rows is None:
                return None
            while len(state.dropped) >= MOST_DROPPED:
                del state.dropped[next(iter(state.dropped))]
            found = state.dropped[chosen.key] = frozenset(rows.tolist())
            self._scorer.resized(state)
        return found

    def _gather(self, state: UserState, live: Int32, rows: Sequence[Int32]) -> InteractedItems:
        """Items interacted with, as rows: `live` those of the live history, `rows` those of each bulk's
        items."""
        user, window = state.user, self._window
        bulk = [] if user is None else bulk_parts(user, self._bulk, rows, window, self._now())
        return interacted([*bulk, *live_parts(state.live, live)], window)


def _size(part: tuple[BoolArray | None, FloatArray | None]) -> int:
    return sum(array.nbytes for array in part if array is not None)


@dataclass(frozen=True, slots=True)
class _Facts:
    """What a filter may ask about the user of a request; `other` in place of the model's rows."""

    filters: UserFilters
    state: UserState
    other: InteractedItems | None = None

    def rows_met(self, accepts: Callable[[str], bool]) -> Int32:
        """Rows of the items that the user interacted with by an event type that is accepted."""
        known = self.other if self.other is not None else self.filters.interacted(self.state)
        return known.accepted(accepts)

    def value(self, field: str) -> Value:
        """The user's value of a Users column."""
        user = self.state.user
        return self.filters.value(user, field) if user is not None else None
