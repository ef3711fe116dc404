"""Registry of recipes: the 22 of Amazon Personalize and those that installed packages announce.

All of them come through `Registry.register`, which checks them. A package announces a recipe by an entry
point in the group ``openpersonalize.recipes``, whose value is a `Recipe` or a class that makes one without
arguments; its name obeys the name pattern, is at most 63 characters and does not start with ``aws-``.
`registry` is asked before a server answers and before a training begins, so that a broken package stops the
start with a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points, version

from ..errors import StartError
from .bought_together import BoughtTogether
from .catalogue import CATALOGUE, LEGACY
from .facts import Facts
from .next_best_action import NextBestAction
from .personalized_ranking import PersonalizedRanking
from .popularity_count import PopularityCount
from .recipe import API, Recipe
from .semantic_similarity import SemanticSimilarity
from .similar_items import SimilarItems
from .sims import Sims
from .trending_now import TrendingNow
from .user_personalization import UserPersonalization
from .user_segmentation import UserSegmentation

GROUP = "openpersonalize.recipes"

OWN = "openpersonalize"
"""The package whose recipes may have names that start with ``aws-``."""

SUPPORTED = frozenset({API})
"""Versions of the contract that this release takes."""

CODE: dict[str, type[Recipe]] = {
    "aws-ecomm-frequently-bought-together": BoughtTogether,
    "aws-item-affinity": UserSegmentation,
    "aws-item-attribute-affinity": UserSegmentation,
    "aws-next-best-action": NextBestAction,
    "aws-personalized-ranking": PersonalizedRanking,
    "aws-personalized-ranking-v2": PersonalizedRanking,
    "aws-popularity-count": PopularityCount,
    "aws-semantic-similarity": SemanticSimilarity,
    "aws-similar-items": SimilarItems,
    "aws-sims": Sims,
    "aws-trending-now": TrendingNow,
    "aws-user-personalization": UserPersonalization,
    "aws-user-personalization-v2": UserPersonalization,
}
"""The code of the catalogue's recipes; a preset that is not here has its recipe's, a legacy one none."""

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9\-_]{0,62}")


@dataclass(frozen=True)
class Registered:
    """A recipe and where it comes from.

    Attributes:
        recipe: its code; None of a recipe that this release knows but cannot train.
        package, version: the distribution that brought it. point: the name of its entry point.
    """

    facts: Facts
    recipe: Recipe | None
    package: str
    version: str
    point: str = ""

    @property
    def source(self) -> str:
        """What brought it, as a part of a sentence."""
        return f"The package {self.package} announces the recipe {self.point or self.facts.name}"


class Registry:
    """The recipes of one process, by name."""

    def __init__(self) -> None:
        """Empty."""
        self._known: dict[str, Registered] = {}

    def register(self, one: Registered) -> None:
        """Take a recipe in.

        Raises:
            StartError: it cannot be used; the sentence names package, entry point and reason.
        """
        facts, recipe, name = one.facts, one.recipe, one.facts.name
        if recipe is not None and getattr(recipe, "api", None) not in SUPPORTED:
            states = f"version {recipe.api}" if hasattr(recipe, "api") else "no version (api = ...)"
            takes = " and ".join(str(each) for each in sorted(SUPPORTED))
            raise StartError(
                f"{one.source}, which states {states} of the recipe contract;"
                f" this release takes {takes}. Install a release of {one.package} for it, or remove it."
            )
        if not _NAME.fullmatch(name) or (name.startswith("aws-") and one.package != OWN):
            raise StartError(
                f"{one.source} under the name {name!r};"
                " use 1 to 63 letters, digits, - or _, not starting with aws-."
            )
        other = self._known.get(name)
        if other is not None:
            raise StartError(
                f"The packages {other.package} and {one.package} both announce a recipe {name};"
                " remove one of them."
            )
        if recipe is not None and facts.domain is None and facts.preset is not None:
            raise StartError(f"{one.source}, a preset without a domain; give it one, or no preset.")
        self._known[name] = one

    def announce(self, point: EntryPoint) -> None:
        """Take in what an entry point names.

        Raises:
            StartError: see `register`.
        """
        dist = point.dist
        package, release = (dist.name, dist.version) if dist else (point.value, "")
        source = f"The package {package} announces the recipe {point.name}"
        try:
            value = point.load()
            one = value() if isinstance(value, type) else value
        except Exception as error:
            raise StartError(
                f"{source}, which cannot be loaded: {error!r}. Repair the package, or remove it."
            ) from error
        facts = getattr(one, "facts", None)
        if not isinstance(one, Recipe) or not isinstance(facts, Facts):
            raise StartError(f"{source}, which is not a Recipe with facts. Repair the package, or remove it.")
        self.register(Registered(facts, one, package, release, point.name))

    def all(self) -> tuple[Registered, ...]:
        """The listed recipes: the built-in ones by name, then those of packages by name."""
        listed = (one for one in self._known.values() if one.facts.listed)
        return tuple(sorted(listed, key=lambda one: (one.package != OWN, one.facts.name)))

    def find(self, name_or_arn: str) -> Registered | None:
        """The recipe of that name or ARN, legacy ones included; None when there is none."""
        found = self._known.get(name_or_arn.rpartition(":recipe/")[2])
        return found if found is not None and name_or_arn in (found.facts.name, found.facts.arn) else None


def filled(points: Iterable[EntryPoint]) -> Registry:
    """A registry of the catalogue and what `points` announce.

    Raises:
        StartError: see `Registry.register`.
    """
    made, release = Registry(), version(OWN)
    for facts in (*CATALOGUE, *LEGACY):
        made.register(Registered(facts, _own(facts), OWN, release))
    for point in points:
        made.announce(point)
    return made


def _own(facts: Facts) -> Recipe | None:
    """The code of a recipe of the catalogue; a preset has its own, or that of the recipe it is made of, and
    trains with the hyperparameters of that one and its own settings of them, which nobody can set."""
    preset = facts.preset
    if preset is None:
        code = CODE.get(facts.name)
        return None if code is None else code(facts)
    code = CODE.get(facts.name, CODE.get(preset.of))
    base = next(one for one in CATALOGUE if one.name == preset.of)
    own = tuple(
        replace(row, default=preset.settings.get(row.name, row.default)) for row in base.hyperparameters
    )
    return None if code is None else code(replace(facts, hyperparameters=own))


@cache
def registry() -> Registry:
    """The recipes of this process.

    Raises:
        StartError: a package's recipe cannot be used; the sentence says which and why.
    """
    return filled(entry_points(group=GROUP))


def all_recipes() -> tuple[Facts, ...]:
    """The facts of the listed recipes, in the order of `Registry.all`."""
    return tuple(one.facts for one in registry().all())


def facts_of(name_or_arn: str) -> Facts | None:
    """The facts of a recipe, legacy ones included; None when there is none of that name or ARN."""
    found = registry().find(name_or_arn)
    return None if found is None else found.facts


def nearest(name_or_arn: str) -> str:
    """A sentence about a recipe that does not exist: which is spelt nearly so, else where all are named."""
    listed = {one.name.lower(): one.name for one in all_recipes()}
    close = get_close_matches(name_or_arn.rpartition("/")[2].lower(), listed, n=1, cutoff=0.7)
    return (
        f"Is {listed[close[0]]} meant? ListRecipes names all." if close else "ListRecipes names all recipes."
    )


def recipe(name_or_arn: str) -> Recipe | None:
    """The code of a recipe; None when there is none, or this release cannot train it."""
    found = registry().find(name_or_arn)
    return None if found is None else found.recipe


def by_algorithm(arn: str) -> Facts | None:
    """The first listed recipe that uses this algorithm ARN."""
    return next((one for one in all_recipes() if one.algorithm_arn == arn), None)


def by_feature_transformation(arn: str) -> Facts | None:
    """The first listed recipe that uses this feature transformation ARN."""
    return next((one for one in all_recipes() if one.feature_transformation_arn == arn), None)
