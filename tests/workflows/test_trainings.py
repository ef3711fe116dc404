"""The training workflow: which data it pins, what a crash or a stop leaves, what its end makes known."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import shop
from openpersonalize.errors import JobStopped
from openpersonalize.events.entries import Event
from openpersonalize.installation import Installation
from openpersonalize.resources.store import Resource, Scope, Transaction
from openpersonalize.workflows.trainings import Train, remembered_schemas, start_training
from workflows.rehearsal import Died, Rehearsal, moments

_numbers = itertools.count(1)


class Workshop:
    """A group with imported datasets, a solution and a version that waits to be trained."""

    def __init__(self, installation: Installation, scope: Scope) -> None:
        self.installation, self.scope = installation, scope
        name = f"w{next(_numbers)}"
        self.group = scope.arn(f"dataset-group/{name}")
        self.told: list[dict[str, Any]] = []
        self.snapshots = {kind: self.publish("snapshots") for kind in ("INTERACTIONS", "ITEMS")}
        with scope.write() as tx:
            tx.add("dataset-group", self.group, name, status="ACTIVE")
            for kind, key in self.snapshots.items():
                self._add_dataset(tx, name, kind, key)
            solution = tx.add(
                "solution",
                scope.arn(f"solution/{name}"),
                name,
                group_arn=self.group,
                status="ACTIVE",
                attributes={
                    "performHPO": False,
                    "performAutoML": False,
                    "performAutoTraining": True,
                    "recipeArn": "arn:aws:personalize:::recipe/aws-popularity-count",
                    "datasetGroupArn": self.group,
                    "eventType": "click",
                    "solutionConfig": {"eventValueThreshold": "1"},
                },
                internal={"schemas": remembered_schemas(tx, self.group)},
            )
            version = start_training(tx, solution, "v1", training_mode="FULL", training_type="MANUAL")
        self.name, self.solution, self.version = name, solution.arn, version.arn

    def publish(self, folder: str) -> str:
        key = f"{folder}/{next(_numbers)}"
        self.installation.objects.publish(self.installation.objects.stage(), key)
        return key

    def rehearse(self, die_at: int | None = None) -> Rehearsal:
        return Rehearsal(
            self.installation, self.scope, "train", self.version, heavy=self._step, die_at=die_at
        )

    def read(self, arn: str | None = None) -> Resource:
        with self.scope.read() as tx:
            return tx.require(arn or self.version)

    def reimport(self, kind: str) -> str:
        """As an import would: another snapshot is in force."""
        key = self.publish("snapshots")
        with self.scope.write() as tx:
            tx.update(self.scope.arn(f"dataset/{self.name}/{kind}"), internal={"snapshot": key})
        return key

    def replace_schema(self, kind: str, text: str) -> None:
        """As UpdateDataset would."""
        with self.scope.write() as tx:
            arn = self.scope.arn(f"schema/{self.name}-{kind}-{next(_numbers)}")
            tx.add("schema", arn, "new", attributes={"schema": text})
            tx.update(self.scope.arn(f"dataset/{self.name}/{kind}"), set={"schemaArn": arn})

    def _add_dataset(self, tx: Transaction, name: str, kind: str, key: str) -> None:
        schema = tx.add(
            "schema",
            self.scope.arn(f"schema/{name}-{kind}"),
            kind,
            attributes={"schema": shop.SCHEMAS[kind.capitalize()]},
        )
        tx.add(
            "dataset",
            self.scope.arn(f"dataset/{name}/{kind}"),
            kind,
            group_arn=self.group,
            status="ACTIVE",
            attributes={"datasetType": kind, "schemaArn": schema.arn},
            internal={"snapshot": key},
        )

    def _step(self, step: str, arguments: dict[str, Any]) -> dict[str, Any]:
        assert step == "openpersonalize.training.step:run"
        self.told.append(arguments)
        return {
            "artifact": self.publish("artifacts"),
            "metrics": {"coverage": 0.123456},
            "training_hours": 0.00123,
        }


@pytest.fixture
def workshops(installation: Installation, scope: Scope) -> Callable[[], Workshop]:
    return lambda: Workshop(installation, scope)


def test_the_step_is_told_everything(workshops: Callable[[], Workshop]) -> None:
    workshop = workshops()
    stream = workshop.scope.arn(f"dataset/{workshop.name}/INTERACTIONS")
    event = Event("u", "s", "item-01", 1_789_999_000, "click")
    position = workshop.installation.log.append(stream, [event]).result(10)
    Train().run(workshop.rehearse())
    [told] = workshop.told
    assert told["snapshots"] == {kind: workshop.snapshots[kind] for kind in ("INTERACTIONS", "ITEMS")}
    assert told["group"] == workshop.group
    assert told["position"] == position
    assert told["schemas"] == {kind: shop.SCHEMAS[kind.capitalize()] for kind in ("INTERACTIONS", "ITEMS")}
    assert told["recipe"].endswith("aws-popularity-count")
    assert told["solution"]["eventType"] == "click"
    assert told["solution"]["solutionConfig"] == {"eventValueThreshold": "1"}
    version = workshop.read()
    assert version.status == "ACTIVE"
    assert version.attributes["trainingHours"] == 0.001
    assert version.internal.metrics == {"coverage": 0.1235}
    assert told["seed"] == version.internal.seed


def test_a_training_that_crashed_goes_on_with_the_same_data(workshops: Callable[[], Workshop]) -> None:
    made: list[Workshop] = []

    def stage() -> Callable[..., Rehearsal]:
        workshop = workshops()
        made.append(workshop)

        def rehearse(die_at: int | None = None) -> Rehearsal:
            if die_at is None and workshop.read().status == "CREATE IN_PROGRESS":
                workshop.reimport("ITEMS")  # between the crash and the restart
            return workshop.rehearse(die_at)

        return rehearse

    for _ in moments(Train(), stage):
        workshop = made[-1]
        version = workshop.read()
        assert version.status == "ACTIVE"
        assert workshop.installation.objects.exists(version.internal.artifact)
        assert {told["snapshots"]["ITEMS"] for told in workshop.told} == {workshop.snapshots["ITEMS"]}
        assert len({told["seed"] for told in workshop.told}) == 1
    assert len(made) > 5


def test_pinned_data_that_was_replaced_is_retired_at_the_end(workshops: Callable[[], Workshop]) -> None:
    workshop = workshops()
    with pytest.raises(Died):
        Train().run(workshop.rehearse(die_at=3))
    workshop.reimport("ITEMS")
    Train().run(workshop.rehearse())
    with workshop.scope.read() as tx:
        retired = tx.job(workshop.snapshots["ITEMS"])
        kept = tx.job(workshop.snapshots["INTERACTIONS"])
    assert retired is not None
    assert retired.kind == "remove-snapshot"
    assert kept is None


def test_stopped_before_it_began(workshops: Callable[[], Workshop]) -> None:
    workshop = workshops()
    with workshop.scope.write() as tx:
        tx.update(workshop.version, status="CREATE STOPPED")
    with pytest.raises(JobStopped):
        Train().run(workshop.rehearse())
    assert workshop.told == []


def test_stopped_at_the_last_moment(workshops: Callable[[], Workshop]) -> None:
    workshop = workshops()
    job = _StoppedAtTheEnd(workshop)
    with pytest.raises(JobStopped):
        Train().run(job)
    with workshop.scope.write() as tx:
        Train().stopped(job, tx)
    version = workshop.read()
    assert version.status == "CREATE STOPPED"
    assert version.internal.artifact is None
    assert not workshop.installation.objects.exists("artifacts/rehearsal")


class _StoppedAtTheEnd(Rehearsal):
    """Somebody asks to stop between the end of the training and its commit."""

    def __init__(self, workshop: Workshop) -> None:
        super().__init__(
            workshop.installation, workshop.scope, "train", workshop.version, heavy=workshop._step
        )

    def heavy(self, step: str, **arguments: Any) -> dict[str, Any]:
        objects = self.installation.objects
        objects.publish(objects.stage(), f"artifacts/{self.id}")
        return super().heavy(step, **arguments) | {"artifact": f"artifacts/{self.id}"}

    @contextmanager
    def commit(self) -> Iterator[Transaction]:
        raise JobStopped
        yield


def test_failure_is_told(workshops: Callable[[], Workshop]) -> None:
    workshop = workshops()
    objects = workshop.installation.objects
    objects.publish(objects.stage(), "artifacts/rehearsal")  # by an attempt that died before its commit
    with workshop.scope.write() as tx:
        Train().failed(workshop.rehearse(), tx, "Too little data.")
    assert not objects.exists("artifacts/rehearsal")
    version = workshop.read()
    assert (version.status, version.attributes["failureReason"]) == ("CREATE FAILED", "Too little data.")


def test_columns_added_after_the_solution_do_not_train_it(workshops: Callable[[], Workshop]) -> None:
    workshop = workshops()
    wider = shop.SCHEMAS["Items"].replace("COLOUR", "COLOURS")
    workshop.replace_schema("ITEMS", wider)
    Train().run(workshop.rehearse())
    assert workshop.told[0]["schemas"]["ITEMS"] == shop.SCHEMAS["Items"]
    with workshop.scope.write() as tx:
        tx.update(workshop.solution, internal={"schemas": remembered_schemas(tx, workshop.group)})
        again = start_training(
            tx, tx.require(workshop.solution), "v2", training_mode="FULL", training_type="MANUAL"
        )
    workshop.version = again.arn
    Train().run(workshop.rehearse())
    assert workshop.told[1]["schemas"]["ITEMS"] == wider


def test_a_dataset_made_anew_trains_with_its_own_schema(
    workshops: Callable[[], Workshop], clock: Any
) -> None:
    workshop = workshops()
    clock.time += 1
    other = shop.SCHEMAS["Items"].replace("COLOUR", "SHADE")
    arn = workshop.scope.arn(f"dataset/{workshop.name}/ITEMS")
    with workshop.scope.write() as tx:
        tx.remove(arn)
        schema = tx.add("schema", workshop.scope.arn("schema/other"), "other", attributes={"schema": other})
        tx.add(
            "dataset",
            arn,
            "ITEMS",
            group_arn=workshop.group,
            status="ACTIVE",
            attributes={"datasetType": "ITEMS", "schemaArn": schema.arn},
        )
    Train().run(workshop.rehearse())
    assert workshop.told[0]["schemas"]["ITEMS"] == other
    assert workshop.told[0]["snapshots"].get("ITEMS") is None


def make(workshop: Workshop, name: str, mode: str) -> Resource:
    """A further version, trained to its end."""
    workshop.installation.clock.time += 1  # type: ignore[attr-defined]
    with workshop.scope.write() as tx:
        solution = tx.require(workshop.solution)
        workshop.version = start_training(tx, solution, name, training_mode=mode, training_type="MANUAL").arn
    Train().run(workshop.rehearse())
    return workshop.read()


def test_an_update_is_upon_the_newest_full_version_or_its_newest_update(
    workshops: Callable[[], Workshop],
) -> None:
    workshop = workshops()
    Train().run(workshop.rehearse())
    first = workshop.read()
    assert workshop.told[-1]["base_artifact"] is None
    one = make(workshop, "u1", "UPDATE")
    assert workshop.told[-1]["base_artifact"] == first.internal.artifact
    two = make(workshop, "u2", "UPDATE")
    assert workshop.told[-1]["base_artifact"] == one.internal.artifact
    assert two.internal.metrics == first.internal.metrics
    second = make(workshop, "v2", "FULL")
    assert workshop.told[-1]["base_artifact"] is None
    make(workshop, "u3", "UPDATE")
    assert workshop.told[-1]["base_artifact"] == second.internal.artifact


def test_an_update_that_is_resumed_stays_upon_what_it_began_with(workshops: Callable[[], Workshop]) -> None:
    workshop = workshops()
    Train().run(workshop.rehearse())
    first = workshop.read()
    with workshop.scope.write() as tx:
        solution = tx.require(workshop.solution)
        update = start_training(tx, solution, "u", training_mode="UPDATE", training_type="MANUAL").arn
    workshop.version = update
    with pytest.raises(Died):
        Train().run(workshop.rehearse(die_at=3))
    make(workshop, "v2", "FULL")
    workshop.version = update
    Train().run(workshop.rehearse())
    assert workshop.told[-1]["base_artifact"] == first.internal.artifact
    assert workshop.read().internal.full_version == first.arn


def test_a_training_that_an_older_release_began_goes_on(workshops: Callable[[], Workshop]) -> None:
    workshop = workshops()
    with workshop.scope.write() as tx:
        pinned = {"snapshots": workshop.snapshots, "position": 0}
        tx.update(workshop.version, status="CREATE IN_PROGRESS", internal=pinned)
    Train().run(workshop.rehearse())
    version = workshop.read()
    assert version.status == "ACTIVE"
    assert workshop.told[-1]["moment"] == int(version.created_at)
