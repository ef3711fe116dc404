"""Answers to the lines of a batch inference job: `BatchInference`, the same as GetRecommendations and
GetPersonalizedRanking give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import InvalidInput
from ..exploration.config import Exploration
from ..filters.compiler import BoundFilter, CompiledFilter
from ..recipes.facts import Offer, Task
from ..serving.answer import Entry, Question, answer, subject
from ..serving.ranked import TOP_ROWS
from ..serving.ranking import rank
from ..serving.source import AnswerSource
from .lines import Line, read_line, scores_of, written, written_error
from .scorer import BatchScorer

NAMES_KEPT = 1_000_000
"""Items of a catalogue whose ids are kept as objects, some 60 bytes each; those of larger ones are read as
they are needed."""

SPARE_ROWS = 8
"""Rows kept of a user's order beyond those of an answer, where no filter and no exploration asks for more:
the item asked about is none of them."""


def rows_kept(count: int, filtered: bool, explores: bool) -> int:
    """How much of each user's order a scorer keeps for answers of `count` items."""
    return max(TOP_ROWS, count) if filtered or explores else count + SPARE_ROWS


class BatchInference:
    """Answers lines, a block at a time. Belongs to one thread."""

    def __init__(
        self,
        source: AnswerSource,
        scorer: BatchScorer,
        *,
        count: int,
        compiled: CompiledFilter | None = None,
        exploration: Exploration | None = None,
    ) -> None:
        """Make it.

        Args:
            source: what is asked; scorer: the source's.
            count: items of an answer, at most. compiled: the job's filter, which fits its recipe.
            exploration: how much room new items get; None: none.
        """
        self._source, self._scorer = source, scorer
        self._count, self._compiled, self._exploration = count, compiled, exploration
        self._task = source.recipe.task
        if len(source.loaded.names) <= NAMES_KEPT:
            source.loaded.names.strings()

    @property
    def together(self) -> int:
        """Lines of a block."""
        return self._scorer.together

    def answered(self, texts: Sequence[bytes]) -> tuple[bytes, int]:
        """The output lines of a block of input lines, and how many of them are answers."""
        found = self.outputs(texts)
        lines = [
            written_error(line, line.error) if output is None else written(line, output)
            for line, output in found
        ]
        return b"".join(lines), sum(output is not None for _, output in found)

    def outputs(self, texts: Sequence[bytes]) -> list[tuple[Line, dict[str, Any] | None]]:
        """Each of a block of input lines, and what is to stand under ``output``; None where there is no
        answer, and the line says why."""
        ranks, anchored = self._task is Task.RERANK, self._task.anchored
        user = self._source.recipe.asks_for_user or self._task is Task.POPULAR
        lines = [read_line(text, user, anchored, ranks) for text in texts]
        asked = [self._question(line) for line in lines]
        users = [subject(self._source, one) for one in asked if one is not None]
        self._scorer.begin({user for user in users if user is not None})
        self._scorer.prepare(
            (
                self._scorer.state(subject(self._source, one), (), self._scorer.anchor(one.item)),
                self._seen(one),
            )
            for one in asked
            if one is not None
        )
        return [
            (line, None if one is None else self._output(line, one))
            for line, one in zip(lines, asked, strict=True)
        ]

    def _question(self, line: Line) -> Question | None:
        """What a line asks; None where it cannot be answered, and the line then says why."""
        if line.error:
            return None
        try:
            chosen = self._bound(line)
        except InvalidInput as error:
            line.error = error.message
            return None
        return Question(line.user, self._count, chosen, exploration=self._exploration, item=line.item)

    def _bound(self, line: Line) -> BoundFilter | None:
        compiled = self._compiled
        if compiled is None:
            return None
        if compiled.needs_user and line.user is None:
            raise InvalidInput("The filter needs a userId.")
        return compiled.bind(line.filter_values)

    def _seen(self, question: Question) -> bool:
        """Whether the answer leaves out what the user interacted with."""
        chosen, source = question.chosen, self._source
        if chosen is None or not chosen.excludes_interactions:
            return False
        state = self._scorer.state(subject(source, question), (), self._scorer.anchor(question.item))
        return source.filters.excludes_seen(source.filters.decided(chosen, state), state)

    def _output(self, line: Line, question: Question) -> dict[str, Any]:
        if self._task is Task.RERANK:
            entries = rank(self._source, question.user or "", line.items, question.chosen)
        else:
            entries = answer(self._source, question)
        found: dict[str, Any] = {"recommendedItems": [entry.item_id for entry in entries]}
        if self._task.personal and Offer.SCORES in self._source.recipe.offers:
            found["scores"] = scores_of([entry.score for entry in entries])
        if Offer.REASONS in self._source.recipe.offers:
            found["reasons"] = [_reasons(entry) for entry in entries]
        return found


def _reasons(entry: Entry) -> list[str]:
    return entry.reason if isinstance(entry.reason, list) else []
