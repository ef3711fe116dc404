"""Recommenders as workflows: whatever crashes, the weekly round, what a training leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import shop
from openpersonalize.errors import JobPostponed
from openpersonalize.events.entries import Event
from openpersonalize.installation import Installation
from openpersonalize.resources.internals import RecommenderInternal
from openpersonalize.resources.jobrows import waiting_jobs
from openpersonalize.resources.store import Resource, Scope
from openpersonalize.workflows.data_deletions import DataDeletion, retrain
from openpersonalize.workflows.deletions import RecommenderDeletion
from openpersonalize.workflows.recommenders import (
    CreateRecommender,
    RetrainRecommender,
    StartRecommender,
    StopRecommender,
    UpdateRecommender,
)
from openpersonalize.workflows.recommendertraining import RETRAIN, UPDATE
from openpersonalize.workflows.retention import RemoveArtifact, snapshots_in_use
from openpersonalize.workflows.schedule import Schedule, scheduled_trainings
from openpersonalize.workflows.trainings import remembered_schemas
from workflows.conftest import Hands
from workflows.rehearsal import Rehearsal, moments
from workflows.test_deployments import artifact

DAY = 86_400
RECIPE = "arn:aws:personalize:::recipe/aws-ecomm-popular-items-by-views"
CONFIG = {"trainingDataConfig": {"excludedDatasetColumns": {"INTERACTIONS": ["EVENT_VALUE"]}}}


class House:
    """A group with imported interactions and a recommender in the state that a test wants."""

    def __init__(self, installation: Installation, scope: Scope, clock: Hands) -> None:
        self.installation, self.scope, self.clock = installation, scope, clock
        self.schedule = Schedule(installation)
        self.group, self.dataset = scope.arn("dataset-group/g"), scope.arn("dataset/g/INTERACTIONS")
        self.seen: list[dict[str, Any]] = []
        self.count = 0
        with scope.write() as tx:
            tx.add("dataset-group", self.group, "g", status="ACTIVE", attributes={"domain": "ECOMMERCE"})
            text = {"schema": shop.SCHEMAS["Interactions"]}
            schema = tx.add("schema", scope.arn("schema/i"), "i", attributes=text)
            tx.add(
                "dataset",
                self.dataset,
                "i",
                group_arn=self.group,
                status="ACTIVE",
                attributes={"datasetType": "INTERACTIONS", "schemaArn": schema.arn},
                internal={"snapshot": "snapshots/0"},
            )

    def make(self, status: str, **attributes: Any) -> str:
        self.count += 1
        arn = self.scope.arn(f"recommender/r{self.count}")
        trained = {} if status == "CREATE PENDING" else {"artifact": artifact(self.installation)}
        with self.scope.write() as tx:
            due = {} if status == "CREATE PENDING" else {"due": self.clock.now() + 7 * DAY}
            tx.add(
                "recommender",
                arn,
                f"r{self.count}",
                group_arn=self.group,
                status=status,
                attributes={
                    "datasetGroupArn": self.group,
                    "recipeArn": RECIPE,
                    "recommenderConfig": {},
                    **attributes,
                },
                internal={
                    "schemas": remembered_schemas(tx, self.group),
                    "snapshots": {"INTERACTIONS": "snapshots/0"},
                    **trained,
                    **due,
                },
            )
        return arn

    def updating(self) -> str:
        update = {
            "recommenderConfig": CONFIG,
            "status": "CREATE PENDING",
            "creationDateTime": 1.0,
            "lastUpdatedDateTime": 1.0,
        }
        return self.make("ACTIVE", latestRecommenderUpdate=update)

    def rehearse(self, kind: str, arn: str, **payload: str) -> Callable[..., Rehearsal]:
        def step(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
            self.seen.append(arguments)
            return {"artifact": artifact(self.installation), "metrics": {"coverage": 0.123456}}

        return lambda die_at=None: Rehearsal(
            self.installation, self.scope, kind, arn, payload=payload, heavy=step, die_at=die_at
        )

    def read(self, arn: str) -> Resource:
        with self.scope.read() as tx:
            return tx.require(arn)

    def kept(self, arn: str) -> RecommenderInternal:
        return RecommenderInternal.of(self.read(arn))

    def jobs(self, kind: str) -> list[str]:
        with self.scope.read() as tx:
            return [
                job.resource_arn for job in waiting_jobs(tx.connection, "000000000000", "us-east-1", kind)
            ]

    def after(self, seconds: float) -> list[str]:
        """What a look starts so much later."""
        self.clock.time += seconds
        return self.schedule.look()

    def event(self) -> None:
        event = Event("u", "s", "item-01", int(self.clock.now()), "View")
        self.installation.log.append(self.dataset, [event]).result(10)


@pytest.fixture
def house(installation: Installation, scope: Scope, clock: Hands) -> House:
    return House(installation, scope, clock)


def test_created_whatever_crashes(house: House) -> None:
    made: list[str] = []

    def stage() -> Callable[..., Rehearsal]:
        made.append(house.make("CREATE PENDING"))
        return house.rehearse("create-recommender", made[-1])

    for _ in moments(CreateRecommender(), stage):
        found, kept = house.read(made[-1]), house.kept(made[-1])
        assert found.status == "ACTIVE"
        assert found.attributes["modelMetrics"] == {"coverage": 0.1235}
        assert kept.artifact is not None
        assert kept.training is None
        assert kept.snapshots == {"INTERACTIONS": "snapshots/0"}
        assert kept.due == found.created_at + 7 * DAY
    assert len(made) > 4


def test_updated_whatever_crashes(house: House) -> None:
    made: list[str] = []

    def stage() -> Callable[..., Rehearsal]:
        made.append(house.updating())
        return house.rehearse("retrain-recommender", made[-1], reason=UPDATE)

    for _ in moments(RetrainRecommender(), stage):
        found = house.read(made[-1])
        assert found.status == "ACTIVE"
        assert found.attributes["recommenderConfig"] == CONFIG
        assert found.attributes["latestRecommenderUpdate"]["status"] == "ACTIVE"
        assert house.seen[-1]["solution"] == {"solutionConfig": CONFIG}
        assert house.kept(made[-1]).training is None
    assert len(made) > 4


def test_configured_stopped_and_started_whatever_crashes(house: House) -> None:
    made: list[str] = []
    stories: tuple[tuple[Any, str, Callable[[], str], str], ...] = (
        (UpdateRecommender(), "update-recommender", house.updating, "ACTIVE"),
        (StopRecommender(), "stop-recommender", lambda: house.make("STOP PENDING"), "INACTIVE"),
        (StartRecommender(), "start-recommender", lambda: house.make("START PENDING"), "ACTIVE"),
    )
    for workflow, kind, make, status in stories:

        def stage(kind: str = kind, make: Callable[[], str] = make) -> Callable[..., Rehearsal]:
            made.append(make())
            return house.rehearse(kind, made[-1])

        for _ in moments(workflow, stage):
            assert house.read(made[-1]).status == status
            assert house.kept(made[-1]).artifact is not None


def test_a_failed_creation_leaves_nothing(house: House) -> None:
    arn = house.make("CREATE PENDING")
    job = house.rehearse("create-recommender", arn)()
    with pytest.raises(ZeroDivisionError):
        CreateRecommender().run(
            Rehearsal(house.installation, house.scope, "create-recommender", arn, heavy=lambda *_: 1 // 0)  # type: ignore[arg-type,return-value]
        )
    with house.scope.read() as tx:
        assert "snapshots/0" in snapshots_in_use(tx)
        assert house.kept(arn).training is not None
    with house.scope.write() as tx:
        tx.update(house.dataset, internal={"snapshot": "snapshots/1"})
        CreateRecommender().failed(job, tx, "Too little.")
    assert house.read(arn).status == "CREATE FAILED"
    assert house.read(arn).attributes["failureReason"] == "Too little."
    assert house.kept(arn).training is None
    assert house.jobs("remove-snapshot") == ["snapshots/0"]


def test_a_failed_update_goes_on_with_what_there_was(house: House) -> None:
    arn = house.updating()
    before = house.kept(arn).artifact
    with house.scope.write() as tx:
        RetrainRecommender().failed(house.rehearse("retrain-recommender", arn, reason=UPDATE)(), tx, "No.")
    found = house.read(arn)
    assert found.status == "ACTIVE"
    assert found.attributes["recommenderConfig"] == {}
    assert found.attributes["latestRecommenderUpdate"]["status"] == "CREATE FAILED"
    assert found.attributes["latestRecommenderUpdate"]["failureReason"] == "No."
    assert house.kept(arn).artifact == before


def test_a_deletion_asks_for_one_training_at_a_time(house: House) -> None:
    """However often somebody asks while it waits for its turn."""
    arn, job = house.make("ACTIVE"), house.scope.arn("data-deletion-job/d")
    with house.scope.write() as tx:
        tx.add(
            "data-deletion-job",
            job,
            "d",
            group_arn=house.group,
            status="COMPLETED",
            internal={"versions": [arn]},
        )
    settings = house.installation.settings
    assert retrain(house.scope, settings, job) == [arn]
    assert retrain(house.scope, settings, job) == []
    assert house.jobs("retrain-recommender") == [arn]


def test_trained_every_week_when_something_came(house: House) -> None:
    arn = house.make("ACTIVE")
    assert house.after(7 * DAY - 60) == []
    assert [one["arn"] for one in scheduled_trainings(house.scope, house.clock.now())] == [arn]
    assert house.after(120) == []  # nothing came
    house.event()
    assert house.after(6 * DAY) == []
    assert house.after(DAY) == [arn]
    assert house.jobs("retrain-recommender") == [arn]
    assert house.after(60) == []
    old = house.kept(arn).artifact
    RetrainRecommender().run(house.rehearse("retrain-recommender", arn, reason=RETRAIN)())
    assert house.kept(arn).artifact != old
    assert house.jobs("remove-artifact") == [old]
    assert house.installation.objects.exists(str(old))
    key = {"key": str(old)}
    RemoveArtifact().run(Rehearsal(house.installation, house.scope, "remove-artifact", str(old), payload=key))
    assert not house.installation.objects.exists(str(old))
    assert house.after(7 * DAY) == []  # it has learned from what came


def test_what_is_stopped_is_not_trained(house: House) -> None:
    arn = house.make("INACTIVE")
    house.event()
    assert house.after(8 * DAY) == []
    assert scheduled_trainings(house.scope, house.clock.now()) == []
    with house.scope.write() as tx:
        tx.update(arn, status="START PENDING")
    StartRecommender().run(house.rehearse("start-recommender", arn)())
    assert house.after(60) == []
    assert house.after(6 * DAY) == [arn]


def test_a_damaged_model_is_not_started(house: House) -> None:
    arn = house.make("START PENDING")
    house.installation.objects.remove(str(house.kept(arn).artifact))
    job = house.rehearse("start-recommender", arn)()
    with pytest.raises(Exception, match="delete the recommender and create it again"):
        StartRecommender().run(job)
    with house.scope.write() as tx:
        StartRecommender().failed(job, tx, "gone")
    assert house.read(arn).status == "INACTIVE"


def test_a_deletion_takes_the_model_with_it(house: House) -> None:
    arn = house.make("DELETE PENDING")
    key = str(house.kept(arn).artifact)
    RecommenderDeletion().run(house.rehearse("delete-recommender", arn)())
    assert not house.installation.objects.exists(key)
    with house.scope.read() as tx:
        assert tx.get(arn) is None
    with house.scope.write() as tx:  # a weekly training that was stopped for it says goodbye
        RetrainRecommender().stopped(house.rehearse("retrain-recommender", arn, reason=RETRAIN)(), tx)


def test_trainings_and_deletions_of_data_wait_for_each_other(house: House) -> None:
    arn = house.make("CREATE PENDING")
    deletion = house.scope.arn("data-deletion-job/d")
    with house.scope.write() as tx:
        tx.add(
            "data-deletion-job",
            deletion,
            "d",
            group_arn=house.group,
            status="PENDING",
            attributes={"datasetGroupArn": house.group},
        )
    with pytest.raises(JobPostponed):
        CreateRecommender().run(house.rehearse("create-recommender", arn)())
    assert house.read(arn).status == "CREATE PENDING"
    with house.scope.write() as tx:
        tx.update(deletion, status="FAILED")
    with pytest.raises(ZeroDivisionError):
        CreateRecommender().run(
            Rehearsal(house.installation, house.scope, "create-recommender", arn, heavy=lambda *_: 1 // 0)  # type: ignore[arg-type,return-value]
        )
    waiting = Rehearsal(house.installation, house.scope, "data-deletion", deletion, payload={"erasure": "e"})
    with house.scope.write() as tx:
        tx.remove(deletion)
        tx.add(
            "data-deletion-job",
            deletion,
            "d",
            group_arn=house.group,
            status="PENDING",
            attributes={"datasetGroupArn": house.group},
        )
    with pytest.raises(JobPostponed):
        DataDeletion().run(waiting)
