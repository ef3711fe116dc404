"""Training a recommender: pins its data, fits in a process of its own, puts the model in place in one commit.

A recommender has one model, that of its newest training, which answers until the next takes its place. It is
trained when it is created, when what it trains on is changed, and again every seven days from its creation
(Amazon Personalize developer guide, "Domain recommenders"), unless nothing came since the last time. Of
several jobs about a recommender those that train run one after the other.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..engine.workflow import Job
from ..recipes.registry import facts_of
from ..resources.endpoints import update_under_way
from ..resources.internals import RecommenderInternal, TrainingPins
from ..resources.store import Resource, Scope, Transaction
from ..storage.keys import artifact_key
from .exclusion import wait_for_deletions_of
from .news import has_news
from .retention import release_snapshots, retire_artifact
from .trainings import pinned_snapshots, remembered_schemas, training_schemas

if TYPE_CHECKING:
    from ..installation import Installation

log = logging.getLogger(__name__)

RETRAINING_SECONDS = 7 * 86_400.0

RETRAIN, UPDATE = "retrain", "update"
"""Why a recommender that answers is trained again: it is due, or what it trains on was changed."""


def train_again(tx: Transaction, recommender: Resource, reason: str) -> None:
    """Has a recommender that answers trained; the model in place answers until that is done."""
    payload = {"reason": reason}
    tx.enqueue("retrain-recommender", recommender.arn, payload, queue=recommender.arn)


def next_due(recommender: Resource, now: float) -> float:
    """When a recommender is to be trained again: whole weeks after its creation."""
    weeks = max(0, (now - recommender.created_at) // RETRAINING_SECONDS) + 1
    return recommender.created_at + weeks * RETRAINING_SECONDS


def due_recommenders(tx: Transaction, now: float) -> list[str]:
    """ARNs of the recommenders that are to be trained again by now. One that is stopped is not."""
    active = tx.find("recommender", statuses=("ACTIVE",))
    return [one.arn for one in active if RecommenderInternal.of(one).due <= now]


def scheduled_retrainings(tx: Transaction) -> list[tuple[float, str]]:
    """When each recommender is to be trained again, and its ARN."""
    active = tx.find("recommender", statuses=("ACTIVE",))
    return [(RecommenderInternal.of(one).due, one.arn) for one in active]


def retrain(installation: Installation, scope: Scope, arn: str, now: float) -> Resource | None:
    """The weekly round of a recommender that is due: begins a training and returns the recommender; None
    where nothing came since the last, or one is under way."""
    news = _has_news(installation, scope, arn)
    with scope.write() as tx:
        recommender = tx.get(arn, "recommender")
        if recommender is None or recommender.status != "ACTIVE":
            return None
        internal = RecommenderInternal.of(recommender)
        if internal.due > now:
            return None
        tx.update(recommender, internal={"due": next_due(recommender, now)}, touch=False)
        if not news or internal.training is not None or update_under_way(recommender) is not None:
            return None
        train_again(tx, recommender, RETRAIN)
    log.info("automatic training of %s", arn)
    return recommender


def begin(tx: Transaction, job: Job, *, anew: bool = False) -> Resource:
    """The recommender with the data of the job's training pinned; pins of an interrupted attempt stay.

    Args:
        anew: it is to train on the columns that its datasets have today, not on those it began with.

    Raises:
        JobPostponed: see `exclusion`.
    """
    recommender = tx.require(job.resource_arn, "recommender")
    pins, schemas = RecommenderInternal.of(recommender).training, RecommenderInternal.of(recommender).schemas
    if pins is not None and pins.job == job.id:
        return recommender
    wait_for_deletions_of(tx, recommender.group_arn)
    installation = job.installation
    pins = TrainingPins(
        job.id,
        pinned_snapshots(tx, recommender.group_arn),
        installation.log.position(),
        int(installation.clock.now()),
        installation.settings.training_seed,
        remembered_schemas(tx, recommender.attributes["datasetGroupArn"]) if anew else schemas,
    )
    return tx.update(recommender, internal={"training": pins}, touch=False)


def train(job: Job, recommender: Resource, config: Mapping[str, Any]) -> dict[str, Any]:
    """What the training step of a recommender, begun by `begin`, returned.

    Args:
        config: the recommenderConfig that decides what it trains on.
    """
    pins, group = RecommenderInternal.of(recommender).training, recommender.attributes["datasetGroupArn"]
    assert pins is not None
    with job.scope.read() as tx:
        schemas = training_schemas(tx, group, pins.schemas)
    columns = {key: config[key] for key in ("trainingDataConfig",) if key in config}
    return job.heavy(
        "openpersonalize.training.step:run",
        recipe=recommender.attributes["recipeArn"],
        solution={"solutionConfig": columns},
        schemas=schemas,
        snapshots=pins.snapshots,
        group=group,
        position=pins.position,
        moment=pins.moment,
        seed=pins.seed,
    )


def put_in_place(tx: Transaction, job: Job, made: dict[str, Any]) -> Resource:
    """The recommender with the model that was trained, for the last commit; what it replaces is removed."""
    recommender = tx.require(job.resource_arn, "recommender")
    internal, now = RecommenderInternal.of(recommender), job.installation.clock.now()
    assert internal.training is not None
    if internal.artifact not in (None, made["artifact"]):
        retire_artifact(tx, str(internal.artifact), now)
    _release(tx, recommender, internal.training, now)
    return tx.update(
        recommender,
        set={"modelMetrics": {name: round(value, 4) for name, value in made["metrics"].items()}},
        internal={
            "training": None,
            "schemas": internal.training.schemas,
            "artifact": made["artifact"],
            "snapshots": internal.training.snapshots,
            "position": internal.training.position,
            "moment": internal.training.moment,
        },
    )


def discard(tx: Transaction, job: Job) -> Resource | None:
    """After a training that came to nothing: nobody will ask for what it pinned, nor for a model that it
    published before a crash. The recommender, None when it is gone."""
    job.installation.objects.remove(artifact_key(job.id))
    recommender = tx.get(job.resource_arn, "recommender")
    pins = None if recommender is None else RecommenderInternal.of(recommender).training
    if recommender is None or pins is None or pins.job != job.id:
        return recommender
    _release(tx, recommender, pins, job.installation.clock.now())
    return tx.update(recommender, internal={"training": None}, touch=False)


def _release(tx: Transaction, recommender: Resource, pins: TrainingPins, now: float) -> None:
    release_snapshots(tx, recommender.group_arn, pins.snapshots, now)


def _has_news(installation: Installation, scope: Scope, arn: str) -> bool:
    with scope.read() as tx:
        recommender = tx.get(arn, "recommender")
        if recommender is None:
            return False
        group, internal = recommender.attributes["datasetGroupArn"], RecommenderInternal.of(recommender)
        schemas = training_schemas(tx, group, internal.schemas)
        datasets = {one.attributes["datasetType"]: one for one in tx.find("dataset", group_arn=group)}
    facts = facts_of(recommender.attributes["recipeArn"])
    needs = ("INTERACTIONS",) if facts is None else facts.needs
    return has_news(installation.log, datasets, schemas, needs, internal.snapshots, internal.position)
