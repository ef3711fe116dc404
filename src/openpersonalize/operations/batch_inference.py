"""Batch inference jobs: files of users or items in, files of their recommendations out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import InvalidInput
from ..filters.compiler import CompiledFilter, FilterSchemas
from ..recipes.configuration import check_campaign
from ..recipes.facts import Facts, Offer, Task
from ..resources.store import Resource, Transaction
from .batch_jobs import BatchKind, created
from .context import Answer, Context, Request
from .describing import described
from .filters import group_schemas
from .listing import listed
from .runtime.checks import MOST_RESULTS

INFERENCE, THEMES = "BATCH_INFERENCE", "THEME_GENERATION"
"""Values of ``batchInferenceJobMode``."""


def create_batch_inference_job(context: Context, request: Request) -> Answer:
    """CreateBatchInferenceJob: needs no campaign. The job sees the data of the moment it begins."""
    return created(context, request, _INFERENCE, batchInferenceJobMode=_mode(request))


def describe_batch_inference_job(context: Context, request: Request) -> Answer:
    """DescribeBatchInferenceJob."""
    return described(context, request, "batch-inference-job")


def list_batch_inference_jobs(context: Context, request: Request) -> Answer:
    """ListBatchInferenceJobs."""
    return listed(context, request, "ListBatchInferenceJobs", "batch-inference-job")


def _mode(request: Request) -> str:
    mode: str = request.get("batchInferenceJobMode", INFERENCE)
    return mode


def _check(tx: Transaction, version: Resource, recipe: Facts, request: Request) -> None:
    mode = _mode(request)
    _check_recipe(recipe, mode, request)
    if mode == THEMES:
        _check_themes(group_schemas(tx, version.group_arn or ""), request)


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


def _against(compiled: CompiledFilter, recipe: Facts) -> str | None:
    if compiled.needs_current_item and not recipe.task.anchored:
        return f"CurrentItem has no meaning for recipe {recipe.name}"
    return None


_INFERENCE = BatchKind(
    "batch-inference",
    MOST_RESULTS,
    "ItemID",
    _check,
    _against,
    ("batchInferenceJobConfig", "themeGenerationConfig"),
)
