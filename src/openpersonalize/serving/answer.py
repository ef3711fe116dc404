"""From a question to the entries of an answer: scores, filter, cut, fill-up, promotion, reasons, metadata."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from ..algorithms.topk import Rows
from ..exploration.bonus import explore, room
from ..exploration.catalogue import ExtendedCatalogue
from ..exploration.config import Exploration
from ..filters.compiler import BoundFilter
from ..recipes.facts import Offer
from .promotions import merge, promoted_count
from .ranked import BoolArray, CandidateMask, Chosen, among, choose, softmax_at
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
        item: the item asked about; None: none.
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
    chosen, user = question.chosen, subject(source, question)
    source.follow()
    scorer = source.scorer
    state = scorer.state(user, scorer.context(question.context), scorer.anchor(question.item))
    if chosen is not None:
        chosen = source.filters.decided(chosen, state)
    mask = source.filters.mask(chosen, state)
    why: Reasons = {}
    if question.promotion is None:
        entries = _explored(source, question, chosen, state, mask, question.count, why)
    else:
        entries = _promoted(source, question, chosen, state, mask, why)
    _explain(source, entries, why)
    _describe(source, entries, question.columns)
    return entries


def _explain(source: AnswerSource, entries: list[Entry], why: Reasons) -> None:
    """Give entries their reasons, for a recipe that offers them: what the model recommends has none."""
    if Offer.REASONS in source.recipe.offers:
        for entry in entries:
            reason = why.get(entry.item_id)
            entry.reason = [] if reason is None else [reason]


def _describe(source: AnswerSource, entries: list[Entry], columns: Sequence[str] | None) -> None:
    """Give entries their metadata, if any is asked for."""
    if columns is not None:
        found = source.metadata([entry.item_id for entry in entries], columns)
        for entry, metadata in zip(entries, found, strict=True):
            entry.metadata = metadata


def _filled(
    source: AnswerSource, state: UserState, seen_excluded: bool, mask: CandidateMask, count: int
) -> Chosen:
    """The best `count` rows; a recipe that scores a part of the catalogue fills up with the popular rest."""
    ranked = source.scorer.ranked(state, seen_excluded)
    chosen = choose(ranked, mask, count, lambda: source.scorer.scores_within(state, seen_excluded, mask))
    missing = count - len(chosen.rows)
    if missing and source.loaded.unscored is not None:
        chosen.rows.extend(mask.rows(source.loaded.unseen_by_popularity)[:missing])
    return chosen


def _entries(
    source: AnswerSource,
    chosen: Chosen,
    why: Reasons,
    members: ExtendedCatalogue | None = None,
    explored: frozenset[int] = frozenset(),
) -> list[Entry]:
    """The entries of rows; `members` names those behind the model's, exploration brought the `explored`. The
    rows without a score are those that fill up."""
    names = source.loaded.names
    ids = [names[row] if row < len(names) else _newcomer(members, row) for row in chosen.rows]
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
    seen_excluded = chosen is not None and chosen.excludes_interactions
    filled = _filled(source, state, seen_excluded, mask, count)
    exploration, tracker = question.exploration, source.tracker
    budget = 0
    if exploration is not None and tracker is not None:
        budget = room(exploration, count, source.chance)
    if not budget or exploration is None or tracker is None:
        return _entries(source, filled, why)
    candidates = tracker.counts
    passing = _passing_rows(source, chosen, state, mask, candidates.members)
    scored = len(filled.scores)
    explored = explore(
        source.exploration.candidates(state, seen_excluded, candidates, exploration.cut_off_days),
        candidates,
        exploration,
        budget,
        filled.rows[:scored],
        filled.values,
        count,
        source.scorer.ranked(state, seen_excluded).log_total,
        passing,
        source.chance,
    )
    if explored is None:
        return _entries(source, filled, why)
    others = [row for row in filled.rows[scored:] if row not in explored.explored]
    shares = softmax_at(explored.values, explored.log_total).tolist()
    joined = Chosen(explored.rows + others[: count - len(explored.rows)], shares, filled.values)
    return _entries(source, joined, why, candidates.members, explored.explored)


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
    selects = source.filters.mask(source.filters.decided(promotion.chosen, state), state)
    seen_excluded = chosen is not None and chosen.excludes_interactions
    first = _filled(source, state, seen_excluded, selects, wanted)
    rows, promoted = list(first.rows), _entries(source, first, why)
    if len(rows) < wanted and question.exploration is not None:
        more, entries = _put_after_training(source, question, state, wanted - len(rows), why)
        rows, promoted = rows + more, _sorted(promoted + entries)
    others = mask.without(frozenset(rows))
    for entry in promoted:
        entry.promotion_name = promotion.name
        why[entry.item_id] = PROMOTED
    second = _explored(source, question, chosen, state, others, question.count - len(rows), why)
    return merge(promoted, second, question.seed)


def _put_after_training(
    source: AnswerSource, question: Question, state: UserState, count: int, why: Reasons
) -> tuple[list[int], list[Entry]]:
    """Rows and entries of the at most `count` best newcomers that pass the promotion's filter; where more
    pass than explore in one answer, of the newest and the most wanted of them."""
    exploration, tracker, promotion = question.exploration, source.tracker, question.promotion
    if tracker is None or exploration is None or promotion is None or not len(tracker.counts.members.ids):
        return [], []
    candidates = tracker.counts
    members = candidates.members
    every = np.arange(len(members.ids))
    chosen = source.filters.decided(promotion.chosen, state)
    passing = every[source.filters.keeps_newcomers(chosen, state, members, every)]
    passing = source.exploration.foremost(state, False, members, passing)
    floor_score = source.exploration.candidates(
        state, False, candidates, exploration.cut_off_days
    ).floor_score
    relevance = source.exploration.newcomers(state, False, members, passing, floor_score)
    best = np.argsort(-relevance, kind="stable")[:count]
    shares = softmax_at(relevance[best], source.scorer.ranked(state, False).log_total)
    rows = (members.known + passing[best]).tolist()
    named = Chosen(rows, np.minimum(shares, 1.0).tolist(), relevance[best])
    return rows, _entries(source, named, why, members)


def _sorted(entries: list[Entry]) -> list[Entry]:
    """Entries by their scores, those without one last."""
    return sorted(entries, key=lambda entry: -entry.score if isinstance(entry.score, float) else 1.0)


def rank(
    source: AnswerSource,
    user: str,
    items: Sequence[str],
    chosen: BoundFilter | None = None,
    columns: Sequence[str] | None = None,
    context: Mapping[str, str] | None = None,
) -> list[Entry]:
    """The entries of GetPersonalizedRanking: `items` in the order for `user`.

    Scores sum to one over the given items that had interactions at training, before the filter; the
    others follow in the order given, without scores. A repeated item counts once.
    """
    source.follow()
    state = source.scorer.state(user, source.scorer.context(context or {}))
    if chosen is not None:
        chosen = source.filters.decided(chosen, state)
    seen_excluded = chosen is not None and chosen.excludes_interactions
    distinct = list(dict.fromkeys(items))
    row_of, scored = source.loaded.row_of, source.loaded.counts.interacted
    known = {item: row for item in distinct if (row := row_of(item)) is not None}
    places = [item for item, row in known.items() if scored[row]]
    rows = np.array([known[item] for item in places], dtype=np.int64)
    order, scores = among(source.scorer.scores_at(state, seen_excluded, rows))
    ranking = [Entry(places[place], score) for place, score in zip(order.tolist(), scores, strict=True)]
    with_scores = set(places)
    ranking += [Entry(item) for item in distinct if item not in with_scores]
    if chosen is not None:
        ranking = _passing(source, state, chosen, known, ranking)
    _describe(source, ranking, columns)
    return ranking


def _passing(
    source: AnswerSource,
    state: UserState,
    chosen: BoundFilter,
    known: dict[str, int],
    ranking: list[Entry],
) -> list[Entry]:
    """Those entries that pass a filter, whether the model knows them or not."""
    mask = source.filters.mask(chosen, state)
    passes = set(mask.rows(np.fromiter(known.values(), dtype=np.int64, count=len(known))))
    unknown = [entry.item_id for entry in ranking if entry.item_id not in known]
    kept = source.filters.keeps_unknown(chosen, state, unknown) if unknown else {}
    return [
        entry
        for entry in ranking
        if (known[entry.item_id] in passes if entry.item_id in known else kept[entry.item_id])
    ]
