"""From a question to the entries of an answer: scores, filter, cut, fill-up, promotion, reasons, metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from ..filters.compiler import BoundFilter
from .deployment import Deployment, UserState
from .promotions import merge, promoted_count
from .ranked import Chosen, Sieve, among, choose

POPULAR, PROMOTED = "Popular item", "Promoted item"
"""Reasons in answers of recipes that give them, in Amazon's words."""


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
        context: the situation, values of Interactions columns by name.
    """

    user: str | None
    count: int
    chosen: BoundFilter | None = None
    promotion: Promotion | None = None
    columns: Sequence[str] | None = None
    seed: str = ""
    context: Mapping[str, str] = field(default_factory=dict)


def answer(deployment: Deployment, question: Question) -> list[Entry]:
    """The entries of GetRecommendations, best first, fewer than asked when catalogue or filter hold fewer."""
    chosen = question.chosen
    asks_about_user = deployment.recipe.features.real_time or (chosen is not None and not chosen.is_static)
    user = question.user if asks_about_user or question.promotion is not None else None
    deployment.follow()
    state = deployment.state(user, deployment.situation(question.context))
    if chosen is not None:
        chosen = deployment.decided(chosen, state)
    seen_excluded = chosen is not None and chosen.excludes_interactions
    sieve = deployment.sieve(chosen, state)
    if question.promotion is None:
        entries = _entries(deployment, _filled(deployment, state, seen_excluded, sieve, question.count))
    else:
        entries = _promoted(deployment, question, state, seen_excluded, sieve)
    _describe(deployment, entries, question.columns)
    return entries


def _describe(deployment: Deployment, entries: list[Entry], columns: Sequence[str] | None) -> None:
    """Give entries their metadata, if any is asked for."""
    if columns is not None:
        found = deployment.metadata([entry.item_id for entry in entries], columns)
        for entry, metadata in zip(entries, found, strict=True):
            entry.metadata = metadata


def _filled(
    deployment: Deployment, state: UserState, seen_excluded: bool, sieve: Sieve, count: int
) -> Chosen:
    """The best `count` rows; a recipe that scores a part of the catalogue fills up with the popular rest."""
    ranked = deployment.ranked(state, seen_excluded)
    chosen = choose(ranked, sieve, count, lambda: deployment.scores(state, seen_excluded))
    missing = count - len(chosen.rows)
    if missing and deployment.recipe.features.reasons:
        chosen.rows.extend(sieve.rows(deployment.trained.placeholders)[:missing])
    return chosen


def _entries(deployment: Deployment, chosen: Chosen) -> list[Entry]:
    names, features = deployment.trained.names, deployment.recipe.features
    if not features.scores:
        return [Entry(names[row]) for row in chosen.rows]
    if not features.reasons:
        return [Entry(names[row], score) for row, score in zip(chosen.rows, chosen.scores, strict=True)]
    scored = len(chosen.scores)
    entries = [
        Entry(names[row], score, reason=[])
        for row, score in zip(chosen.rows[:scored], chosen.scores, strict=True)
    ]
    entries += [Entry(names[row], reason=[POPULAR]) for row in chosen.rows[scored:]]
    return entries


def _promoted(
    deployment: Deployment, question: Question, state: UserState, seen_excluded: bool, sieve: Sieve
) -> list[Entry]:
    """Promoted entries at places that follow from the seed, the others around them; no item appears twice."""
    promotion = question.promotion
    assert promotion is not None
    wanted = promoted_count(question.count, promotion.percent)
    selects = deployment.sieve(deployment.decided(promotion.chosen, state), state)
    first = _filled(deployment, state, seen_excluded, selects, wanted)
    others = sieve.without(frozenset(first.rows))
    second = _filled(deployment, state, seen_excluded, others, question.count - len(first.rows))
    promoted = _entries(deployment, first)
    for entry in promoted:
        entry.promotion_name = promotion.name
        if deployment.recipe.features.reasons:
            entry.reason = [PROMOTED]
    return merge(promoted, _entries(deployment, second), question.seed)


def rank(
    deployment: Deployment,
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
    deployment.follow()
    state = deployment.state(user, deployment.situation(context or {}))
    if chosen is not None:
        chosen = deployment.decided(chosen, state)
    all_scores = deployment.scores(state, chosen is not None and chosen.excludes_interactions)
    distinct = list(dict.fromkeys(items))
    row_of, scored = deployment.trained.row_of, deployment.trained.model.scored
    known = {item: row for item in distinct if (row := row_of(item)) is not None}
    places = [item for item, row in known.items() if scored[row]]
    order, scores = among(all_scores, np.array([known[item] for item in places], dtype=np.int64))
    ranking = [Entry(places[place], score) for place, score in zip(order.tolist(), scores, strict=True)]
    with_scores = set(places)
    ranking += [Entry(item) for item in distinct if item not in with_scores]
    if chosen is not None:
        ranking = _passing(deployment, state, chosen, known, ranking)
    _describe(deployment, ranking, columns)
    return ranking


def _passing(
    deployment: Deployment,
    state: UserState,
    chosen: BoundFilter,
    known: dict[str, int],
    ranking: list[Entry],
) -> list[Entry]:
    """Those entries that pass a filter, whether the model knows them or not."""
    sieve = deployment.sieve(chosen, state)
    passes = set(sieve.rows(np.fromiter(known.values(), dtype=np.int64, count=len(known))))
    strangers = [entry.item_id for entry in ranking if entry.item_id not in known]
    kept = deployment.keeps_strangers(chosen, state, strangers) if strangers else {}
    return [
        entry
        for entry in ranking
        if (known[entry.item_id] in passes if entry.item_id in known else kept[entry.item_id])
    ]
