"""What an explanation goes by, `Evidence`: an answer as it was made in the event loop, with the question that
the model was asked and what each filter says of the items in question.

Gathering costs about what a recommendation costs. The rest is worked out from it in another thread: all that
it holds may be read in any.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..algorithms.arrays import Bools
from ..filters.compiler import BoundFilter
from ..recipes.query import Query
from .answer import Entry, Question, Reasons, answered, subject
from .loaded import LoadedVersion
from .ranked import CandidateMask
from .ranking import rank
from .source import AnswerSource
from .states import UserState

FIRST_ITEMS = 3
"""Items of an answer that are explained where none is asked for."""


@dataclass(frozen=True, slots=True)
class ItemEvidence:
    """What is known of one item.

    Attributes:
        row: its row; None: training did not know it. new: whether it came since.
        anchor: whether it is the item that the answer is about.
        left_by_filter, left_by_rule: whether the request's filter and the use case's own leave it.
    """

    item: str
    row: int | None
    new: bool
    anchor: bool
    left_by_filter: bool
    left_by_rule: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that was known when the answer was made.

    Attributes:
        query: what the model was asked; None: nothing is known, so it was not.
        entries: the answer; why: of those that the model did not bring, see `Reasons`.
        mask: what the filters leave of the catalogue; newcomers: items that came after training.
        found: the items to explain. inputs: the list to be ranked, None of other recipes.
        recorded: bool[n], the items with a record in the Items dataset; None: there are no records.
    """

    loaded: LoadedVersion
    count: int
    query: Query | None
    entries: list[Entry]
    why: Reasons
    mask: CandidateMask
    newcomers: int
    found: list[ItemEvidence]
    inputs: Sequence[str] | None
    recorded: Bools | None


def evidence(
    source: AnswerSource,
    question: Question,
    items: Sequence[str],
    *,
    asked: BoundFilter | None = None,
    rule: BoundFilter | None = None,
    inputs: Sequence[str] | None = None,
) -> Evidence:
    """Answer `question` and keep what it was answered from.

    Args:
        question: its filter is `asked` and `rule` together.
        items: to be explained; none: the first of the answer.
        asked: the request's own filter. rule: the use case's own.
        inputs: the list to be ranked, for a recipe that ranks one.
    """
    why: Reasons = {}
    if inputs is None:
        entries, why = answered(source, question)
    else:
        entries = rank(source, question.user or "", inputs, question.chosen, None, question.context)
    scorer = source.scorer
    anchor = scorer.anchor(question.item, question.influence)
    user = question.user if inputs is not None else subject(source, question)
    state = scorer.state(user, scorer.context(question.context), anchor)
    chosen = None if question.chosen is None else source.filters.decided(question.chosen, state)
    seen_excluded = source.filters.excludes_seen(chosen, state)
    query = scorer.query(state, seen_excluded)
    if query is None:  # everybody's answer
        query = scorer.query(scorer.state(None, state.context, anchor), seen_excluded)
    wanted = items or [entry.item_id for entry in entries[:FIRST_ITEMS]]
    return Evidence(
        source.loaded,
        question.count if inputs is None else len(dict.fromkeys(inputs)),
        query,
        entries,
        why,
        source.filters.mask(chosen, state),
        0 if source.tracker is None else len(source.tracker.counts.members.ids),
        [_found(source, state, item, question.item, asked, rule) for item in dict.fromkeys(wanted)],
        inputs,
        source.items.recorded if source.items.recorded.any() else None,
    )


def _found(
    source: AnswerSource,
    state: UserState,
    item: str,
    about: str | None,
    asked: BoundFilter | None,
    rule: BoundFilter | None,
) -> ItemEvidence:
    row = source.loaded.row_of(item)
    new = row is None and (_observed(source, item) or bool(_record(source, item)))
    anchor = state.anchor is not None and item == about
    left = [one is None or _keeps(source, one, state, item, row) for one in (asked, rule)]
    return ItemEvidence(item, row, new, anchor, *left)


def _observed(source: AnswerSource, item: str) -> bool:
    return source.tracker is not None and source.tracker.counts.members.ids.find(item) >= 0


def _record(source: AnswerSource, item: str) -> Mapping[str, object]:
    return source.items.outsider(item)


def _keeps(source: AnswerSource, chosen: BoundFilter, state: UserState, item: str, row: int | None) -> bool:
    decided = source.filters.decided(chosen, state)
    if row is None:
        return source.filters.keeps_unknown(decided, state, [item])[item]
    mask = source.filters.mask(decided, state)
    return (mask.keep is None or bool(mask.keep[row])) and row not in mask.dropped
