"""Solutions: a recipe with its configuration, from which versions are trained."""

from __future__ import annotations

from ..datasets.schemas import Schema
from ..errors import InvalidInput, ResourceInUse
from ..recipes.automl import read_automl
from ..recipes.configuration import check_solution
from ..recipes.facts import Facts, Offer
from ..recipes.hyperparameters import described_config
from ..resources.endpoints import update_under_way
from ..resources.lifecycle import AT_WORK
from ..resources.quotas import check_quota
from ..resources.store import Resource, Transaction
from ..workflows.schedule import begin_schedule
from ..workflows.trainings import remembered_schemas
from .context import Answer, Context, Request, given
from .deleting import begin_deletion
from .filters import BATCH_KINDS, group_schemas
from .listing import listed
from .recipes import named_recipe, require_trainable
from .states import (
    first,
    is_transitional,
    require_active,
    require_deletable,
    require_free,
    require_unused,
    staying,
)


def create_solution(context: Context, request: Request) -> Answer:
    """CreateSolution: ACTIVE at return, so that CreateSolutionVersion may follow at once."""
    _check_recipe_member(request)
    config = request.get("solutionConfig", {})
    arn = context.scope.arn(f"solution/{request['name']}")
    with context.scope.write() as tx:
        group = tx.require(request["datasetGroupArn"], "dataset-group")
        recipe = named_recipe(request["recipeArn"]) if "recipeArn" in request else None
        require_free(tx, arn)
        require_active(group)
        check_recipe_config(request, recipe, group_schemas(tx, group.arn))
        _check_incremental(recipe, request)
        check_quota(tx, context.installation.settings, "solution", group.arn)
        tx.add(
            "solution",
            arn,
            request["name"],
            group_arn=group.arn,
            status="ACTIVE",
            attributes={
                "performHPO": request.get("performHPO", False) or recipe is None,
                "performAutoML": recipe is None,
                "performAutoTraining": request.get("performAutoTraining", True),
                "solutionConfig": config,
                **given(request, "performIncrementalUpdate", "recipeArn", "datasetGroupArn", "eventType"),
            },
            internal={
                "schemas": remembered_schemas(tx, group.arn),
                "automatic": begin_schedule(
                    context.now, context.installation.settings.first_automatic_training
                ),
            },
            tags=request.get("tags"),
        )
    return {"solutionArn": arn}


def describe_solution(context: Context, request: Request) -> Answer:
    """DescribeSolution: with a summary of its newest version, whatever that version's state."""
    with context.scope.read() as tx:
        solution = tx.require(request["solutionArn"], "solution")
        newest = first(tx.page("solution-version", parent_arn=solution.arn, limit=1, newest_first=True))
    described = as_described(solution, "solutionArn")
    if newest is not None:
        described["latestSolutionVersion"] = newest.described("solutionVersionArn")
    return {"solution": described}


def list_solutions(context: Context, request: Request) -> Answer:
    """ListSolutions."""
    return listed(context, request, "ListSolutions", "solution")


def update_solution(context: Context, request: Request) -> Answer:
    """UpdateSolution: changes the automatic training and the event weights of versions to come."""
    changes = given(request, "performAutoTraining", "performIncrementalUpdate", "solutionUpdateConfig")
    config = changes.get("solutionUpdateConfig", {})
    if not (config or changes.keys() - {"solutionUpdateConfig"}):
        raise InvalidInput(
            "Give at least one of performAutoTraining, performIncrementalUpdate and solutionUpdateConfig."
        )
    with context.scope.write() as tx:
        solution = tx.require(request["solutionArn"], "solution")
        require_active(solution)
        _require_no_update(solution)
        recipe = recipe_of(solution)
        _check_incremental(recipe, request)
        check_recipe_config(
            {**solution.attributes, "solutionConfig": {**solution.attributes["solutionConfig"], **config}},
            recipe,
            group_schemas(tx, solution.attributes["datasetGroupArn"]),
        )
        now = context.now
        update = {
            **changes,
            "status": "CREATE PENDING",
            "creationDateTime": now,
            "lastUpdatedDateTime": now,
        }
        tx.update(solution, set={"latestSolutionUpdate": update})
        tx.enqueue("update-solution", solution.arn, {})
    return {"solutionArn": solution.arn}


def delete_solution(context: Context, request: Request) -> Answer:
    """DeleteSolution: with all its versions; refused while it is deployed, trained or read by a batch job.
    Campaigns that are being deleted are waited for."""
    with context.scope.write() as tx:
        solution = tx.require(request["solutionArn"], "solution")
        require_deletable(solution)
        _require_no_update(solution)
        require_unused(
            solution,
            staying(tx.find("campaign", parent_arn=solution.arn)),
            first(tx.find("solution-version", parent_arn=solution.arn, statuses=AT_WORK)),
            _coming_campaign(tx, solution),
            _batch_job(tx, solution),
        )
        begin_deletion(tx, solution)
    return {}


def check_recipe_config(
    solution: Answer, recipe: Facts | None, schemas: dict[str, Schema], *, complete: bool = False
) -> None:
    """Whether the settings of a solution suit its recipe and the datasets that exist.

    Args:
        solution: a CreateSolution request or the attributes of a solution.
        recipe: its recipe; None where performAutoML chooses one, which of ``solutionConfig`` reads nothing
            but ``autoMLConfig``.
        schemas: of the group's datasets, by type.
        complete: a dataset that a setting speaks of must exist by now.

    Raises:
        InvalidInput: all violations in one message, or the recipe cannot be trained by this release.
    """
    if recipe is None:
        config = solution.get("solutionConfig", {})
        read = {
            "eventType": solution.get("eventType"),
            "solutionConfig": {k: v for k, v in config.items() if k == "autoTrainingConfig"},
        }
        candidates = [(candidate, read) for candidate in read_automl(config)[0]]
    else:
        candidates = [(recipe, solution)]
    for candidate, settings in candidates:
        check_solution(candidate, settings, schemas, complete=complete)
        require_trainable(candidate)


def recipe_of(solution: Resource) -> Facts | None:
    """The recipe of a solution or version; None where performAutoML has not chosen one."""
    arn = solution.attributes.get("recipeArn")
    return None if arn is None else named_recipe(arn)


def as_described(resource: Resource, arn_member: str) -> Answer:
    """A solution or version as Describe shows it: names of tuned hyperparameters carry a prefix."""
    config = described_config(recipe_of(resource), resource.attributes["solutionConfig"])
    return {**resource.described(arn_member), "solutionConfig": config}


def _check_recipe_member(request: Request) -> None:
    """Exactly one of a recipe and the search for one."""
    if request.get("performAutoML", False):
        if "recipeArn" in request:
            raise InvalidInput("recipeArn must be absent when performAutoML is true.")
    elif "recipeArn" not in request:
        raise InvalidInput("recipeArn is required unless performAutoML is true.")


def _check_incremental(recipe: Facts | None, request: Request) -> None:
    if request.get("performIncrementalUpdate") and not (recipe and Offer.INCREMENTAL_UPDATE in recipe.offers):
        name = "performAutoML" if recipe is None else f"recipe {recipe.name}"
        raise InvalidInput(f"performIncrementalUpdate is not available with {name}.")


def _require_no_update(solution: Resource) -> None:
    update = solution.attributes.get("latestSolutionUpdate")
    if update is not None and is_transitional(update["status"]):
        raise ResourceInUse(
            f"Resource {solution.arn} is in use. Status of latestSolutionUpdate: {update['status']}."
        )


def _coming_campaign(tx: Transaction, solution: Resource) -> Resource | None:
    """A campaign of another solution that is being updated to a version of this one."""
    return first(
        [
            campaign
            for campaign in tx.find("campaign", group_arn=solution.group_arn)
            if (update := update_under_way(campaign)) is not None
            and update["solutionVersionArn"].startswith(f"{solution.arn}/")
        ]
    )


def _batch_job(tx: Transaction, solution: Resource) -> Resource | None:
    """A batch job that reads a version of the solution."""
    return first(
        [
            job
            for kind in BATCH_KINDS
            for job in tx.find(kind, group_arn=solution.group_arn, statuses=AT_WORK)
            if job.attributes["solutionVersionArn"].startswith(f"{solution.arn}/")
        ]
    )
