"""Recommenders as workflows: created, updated, trained again, stopped and started.

A recommender goes on answering with the model and configuration that it has until the commit that puts others
in their place. What trains waits for a heavy slot; stopping, starting and other updates wait for no training.
"""

from __future__ import annotations

from ..engine.workflow import Job
from ..resources.endpoints import LATEST_UPDATE, marked_update
from ..resources.internals import RecommenderInternal
from ..resources.store import Resource, Transaction
from .deployments import verify_artifact
from .recommendertraining import UPDATE, begin, discard, next_due, put_in_place, train

MEMBER = LATEST_UPDATE["recommender"]


class CreateRecommender:
    """CREATE PENDING > CREATE IN_PROGRESS > ACTIVE or CREATE FAILED."""

    kind = "create-recommender"
    heavy = True

    def run(self, job: Job) -> None:
        with job.scope.write() as tx:
            recommender = tx.update(begin(tx, job), status="CREATE IN_PROGRESS")
        made = train(job, recommender, recommender.attributes["recommenderConfig"])
        with job.commit() as tx:
            recommender = put_in_place(tx, job, made)
            due = next_due(recommender, job.installation.clock.now())
            tx.update(recommender, status="ACTIVE", internal={"due": due})

    def failed(self, job: Job, tx: Transaction, reason: str) -> None:
        recommender = discard(tx, job)
        if recommender is not None:
            tx.update(recommender, status="CREATE FAILED", set={"failureReason": reason})

    def stopped(self, job: Job, tx: Transaction) -> None:
        self.failed(job, tx, "The creation was stopped.")


class RetrainRecommender:
    """A training of a recommender that answers; its status stays. Where an update asked for it, the progress
    shows in `latestRecommenderUpdate`; an automatic one shows in the jobs alone."""

    kind = "retrain-recommender"
    heavy = True

    def run(self, job: Job) -> None:
        asked = job.payload["reason"] == UPDATE
        with job.scope.write() as tx:
            recommender = begin(tx, job, anew=asked)
            if asked:
                recommender = _mark(tx, recommender, "CREATE IN_PROGRESS", job)
        config = recommender.attributes[MEMBER if asked else "recommenderConfig"]
        made = train(job, recommender, config["recommenderConfig"] if asked else config)
        with job.commit() as tx:
            recommender = put_in_place(tx, job, made)
            if asked:
                _switch(tx, recommender, job)

    def failed(self, job: Job, tx: Transaction, reason: str) -> None:
        recommender = discard(tx, job)
        if recommender is not None and job.payload["reason"] == UPDATE:
            _mark(tx, recommender, "CREATE FAILED", job, reason)

    def stopped(self, job: Job, tx: Transaction) -> None:
        self.failed(job, tx, "The update was stopped.")


class UpdateRecommender:
    """An update that changes nothing about the model: CREATE PENDING > CREATE IN_PROGRESS > ACTIVE."""

    kind = "update-recommender"
    heavy = False

    def run(self, job: Job) -> None:
        with job.scope.write() as tx:
            _mark(tx, tx.require(job.resource_arn, "recommender"), "CREATE IN_PROGRESS", job)
        with job.commit() as tx:
            _switch(tx, tx.require(job.resource_arn, "recommender"), job)

    def failed(self, job: Job, tx: Transaction, reason: str) -> None:
        _mark(tx, tx.require(job.resource_arn, "recommender"), "CREATE FAILED", job, reason)

    def stopped(self, job: Job, tx: Transaction) -> None:
        self.failed(job, tx, "The update was stopped.")


class StopRecommender:
    """STOP PENDING > STOP IN_PROGRESS > INACTIVE. The model stays."""

    kind = "stop-recommender"
    heavy = False

    def run(self, job: Job) -> None:
        with job.scope.write() as tx:
            tx.update(job.resource_arn, status="STOP IN_PROGRESS")
        with job.commit() as tx:
            tx.update(job.resource_arn, status="INACTIVE")

    def failed(self, job: Job, tx: Transaction, reason: str) -> None:
        tx.update(job.resource_arn, status="INACTIVE")

    def stopped(self, job: Job, tx: Transaction) -> None:
        self.failed(job, tx, "stopped")


class StartRecommender:
    """START PENDING > START IN_PROGRESS > ACTIVE, with the model that it had; INACTIVE again where that is
    gone or damaged, which the job's log tells. What fell due meanwhile is left out."""

    kind = "start-recommender"
    heavy = False

    def run(self, job: Job) -> None:
        with job.scope.write() as tx:
            recommender = tx.update(job.resource_arn, status="START IN_PROGRESS")
        artifact = RecommenderInternal.of(recommender).artifact
        verify_artifact(job, recommender.arn, artifact, "delete the recommender and create it again")
        with job.commit() as tx:
            due = next_due(recommender, job.installation.clock.now())
            tx.update(recommender, status="ACTIVE", internal={"due": due})

    def failed(self, job: Job, tx: Transaction, reason: str) -> None:
        tx.update(job.resource_arn, status="INACTIVE")

    def stopped(self, job: Job, tx: Transaction) -> None:
        self.failed(job, tx, "stopped")


def _mark(
    tx: Transaction, recommender: Resource, status: str, job: Job, failure: str | None = None
) -> Resource:
    """The recommender with the status of its latest update moved on."""
    now = job.installation.clock.now()
    return tx.update(recommender, set=marked_update(recommender, status, now, failure))


def _switch(tx: Transaction, recommender: Resource, job: Job) -> None:
    """From here on the configuration of the latest update is in force."""
    recommender = _mark(tx, recommender, "ACTIVE", job)
    tx.update(recommender, set={"recommenderConfig": recommender.attributes[MEMBER]["recommenderConfig"]})
