"""Recipes, their algorithms and feature transformations: what solutions are made from. All read-only."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from ..errors import InvalidInput, ResourceNotFound
from ..recipes.catalogue import DEFAULT_RESOURCES, LATEST_UPDATE
from ..recipes.facts import Facts, Hyperparameter
from ..recipes.registry import (
    all_recipes,
    by_algorithm,
    by_feature_transformation,
    facts_of,
    nearest,
    registry,
)
from ..recipes.registry import recipe as find_recipe
from ..resources.tokens import decode, encode
from .context import Answer, Context, Request

PAGE = 12
OWN_PARTITION = "arn:aws:"


def list_recipes(context: Context, request: Request) -> Answer:
    """ListRecipes: pages of 12 of the whole list; the domain is applied afterwards.

    A page may therefore be empty and yet not be the last: published client programs rely on it.
    """
    chosen = [request.get("domain", ""), request.get("recipeProvider", "")]
    recipes = all_recipes()
    start = 0
    if "nextToken" in request:
        start = decode(request["nextToken"], "ListRecipes", chosen, form=(int,))[0]
    end = start + request.get("maxResults", PAGE)
    answer: Answer = {
        "recipes": [
            _described(context, recipe)
            for recipe in recipes[start:end]
            if "domain" not in request or recipe.domain == request["domain"]
        ]
    }
    if end < len(recipes):
        answer["nextToken"] = encode("ListRecipes", chosen, [end])
    return answer


def describe_recipe(context: Context, request: Request) -> Answer:
    """DescribeRecipe."""
    return {"recipe": _described(context, named_recipe(request["recipeArn"]))}


def describe_algorithm(context: Context, request: Request) -> Answer:
    """DescribeAlgorithm: the hyperparameters of the recipe that uses it, values as texts."""
    recipe = by_algorithm(_own(request["algorithmArn"]))
    if recipe is None:
        raise _unknown(request["algorithmArn"])
    name = recipe.algorithm_arn.rpartition("/")[2]
    rows = [row for row in recipe.hyperparameters if row.place != "feature"]
    return {
        "algorithm": {
            "name": name,
            "algorithmArn": _theirs(context, recipe.algorithm_arn),
            "algorithmImage": {"name": name, "dockerURI": f"openpersonalize/{name}"},
            "defaultHyperParameters": {
                row.name: row.default_text for row in rows if row.place == "algorithm"
            },
            "defaultHyperParameterRanges": _ranges(rows),
            "defaultResourceConfig": DEFAULT_RESOURCES,
            "trainingInputMode": "File",
            **_dates(recipe),
        }
    }


def describe_feature_transformation(context: Context, request: Request) -> Answer:
    """DescribeFeatureTransformation: the recipe's parameters that choose data, values as texts."""
    recipe = by_feature_transformation(_own(request["featureTransformationArn"]))
    if recipe is None:
        raise _unknown(request["featureTransformationArn"])
    return {
        "featureTransformation": {
            "name": recipe.feature_transformation_arn.rpartition("/")[2],
            "featureTransformationArn": _theirs(context, recipe.feature_transformation_arn),
            "defaultParameters": {
                row.name: row.default_text for row in recipe.hyperparameters if row.place == "feature"
            },
            "status": "ACTIVE",
            **_dates(recipe),
        }
    }


def named_recipe(arn: str) -> Facts:
    """The recipe of an ARN.

    Raises:
        ResourceNotFound: there is none.
    """
    recipe = facts_of(_own(arn)) if arn.startswith("arn:") else None
    if recipe is None:
        raise ResourceNotFound(f"{_unknown(arn).message} {nearest(arn)}")
    return recipe


def require_trainable(recipe: Facts) -> None:
    """Raises InvalidInput for a recipe that this release knows but cannot train."""
    if find_recipe(recipe.name) is None:
        others = [
            one.facts.name for one in registry().all() if one.recipe and one.facts.domain == recipe.domain
        ]
        raise InvalidInput(
            f"Recipe {recipe.name} is not available in this version; available are {', '.join(others)}."
        )


def _described(context: Context, recipe: Facts) -> dict[str, Any]:
    return {
        "name": recipe.name,
        "recipeArn": _theirs(context, recipe.arn),
        "algorithmArn": _theirs(context, recipe.algorithm_arn),
        "featureTransformationArn": _theirs(context, recipe.feature_transformation_arn),
        "status": "ACTIVE",
        "description": recipe.description,
        "recipeType": recipe.type,
        "domain": recipe.domain,
        **_dates(recipe),
    }


def _dates(recipe: Facts) -> dict[str, float]:
    return {"creationDateTime": _epoch(recipe.created), "lastUpdatedDateTime": _epoch(LATEST_UPDATE)}


def _epoch(day: str) -> float:
    return datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC).timestamp()


def _ranges(rows: list[Hyperparameter]) -> dict[str, list[dict[str, Any]]]:
    """The rows by the three kinds of range; a boolean is a category of two."""
    integers: list[dict[str, Any]] = []
    continuous: list[dict[str, Any]] = []
    categories: list[dict[str, Any]] = []
    for row in rows:
        entry: dict[str, Any] = {"name": row.name, "isTunable": row.tunable}
        if row.type == "integer":
            integers.append({**entry, "minValue": row.low, "maxValue": row.high})
        elif row.type == "float":
            continuous.append({**entry, "minValue": row.low, "maxValue": row.high})
        else:
            categories.append({**entry, "values": list(row.values)})
    return {
        "integerHyperParameterRanges": integers,
        "continuousHyperParameterRanges": continuous,
        "categoricalHyperParameterRanges": categories,
    }


def _own(arn: str) -> str:
    """The same ARN in the partition that the catalogue is written in."""
    parts = arn.split(":", 2)
    return f"{OWN_PARTITION}{parts[2]}" if len(parts) == 3 else arn


def _theirs(context: Context, arn: str) -> str:
    """The same ARN in the partition of the caller's region."""
    return f"arn:{context.scope.partition}:{arn.removeprefix(OWN_PARTITION)}"


def _unknown(arn: str) -> ResourceNotFound:
    return ResourceNotFound(f"Resource Arn {arn} does not exist.")
