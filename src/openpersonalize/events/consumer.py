"""The consumer of the live log, one a process: `LogConsumer` reads what is new once, for all who follow.

Three kinds of followers, none of which waits for another:

- **Answers** must know what was acknowledged before they were asked for. Whether anything is new is a look at
  a number in memory; if so, one look at the log, in a thread, is shared by all who wait for it. It tells at
  most `LONGEST_LOOK` events one by one; of more, the histories that are kept are dropped and read again when
  asked for.
- **Histories** that are not kept are read in the same thread, the newest events of each user, those asked for
  at one time together.
- **Handlers** count what everybody does. A thread of their own hands them the events as columns, `TURN_ROWS`
  at a time, each stream in turn, and rests as long as it worked: a backlog takes longer and costs nobody
  else more.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field

import polars as pl

from .history import LIVE_LENGTH, History
from .livehistories import Key, LiveHistories
from .livelog import LiveLog, stream_of
from .members import EVENT_MEMBERS

log = logging.getLogger(__name__)

LONGEST_LOOK = 5_000
"""Events told one by one in one look: about 25 ms."""

TURN_ROWS = 4_096
"""Events handed to handlers in one turn: about 30 ms of work, of which 3 ms at most hold others up."""

TICK_SECONDS = 0.5
"""Between two looks for handlers while nothing is new."""

PAUSE_SECONDS = 5.0
"""What a handler that failed waits for before the same events are handed to it again."""


class EventHandler(ABC):
    """Whoever counts the events of a stream, chunk by chunk, in the consumer's thread.

    Attributes:
        position: everything up to there was taken in; the consumer goes on from there.
    """

    position: int

    @abstractmethod
    def on_events(self, events: pl.DataFrame, position: int) -> None:
        """Take in events whole or not at all: those after `self.position` and up to `position`, which it
        then is. Called again with the same ones after it raised.

        Args:
            events: in order, `EVENT_MEMBERS` and what `LiveLog.interactions` says beside; without repeats.
        """

    def on_level(self) -> None:  # noqa: B027 - optional
        """Everything written is taken in: called then, and every `TICK_SECONDS` while it stays so."""


@dataclass(eq=False)
class _Following:
    stream: str
    handler: EventHandler
    level: threading.Event = field(default_factory=threading.Event)
    rests_until: float = 0.0
    next_level: float = 0.0


class LogConsumer:
    """Knows the live log's tail for one process. Its coroutines belong to an event loop, `look` and `history`
    to any thread; those two do I/O.

    Memory: `budget` bytes of histories, a chunk of events, and a number for each dataset.
    """

    def __init__(
        self,
        log: LiveLog,
        budget: int,
        *,
        length: int = LIVE_LENGTH,
        longest_look: int = LONGEST_LOOK,
        turn_rows: int = TURN_ROWS,
        tick_seconds: float = TICK_SECONDS,
        pause_seconds: float = PAUSE_SECONDS,
    ) -> None:
        """Follow `log` from here on; the thread for handlers begins with the first of them.

        Args:
            log: the live log. budget: bytes of histories to keep. length: newest events of a user.
            longest_look, turn_rows, tick_seconds, pause_seconds: see the constants.
        """
        self._log, self._length = log, length
        self._longest_look, self._turn_rows = longest_look, turn_rows
        self._tick, self._pause = tick_seconds, pause_seconds
        self.histories = LiveHistories(budget)
        self._seen = log.version()
        self._tail = log.tail()
        self._position = self._start = log.position()
        self._records: dict[str, int] = {}
        self._reading = threading.Lock()
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="log-reader")
        self._looking: asyncio.Future[None] | None = None
        self._wanted: dict[Key, asyncio.Future[History]] = {}
        self._fetching = False
        self._following: list[_Following] = []
        self._changing = threading.Lock()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._newest = (self._seen, self._position)

    def is_alive(self) -> bool:
        """Whether the thread for handlers works, where there is one."""
        thread = self._thread
        return thread is None or thread.is_alive() or self._stop.is_set()

    # -- answers

    @property
    def position(self) -> int:
        """Everything up to there is known."""
        return self._position

    def is_current(self) -> bool:
        """Whether nothing was written by any process since the last look. No I/O."""
        return self._log.version() == self._seen

    def records_position(self, dataset: str) -> int:
        """The highest position at which a record of this dataset is known to have been written; for datasets
        untouched since the start of this process the position of the start."""
        return self._records.get(dataset, self._start)

    async def current(self) -> None:
        """Know everything that was acknowledged before this call."""
        if self.is_current():
            return
        if self._looking is not None:  # it may have begun before the write that the caller must know of
            await asyncio.wait([self._looking])
            if self.is_current():
                return
        if self._looking is None:
            self._looking = asyncio.get_running_loop().run_in_executor(self._reader, self.look)
            self._looking.add_done_callback(self._looked)
        await asyncio.shield(self._looking)

    def _looked(self, _: asyncio.Future[None]) -> None:
        self._looking = None

    def look(self) -> None:
        """Take in what is new. For any thread but an event loop's."""
        with self._reading:
            version = self._log.version()  # before reading: what comes meanwhile shows at the next look
            if version == self._seen:
                return
            news = self._tail.news(self._position, self._longest_look)
            if news.skipped:
                self.histories.clear()
            self.histories.add(news.events)
            self.histories.forget(news.forgotten)
            self._records.update(news.records)
            self._position = news.position
            self._seen = version

    # -- histories

    def kept_history(self, stream: str, subject: str) -> History | None:
        """The live events of one user (or anonymous session, by its sessionId); None: they have to be read.
        No I/O."""
        return self.histories.get((stream_of(stream), subject))

    async def fetched_history(self, stream: str, subject: str) -> History:
        """The same, read where it is not kept."""
        key = (stream_of(stream), subject)
        found = self.histories.get(key)
        if found is not None:
            return found
        waiting = self._wanted.get(key)
        if waiting is None:
            waiting = self._wanted[key] = asyncio.get_running_loop().create_future()
            if not self._fetching:
                self._fetch()
        return await asyncio.shield(waiting)

    def _fetch(self) -> None:
        """Have all that are wanted now read together."""
        wanted, self._wanted = self._wanted, {}
        self._fetching = bool(wanted)
        if not wanted:
            return
        reading = asyncio.get_running_loop().run_in_executor(self._reader, self._read, list(wanted))
        reading.add_done_callback(lambda read: self._fetched(wanted, read))

    def _fetched(
        self, wanted: dict[Key, asyncio.Future[History]], read: asyncio.Future[list[History]]
    ) -> None:
        error = asyncio.CancelledError() if read.cancelled() else read.exception()
        for place, future in enumerate(wanted.values()):
            if future.done():
                continue
            if error is None:
                future.set_result(read.result()[place])
            else:
                future.set_exception(error)
                future.exception()  # whoever waited may be gone
        self._fetch()

    def _read(self, keys: list[Key]) -> list[History]:
        return [self.history(*key) for key in keys]

    def history(self, stream: str, subject: str) -> History:
        """The same for a thread that may wait: read where it is not kept. Empty of somebody unknown."""
        key = (stream_of(stream), subject)
        found = self.histories.get(key)
        if found is not None:
            return found
        with self._reading:  # no look comes between the read and its being kept
            history = self._tail.history(*key, self._length)
            self.histories.put(key, history)
            return history

    # -- handlers

    def follow(self, stream: str, handler: EventHandler) -> threading.Event:
        """Hand the events of a stream to `handler` from its position on, once however often this is called.

        Returns:
            what is set when the handler has everything that was written before this call.
        """
        with self._changing:
            following = next((one for one in self._following if one.handler is handler), None)
            if following is None:
                following = _Following(stream_of(stream), handler)
                self._following = [*self._following, following]
            following.level.clear()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="log-consumer", daemon=True)
                self._thread.start()
        self._wake.set()
        return following.level

    def unfollow(self, handler: EventHandler) -> None:
        """Hand `handler` nothing any more; a turn that has begun may end first."""
        with self._changing:
            self._following = [one for one in self._following if one.handler is not handler]

    def _run(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                worked = self._turn()
            except Exception as error:  # noqa: BLE001 - the log may be away for a while
                log.warning("Streamed events could not be read; they count later: %s", error)
                worked = False
            if worked:
                self._stop.wait(time.monotonic() - began)
            else:
                self._wake.wait(self._tick)
            self._wake.clear()

    def _turn(self) -> bool:
        """One chunk for each stream that is behind; False: all handlers have everything."""
        version, newest = self._log.version(), self._newest[1]
        if version != self._newest[0]:
            newest = self._log.position()
            self._newest = (version, newest)
        streams: dict[str, list[_Following]] = {}
        now = time.monotonic()
        following = self._following
        for one in following:
            if one.rests_until <= now:
                streams.setdefault(one.stream, []).append(one)
        worked = False
        for stream, followers in streams.items():
            if self._stop.is_set():
                return False
            behind = [one for one in followers if one.handler.position < newest]
            if behind:
                self._step(stream, behind, newest)
                worked = True
            for one in followers:
                level = one.handler.position >= newest
                if level and (now >= one.next_level or not one.level.is_set()):
                    one.next_level = now + self._tick
                    self._guarded(one, one.handler.on_level)
                    one.level.set()
        return worked

    def _step(self, stream: str, behind: list[_Following], newest: int) -> None:
        """The next chunk for those who are furthest behind, up to where the next one stands."""
        least = min(one.handler.position for one in behind)
        first = [one for one in behind if one.handler.position == least]
        up_to = min([one.handler.position for one in behind if one.handler.position > least] + [newest])
        chunks = self._log.interactions(
            stream, EVENT_MEMBERS, after=least, up_to=up_to, chunk=self._turn_rows
        )
        with closing(chunks):  # type: ignore[type-var]
            chunk = next(chunks)
        if len(chunk) >= self._turn_rows:
            up_to = int(chunk["#ARRIVAL"][-1])
        events = chunk.filter(~pl.col("#DUPLICATE"))
        for one in first:
            self._guarded(one, lambda handler=one.handler: handler.on_events(events, up_to))  # type: ignore[misc]

    def _guarded(self, one: _Following, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as error:  # noqa: BLE001 - one handler's failure is not the others'
            one.rests_until = time.monotonic() + self._pause
            log.warning("Streamed events could not be counted; they count later: %s", error)

    def close(self) -> None:
        """Stop following and reading."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        self._reader.shutdown(wait=True, cancel_futures=True)
        with self._reading:
            self._tail.close()
