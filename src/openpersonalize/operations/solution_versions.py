"""Solution versions: trained models of a solution, never changed once trained."""

from __future__ import annotations

from ..errors import InvalidInput, ResourceInUse
from ..recipes.facts import Offer
from ..resources.internals import VersionInternal
from ..resources.jobrows import JobState
from ..resources.quotas import check_quota
from ..resources.store import Resource, Transaction
from ..resources.versions import newest_full_version
from ..workflows.trainings import free_suffix, release_data, start_training
from .context import Answer, Context, Request
from .datasets import require_datasets
from .filters import group_schemas
from .listing import listed
from .solutions import as_described, check_recipe_config, recipe_of
from .states import busy, is_transitional, require_active, require_free


def create_solution_version(context: Context, request: Request) -> Answer:
    """CreateSolutionVersion: each call trains a new model on the data of the moment the training starts."""
    mode = request.get("trainingMode", "FULL")
    if mode == "AUTOTRAIN":
        raise InvalidInput("trainingMode AUTOTRAIN is reserved for automatic training; use FULL.")
    with context.scope.write() as tx:
        solution = tx.require(request["solutionArn"], "solution")
        suffix = request.get("name") or free_suffix(tx, solution)
        require_free(tx, f"{solution.arn}/{suffix}")
        require_active(solution)
        _check_data(tx, solution)
        if mode == "UPDATE":
            _check_update_mode(tx, solution)
        check_quota(tx, context.installation.settings, "solution-version")
        version = start_training(
            tx,
            solution,
            suffix,
            training_mode=mode,
            training_type="MANUAL",
            tags=request.get("tags"),
        )
    return {"solutionVersionArn": version.arn}


def describe_solution_version(context: Context, request: Request) -> Answer:
    """DescribeSolutionVersion: with what it copied from the solution when it was created."""
    with context.scope.read() as tx:
        version = tx.require(request["solutionVersionArn"], "solution-version")
    return {"solutionVersion": as_described(version, "solutionVersionArn")}


def list_solution_versions(context: Context, request: Request) -> Answer:
    """ListSolutionVersions: oldest first. The only list that refuses an unknown parent."""
    answer = listed(context, request, "ListSolutionVersions", "solution-version")
    if "solutionArn" in request:
        with context.scope.read() as tx:
            tx.require(request["solutionArn"], "solution")
    return answer


def stop_solution_version_creation(context: Context, request: Request) -> Answer:
    """StopSolutionVersionCreation: at once when the training waits, soon when it runs; for good."""
    with context.scope.write() as tx:
        version = tx.require(request["solutionVersionArn"], "solution-version")
        if version.status not in ("CREATE PENDING", "CREATE IN_PROGRESS"):
            if is_transitional(version.status):
                raise ResourceInUse(busy(version))
            raise InvalidInput(
                f"Resource {version.arn} has status {version.status}; expected CREATE PENDING or"
                " CREATE IN_PROGRESS."
            )
        tx.request_cancel(version.arn)
        job = tx.job(version.arn)
        if version.status == "CREATE IN_PROGRESS" and job is not None and job.state == JobState.RUNNING:
            tx.update(version, status="CREATE STOPPING")
        else:
            release_data(tx, tx.update(version, status="CREATE STOPPED"), context.now)
    return {}


def get_solution_metrics(context: Context, request: Request) -> Answer:
    """GetSolutionMetrics: what the version scored on the interactions held out of its training."""
    with context.scope.read() as tx:
        version = require_active(tx.require(request["solutionVersionArn"], "solution-version"))
    return {"solutionVersionArn": version.arn, "metrics": VersionInternal.of(version).metrics or {}}


def _check_data(tx: Transaction, solution: Resource) -> None:
    """The datasets that the recipe needs exist, and the solution's settings fit their schemas."""
    group_arn = solution.attributes["datasetGroupArn"]
    recipe = recipe_of(solution)
    require_datasets(tx, group_arn, recipe.needs if recipe else ("INTERACTIONS",))
    check_recipe_config(solution.attributes, recipe, group_schemas(tx, group_arn), complete=True)


def _check_update_mode(tx: Transaction, solution: Resource) -> None:
    """trainingMode UPDATE refreshes a fully trained version; only few recipes can."""
    recipe = recipe_of(solution)
    if recipe is None or Offer.UPDATE_MODE not in recipe.offers:
        name = "performAutoML" if recipe is None else f"recipe {recipe.name}"
        raise InvalidInput(f"trainingMode UPDATE is not available with {name}; use FULL.")
    if newest_full_version(tx, solution.arn) is None:
        raise InvalidInput(
            f"trainingMode UPDATE needs an ACTIVE version of {solution.arn} trained with FULL;"
            " train one first."
        )
