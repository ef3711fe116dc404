"""From a question to the entries of an answer: scores, filter, cut, fill-up, promotion, reasons, metadata."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from ..algorithms.topk import Rows, top_k
from ..exploration.catalogue import ExtendedCatalogue
from ..exploration.config import Exploration
from ..exploration.draw import explore, room
from ..filters.compiler import BoundFilter
from ..recipes.facts import Offer
from .promotions import merge, promoted_count
from .ranked import BoolArray, CandidateMask, Chosen, choose, softmax_at
from .source import AnswerSource
from .states import UserState

POPULAR, PROMOTED, EXPLORED = "Popular item", "Promoted item", "Exploration"
"""Reasons in answers of recipes that give them, in Amazon's words."""

Reasons: TypeAlias = dict[str, str]
"""Why an item is in an answer, by its id, where it is not the model that recommends it."""


class Entry(msgspec.Struct, rename="camel", omit_defaults=True, gc=False):
    """One item of an answer; members without a value do not appear on the wire."""

    item_id: str
    score: float | UnsetType = UNSET
    promotion_name: str | UnsetType = UNSET
    metadata: dict[str, str] | UnsetType = UNSET
    reason: list[str] | UnsetType = UNSET


@dataclass(frozen=True, slots=True)
class Promotion:
    """A share of an answer, in per cent, for the items that a filter selects."""

    name: str
    percent: int
    chosen: BoundFilter


@dataclass(frozen=True, slots=True)
class Question:
    """What a caller asks.

    Attributes:
        user: a user or an anonymous session; None: nobody in particular.
        count: most entries wanted.
        chosen: the request's filter.
        columns: item columns to show.
        seed: decides where promoted items go; the answer's identifier.
        context: values of Interactions columns by name.
        exploration: how much room new items get; None: none.
        item: the item asked about; None: none. influence: see `Query.influence`; None: the scorer's.
    """

    user: str | None
    count: int
    chosen: BoundFilter | None = None
    promotion: Promotion | None = None
    columns: Sequence[str] | None = None
    seed: str = ""
    context: Mapping[str, str] = field(default_factory=dict)
    exploration: Exploration | None = None
    item: str | None = None
    influence: Mapping[str, float] | None = None

    @property
    def reads_records(self) -> bool:
        """Whether the answer depends on the records of items and users."""
        return self.chosen is not None or self.promotion is not None or self.columns is not None


def subject(source: AnswerSource, question: Question) -> str | None:
    """The user whose events decide the answer; None: nobody's do."""
    filtered = question.chosen is not None and not question.chosen.is_static
    asked = source.recipe.task.personal or filtered or question.promotion is not None
    return question.user if asked else None


def answer(source: AnswerSource, question: Question) -> list[Entry]:
    """The entries of GetRecommendations, best first, fewer than asked when catalogue or filter hold fewer."""
    return answered(source, question)[0]


def answered(source: AnswerSource, question: Question) -> tuple[list[Entry], Reasons]:
    """The same, with why items are there, whether the recipe gives reasons or not."""
    chosen, user = question.chosen, subject(source, question)
    source.follow()
    scorer = source.scorer
    state = scorer.state(
        user, scorer.context(question.context), scorer.anchor(question.item, question.influence)
    )
    if chosen is not None:
        chosen = source.filters.decided(chosen, state)
    mask = source.filters.mask(chosen, state)
    why: Reasons = {}
    if question.promotion is None:
        entries = _explored(source, question, chosen, state, mask, question.count, why)
    else:
        entries = _promoted(source, question, chosen, state, mask, why)
    _explain(source, entries, why)
    describe(source, entries, question.columns)
    return entries, why


def _explain(source: AnswerSource, entries: list[Entry], why: Reasons) -> None:
    """Give entries their reasons, for a recipe that offers them: what the model recommends has none."""
    if Offer.REASONS in source.recipe.offers:
        for entry in entries:
            reason = why.get(entry.item_id)
            entry.reason = [] if reason is None else [reason]


def describe(source: AnswerSource, entries: list[Entry], columns: Sequence[str] | None) -> None:
    """Give entries their metadata, if any is asked for."""
    if columns is not None:
        found = source.metadata([entry.item_id for entry in entries], columns)
        for entry, metadata in zip(entries, found, strict=True):
            entry.metadata = metadata


def _filled(
    source: AnswerSource,
    chosen: BoundFilter | None,
    state: UserState,
    seen_excluded: bool,
    mask: CandidateMask,
    count: int,
) -> Chosen:
    """The best `count` rows that pass a filter and its mask. Where they are too few, the items follow that
    came after training and, for a recipe that scores a part of the catalogue, those that it does not score:
    by what is known of them, in a recipe that scores all in the order of the scores. Where the model ranks
    new items, those follow that it does not rank and that have a record: an event alone makes no item."""
    scorer, loaded = source.scorer, source.loaded
    best = choose(
        scorer.ranked(state, seen_excluded),
        mask,
        count,
        lambda: scorer.scores_within(state, seen_excluded, mask),
    )
    if loaded.model.ranks_new_items:
        best = _with_new_items(source, chosen, state, seen_excluded, mask, best, count)
    missing = count - len(best.rows)
    if not missing:
        return best
    rows = np.empty(0, dtype=np.int64)
    values = np.empty(0, dtype=np.float32)
    if loaded.unscored is not None:
        rows = np.array(mask.rows(loaded.unseen_by_popularity), dtype=np.int64)
        values = scorer.scores_at(state, seen_excluded, rows, unscored=True)
    nothing_known = False
    if source.tracker is not None and len(source.tracker.counts.members.ids):
        members = source.tracker.counts.members
        every = np.arange(len(members.ids))
        if loaded.model.ranks_new_items:
            every = np.flatnonzero(members.recorded)
        passing = _passing_rows(source, chosen, state, mask, members)
        kept = every if passing is None else every[passing(members.known + every)]
        kept = np.setdiff1d(kept, np.array(best.rows, dtype=np.int64) - members.known, assume_unique=True)
        numbers, relevance = source.exploration.rest(state, seen_excluded, members, kept, missing)
        rows, values = np.concatenate([rows, members.known + numbers]), np.concatenate([values, relevance])
        nothing_known = members.vectors is None and Offer.EXPLORATION not in source.recipe.offers
    last = top_k(values, missing)
    rows, values = rows[last], values[last]
    if loaded.unscored is not None or loaded.model.ranks_new_items or nothing_known:
        return Chosen(best.rows + rows.tolist(), best.scores, best.values)
    joined = np.concatenate([best.values, values])
    order = np.argsort(-joined, kind="stable")
    total = scorer.ranked(state, seen_excluded).log_total
    shares = np.concatenate([best.scores, np.minimum(softmax_at(values, total), 1.0)])
    every_row = np.concatenate([np.array(best.rows, dtype=np.int64), rows])
    return Chosen(every_row[order].tolist(), shares[order].tolist(), joined[order])


def _with_new_items(
    source: AnswerSource,
    chosen: BoundFilter | None,
    state: UserState,
    seen_excluded: bool,
    mask: CandidateMask,
    best: Chosen,
    count: int,
) -> Chosen:
    """The best `count` rows, those of items that came after training among the `best` of the catalogue."""
    if source.tracker is None or not len(source.tracker.counts.members.ids):
        return best
    members = source.tracker.counts.members
    passing = _passing_rows(source, chosen, state, mask, members)
    rows, values = source.exploration.best_new_items(state, seen_excluded, members, count, passing)
    joined = np.concatenate([best.values, values])
    order = np.argsort(-joined, kind="stable")[:count]
    every_row = np.concatenate([np.array(best.rows, dtype=np.int64), rows])[order]
    shares = softmax_at(joined[order], source.scorer.ranked(state, seen_excluded).log_total)
    return Chosen(every_row.tolist(), np.minimum(shares, 1.0).tolist(), joined[order])


def _entries(
    source: AnswerSource, chosen: Chosen, why: Reasons, explored: frozenset[int] = frozenset()
) -> list[Entry]:
    """The entries of rows; exploration brought the `explored`. The rows without a score are those that fill
    up."""
    names = source.loaded.names
    members = None if source.tracker is None else source.tracker.counts.members
    known = len(names)
    ids = [names[row] if row < known else _newcomer(members, row) for row in chosen.rows]
    scored = len(chosen.scores)
    why.update(dict.fromkeys(ids[scored:], POPULAR))
    if explored:
        why.update({item: EXPLORED for item, row in zip(ids, chosen.rows, strict=True) if row in explored})
    if Offer.SCORES not in source.recipe.offers:
        return [Entry(item) for item in ids]
    entries = [Entry(item, score) for item, score in zip(ids, chosen.scores, strict=False)]
    return entries + [Entry(item) for item in ids[scored:]]


def _newcomer(members: ExtendedCatalogue | None, row: int) -> str:
    assert members is not None
    return members.name(row)


def _explored(
    source: AnswerSource,
    question: Question,
    chosen: BoundFilter | None,
    state: UserState,
    mask: CandidateMask,
    count: int,
    why: Reasons,
) -> list[Entry]:
    """The best `count` entries by relevance, new items among them as exploration has it."""
    seen_excluded = source.filters.excludes_seen(chosen, state)
    filled = _filled(source, chosen, state, seen_excluded, mask, count)
    exploration, tracker = question.exploration, source.tracker
    budget = 0
    if exploration is not None and tracker is not None:
        budget = room(exploration, count, source.chance)
    if not budget or exploration is None or tracker is None:
        return _entries(source, filled, why)
    candidates = tracker.counts
    if not len(candidates.members.eligible(exploration.cut_off_days)):
        return _entries(source, filled, why)
    explored = explore(
        source.exploration.candidates(state, seen_excluded, candidates, exploration.cut_off_days),
        candidates,
        exploration,
        budget,
        filled.rows,
        filled.values,
        count,
        source.scorer.ranked(state, seen_excluded).log_total,
        _passing_rows(source, chosen, state, mask, candidates.members),
        source.chance,
    )
    if explored is None:
        return _entries(source, filled, why)
    shares = softmax_at(explored.values, explored.log_total).tolist()
    return _entries(source, Chosen(explored.rows, shares, filled.values), why, explored.explored)


def _passing_rows(
    source: AnswerSource,
    chosen: BoundFilter | None,
    state: UserState,
    mask: CandidateMask,
    members: ExtendedCatalogue,
) -> Callable[[Rows], BoolArray] | None:
    """Says which rows, newcomers' among them, a filter leaves; None: all."""
    if chosen is None and not mask.dropped:
        return None

    def passing(rows: Rows) -> BoolArray:
        kept = np.ones(len(rows), dtype=np.bool_)
        new = rows >= members.known
        if mask.keep is not None:
            kept[~new] = mask.keep[rows[~new]]
        if chosen is not None and new.any():
            kept[new] = source.filters.keeps_newcomers(chosen, state, members, rows[new] - members.known)
        if mask.dropped:
            kept &= np.array([row not in mask.dropped for row in rows.tolist()], dtype=np.bool_)
        return kept

    return passing


def _promoted(
    source: AnswerSource,
    question: Question,
    chosen: BoundFilter | None,
    state: UserState,
    mask: CandidateMask,
    why: Reasons,
) -> list[Entry]:
    """Promoted entries at places that follow from the seed, the others around them; no item appears twice."""
    promotion = question.promotion
    assert promotion is not None
    wanted = promoted_count(question.count, promotion.percent)
    selecting = source.filters.decided(promotion.chosen, state)
    selects = source.filters.mask(selecting, state)
    seen_excluded = source.filters.excludes_seen(chosen, state)
    first = _filled(source, selecting, state, seen_excluded, selects, wanted)
    rows, promoted = first.rows, _entries(source, first, why)
    others = mask.without(frozenset(rows))
    for entry in promoted:
        entry.promotion_name = promotion.name
        why[entry.item_id] = PROMOTED
    second = _explored(source, question, chosen, state, others, question.count - len(rows), why)
    return merge(promoted, second, question.seed)
