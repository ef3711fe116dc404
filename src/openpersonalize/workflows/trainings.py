"""Training a solution version: pins its data, fits in a process of its own, publishes in one commit.

A version trains on the snapshots and the live-log position of the moment its training began. They are
recorded before anything is read, so that a training that is resumed after a crash trains on the same data
and a version can always say what it was trained on.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from ..engine.workflow import Job
from ..errors import JobStopped
from ..recipes.registry import facts_of
from ..resources.internals import DatasetInternal, RememberedSchema, SolutionInternal, VersionInternal
from ..resources.store import Resource, Transaction
from ..resources.versions import age_key, newest_full_version
from ..storage.keys import artifact_key
from .automl import best_recipe
from .deployments import follow_latest
from .exclusion import wait_for_deletions
from .retention import release_snapshots, retire_models
from .trials import HyperparameterSearch, Trials

COPIED = (
    "performHPO",
    "performAutoML",
    "performIncrementalUpdate",
    "recipeArn",
    "eventType",
    "datasetGroupArn",
    "solutionConfig",
)


def free_suffix(tx: Transaction, solution: Resource) -> str:
    """Eight hexadecimal digits that no version of `solution` has yet."""
    while True:
        suffix = secrets.token_hex(4)
        if tx.get(f"{solution.arn}/{suffix}") is None:
            return suffix


def start_training(
    tx: Transaction,
    solution: Resource,
    suffix: str,
    *,
    training_mode: str,
    training_type: str,
    tags: list[dict[str, str]] | None = None,
) -> Resource:
    """A new version of `solution` with its training job, both in the caller's transaction.

    Args:
        tx: a write transaction.
        solution: an ACTIVE solution; its configuration of this moment is copied.
        suffix: last part of the version's ARN, and its name: Amazon prints ``<solution>/<suffix>`` as the
            name, which the pattern of its own published model forbids.
        training_mode: FULL or UPDATE.
        training_type: MANUAL or AUTOMATIC.
        tags: tags of the version.
    """
    arn = f"{solution.arn}/{suffix}"
    version = tx.add(
        "solution-version",
        arn,
        suffix,
        group_arn=solution.group_arn,
        parent_arn=solution.arn,
        status="CREATE PENDING",
        attributes={
            **{member: solution.attributes[member] for member in COPIED if member in solution.attributes},
            "solutionArn": solution.arn,
            "trainingMode": training_mode,
            "trainingType": training_type,
        },
        tags=tags,
    )
    tx.enqueue("train", arn, {})
    return version


def remembered_schemas(tx: Transaction, group_arn: str) -> dict[str, RememberedSchema]:
    """What a solution keeps of its group's schemas, by dataset type.

    A solution trains on the columns that existed when it was created: columns that UpdateDataset adds later
    are for solutions that come later.
    """
    kept = {}
    for dataset in tx.find("dataset", group_arn=group_arn):
        schema = tx.require(dataset.attributes["schemaArn"], "schema")
        kind = dataset.attributes["datasetType"]
        kept[kind] = RememberedSchema(dataset.created_at, schema.attributes["schema"])
    return kept


def training_schemas(
    tx: Transaction, group_arn: str, remembered: Mapping[str, RememberedSchema]
) -> dict[str, str]:
    """The schema texts that a training goes by: remembered ones, today's for newer datasets of the group."""
    texts = {}
    for kind, now in remembered_schemas(tx, group_arn).items():
        then = remembered.get(kind)
        texts[kind] = (then if then is not None and then.created == now.created else now).schema
    return texts


def release_data(tx: Transaction, version: Resource, now: float) -> None:
    """Lets go of the snapshots that a finished training had pinned and an import has replaced meanwhile."""
    release_snapshots(tx, version.group_arn, VersionInternal.of(version).snapshots, now)


def pinned_snapshots(tx: Transaction, group_arn: str | None) -> dict[str, str | None]:
    """Keys of the snapshots that a training that begins now reads, by dataset type."""
    datasets = tx.find("dataset", group_arn=group_arn)
    return {d.attributes["datasetType"]: DatasetInternal.of(d).snapshot for d in datasets}


class Train:
    """CREATE PENDING > CREATE IN_PROGRESS > ACTIVE or CREATE FAILED; CREATE STOPPING > CREATE STOPPED."""

    kind = "train"
    heavy = True

    def run(self, job: Job) -> None:
        with job.scope.write() as tx:
            version = _begin(tx, job)
            solution = tx.require(version.attributes["solutionArn"], "solution")
            remembered = SolutionInternal.of(solution).schemas
            schemas = training_schemas(tx, solution.attributes["datasetGroupArn"], remembered)
        recipe, made = _train(job, version, schemas)
        with job.commit() as tx:
            _publish(tx, job, recipe, made)

    def failed(self, job: Job, tx: Transaction, reason: str) -> None:
        version = tx.update(job.resource_arn, status="CREATE FAILED", set={"failureReason": reason})
        _discard(tx, job, version)

    def stopped(self, job: Job, tx: Transaction) -> None:
        version = tx.update(job.resource_arn, status="CREATE STOPPED")
        _discard(tx, job, version)


def _begin(tx: Transaction, job: Job) -> Resource:
    """The version, in progress and with its data pinned; pins of an interrupted attempt stay in force."""
    version = tx.require(job.resource_arn, "solution-version")
    if version.status in ("CREATE STOPPING", "CREATE STOPPED"):
        raise JobStopped
    wait_for_deletions(tx, version)
    internal = VersionInternal.of(version)
    if internal.snapshots is not None:
        if internal.moment is None:  # pinned by a release that did not write it down
            version = tx.update(version, internal={"moment": int(version.created_at)})
        return version
    return tx.update(
        version,
        status="CREATE IN_PROGRESS",
        internal={
            "snapshots": pinned_snapshots(tx, version.group_arn),
            "seed": job.installation.settings.training_seed,
            "position": job.installation.log.position(),
            "moment": int(job.installation.clock.now()),
            **_foundation(tx, version),
        },
    )


def _foundation(tx: Transaction, version: Resource) -> dict[str, Any]:
    """Of mode UPDATE: the newest version trained in full, and the artifact to bring up to date: of that
    version, or of the newest update of it."""
    solution = version.attributes["solutionArn"]
    full = newest_full_version(tx, solution) if version.attributes["trainingMode"] == "UPDATE" else None
    if full is None:
        return {}
    active = tx.find("solution-version", parent_arn=solution, statuses=("ACTIVE",))
    updates = [
        one
        for one in active
        if VersionInternal.of(one).full_version == full.arn and not VersionInternal.of(one).retired
    ]
    base = VersionInternal.of(max([full, *updates], key=age_key))
    return {"full_version": full.arn, "base_artifact": base.artifact}


def _discard(tx: Transaction, job: Job, version: Resource) -> None:
    """Nobody will ask for what the training pinned, nor for an artifact it published before a crash."""
    job.installation.objects.remove(artifact_key(job.id))
    tx.update(version, internal={"trials": None})
    release_data(tx, version, job.installation.clock.now())


def _train(job: Job, version: Resource, schemas: dict[str, str]) -> tuple[str, dict[str, Any]]:
    """ARN of the recipe (the solution's, or AutoML's best), and what the training step returned."""
    internal = VersionInternal.of(version)
    pinned = {
        "schemas": schemas,
        "snapshots": internal.snapshots,
        "group": version.group_arn,
        "position": internal.position,
        "moment": internal.moment,
        "seed": internal.seed,
    }
    settings = {m: version.attributes[m] for m in COPIED if m in version.attributes}
    recipe_arn = version.attributes.get("recipeArn")
    tuned: dict[str, str] = {}
    if recipe_arn is None:
        settings = {"eventType": version.attributes.get("eventType"), "solutionConfig": {}}
        best, tuned = best_recipe(Trials(job, pinned), version.attributes["solutionConfig"], settings)
        recipe_arn = best.arn
    elif version.attributes.get("performHPO") and internal.base_artifact is None:
        recipe = facts_of(recipe_arn)
        if recipe is not None:  # or else the step says that it is gone
            tuned = HyperparameterSearch(Trials(job, pinned), recipe, settings).run()
    made = job.heavy(
        "openpersonalize.training.step:run",
        recipe=recipe_arn,
        solution=settings,
        base_artifact=internal.base_artifact,
        tuned=tuned,
        **pinned,
    )
    return recipe_arn, made


def _publish(tx: Transaction, job: Job, recipe_arn: str, made: dict[str, Any]) -> None:
    """Everything that makes the trained version known, for one commit."""
    version = tx.require(job.resource_arn, "solution-version")
    attributes: dict[str, Any] = {"trainingHours": round(made["training_hours"], 3)}
    if made.get("tuned"):
        attributes["tunedHPOParams"] = {"algorithmHyperParameters": made["tuned"]}
    if "recipeArn" not in version.attributes:
        attributes["recipeArn"] = recipe_arn
        tx.update(version.attributes["solutionArn"], set={"autoMLResult": {"bestRecipeArn": recipe_arn}})
    version = tx.update(
        version,
        status="ACTIVE",
        set=attributes,
        internal={"artifact": made["artifact"], "metrics": _metrics(tx, version, made), "trials": None},
    )
    now = job.installation.clock.now()
    release_data(tx, version, now)
    retire_models(tx, version.attributes["solutionArn"], now)
    follow_latest(tx, version.attributes["solutionArn"], now)


def _metrics(tx: Transaction, version: Resource, made: dict[str, Any]) -> dict[str, float]:
    """With four decimals. A version of mode UPDATE shows those of the full version it brings up to date."""
    if version.attributes["trainingMode"] == "UPDATE":
        pinned = VersionInternal.of(version).full_version
        full = newest_full_version(tx, version.parent_arn or "") if pinned is None else tx.get(pinned)
        if full is not None:
            return dict(VersionInternal.of(full).metrics or {})
    return {name: round(value, 4) for name, value in made["metrics"].items()}
