"""Nothing waits for somebody else's work: latency and lag do not grow with a backlog or a history.

Each measure is compared with the same one at a tenth of the numbers, so that no bound depends on the machine.
"""

import asyncio
import threading
import time

import pytest

from openpersonalize.engine.leases import JobOutput, Leases
from openpersonalize.engine.runner import JobRunner
from openpersonalize.engine.runnerlease import RunnerLease
from openpersonalize.events.entries import Event, Record
from openpersonalize.exploration.newcomers import Newcomers
from openpersonalize.filters.compiler import compile_filter
from openpersonalize.operations.context import Context
from openpersonalize.operations.events import put_events
from openpersonalize.resources.transaction import Transaction
from openpersonalize.server.looplag import LoopLag
from openpersonalize.serving.answer import Question, answer, subject
from openpersonalize.storage.idtable import FEW, IdTable
from openpersonalize.workflows.registry import WORKFLOWS
from openpersonalize.workflows.trainings import remembered_schemas, start_training

from .making import CATALOGUE, SCHEMAS, TEXTS
from .test_registry import POPULAR, V1, House

SPARE = 0.25
"""Seconds that a busy machine may add to any measure."""
TRIALS = 3
"""Times that latency and lag are measured at most; each must be within its bound once."""
SHARE, WHOLE = 20, 1
"""What part of the numbers of a busy installation is streamed in the suite; of the whole something is also
trained meanwhile, in a process of its own."""
PATIENCE = 60
"""Seconds for a training."""
TRAINED = ("ACTIVE", "CREATE FAILED")


class Busy(House):
    """Two campaigns, one of which explores, and a dataset group that streams."""

    def __init__(self, folder):
        super().__init__(folder, {"minimum_data": False})
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
        question = Question(
            user, 10, self.chosen if user is not None else None, exploration=found.exploration
        )
        about, records = subject(found.deployment, question), question.reads_records
        await self.endpoints.ready(found.deployment, about, {}, records=records)
        return answer(found.deployment, question)

    def train(self):
        """Begin a training of what was streamed, as a caller does; the version's ARN."""
        with self.scope.write() as tx:
            solution = tx.add(
                "solution",
                self.scope.arn("solution/trained"),
                "trained",
                group_arn=self.group,
                status="ACTIVE",
                attributes={
                    "datasetGroupArn": self.group,
                    "performAutoML": False,
                    "performHPO": False,
                    "recipeArn": f"arn:aws:personalize:::recipe/{POPULAR}",
                    "solutionConfig": {},
                },
                internal={"schemas": remembered_schemas(tx, self.group)},
            )
            return start_training(tx, solution, "v", training_mode="FULL", training_type="MANUAL").arn

    def status(self, version):
        with self.scope.read() as tx:
            return tx.require(version).status

    async def measured(self, training, seconds=0.6):
        """The worst latency of the other campaign and the largest lag, while one subject goes on doing things
        under a campaign that is behind, jobs report and resources change; until a `training` has ended, with
        one."""
        worst, lags, stop, claimed = 0.0, [0.0], threading.Event(), threading.Event()
        lag = LoopLag(lags.append, sample_seconds=0.005, window_seconds=60)
        beside = threading.Thread(target=self._meanwhile, args=(stop, claimed))
        lag.start()
        beside.start()
        await asyncio.to_thread(claimed.wait)  # so that the training is left to the runner
        runner = JobRunner(self.installation, WORKFLOWS)
        version = self.train() if training else None
        if training:
            runner.start()
        until, latest = time.monotonic() + seconds, time.monotonic() + PATIENCE
        while time.monotonic() < until or (training and self.status(version) not in TRAINED):
            assert time.monotonic() < latest, self.status(version)
            asked = asyncio.ensure_future(self.ask(self.explores, "u0"))
            began = time.perf_counter()
            assert len(await self.ask(self.other, None)) == 10
            worst = max(worst, time.perf_counter() - began)
            await asked
            await asyncio.sleep(0.01)
        stop.set()
        await asyncio.to_thread(beside.join)
        lag.stop()
        if training:
            await asyncio.to_thread(runner.stop, True)
            with self.scope.read() as tx:
                trained = tx.require(version)
            assert trained.status == "ACTIVE", trained.attributes.get("failureReason")
        return worst, max(lags)

    def _meanwhile(self, stop, claimed):
        metadata = self.installation.metadata
        lease = RunnerLease.take(metadata, self.installation.settings.data / "runners")
        leases = Leases(metadata, lease)
        with self.scope.write() as tx:
            tx.enqueue("toy", self.other, {})
        (job,) = leases.claim([], 4, 2)
        claimed.set()
        moment = 1_800_000_000
        while not stop.wait(0.05):
            moment += 1
            leases.renew([(job, JobOutput())])
            self.touch()
            event = Event("u0", "s", CATALOGUE[moment % 30], moment, "click")
            self.installation.log.append(self.stream, [event]).result()
        lease.release()


def measure(folder, subjects, count, records=0, training=False):
    """Worst latency and lag behind so many events of so many subjects and so many put records."""
    folder.mkdir()
    busy = Busy(folder)

    async def journey():
        await busy.ask(busy.explores, "u0")
        await busy.ask(busy.other, None)
        await asyncio.to_thread(busy.append, subjects, count)
        await asyncio.to_thread(busy.put, records)
        return await busy.measured(training)

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
    training = part == WHOLE and subjects > 1
    few = measure(tmp_path / "few", subjects, count // part // 10, records // part // 10, training)
    found = []
    for trial in range(TRIALS):  # a pause of a busy machine ends with it, what grows comes again
        many = measure(tmp_path / f"many{trial}", subjects, count // part, records // part, training)
        found.append([mine <= 2 * tenth + SPARE for mine, tenth in zip(many, few, strict=True)])
        if all(map(any, zip(*found, strict=True))):
            return
    raise AssertionError((found, many, few))


def test_nothing_is_worked_out_on_the_event_loop_because_newcomers_came(tmp_path, monkeypatch):
    """What answers need to know of all newcomers is ready before the newcomers are there."""
    busy, joined = Busy(tmp_path), []
    for owner, name in ((Newcomers, "numbers"), (IdTable, "find_all")):
        monkeypatch.setattr(owner, name, noted(getattr(owner, name), joined))

    async def journey():
        found = await busy.get(busy.explores)
        for known in (2000, 2500):
            await asyncio.to_thread(busy.put, known)
            event = Event("u0", "s", f"new-{known - 1}", 1_800_000_000 + known, "click")
            await asyncio.wrap_future(busy.installation.log.append(busy.stream, [event]))
            while len(found.deployment.tracker.counts.members.ids) < known:
                await asyncio.sleep(0.01)
            joined.clear()
            for _ in range(3):
                assert len(await busy.ask(busy.explores, "u0")) == 10
            assert [size for thread, size in joined if thread is threading.main_thread() and size > 100] == []

    try:
        asyncio.run(journey())
    finally:
        busy.close()


def noted(function, calls):
    """`function`, which notes its thread and the number of rows that it works on."""

    def noting(self, *args):
        wanted = len(args[0])
        searched = isinstance(self, IdTable) and wanted * FEW < len(self)  # one by one, not by a join
        calls.append((threading.current_thread(), wanted if searched else max(wanted, len(self))))
        return function(self, *args)

    return noting


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
