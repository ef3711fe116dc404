"""When automatic trainings start, by a clock that jumps."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest

import shop
from openpersonalize.events.entries import Event, Record
from openpersonalize.installation import Installation
from openpersonalize.resources.internals import RememberedSchema
from openpersonalize.resources.store import Resource, Scope
from openpersonalize.settings import read_settings
from openpersonalize.workflows.schedule import HOUR, Schedule, begin_schedule, scheduled_trainings
from openpersonalize.workflows.trainings import Train, free_suffix, remembered_schemas, start_training
from openpersonalize.workflows.updates import UpdateSolution
from workflows.conftest import Hands
from workflows.rehearsal import Rehearsal

DAY = 86_400
FIRST = 55 * 60
RECIPE = "arn:aws:personalize:::recipe/aws-popularity-count"


class House:
    """A group with imported interactions and a solution that was just created."""

    def __init__(self, installation: Installation, scope: Scope, clock: Hands, **config: Any) -> None:
        self.installation, self.scope, self.clock = installation, scope, clock
        self.schedule = Schedule(installation)
        self.group = scope.arn("dataset-group/g")
        self.dataset = scope.arn("dataset/g/INTERACTIONS")
        self.solution = scope.arn("solution/s")
        self.imports = 0
        with scope.write() as tx:
            tx.add("dataset-group", self.group, "g", status="ACTIVE")
            schema = tx.add(
                "schema", scope.arn("schema/i"), "i", attributes={"schema": shop.SCHEMAS["Interactions"]}
            )
            tx.add(
                "dataset",
                self.dataset,
                "INTERACTIONS",
                group_arn=self.group,
                status="ACTIVE",
                attributes={"datasetType": "INTERACTIONS", "schemaArn": schema.arn},
                internal={"snapshot": "snapshots/0"},
            )
            tx.add(
                "solution",
                self.solution,
                "s",
                group_arn=self.group,
                status="ACTIVE",
                attributes={
                    "performHPO": False,
                    "performAutoML": False,
                    "performAutoTraining": True,
                    "recipeArn": RECIPE,
                    "datasetGroupArn": self.group,
                    "solutionConfig": config,
                },
                internal={
                    "schemas": remembered_schemas(tx, self.group),
                    "automatic": begin_schedule(clock.now(), installation.settings.first_automatic_training),
                },
            )

    def after(self, seconds: float) -> list[str]:
        """What a look starts so much later."""
        self.clock.time += seconds
        return self.schedule.look()

    def bulk(self) -> None:
        self.imports += 1
        with self.scope.write() as tx:
            tx.update(self.dataset, internal={"snapshot": f"snapshots/{self.imports}"})

    def event(self) -> None:
        event = Event("u", "s", "item-01", int(self.clock.now()), "click")
        self.installation.log.append(self.dataset, [event]).result(10)

    def streamed(self, stream: str, seconds: float = 2 * HOUR) -> list[str]:
        """What a look starts so much later, when an item was put."""
        self.installation.log.append(stream, [Record("item-01", "{}")]).result(10)
        return self.after(seconds)

    def count(self) -> int:
        """How many versions there are."""
        with self.scope.read() as tx:
            return tx.count("solution-version", parent_arn=self.solution)

    def manual(self) -> str:
        with self.scope.write() as tx:
            solution = tx.require(self.solution)
            suffix = free_suffix(tx, solution)
            return start_training(tx, solution, suffix, training_mode="FULL", training_type="MANUAL").arn

    def train(self, version: str) -> None:
        """The training of a version, to its end."""

        def step(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
            key = f"artifacts/{version.rpartition('/')[2]}"
            self.installation.objects.publish(self.installation.objects.stage(), key)
            return {"artifact": key, "metrics": {}, "training_hours": 0.1}

        Train().run(Rehearsal(self.installation, self.scope, "train", version, heavy=step))

    def read(self, arn: str) -> Resource:
        with self.scope.read() as tx:
            return tx.require(arn)

    def update(self, **changes: Any) -> None:
        """UpdateSolution, to its end."""
        with self.scope.write() as tx:
            tx.update(self.solution, set={"latestSolutionUpdate": {**changes, "status": "CREATE PENDING"}})
        UpdateSolution().run(Rehearsal(self.installation, self.scope, "update-solution", self.solution))


@pytest.fixture
def house(installation: Installation, scope: Scope, clock: Hands) -> House:
    return House(installation, scope, clock)


def test_the_first_version_starts_within_an_hour(house: House) -> None:
    assert house.after(FIRST - 1) == []
    [version] = house.after(2)
    made = house.read(version)
    assert made.attributes["trainingType"] == "AUTOMATIC"
    assert made.attributes["trainingMode"] == "FULL"
    assert made.status == "CREATE PENDING"
    assert made.created_at - house.read(house.solution).created_at <= HOUR
    with house.scope.read() as tx:
        assert tx.job(version) is not None


def test_a_version_made_by_hand_in_the_first_hour_takes_its_place(house: House) -> None:
    house.clock.time += 600
    house.train(house.manual())
    house.bulk()
    assert house.after(HOUR) == []
    assert house.after(7 * DAY - HOUR - 60) == []
    assert len(house.after(120)) == 1


def test_a_version_made_by_hand_later_moves_nothing(house: House) -> None:
    [first] = house.after(FIRST)
    house.train(first)
    house.clock.time += 3 * DAY
    house.train(house.manual())
    house.bulk()
    assert len(house.after(4 * DAY)) == 1


@pytest.mark.parametrize("days", [1, 7, 30])
def test_later_ones_every_so_many_days_from_the_last_start(
    installation: Installation, scope: Scope, clock: Hands, days: int
) -> None:
    unit = "day" if days == 1 else "days"
    expression = {"schedulingExpression": f"rate({days} {unit})"}
    house = House(installation, scope, clock, autoTrainingConfig=expression)
    [first] = house.after(FIRST)
    house.train(first)
    for _ in range(3):
        house.bulk()
        assert house.after(days * DAY - 60) == []
        [version] = house.after(60)
        house.train(version)


@pytest.mark.parametrize("news", [House.bulk, House.event])
def test_only_when_interactions_came_in(house: House, news: Callable[[House], None]) -> None:
    house.event()
    [first] = house.after(FIRST)
    house.train(first)
    assert house.after(7 * DAY) == []
    assert house.after(DAY) == []
    news(house)
    # The round without news is over: the next one is a week after it.
    assert house.after(5 * DAY) == []
    assert len(house.after(DAY)) == 1


def test_nothing_to_learn_from_is_no_training_and_the_first_waits_for_data(house: House) -> None:
    with house.scope.write() as tx:
        tx.update(house.dataset, internal={"snapshot": None})
    assert house.after(FIRST) == []
    assert house.after(5 * HOUR) == []
    house.event()
    [first] = house.after(HOUR)
    house.train(first)
    assert house.after(HOUR) == []
    house.event()
    assert len(house.after(7 * DAY - HOUR)) == 1


def test_a_version_at_work_lets_the_round_pass(house: House) -> None:
    [first] = house.after(FIRST)
    house.bulk()
    assert house.after(7 * DAY) == []
    house.train(first)
    house.bulk()
    assert house.after(DAY) == []
    assert len(house.after(6 * DAY)) == 1


def test_a_full_quota_is_tried_again_at_the_next_look(
    installation: Installation, scope: Scope, clock: Hands
) -> None:
    house = House(installation, scope, clock)
    with scope.write() as tx:
        for number in range(installation.settings.quota_solution_versions):
            tx.add("solution-version", scope.arn(f"solution/o/{number}"), "o", status="CREATE PENDING")
    assert house.after(FIRST) == []
    with scope.write() as tx:
        tx.update(scope.arn("solution/o/0"), status="CREATE STOPPED")
    assert len(house.after(15)) == 1


def test_turned_off_and_on_again(house: House) -> None:
    house.update(performAutoTraining=False)
    assert house.after(30 * DAY) == []
    house.update(performAutoTraining=True)
    assert house.after(FIRST - 1) == []
    assert len(house.after(1)) == 1


def test_another_rate_counts_from_the_last_start(house: House) -> None:
    [first] = house.after(FIRST)
    house.train(first)
    house.bulk()
    house.clock.time += DAY
    config = {"autoTrainingConfig": {"schedulingExpression": "rate(2 days)"}}
    house.update(solutionUpdateConfig=config)
    assert house.after(DAY - 60) == []
    assert len(house.after(60)) == 1


def test_a_solution_that_is_deleted_trains_no_more(house: House) -> None:
    with house.scope.write() as tx:
        tx.update(house.solution, status="DELETE PENDING")
    assert house.after(DAY) == []


def test_a_solution_of_a_release_without_a_schedule_gets_one(house: House) -> None:
    with house.scope.write() as tx:
        tx.update(house.solution, internal={"automatic": None})
    assert house.after(DAY) == []
    assert len(house.after(FIRST)) == 1


def test_two_processes_start_one_version(house: House, clock: Hands) -> None:
    settings = read_settings({"data_dir": str(house.installation.settings.data)}, {})
    other = Installation.open(settings, clock)
    try:
        clock.time += FIRST
        started: list[str] = []
        looks = [Schedule(one) for one in (house.installation, other) for _ in range(4)]
        threads = [threading.Thread(target=lambda one=one: started.extend(one.look())) for one in looks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        other.close()
    assert len(started) == 1


def test_when_the_next_is_due(house: House) -> None:
    def due_in() -> list[float]:
        return [one["due_in_seconds"] for one in scheduled_trainings(house.scope, house.clock.now())]

    assert due_in() == [FIRST]
    house.clock.time += 600
    house.train(house.manual())  # takes the first one's place, which shows at once
    assert due_in() == [7 * DAY]
    house.bulk()
    assert house.after(7 * DAY - 60) == []
    assert due_in() == [60]
    assert len(house.after(60)) == 1
    assert due_in() == [7 * DAY]
    house.update(performAutoTraining=False)
    assert due_in() == []


def test_the_thread_looks_and_stops(house: House) -> None:
    schedule = Schedule(house.installation, look_seconds=0.01)
    schedule.start()
    assert house.after(FIRST - 60) == []
    house.clock.time += 60
    give_up = time.monotonic() + 10
    while (versions := house.count()) == 0:
        assert time.monotonic() < give_up
        time.sleep(0.01)
    schedule.stop()
    assert versions == 1


def test_nobody_waits_to_write_while_the_log_is_read(house: House) -> None:
    """Reading may take long; what is read and what is written are two transactions."""
    read: list[str] = []

    class Slow:
        def interactions(self, *args: Any, **more: Any) -> Any:
            writer = threading.Thread(target=house.bulk)  # of another request
            writer.start()
            writer.join(10)
            read.append("blocked" if writer.is_alive() else "free")
            return house.installation.log.interactions(*args, **more)

    house.train(house.manual())
    schedule = Schedule(replace(house.installation, log=cast(Any, Slow())))
    house.clock.time += 8 * DAY
    schedule.look()
    assert read == ["free"]


def test_a_recipe_that_needs_items_alone_trains_when_they_change(house: House) -> None:
    items = house.scope.arn("dataset/g/ITEMS")
    recipe = "arn:aws:personalize:::recipe/aws-semantic-similarity"
    with house.scope.write() as tx:
        tx.update(house.solution, set={"recipeArn": recipe})
        tx.remove(house.dataset)
        tx.add("schema", house.scope.arn("schema/t"), "t", attributes={"schema": shop.SCHEMAS["Items"]})
    assert house.after(2 * HOUR) == []  # it has nothing to train on
    with house.scope.write() as tx:
        attributes = {"datasetType": "ITEMS", "schemaArn": house.scope.arn("schema/t")}
        tx.add("dataset", items, "ITEMS", group_arn=house.group, status="ACTIVE", attributes=attributes)
    [version] = house.after(2 * HOUR) or house.streamed(items)
    house.train(version)
    assert house.after(8 * DAY) == []
    assert len(house.streamed(items, 8 * DAY)) == 1


def test_a_solution_that_cannot_be_looked_at_keeps_no_other_waiting(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    with house.scope.write() as tx:
        first = tx.require(house.solution)
        other = house.scope.arn("solution/a-broken")
        tx.add(
            "solution",
            other,
            "a-broken",
            group_arn=house.group,
            status="ACTIVE",
            attributes={**first.attributes, "datasetGroupArn": house.scope.arn("dataset-group/none")},
            internal={
                "schemas": {"INTERACTIONS": RememberedSchema(0.0, "no schema")},
                "automatic": first.internal.automatic,
            },
        )
        tx.add(
            "dataset",
            house.scope.arn("dataset/none/INTERACTIONS"),
            "no-schema",
            group_arn=house.scope.arn("dataset-group/none"),
            attributes={"datasetType": "INTERACTIONS", "schemaArn": house.scope.arn("schema/none")},
        )
    assert len(house.after(FIRST)) == 1
    assert "a-broken could not be looked at" in caplog.text
