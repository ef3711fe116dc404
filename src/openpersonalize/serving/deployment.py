"""A deployed solution version, ready to answer: `Deployment` joins a loaded version with its group's data.

What is kept of a user (the best items under each set of weights, the items the user interacted with) belongs
to one state of the user's history: a streamed event makes a new one at the next question. All of it lies in
one cache that the deployments of a process share, bounded by bytes.
"""

from __future__ import annotations

from collections.abc import Callable

from ..events.consumer import LogConsumer
from ..exploration.candidates import MOST_CANDIDATES
from ..exploration.tracker import ExposureTracker
from .catalogue import Catalogue
from .loaded import GroupData, LoadedVersion
from .next_actions import NextActions
from .online_scorer import SCORED_AT_ONCE, OnlineScorer
from .ranked import TOP_ROWS
from .scoring import NARROW
from .source import AnswerSource
from .states import Memory


class Deployment(AnswerSource):
    """A source of answers to single questions that follows the live log. Belongs to the event loop's thread.

    Attributes: see `AnswerSource`; next_actions: answers of a recipe for actions.
    """

    scorer: OnlineScorer

    def __init__(
        self,
        loaded: LoadedVersion,
        items: Catalogue,
        group: GroupData,
        *,
        consumer: LogConsumer,
        memory: Memory,
        now: Callable[[], float],
        window: int = 0,
        tracker: ExposureTracker | None = None,
        top_rows: int = TOP_ROWS,
        narrow: int = NARROW,
        most_candidates: int = MOST_CANDIDATES,
        scored_at_once: int = SCORED_AT_ONCE,
    ) -> None:
        """Make a deployment.

        Args:
            loaded: the version.
            items: current item records, aligned with the version's items. group: the other current data.
            consumer: knows what is streamed. memory: keeps what is known about users. now: the time.
            window, tracker, most_candidates: see `AnswerSource`. top_rows, narrow,
                scored_at_once: see `OnlineScorer`.
        """
        scorer = OnlineScorer(
            loaded,
            group.stream,
            items,
            consumer=consumer,
            memory=memory,
            now=now,
            top_rows=top_rows,
            narrow=narrow,
            beside=group.beside,
            scored_at_once=scored_at_once,
        )
        super().__init__(
            loaded,
            items,
            group,
            scorer,
            now=now,
            window=window,
            tracker=tracker,
            most_candidates=most_candidates,
        )
        self._consumer = consumer
        self.next_actions = NextActions(self)

    def follow(self) -> None:
        """Before each answer: answer from what the consumer has read. No I/O."""
        self.scorer.at(self._consumer.position)

    def behind(self) -> list[tuple[Catalogue, int]]:
        """Records that were put and are not taken in yet, and up to where to read. No I/O."""
        users = self.group.users()
        records = (self.items,) if users is None else (self.items, users)
        written = [(one, self._consumer.records_position(one.stream)) for one in records]
        return [(one, position) for one, position in written if position > one.position]
