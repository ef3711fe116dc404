"""Keeping a served deployment up to date: `Following`, beside the answers, and `Readiness`, before each.

Counting and records have the consumer's thread; what an answer itself must know of, it waits for in
`Readiness`, for its own group's records at most `RECORDS_SECONDS`.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import polars as pl

from ..events.consumer import EventHandler, LogConsumer
from ..filters.compiler import BoundFilter
from .catalogue import Catalogue
from .deployment import Deployment
from .loader import LoadedDeployment
from .states import UserState

CAUGHT_UP_SECONDS = 1.0
"""The first answer of a version that was just loaded waits at most so long for what was streamed since its
training or its checkpoint; what is left is counted beside the answers."""

RECORDS_SECONDS = 1.0
"""An answer waits at most so long for records that were put: about 100,000 of them. What is left is taken in
beside the answers."""

SCORE_THREADS = 2
"""Threads that score large catalogues which no index knows."""


class RecordsFollower(EventHandler):
    """Takes in the records that were put, a chunk at a time, though nobody asks. Wants no events."""

    def __init__(self, deployment: Deployment, consumer: LogConsumer) -> None:
        self.position = sys.maxsize
        self._deployment, self._consumer = deployment, consumer

    def on_events(self, events: pl.DataFrame, position: int) -> None:
        """Never called: the position is beyond everything."""

    def on_level(self) -> None:
        self._consumer.look()
        for records, position in self._deployment.behind():
            records.advance(position)


class Following:
    """The handlers of one loaded deployment."""

    def __init__(self, held: LoadedDeployment, consumer: LogConsumer) -> None:
        """Begin to follow; for a thread that may wait, see `caught_up`."""
        self._consumer = consumer
        stream, deployment = held.deployment.group.stream, held.deployment
        handlers = [held.feed, deployment.tracker, RecordsFollower(deployment, consumer)]
        self._handlers = [handler for handler in handlers if handler is not None]
        self._level = [consumer.follow(stream, handler) for handler in self._handlers]

    def caught_up(self, seconds: float = CAUGHT_UP_SECONDS) -> bool:
        """Wait until everything that was written before is taken in; False: it took longer than that."""
        until = time.monotonic() + seconds
        return all(level.wait(max(0.0, until - time.monotonic())) for level in self._level)

    def stop(self, successor: Following | None = None) -> None:
        """Follow no more, but for the handlers that `successor` goes on with."""
        for handler in self._handlers:
            if successor is None or handler not in successor._handlers:
                self._consumer.unfollow(handler)


class Readiness:
    """Has everything in memory that the answer to one question needs. Belongs to an event loop."""

    def __init__(self, consumer: LogConsumer, records_seconds: float = RECORDS_SECONDS) -> None:
        self._consumer, self._records_seconds = consumer, records_seconds
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="records")
        self._reading: dict[int, asyncio.Future[None]] = {}
        self._scores = ThreadPoolExecutor(SCORE_THREADS, thread_name_prefix="scores")
        self._scoring: dict[Hashable, asyncio.Future[Callable[[], None]]] = {}

    async def ready(
        self,
        deployment: Deployment,
        user: str | None,
        sent: Mapping[str, str],
        item: str | None,
        *,
        records: bool,
        chosen: BoundFilter | None = None,
        influence: Mapping[str, float] | None = None,
    ) -> None:
        """Know what was acknowledged before this call, and what an answer needs.

        While nothing is new this costs some microseconds and waits for nothing.

        Args:
            user: of whom the answer is; None: of nobody. sent: the request's context.
            item: the item asked about; None: none. records: whether the answer reads records that were put.
            chosen, influence: of the question.
        """
        consumer, scorer = self._consumer, deployment.scorer
        if not consumer.is_current():
            await consumer.current()
        if records or item is not None:
            behind = deployment.behind()
            if behind:
                await self._taken_in(behind)
        deployment.follow()
        context, anchor = scorer.context(sent), scorer.anchor(item, influence)
        if user is not None and not scorer.knows(user, context, anchor):
            for stream in scorer.streams:
                if consumer.kept_history(stream, user) is None:
                    await consumer.fetched_history(stream, user)
                    deployment.follow()
            prepare = scorer.unprepared(scorer.state(user, context, anchor))
            if prepare is not None:
                (await asyncio.get_running_loop().run_in_executor(self._threads, prepare))()
        if scorer.large:
            await self._scored(deployment, scorer.state(user, context, anchor), chosen)

    async def _scored(self, deployment: Deployment, state: UserState, chosen: BoundFilter | None) -> None:
        """Have a large catalogue scored in a thread, once for all who wait for the same."""
        scorer, filters = deployment.scorer, deployment.filters
        decided = None if chosen is None else filters.decided(chosen, state)
        seen_excluded = filters.excludes_seen(decided, state)
        score = scorer.unscored(state, seen_excluded)
        if score is None:
            return
        key = (id(scorer), state.key, seen_excluded)
        scoring = self._scoring.get(key)
        if scoring is None:
            scoring = asyncio.get_running_loop().run_in_executor(self._scores, score)
            self._scoring[key] = scoring
            scoring.add_done_callback(lambda _: self._scoring.pop(key, None))
        (await asyncio.shield(scoring))()

    async def _taken_in(self, behind: list[tuple[Catalogue, int]]) -> None:
        """Have records read in a thread, some at a time and those of one catalogue once for all who wait."""
        until = time.monotonic() + self._records_seconds
        for records, position in behind:
            while records.position < position and time.monotonic() < until:
                key = id(records)
                reading = self._reading.get(key)
                if reading is None:
                    loop = asyncio.get_running_loop()
                    reading = loop.run_in_executor(self._threads, records.advance, position)
                    self._reading[key] = reading
                    reading.add_done_callback(partial(self._read, key))
                await asyncio.shield(reading)

    def _read(self, key: int, _: asyncio.Future[None]) -> None:
        self._reading.pop(key, None)

    def close(self) -> None:
        """Stop reading and scoring."""
        for threads in (self._threads, self._scores):
            threads.shutdown(wait=True, cancel_futures=True)
