"""Themes of related items (Amazon Personalize developer guide, "Batch recommendations with themes"),
`BatchThemes`: each line's items under a short phrase that their texts share, in the order in which they fit
it.

The phrase is the key phrase of the items' names and texts against a sample of the catalogue; an item's
relevance is the cosine of its text and the phrase, both as vectors of latent semantic analysis of that
sample. Nothing leaves the machine.

Memory: that of the answers, of the sample (`SAMPLE_ITEMS` items, `SAMPLE_BYTES`) and of the encoder.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from ..algorithms.key_phrases import KeyPhrase, key_phrases
from ..algorithms.text_encoder import TextEncoder
from ..datasets.schemas import Schema
from ..errors import JobFailed
from ..serving.source import AnswerSource
from .inference import BatchInference
from .lines import Line, written, written_error

MOST_LINES = 100
"""Lines of a job with themes (developer guide, quotas)."""

SAMPLE_ITEMS, SAMPLE_BYTES = 10_000, 8_000_000
MOST_CHARACTERS = 2_000
"""Of an item's text that count."""

COVERED, SECOND = 0.6, 0.7
"""A phrase that a smaller share of the texts has stands beside the next one, if that scores so well in
relation."""

DECIMALS = 8


class BatchThemes:
    """Answers the lines of a job with themes, a block at a time. Belongs to one thread."""

    def __init__(
        self,
        inference: BatchInference,
        source: AnswerSource,
        schema: Schema | None,
        item_name: str,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """Read no text yet.

        Args:
            inference: what answers. source: what knows the items' records, of this `schema`.
            item_name: the column with the items' names. check: called now and then; may raise to stop.

        Raises:
            JobFailed: the Items dataset has no such columns any more.
        """
        fields = () if schema is None else schema.fields
        self._texts = [field.name for field in fields if field.textual and field.name != item_name]
        if item_name not in [field.name for field in fields] or not self._texts:
            raise JobFailed(
                f"The Items dataset has no column {item_name} any more, or no textual one: themes need both."
            )
        self._inference, self._source, self._name, self._check = inference, source, item_name, check

    @property
    def together(self) -> int:
        """Lines of a block: themes are worked out together."""
        return MOST_LINES

    def answered(self, texts: Sequence[bytes]) -> tuple[bytes, int]:
        """See `LineAnswers.answered`."""
        found: list[tuple[Line, dict[str, Any] | None]] = []
        for start in range(0, len(texts), self._inference.together):
            found += self._inference.outputs(texts[start : start + self._inference.together])
        asked = [(line, output) for line, output in found if output is not None]
        groups = [[line.item or "", *output["recommendedItems"]] for line, output in asked]
        records = [self._source.metadata(items, [self._name, *self._texts]) for items in groups]
        prose = [pl.Series([self._text(one) for one in some], dtype=pl.String) for some in records]
        phrases = key_phrases(prose, self._sample, check=self._check)
        for (line, output), some, own, best in zip(asked, records, prose, phrases, strict=True):
            theme = _theme(best, len(own), some[0].get(self._name, line.item or ""))
            self._order(output, theme, own[1:])
        lines = [
            written_error(line, line.error) if output is None else written(line, output)
            for line, output in found
        ]
        return b"".join(lines), len(asked)

    def _order(self, output: dict[str, Any], theme: str, texts: pl.Series) -> None:
        """Put the items of an output in the order of how well their texts fit the theme."""
        vectors = self._encoder.transform(pl.concat([pl.Series([theme], dtype=pl.String), texts]))
        relevance = vectors[1:] @ vectors[0]
        order = np.argsort(-relevance, kind="stable")
        items = output["recommendedItems"]
        output["recommendedItems"] = [items[place] for place in order.tolist()]
        output["theme"] = theme
        output["itemsThemeRelevanceScores"] = relevance[order].astype(np.float64).round(DECIMALS).tolist()

    def _text(self, record: dict[str, str]) -> str | None:
        """What is said about an item: its name, and its prose behind it."""
        parts = [record[name] for name in (self._name, *self._texts) if record.get(name)]
        return ". ".join(parts)[:MOST_CHARACTERS] or None

    @cached_property
    def _sample(self) -> pl.Series:
        """Texts of items spread evenly over the catalogue."""
        names = self._source.loaded.names
        places = np.unique(
            np.linspace(0, max(len(names) - 1, 0), min(len(names), SAMPLE_ITEMS)).astype(np.int64)
        )
        records = self._source.metadata([names[row] for row in places.tolist()], [self._name, *self._texts])
        texts = pl.Series([self._text(one) for one in records], dtype=pl.String).drop_nulls()
        size = int(texts.str.len_bytes().sum())
        return texts if size <= SAMPLE_BYTES else texts.gather_every(-(-size // SAMPLE_BYTES))

    @cached_property
    def _encoder(self) -> TextEncoder:
        return TextEncoder.fit(self._sample, check=self._check)


def _theme(phrases: Sequence[KeyPhrase], texts: int, name: str) -> str:
    """A phrase for so many `texts`, the first of which is about the item of this `name`."""
    if not phrases:
        return f"Similar to {name}"
    first, *others = phrases
    parts = [first.text]
    if len(first.texts) < COVERED * texts:
        parts += [
            one.text for one in others if one.score >= SECOND * first.score and one.texts - first.texts
        ][:1]
    theme = ", ".join(parts)
    return theme[:1].upper() + theme[1:]
