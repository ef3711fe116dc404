"""Nothing waits for somebody else's work: latency and lag do not grow with a backlog or a history.

Each measure is compared with the same one at a tenth of the numbers, so that no bound depends on the machine.
"""

import asyncio
import threading
import time

import pytest

from openpersonalize.engine.leases import JobOutput, Leases
from openpersonalize.engine.runnerlease import RunnerLease
from openpersonalize.events.entries import Event, Record
from openpersonalize.filters.compiler import compile_filter
from openpersonalize.operations.context import Context
from openpersonalize.operations.events import put_events
from openpersonalize.resources.transaction import Transaction
from openpersonalize.server.looplag import LoopLag
from openpersonalize.serving.answer import Question, answer, subject

from .making import CATALOGUE, SCHEMAS, TEXTS
from .test_registry import POPULAR, V1, House

SPARE = 0.25
"""Seconds that a busy machine may add to any measure."""
SHARE, WHOLE = 20, 1
"""What part of the numbers of a busy installation is streamed in the suite."""


class Busy(House):
    """Two campaigns, one of which explores, and a dataset group that streams."""

    def __init__(self, folder):
        super().__init__(folder)
        for kind in ("INTERACTIONS", "ITEMS"):
            self.dataset(kind)
        self.explores = self.campaign("explores", self.version("explores", V1))
        self.other = self.campaign("other", self.version("other", POPULAR))
        self.stream = self.scope.arn("dataset/shop/INTERACTIONS")
        self.chosen = compile_filter("EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN (*)", SCHEMAS).bind({})

    def dataset(self, kind):
        name, text = self.scope.arn(f"schema/{kind}"), TEXTS[kind]
        with self.scope.write() as tx:
            tx.add("schema", name, kind, attributes={"schema": text})
            attributes = {"datasetType": kind, "schemaArn": name}
            arn = self.scope.arn(f"dataset/shop/{kind}")
            tx.add("dataset", arn, kind, group_arn=self.group, status="ACTIVE", attributes=attributes)

    def append(self, subjects, count):
        """Stream events of so many subjects."""
        waiting = []
        for start in range(0, count, 5000):
            events = [
                Event(f"u{k % subjects}", "s", CATALOGUE[k % 30], 1_700_000_000 + k, "click")
                for k in range(start, min(count, start + 5000))
            ]
            waiting.append(self.installation.log.append(self.stream, events))
        for done in waiting:
            done.result()

    def put(self, count):
        records = [Record(f"new-{k}", '{"PRICE":1.0}') for k in range(count)]
        self.installation.log.append(self.scope.arn("dataset/shop/ITEMS"), records).result()

    async def ask(self, campaign, user):
        """One request, as the operation makes it."""
        found = await self.get(campaign)
        question = Question(user, 10, self.chosen if user is not None else None)
        about, records = subject(found.deployment, question), question.reads_records
        await self.endpoints.ready(found.deployment, about, {}, records=records)
        return answer(found.deployment, question)

    async def measured(self, seconds=0.6):
        """The worst latency of the other campaign and the largest lag, while one subject goes on doing things
        under a campaign that is behind, jobs report and resources change."""
        worst, lags, stop = 0.0, [0.0], threading.Event()
        lag = LoopLag(lags.append, sample_seconds=0.005, window_seconds=60)
        beside = threading.Thread(target=self._meanwhile, args=(stop,))
        lag.start()
        beside.start()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            asked = asyncio.ensure_future(self.ask(self.explores, "u0"))
            began = time.perf_counter()
            assert len(await self.ask(self.other, None)) == 10
            worst = max(worst, time.perf_counter() - began)
            await asked
            await asyncio.sleep(0.01)
        stop.set()
        await asyncio.to_thread(beside.join)
        lag.stop()
        return worst, max(lags)

    def _meanwhile(self, stop):
        metadata = self.installation.metadata
        lease = RunnerLease.take(metadata, self.installation.settings.data / "runners")
        leases = Leases(metadata, lease)
        with self.scope.write() as tx:
            tx.enqueue("toy", self.other, {})
        (job,) = leases.claim([], 4, 2)
        moment = 1_800_000_000
        while not stop.wait(0.05):
            moment += 1
            leases.renew([(job, JobOutput())])
            self.touch()
            event = Event("u0", "s", CATALOGUE[moment % 30], moment, "click")
            self.installation.log.append(self.stream, [event]).result()
        lease.release()


def measure(folder, subjects, count, records=0):
    """Worst latency and lag behind so many events of so many subjects and so many put records."""
    folder.mkdir()
    busy = Busy(folder)

    async def journey():
        await busy.ask(busy.explores, "u0")
        await busy.ask(busy.other, None)
        await asyncio.to_thread(busy.append, subjects, count)
        await asyncio.to_thread(busy.put, records)
        return await busy.measured()

    try:
        return asyncio.run(journey())
    finally:
        busy.close()


@pytest.mark.parametrize("part", [SHARE, pytest.param(WHOLE, marks=pytest.mark.soak)])
@pytest.mark.parametrize(
    ("subjects", "count", "records"),
    [(5000, 400_000, 0), (1, 200_000, 0), (5000, 20_000, 200_000)],
    ids=["many subjects", "one subject", "put records"],
)
def test_neither_latency_nor_lag_grow_with_what_was_streamed(tmp_path, part, subjects, count, records):
    few = measure(tmp_path / "few", subjects, count // part // 10, records // part // 10)
    many = measure(tmp_path / "many", subjects, count // part, records // part)
    for mine, tenth in zip(many, few, strict=True):
        assert mine <= 2 * tenth + SPARE, (many, few)


def test_streamed_writes_read_no_metadata_on_the_event_loop(tmp_path, monkeypatch):
    busy = Busy(tmp_path)
    with busy.scope.write() as tx:
        attributes, arn = {"trackingId": "t"}, busy.scope.arn("event-tracker/t")
        tx.add("event-tracker", arn, "t", group_arn=busy.group, status="ACTIVE", attributes=attributes)
    threads, find = set(), Transaction.find

    def noted(self, *args, **more):
        threads.add(threading.current_thread())
        return find(self, *args, **more)

    monkeypatch.setattr(Transaction, "find", noted)
    sent = [{"eventType": "click", "itemId": "item-01", "sentAt": int(time.time())}]
    request = {"trackingId": "t", "sessionId": "s", "userId": "u", "eventList": sent}

    async def journey():
        context = Context(busy.installation, busy.endpoints, busy.scope, "request")
        for _ in range(3):
            await asyncio.to_thread(busy.touch)  # what was worked out holds no more
            assert await put_events(context, request) == {}

    asyncio.run(journey())
    assert threads
    assert threading.main_thread() not in threads
    busy.close()
