"""From a question to the actions of an answer: propensities, what may be shown now, ties, new actions,
`NextActions`.

Left out are actions without a record, expired ones, those that the user met within their REPEAT_FREQUENCY,
and what the filter says. Actions with a propensity come first, best first. Two digits of a score count, more
than data can tell; so scores that are nearly equal are equal, and the action of higher VALUE comes first,
then by id. Behind them, with score 0, come those that exploration draws and those that little is known of.

Exploration gives the last places of an answer, as many as `exploration.draw` has it, to actions not older
than the cut-off that would not be in it otherwise, drawn with chances proportional to their probability, by
their metadata where nobody met them, and to one over the root of how often they were met.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt

from ..algorithms.topk import Rows
from ..datasets.action_events import NAMES, folded
from ..datasets.columns import ColumnSet
from ..exploration.candidates import MOST_SPREAD
from ..exploration.catalogue import DAY, ExtendedCatalogue
from ..exploration.config import Exploration
from ..exploration.draw import KNOWN_WELL, PLACES_BY_WEIGHT, room
from ..filters.compiler import BoundFilter
from .history import Int32, bulk_parts, live_parts
from .ranked import DECIMALS, BoolArray
from .source import AnswerSource
from .states import UserState

DIGITS = 2
"""Digits of a score that count."""

EXPIRIES = ("EXPIRATION_TIMESTAMP", "ACTION_EXPIRATION_TIMESTAMP")
"""Columns that say when an action is over."""

Doubles = npt.NDArray[np.float64]


class ActionEntry(msgspec.Struct, rename="camel", gc=False):
    """One action of an answer."""

    action_id: str
    score: float


@dataclass(frozen=True, slots=True)
class ActionQuestion:
    """What a caller asks: at most `count` actions for a user that pass a filter; how much is explored, None:
    nothing."""

    user: str
    count: int
    chosen: BoundFilter | None = None
    exploration: Exploration | None = None


@dataclass(frozen=True)
class _Candidates:
    """The m actions that may be shown to a user now, in the order of an answer without exploration.

    Attributes:
        names: their ids. rows: int64[m] in the catalogue with newcomers. relevance: float64[m] log-scores.
        shown: float64[m] scores. scored: how many come first that have a propensity.
    """

    names: list[str]
    rows: Rows
    relevance: Doubles
    shown: Doubles
    scored: int


class NextActions:
    """Answers of one deployment of a recipe for actions. Belongs to the event loop's thread."""

    def __init__(self, source: AnswerSource) -> None:
        """`source`: whose scores, filters and records are asked."""
        self._source = source
        self._propensities = source.loaded.model.propensities()
        self._numbers: dict[str, tuple[ColumnSet, Doubles]] = {}

    def answer(self, question: ActionQuestion) -> list[ActionEntry]:
        """The entries of GetActionRecommendations, fewer than asked where fewer may be shown."""
        source = self._source
        source.follow()
        state = source.scorer.state(question.user)
        found = self._candidates(state, question.chosen)
        best = list(range(min(found.scored, question.count)))
        drawn = self._drawn(found, question, best)
        best = best[: question.count - len(drawn)]
        known = len(self._propensities)  # what came since is shown by exploration only
        rest = [
            place
            for place in range(found.scored, len(found.names))
            if place not in drawn and found.rows[place] < known
        ]
        others = sorted([*drawn, *rest[: question.count - len(best) - len(drawn)]])
        entries = [ActionEntry(found.names[place], float(found.shown[place])) for place in best]
        return entries + [ActionEntry(found.names[place], 0.0) for place in others]

    def _candidates(self, state: UserState, chosen: BoundFilter | None) -> _Candidates:
        source, items = self._source, self._source.items
        if chosen is not None:
            chosen = source.filters.decided(chosen, state)
        columns, names = items.columns, source.loaded.names
        mask = source.filters.mask(chosen, state)
        keep = ~self._over(columns)
        if items.stream:  # without the dataset nothing is known to be gone
            keep &= items.recorded
        if mask.keep is not None:
            keep &= mask.keep
        keep[list(mask.dropped)] = False
        keep &= ~self._repeated(state, columns, source.scorer.live_rows(state), [b.rows for b in source.bulk])
        rows = np.flatnonzero(keep)
        ids = [names[row] for row in rows.tolist()]
        relevance = source.scorer.scores(state, False)[rows].astype(np.float64)
        scored, value = self._propensities[rows], self._number(columns, "VALUE")[rows]
        by_name = np.arange(len(ids))
        members = None if source.tracker is None else source.tracker.counts.members
        if members is not None and len(members.ids):
            numbers = self._newcomers(state, chosen, members)
            rows = np.concatenate((rows, members.known + numbers))
            ids += [members.ids[number] for number in numbers.tolist()]
            relevance = np.concatenate((relevance, self._relevance(state, members, numbers)))
            scored = np.concatenate((scored, np.zeros(len(numbers), np.bool_)))
            value = np.concatenate((value, self._number(members.columns, "VALUE")[numbers]))
            by_name = np.argsort(np.argsort(np.array(ids, dtype=object)))
        shown = np.where(scored, _rounded(np.exp(relevance)), 0.0)
        order = np.lexsort((by_name, -np.nan_to_num(value), -shown, ~scored))
        ordered = [ids[place] for place in order.tolist()]
        return _Candidates(ordered, rows[order], relevance[order], shown[order], int(scored.sum()))

    def _drawn(self, found: _Candidates, question: ActionQuestion, best: list[int]) -> set[int]:
        """Places of the actions that exploration brings in."""
        source, exploration = self._source, question.exploration
        if exploration is None or source.tracker is None:
            return set()
        chance, counts = source.chance, source.tracker.counts
        places = math.floor(exploration.weight * PLACES_BY_WEIGHT * question.count + chance.random())
        budget = min(places, room(exploration, question.count, chance))
        if best:
            budget = min(budget, question.count - 1)
        new = np.isin(found.rows, counts.members.eligible(exploration.cut_off_days))
        new[best] = False
        at = np.flatnonzero(new)
        if budget <= 0 or not len(at):
            return set()
        certainty = counts.scale[found.rows[at]].astype(np.float64)
        below = found.relevance[at] - found.relevance[at].max()
        chances = below * min(1.0, MOST_SPREAD / max(-float(below.min()), 1e-3))
        # The logarithm of a weight less that of an exponential draw: the largest are a sample of places.
        keys = chances + np.log(certainty / chance.standard_exponential(len(at)))
        drawn = np.argsort(-keys, kind="stable")[:budget]
        stays = chance.random(len(drawn)) < certainty[drawn] * math.sqrt(1.0 + KNOWN_WELL)
        return set(at[drawn[stays]].tolist())

    def _newcomers(self, state: UserState, chosen: BoundFilter | None, members: ExtendedCatalogue) -> Rows:
        """Numbers of the newcomers that may be shown now."""
        filters = self._source.filters
        every = np.arange(len(members.ids))
        keep = ~self._over(members.columns)
        live = filters.live_newcomers(state, members)
        bulk = [members.bulk_rows(one.histories) for one in self._source.bulk]
        keep &= ~self._repeated(state, members.columns, live, bulk)
        if chosen is not None:
            keep &= filters.keeps_newcomers(chosen, state, members, every)
        return np.flatnonzero(keep)

    def _relevance(self, state: UserState, members: ExtendedCatalogue, numbers: Rows) -> Doubles:
        """float64[m] log-scores of newcomers by their records."""
        scorer = self._source.scorer
        query = scorer.query(state, False) or scorer.query(scorer.state(None), False)
        if members.vectors is None or query is None:
            return np.full(len(numbers), -np.inf)
        return self._source.loaded.model.scores_of(query, members.vectors[numbers]).astype(np.float64)

    def _over(self, columns: ColumnSet) -> BoolArray:
        """bool[n], the actions that have expired."""
        found = np.zeros(columns.n, dtype=np.bool_)
        for name in EXPIRIES:
            if columns.schema.field(name) is not None:
                found |= columns.compare(name, "<", self._source.now())
        return found

    def _repeated(self, state: UserState, columns: ColumnSet, live: Int32, bulk: list[Int32]) -> BoolArray:
        """bool[n], the actions that the user met too short a while ago to be shown them again.

        Args:
            live: rows of the live history in order of arrival; bulk: rows of the items of each earlier one.
        """
        found = np.zeros(columns.n, dtype=np.bool_)
        if columns.schema.field("REPEAT_FREQUENCY") is None or state.user is None:
            return found
        now, latest = self._source.now(), np.zeros(columns.n, dtype=np.int64)
        parts = [*bulk_parts(state.user, self._source.bulk, bulk, 0, now), *live_parts(state.live, live)]
        for kind, rows, times in parts:
            if folded(kind) in NAMES:
                known = rows >= 0
                np.maximum.at(latest, rows[known], times[known])
        pause = np.nan_to_num(self._number(columns, "REPEAT_FREQUENCY")) * DAY
        np.logical_and(latest > 0, latest + pause > now, out=found, where=pause > 0)
        return found

    def _number(self, columns: ColumnSet, name: str) -> Doubles:
        """float64[n], a column of numbers, NaN where there is none."""
        if columns.schema.field(name) is None:
            return np.full(columns.n, np.nan)
        kept = self._numbers.get(name)
        if kept is None or kept[0] is not columns:
            kept = self._numbers[name] = columns, columns.numbers(name)
        return kept[1]


def _rounded(scores: Doubles) -> Doubles:
    """Scores of which `DIGITS` digits count."""
    size = np.floor(np.log10(np.maximum(scores, 1e-300)))
    unit = 10.0 ** (size - DIGITS + 1)
    return np.minimum(np.round(np.round(scores / unit) * unit, DECIMALS), 1.0)
