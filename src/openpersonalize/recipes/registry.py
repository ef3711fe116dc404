"""Finds recipes: the 22 of Amazon Personalize, and those that installed packages announce.

A package's recipe must not start with ``aws-``; its name obeys the name pattern and is at most 63 characters.
Two packages with one name: `all_recipes` raises StartError and names both, so a server refuses to start.
"""

from __future__ import annotations

import re
from dataclasses import fields
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from ..errors import StartError
from .base import Recipe
from .catalogue import CATALOGUE, LEGACY
from .personalized_ranking import PersonalizedRanking
from .popularity_count import PopularityCount
from .user_personalization import UserPersonalization

GROUP = "openpersonalize.recipes"

CODE: dict[str, type[Recipe]] = {
    "aws-personalized-ranking": PersonalizedRanking,
    "aws-personalized-ranking-v2": PersonalizedRanking,
    "aws-popularity-count": PopularityCount,
    "aws-user-personalization": UserPersonalization,
    "aws-user-personalization-v2": UserPersonalization,
}
"""The recipes this release can train."""

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9\-_]{0,62}")


def _with_code(facts: Recipe) -> Recipe:
    code = CODE.get(facts.name, Recipe)
    return code(**{field.name: getattr(facts, field.name) for field in fields(facts)})


@cache
def all_recipes() -> tuple[Recipe, ...]:
    """The listed recipes: the built-in ones by name, then those of packages by name.

    Raises:
        StartError: a package's recipe cannot be used; the sentence names the package.
    """
    built_in = sorted((_with_code(facts) for facts in CATALOGUE), key=lambda recipe: recipe.name)
    return (*built_in, *_from_packages(tuple(entry_points(group=GROUP))))


def recipe(name_or_arn: str) -> Recipe | None:
    """The recipe of that name or ARN, legacy ones included; None when there is none."""
    return _by_key().get(name_or_arn)


@cache
def _by_key() -> dict[str, Recipe]:
    known = (*all_recipes(), *LEGACY)
    return {key: one for one in known for key in (one.name, one.arn)}


def by_algorithm(arn: str) -> Recipe | None:
    """The first listed recipe that uses this algorithm ARN."""
    return next((one for one in all_recipes() if one.algorithm_arn == arn), None)


def by_feature_transformation(arn: str) -> Recipe | None:
    """The first listed recipe that uses this feature transformation ARN."""
    return next((one for one in all_recipes() if one.feature_transformation_arn == arn), None)


def _from_packages(points: tuple[EntryPoint, ...]) -> list[Recipe]:
    found: dict[str, tuple[Recipe, str]] = {}
    for point in points:
        package = point.dist.name if point.dist else point.value
        try:
            value = point.load()
            one = value() if isinstance(value, type) else value
        except Exception as error:
            raise StartError(
                f"The package {package} announces the recipe {point.name}, which cannot be loaded: {error!r}."
            ) from error
        if not isinstance(one, Recipe) or not one.trainable:
            raise StartError(
                f"The package {package} announces {point.name}, which is not a Recipe with a fit method."
            )
        if not _NAME.fullmatch(one.name) or one.name.startswith("aws-"):
            raise StartError(
                f"The package {package} names a recipe {one.name!r}; "
                "use 1 to 63 letters, digits, - or _, not starting with aws-."
            )
        if one.name in found:
            raise StartError(
                f"The packages {found[one.name][1]} and {package} both announce a recipe {one.name}; "
                "remove one of them."
            )
        found[one.name] = (one, package)
    return [found[name][0] for name in sorted(found)]
