"""Batch inference jobs: files of users or items in, files of their recommendations out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from ..errors import InvalidInput
from ..filters.compiler import CompiledFilter, FilterSchemas, compile_filter
from ..recipes.configuration import check_campaign
from ..recipes.facts import Facts, Offer, Task
from ..resources.quotas import check_quota
from ..resources.store import Resource, Transaction
from ..storage.buckets import check_location
from .campaigns import usable_version
from .context import Answer, Context, Request, given
from .filters import group_schemas
from .listing import listed
from .recipes import named_recipe
from .runtime.checks import MOST_RESULTS
from .states import require_active, require_free

THEMES = "THEME_GENERATION"

MEMBERS = (
    "jobName",
    "solutionVersionArn",
    "filterArn",
    "numResults",
    "jobInput",
    "jobOutput",
    "roleArn",
    "batchInferenceJobConfig",
    "themeGenerationConfig",
)


def create_batch_inference_job(context: Context, request: Request) -> Answer:
    """CreateBatchInferenceJob: needs no campaign. The job sees the data of the moment it begins."""
    check_paths(request)
    if not 1 <= request.get("numResults", 1) <= MOST_RESULTS:
        raise InvalidInput(f"numResults must be from 1 to {MOST_RESULTS}.")
    mode = request.get("batchInferenceJobMode", "BATCH_INFERENCE")
    arn = context.scope.arn(f"batch-inference-job/{request['jobName']}")
    with context.scope.write() as tx:
        version = tx.require(request["solutionVersionArn"], "solution-version")
        chosen = request.get("filterArn")
        filtered = None if chosen is None else tx.require(chosen, "filter")
        require_free(tx, arn)
        usable_version(tx, version)
        recipe = named_recipe(version.attributes["recipeArn"])
        _check_recipe(recipe, mode, request)
        if mode == THEMES:
            _check_themes(group_schemas(tx, version.group_arn or ""), request)
        if filtered is not None:
            compiled = filter_of(tx, filtered, version, "ItemID")
            if compiled.needs_current_item and not recipe.task.anchored:
                refuse_filter(filtered, f"CurrentItem has no meaning for recipe {recipe.name}")
        check_quota(tx, context.installation.settings, "batch-inference-job")
        tx.add(
            "batch-inference-job",
            arn,
            request["jobName"],
            group_arn=version.group_arn,
            parent_arn=version.arn,
            status="CREATE PENDING",
            attributes={**given(request, *MEMBERS), "batchInferenceJobMode": mode},
            tags=request.get("tags"),
        )
        tx.enqueue("batch-inference", arn, {})
    return {"batchInferenceJobArn": arn}


def describe_batch_inference_job(context: Context, request: Request) -> Answer:
    """DescribeBatchInferenceJob."""
    with context.scope.read() as tx:
        job = tx.require(request["batchInferenceJobArn"], "batch-inference-job")
    return {"batchInferenceJob": job.described("batchInferenceJobArn")}


def list_batch_inference_jobs(context: Context, request: Request) -> Answer:
    """ListBatchInferenceJobs."""
    return listed(context, request, "ListBatchInferenceJobs", "batch-inference-job")


def check_paths(request: Request) -> None:
    """Check where a batch job reads and writes.

    Raises:
        InvalidInput: a location is none, or the output is no folder, or the input itself.
    """
    source = _path(request, "jobInput", "s3DataSource", "input")
    destination = _path(request, "jobOutput", "s3DataDestination", "output")
    if not destination.endswith("/") or destination.rstrip("/") == source.rstrip("/"):
        raise InvalidInput("Invalid S3 output path")


def _path(request: Request, member: str, inside: str, way: str) -> str:
    """The location in a member of the request."""
    path: str = request[member].get(inside, {}).get("path", "")
    try:
        check_location(path)
    except InvalidInput:
        raise InvalidInput(f"Invalid S3 {way} path") from None
    return path


def _check_themes(schemas: FilterSchemas, request: Mapping[str, Any]) -> None:
    """The Items dataset has what themes are made of: prose, and the column of names that the job says."""
    name = request["themeGenerationConfig"]["fieldsForThemeGeneration"]["itemName"]
    fields = schemas["ITEMS"].fields if "ITEMS" in schemas else ()
    problems = []
    if not any(field.textual and field.name != name for field in fields):
        beside = f" beside {name}" if any(field.textual for field in fields) else ""
        problems.append(
            f"batchInferenceJobMode {THEMES} needs an Items dataset with a textual column{beside}."
        )
    names = [field.name for field in fields if field.type == "string" and field.name != "ITEM_ID"]
    if name not in names:
        having = f"; those that it has: {', '.join(names)}." if names else "."
        problems.append(f"itemName {name} is no string column of the Items dataset{having}")
    if problems:
        raise InvalidInput(" ".join(problems))


def _check_recipe(recipe: Facts, mode: str, request: Mapping[str, Any]) -> None:
    """The recipe answers in batch, in this mode, with this configuration."""
    if Offer.BATCH not in recipe.offers or recipe.task is Task.SEGMENT:
        raise InvalidInput(f"Recipe {recipe.name} is not supported by CreateBatchInferenceJob.")
    if mode == THEMES:
        if Offer.THEMES not in recipe.offers:
            raise InvalidInput(f"batchInferenceJobMode {mode} is not supported by recipe {recipe.name}.")
        if "themeGenerationConfig" not in request:
            raise InvalidInput(f"batchInferenceJobMode {mode} needs themeGenerationConfig.")
    elif "themeGenerationConfig" in request:
        raise InvalidInput("themeGenerationConfig needs batchInferenceJobMode THEME_GENERATION.")
    check_campaign(recipe, request.get("batchInferenceJobConfig"))


def filter_of(tx: Transaction, chosen: Resource, version: Resource, target: str) -> CompiledFilter:
    """The filter of a batch job, which can be used with every line.

    Raises:
        InvalidInput, ResourceInUse: it cannot.
    """
    require_active(chosen)
    compiled = compile_filter(
        chosen.attributes["filterExpression"], group_schemas(tx, chosen.group_arn or "")
    )
    if chosen.group_arn != version.group_arn:
        refuse_filter(chosen, "it belongs to another dataset group")
    if compiled.target != target:
        refuse_filter(chosen, f"it filters {compiled.target}, not {target}")
    return compiled


def refuse_filter(chosen: Resource, reason: str) -> NoReturn:
    """Raises InvalidInput with the reason."""
    raise InvalidInput(f"Filter {chosen.arn} cannot be used with this request: {reason}.")
