"""Answers to the lines of a batch segment job: `BatchSegments`, for an item or for attributes of items the
users who are most likely to interact with it, best first.

Memory: scores of all users, the best of them, and `AT_ONCE` ids that are written at a time, however many
users a segment has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np

from ..algorithms.arrays import Float32, Int64
from ..algorithms.topk import top_k
from ..errors import InvalidInput
from ..recipes.item_attributes import ItemAttributes
from ..recipes.model import Segments
from ..storage.idtable import IdTable
from .attribute_query import parse_attributes
from .lines import Line, read_line, written_error
from .segment_filter import SegmentFilter

AT_ONCE = 65_536
"""Users whose ids are written at a time."""

_encode = msgspec.json.Encoder().encode


class BatchSegments:
    """Answers lines, one at a time. Belongs to one thread."""

    together = 1

    def __init__(
        self,
        model: Segments,
        items: IdTable,
        users: IdTable,
        *,
        count: int,
        attributes: ItemAttributes | None = None,
        chosen: SegmentFilter | None = None,
        at_once: int = AT_ONCE,
    ) -> None:
        """Make it.

        Args:
            model: what is asked. items, users: what it knows, in order of numbers.
            count: users of a segment, at most.
            attributes: lines ask about these; None: about items.
            chosen: the job's filter. at_once: users written at a time.
        """
        self._model, self._items, self._users = model, items, users
        self._count, self._attributes, self._chosen = count, attributes, chosen
        self._at_once = at_once

    def answered(self, texts: Sequence[bytes]) -> tuple[Iterator[bytes], int]:
        """The output of input lines in pieces, and how many of them are answers."""
        lines = [self._read(text) for text in texts]
        segments = [(line, self._segment(line)) for line in lines]
        answers = sum(found is not None for _, found in segments)
        return (piece for line, found in segments for piece in self._written(line, found)), answers

    def _read(self, text: bytes) -> Line:
        by_attribute = self._attributes is not None
        return read_line(text, False, not by_attribute, False, by_attribute)

    def _segment(self, line: Line) -> Int64 | None:
        """The users, best first; None where the line cannot be answered, and it then says why."""
        if line.error:
            return None
        try:
            keep = None if self._chosen is None else self._chosen.keep(line.filter_values)
            scores = self._scores(line)
        except InvalidInput as error:
            line.error = error.message
            return None
        if keep is not None:
            scores[~keep] = -np.inf
        return top_k(scores, self._count)

    def _scores(self, line: Line) -> Float32:
        """float32[users].

        Raises:
            InvalidInput: the version knows nothing of what the line asks about.
        """
        if self._attributes is None:
            row = self._items.find(line.item or "")
            if row < 0:
                raise InvalidInput(f"The item {line.item} was not known when the version was trained.")
            return self._model.affinity(np.array([row], dtype=np.int64))
        having = [self._attributes.items_with(*one) for one in parse_attributes(line.attributes)]
        everything = having[0]
        for items in having[1:]:
            everything = np.intersect1d(everything, items, assume_unique=True)
        if len(everything):
            return self._model.affinity(everything)
        # No item has all of them: who is drawn to each of them. Scores are logarithms, so their sum is that.
        scores = self._model.affinity(having[0])
        for items in having[1:]:
            scores += self._model.affinity(items)
        return scores

    def _written(self, line: Line, found: Int64 | None) -> Iterator[bytes]:
        if found is None:
            yield written_error(line, line.error)
            return
        yield b'{"input":%b,"output":{"usersList":[' % line.source
        for start in range(0, len(found), self._at_once):
            rows = found[start : start + self._at_once]
            ids = _encode([self._users[row] for row in rows.tolist()])
            yield (b"," if start else b"") + ids[1:-1]
        yield b']},"error":null}\n'
