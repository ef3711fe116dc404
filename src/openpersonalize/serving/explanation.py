"""Why an item is in an answer, or is not, `Explanation`: its score term by term, its rank, the events that
spoke for it, and the rule that removed it.

The terms of a score add up to its logarithm, ``logScore``; ``exp(logScore - logTotal)`` is the score of the
answer. What lifts an item above others is a term less its average over the catalogue, ``lift``; ``share`` is
that lift among all of them, by size.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from ..algorithms.arrays import Bools
from ..algorithms.topk import FloatArray
from ..recipes.facts import Facts, Offer
from ..recipes.model import Source
from .answer import EXPLORED, POPULAR, PROMOTED, Entry
from .evidence import Evidence, ItemEvidence
from .ranked import DROP

MOST_EVENTS = 10
"""Items of the history that are made, those that spoke most."""

LEAST = 1e-3
"""What an item of the history must have added to be told: a tenth of a per cent of the score."""

CAME_BY = {POPULAR: "popularity", PROMOTED: "promotion", EXPLORED: "exploration"}
"""What brought an item that the model did not."""


class Term(msgspec.Struct, rename="camel", omit_defaults=True):
    """One source of a score; see the module."""

    name: str
    term: str
    weight: float
    value: float
    contribution: float
    lift: float
    share: float


class Spoke(msgspec.Struct, rename="camel", omit_defaults=True):
    """An item of the user's history that spoke for an item, and by which sources; ``recorded`` is false of
    one that has no record where others have: an id that only events name may be a mistyped one."""

    item_id: str
    time: int
    contribution: float
    sources: dict[str, float]
    event_type: str | UnsetType = UNSET
    recorded: bool = True


class ItemExplanation(msgspec.Struct, rename="camel", omit_defaults=True):
    """Of one item. ``status`` is one of those of `_status`; ``place`` counts the answer, ``rank`` the whole
    catalogue by score, ``rankAmongLeft`` what the filters leave of it, all from 1."""

    item_id: str
    status: str
    sentence: str
    place: int | UnsetType = UNSET
    came_by: str | UnsetType = UNSET
    promotion_name: str | UnsetType = UNSET
    rank: int | UnsetType = UNSET
    rank_among_left: int | UnsetType = UNSET
    score: float | UnsetType = UNSET
    log_score: float | UnsetType = UNSET
    log_total: float | UnsetType = UNSET
    sources: list[Term] | UnsetType = UNSET
    history: list[Spoke] | UnsetType = UNSET


class Catalogue(msgspec.Struct, rename="camel"):
    """How many items training knew, how many came since, and how many of the former the filters leave."""

    items: int
    new_items: int
    left_by_filters: int


class Explanation(msgspec.Struct, rename="camel", omit_defaults=True):
    """Of an answer: the answer, why it is short if it is, and its items, or those asked for."""

    answer: list[Entry]
    catalogue: Catalogue
    items: list[ItemExplanation]
    short: str | UnsetType = UNSET


def explanation(known: Evidence, recipe: Facts, expression: str | None) -> Explanation:
    """Explain. Costs a dozen answers an item; safe in any thread.

    Args:
        expression: of the request's filter; None: it has none.
    """
    keep = (
        np.ones(len(known.loaded.names), dtype=np.bool_)
        if known.mask.keep is None
        else known.mask.keep.copy()
    )
    dropped = [row for row in known.mask.dropped if row < len(keep)]
    keep[dropped] = False
    scores = _scores(known)
    items = [_item(known, one, scores, keep, recipe, expression) for one in known.found]
    catalogue = Catalogue(len(keep), known.newcomers, int(keep.sum()))
    short = _short(known, catalogue, recipe, expression)
    return Explanation(known.entries, catalogue, items, UNSET if short is None else short)


def _scores(known: Evidence) -> FloatArray | None:
    """float32[n] log-scores, -inf where the recipe gives none; None: nobody's question has any."""
    if known.query is None:
        return None
    scores = known.loaded.model.scores(known.query)
    if known.loaded.unscored is not None and known.inputs is None:
        scores[known.loaded.unscored] = DROP
    return scores


def _item(
    known: Evidence,
    found: ItemEvidence,
    scores: FloatArray | None,
    keep: Bools,
    recipe: Facts,
    expression: str | None,
) -> ItemExplanation:
    ids = [entry.item_id for entry in known.entries]
    place = ids.index(found.item) if found.item in ids else None
    scored = scores is not None and found.row is not None and scores[found.row] > DROP
    status, sentence = _status(known, found, place, bool(scored), recipe, expression)
    made = ItemExplanation(found.item, status, sentence)
    if place is not None:
        entry = known.entries[place]
        made.place, made.promotion_name = place + 1, entry.promotion_name
        made.score = entry.score
        made.came_by = CAME_BY.get(known.why.get(found.item, ""), "relevance")
    if not scored or scores is None or found.row is None or known.query is None:
        return made
    value = float(scores[found.row])
    above = scores > scores[found.row]
    made.rank, made.rank_among_left = 1 + int(above.sum()), 1 + int((above & keep).sum())
    made.log_score = value
    if known.inputs is None and Offer.SCORES in recipe.offers:
        largest = float(scores.max())
        made.log_total = largest + float(np.log(np.exp((scores - largest).astype(np.float64)).sum()))
        if made.score is UNSET:
            made.score = float(np.exp(value - made.log_total).round(7))
    sources = known.loaded.model.sources(known.query, found.row)
    if sources:
        made.sources = _terms(sources)
        made.history = _history(known, sources)
    return made


def _terms(sources: Sequence[Source]) -> list[Term]:
    lifts = [one.weight * (one.value - one.average) for one in sources]
    total = sum(abs(lift) for lift in lifts) or 1.0
    terms = [
        Term(one.name, one.term, one.weight, one.value, one.weight * one.value, lift, lift / total)
        for one, lift in zip(sources, lifts, strict=True)
    ]
    return sorted(terms, key=lambda one: -abs(one.lift))


def _history(known: Evidence, sources: Sequence[Source]) -> list[Spoke]:
    """The items of the history that spoke most for the item, best first, those without a record last."""
    query = known.query
    made = {one.name: one.history for one in sources if one.history is not None}
    if query is None or not made:
        return []
    total = np.sum(list(made.values()), axis=0)
    best = [
        place for place in np.argsort(-total, kind="stable")[:MOST_EVENTS].tolist() if total[place] >= LEAST
    ]
    names, kinds = known.loaded.names, known.loaded.artifact.event_types
    spoke = []
    for place in best:
        by = {name: float(one[place]) for name, one in made.items() if one[place]}
        kind = int(query.event[place])
        row = int(query.item[place])
        one = Spoke(names[row], int(query.time[place]), float(total[place]), by)
        one.recorded = known.recorded is None or bool(known.recorded[row])
        if 0 <= kind < len(kinds):
            one.event_type = kinds[kind]
        spoke.append(one)
    return sorted(spoke, key=lambda one: not one.recorded)


def _status(
    known: Evidence,
    found: ItemEvidence,
    place: int | None,
    scored: bool,
    recipe: Facts,
    expression: str | None,
) -> tuple[str, str]:
    """What became of an item, and a sentence about it."""
    if place is not None:
        return "IN_ANSWER", f"It is in the answer, at place {place + 1}."
    if found.anchor:
        return "ASKED_ABOUT", "The answer is about this item, so it is no part of it."
    if known.inputs is not None and found.item not in known.inputs:
        return "NOT_IN_LIST", "It is not in the list that was to be ranked."
    if found.row is None and not found.new:
        return (
            "UNKNOWN_ITEM",
            "No interaction and no record names it: training did not know it, and it was not put since.",
        )
    if not found.left_by_filter:
        return "REMOVED_BY_FILTER", f"The filter of the request removed it: {expression}"
    if not found.left_by_rule:
        types = ", ".join(recipe.preset.hides) if recipe.preset else ""
        return (
            "REMOVED_BY_RECIPE",
            f"Recipe {recipe.name} leaves out items of which the user has an event of type {types}.",
        )
    if found.row is None:
        return "NEW_ITEM", "It came after training: exploration may draw it; else it comes behind the others."
    if not scored:
        return (
            "NOT_SCORED",
            "Nobody had interacted with it at training: exploration may draw it, or it fills up.",
        )
    places = len(known.entries)
    return "BELOW_NUM_RESULTS", f"It may be shown, but the {places} places went to others; ask for more."


def _short(known: Evidence, catalogue: Catalogue, recipe: Facts, expression: str | None) -> str | None:
    """Why an answer has fewer entries than asked for; None: it has not."""
    missing = known.count - len(known.entries)
    if missing <= 0:
        return None
    said = f"{len(known.entries)} of {known.count} entries: "
    if known.inputs is not None:
        return said + f"the filter removed the others: {expression}"
    if expression or (recipe.preset is not None and recipe.preset.hides):
        by = f"the filter {expression}" if expression else "the recipe's own rule"
        left = catalogue.left_by_filters
        return f"{said}of the {catalogue.items} items that training knew, {by} leaves {left}."
    return f"{said}the catalogue has no more items."
