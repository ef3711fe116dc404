"""The answer of GetPersonalizedRanking, `rank`: a list that was given, in the order for one user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from ..algorithms.topk import FloatArray
from ..filters.compiler import BoundFilter
from .answer import Entry, describe
from .ranked import among
from .source import AnswerSource
from .states import UserState


def rank(
    source: AnswerSource,
    user: str,
    items: Sequence[str],
    chosen: BoundFilter | None = None,
    columns: Sequence[str] | None = None,
    context: Mapping[str, str] | None = None,
) -> list[Entry]:
    """The entries of GetPersonalizedRanking: `items` in the order for `user`.

    Scores sum to one over the given items that had interactions at training or of which the metadata say
    something to the user, before the filter; the others follow in the order given, without scores. A
    repeated item counts once.
    """
    source.follow()
    state = source.scorer.state(user, source.scorer.context(context or {}))
    if chosen is not None:
        chosen = source.filters.decided(chosen, state)
    seen_excluded = source.filters.excludes_seen(chosen, state)
    distinct = list(dict.fromkeys(items))
    row_of = source.loaded.row_of
    known = {item: row for item in distinct if (row := row_of(item)) is not None}
    places, values = _scored(source, state, seen_excluded, distinct, known)
    order, scores = among(values)
    ranking = [Entry(places[place], score) for place, score in zip(order.tolist(), scores, strict=True)]
    with_scores = set(places)
    ranking += [Entry(item) for item in distinct if item not in with_scores]
    if chosen is not None:
        ranking = _passing(source, state, chosen, known, ranking)
    describe(source, ranking, columns)
    return ranking


def _scored(
    source: AnswerSource, state: UserState, seen_excluded: bool, items: Sequence[str], known: dict[str, int]
) -> tuple[list[str], FloatArray]:
    """The items that have scores, in the order given, and float32 their log-scores."""
    rows = np.fromiter(known.values(), dtype=np.int64, count=len(known))
    with_scores = source.loaded.counts.interacted[rows]
    query = source.scorer.query(state, seen_excluded)
    if query is not None and not with_scores.all():
        with_scores = with_scores | source.loaded.model.described(query, rows)
    found = {item: value for item, value in zip(known, with_scores.tolist(), strict=True) if value}
    scores = source.scorer.scores_at(state, seen_excluded, rows[with_scores], unscored=True)
    values = dict(zip(found, scores.tolist(), strict=True))
    if len(known) < len(items):
        values |= _newcomers(source, state, seen_excluded, [item for item in items if item not in known])
    places = [item for item in items if item in values]
    return places, np.array([values[item] for item in places], dtype=np.float32)


def _newcomers(
    source: AnswerSource, state: UserState, seen_excluded: bool, items: Sequence[str]
) -> dict[str, float]:
    """The log-scores of those `items`, all unknown to the model, of which their records say something."""
    query, model = source.scorer.query(state, seen_excluded), source.loaded.model
    ids = pl.Series(items, dtype=pl.String)
    records = None if query is None or not len(query.item) else source.items.aligned(ids)
    vectors = None if records is None else model.embed(records)
    if vectors is None or query is None:
        return {}
    some = np.flatnonzero(vectors.any(axis=1))
    if not len(some):
        return {}
    numbers = source.loaded.newcomers.numbers(ids)[some]
    scores = model.scores_of(query, vectors[some]) + model.online_bonus(query, numbers)
    return {items[place]: score for place, score in zip(some.tolist(), scores.tolist(), strict=True)}


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
