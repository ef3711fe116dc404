"""Checks what solutions and campaigns say to their recipe. Pure functions; every violation in one answer.

`check_solution` runs when a solution is created or updated, with the schemas of the datasets that exist by
then, and again when a version is created, with ``complete=True``: now all datasets it speaks of must exist.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import InvalidInput
from ..exploration.config import FIELDS, MANAGED_SHARE, Exploration, read_exploration
from .facts import Facts, Offer
from .hyperparameters import Config, finite, parameter_problems, search_problems

if TYPE_CHECKING:
    from ..datasets.schemas import Schema

Schemas = Mapping[str, "Schema"]

NUMERIC = ("int", "long", "float", "double")
DATASETS = ("INTERACTIONS", "ITEMS", "USERS")
NEVER_EXCLUDED = ("USER_ID", "ITEM_ID", "TIMESTAMP")
RESERVED_ITEMS = ("ITEM_ID", "CREATION_TIMESTAMP")
DEFAULT_TRAINING_DAYS = 7
_COLUMN = re.compile(r"[A-Za-z_][A-Za-z\d_]{0,149}")
_RATE = re.compile(r"rate\((\d+) days?\)")


def check_solution(recipe: Facts, solution: Config, schemas: Schemas, *, complete: bool = False) -> None:
    """Check a solution's settings against its recipe and the schemas of its datasets.

    Args:
        recipe: the solution's recipe.
        solution: a request or a resource's attributes: ``eventType``, ``performHPO``, ``solutionConfig``.
        schemas: by dataset type, upper case; those that exist.
        complete: a version is about to be trained: what a setting speaks of must exist now.

    Raises:
        InvalidInput: one message with every violation.
    """
    _refuse(solution_problems(recipe, solution, schemas, complete=complete))


def solution_problems(
    recipe: Facts, solution: Config, schemas: Schemas, *, complete: bool = False
) -> list[str]:
    """The violations of `check_solution`, as sentences."""
    if not recipe.listed:
        return [f"Recipe {recipe.arn} is no longer supported."]
    if recipe.domain:
        return [
            f"Recipe {recipe.arn} is for recommenders in {recipe.domain} dataset groups, not for solutions."
        ]
    config = solution.get("solutionConfig") or {}
    event_type = solution.get("eventType")
    perform_hpo = bool(solution.get("performHPO"))
    return [
        *parameter_problems(recipe, config),
        *search_problems(recipe, config.get("hpoConfig"), perform_hpo),
        *_event_problems(recipe, config, schemas, event_type, complete),
        *_objective_problems(recipe, config, schemas, complete),
        *_column_problems(recipe, config.get("trainingDataConfig"), schemas, complete),
        *_schedule_problems(config.get("autoTrainingConfig")),
    ]


def training_days(config: Config | None) -> int:
    """Days between automatic trainings of a checked solution."""
    expression = ((config or {}).get("autoTrainingConfig") or {}).get("schedulingExpression")
    found = _RATE.fullmatch(expression) if expression else None
    return int(found[1]) if found else DEFAULT_TRAINING_DAYS


def training_columns(config: Config | None, dataset_type: str, columns: Iterable[str]) -> list[str]:
    """Those of a dataset's columns that may train, by ``trainingDataConfig``; ids and times always may."""
    data = (config or {}).get("trainingDataConfig") or {}
    excluded = _by_dataset(data.get("excludedDatasetColumns")).get(dataset_type, [])
    included = _by_dataset(data.get("includedDatasetColumns")).get(dataset_type)
    return [
        name
        for name in columns
        if name in NEVER_EXCLUDED or (name not in excluded and (included is None or name in included))
    ]


def attribute_columns(config: Config | None, items: Schema) -> list[str]:
    """The columns of an Items dataset that a segment can be asked for, by ``trainingDataConfig``."""
    usable = [field.name for field in items.fields if not field.textual and field.name not in RESERVED_ITEMS]
    return training_columns(config, "ITEMS", usable)


def _refuse(problems: list[str]) -> None:
    if problems:
        raise InvalidInput(" ".join(problems))


def _event_problems(
    recipe: Facts, config: Config, schemas: Schemas, event_type: str | None, complete: bool
) -> list[str]:
    problems: list[str] = []
    threshold = config.get("eventValueThreshold")
    if threshold is not None and finite(threshold) is None:
        problems.append(f"eventValueThreshold must be a number, not {threshold!r}.")
    events = config.get("eventsConfig")
    listed = (events or {}).get("eventParametersList") or []
    if events is not None:
        if Offer.EVENTS_CONFIG not in recipe.offers:
            problems.append(f"Recipe {recipe.name} does not support eventsConfig.")
        if event_type is not None or threshold is not None:
            problems.append("eventsConfig cannot be combined with eventType or eventValueThreshold.")
        problems += _event_list_problems(listed)
    schema = schemas.get("INTERACTIONS")
    if schema is None:
        if complete and "INTERACTIONS" in recipe.needs:
            problems.append(f"Recipe {recipe.name} needs an Interactions dataset.")
        return problems
    if (event_type is not None or listed) and schema.field("EVENT_TYPE") is None:
        problems.append("Event types are chosen, but the Interactions schema has no EVENT_TYPE field.")
    valued = threshold is not None or any(entry.get("eventValueThreshold") is not None for entry in listed)
    if valued and schema.field("EVENT_VALUE") is None:
        problems.append("eventValueThreshold is set, but the Interactions schema has no EVENT_VALUE field.")
    return problems


def _event_list_problems(listed: list[Config]) -> list[str]:
    if not 1 <= len(listed) <= 10:
        return ["eventParametersList must have 1 to 10 entries."]
    problems: list[str] = []
    names = [entry.get("eventType") for entry in listed]
    if not all(names):
        problems.append("Every entry of eventParametersList needs an eventType.")
    problems += [
        f"eventType {name} is listed more than once."
        for name in sorted({n for n in names if n and names.count(n) > 1})
    ]
    weights = [finite(1.0 if entry.get("weight") is None else entry["weight"]) for entry in listed]
    if not all(weight is not None and 0 <= weight <= 1 for weight in weights):
        problems.append("The weights of eventParametersList must be between 0 and 1.")
    elif not any(weights):
        problems.append("At least one weight of eventParametersList must be above 0.")
    return problems


def _objective_problems(recipe: Facts, config: Config, schemas: Schemas, complete: bool) -> list[str]:
    objective = config.get("optimizationObjective")
    if objective is None:
        return []
    if Offer.OBJECTIVE not in recipe.offers:
        return [f"Recipe {recipe.name} does not support optimizationObjective."]
    name = objective.get("itemAttribute")
    if not name:
        if objective.get("objectiveSensitivity") in (None, "OFF"):
            return []
        return ["optimizationObjective needs an itemAttribute."]
    schema = schemas.get("ITEMS")
    if schema is None:
        return ["optimizationObjective needs an Items dataset."] if complete else []
    column = schema.field(name)
    if column is None:
        return [f"The Items schema has no field {name} for optimizationObjective."]
    if column.type not in NUMERIC or column.nullable:
        return [f"The field {name} of optimizationObjective must be numeric and must not be nullable."]
    if not training_columns(config, "ITEMS", [name]):
        return [f"The field {name} of optimizationObjective is left out of training by trainingDataConfig."]
    return []


def _by_dataset(columns: Mapping[str, Any] | None) -> dict[str, list[str]]:
    return {key.upper(): list(names) for key, names in (columns or {}).items()}


def _column_problems(recipe: Facts, data: Config | None, schemas: Schemas, complete: bool) -> list[str]:
    excluded, included = (
        _by_dataset((data or {}).get(member))
        for member in ("excludedDatasetColumns", "includedDatasetColumns")
    )
    problems = [
        f"Both excludedDatasetColumns and includedDatasetColumns name {dataset}."
        for dataset in excluded
        if dataset in included
    ]
    for member, columns in (("excludedDatasetColumns", excluded), ("includedDatasetColumns", included)):
        if len(columns) > 3:
            problems.append(f"{member} may name at most 3 datasets.")
        for dataset, names in columns.items():
            if dataset not in DATASETS:
                problems.append(f"{member} names the dataset {dataset}; it may name {', '.join(DATASETS)}.")
            if len(names) > 50:
                problems.append(f"{member} may list at most 50 columns of {dataset}.")
            problems += [
                f"{name!r} in {member} is not a column name." for name in names if not _COLUMN.fullmatch(name)
            ]
            if dataset in schemas:
                unknown = [name for name in names if schemas[dataset].field(name) is None]
                problems += [f"{member}: the {dataset} schema has no column {name}." for name in unknown]
    problems += [
        f"The column {name} of {dataset} cannot be excluded."
        for dataset, names in excluded.items()
        for name in names
        if name in NEVER_EXCLUDED
    ]
    if recipe.needs_text and "ITEMS" in schemas:
        fields = schemas["ITEMS"].fields
        if not (any(one.item_name for one in fields) and any(one.textual for one in fields)):
            problems.append(
                f"Recipe {recipe.name} needs an Items schema that marks a string column with itemName and"
                " another with textual."
            )
    if recipe.needs_attribute and not problems:
        problems += _attribute_problems(recipe, data, schemas, complete)
    return problems


def _attribute_problems(recipe: Facts, data: Config | None, schemas: Schemas, complete: bool) -> list[str]:
    schema = schemas.get("ITEMS")
    if schema is None:
        return [f"Recipe {recipe.name} needs an Items dataset."] if complete else []
    if attribute_columns({"trainingDataConfig": data or {}}, schema):
        return []
    return [f"{recipe.name} needs an Items column that is neither textual nor reserved; none remains."]


def _schedule_problems(auto: Config | None) -> list[str]:
    expression = (auto or {}).get("schedulingExpression")
    if expression is None:
        return []
    found = _RATE.fullmatch(expression)
    if not found or not 1 <= int(found[1]) <= 30:
        return [f"schedulingExpression must be rate(N days) with N from 1 to 30, not {expression!r}."]
    return []


def exploration_of(recipe: Facts, config: Config | None) -> Exploration | None:
    """How a campaign of `recipe` with this checked configuration explores; None: it does not.

    A recipe that offers no settings explores by `MANAGED_SHARE`; settings that were sent all the same rule.
    """
    if Offer.EXPLORATION not in recipe.offers:
        return None
    if Offer.EXPLORATION_SETTINGS not in recipe.offers and not (config or {}).get("itemExplorationConfig"):
        return Exploration(share=MANAGED_SHARE)
    return read_exploration(config)


def check_campaign(recipe: Facts, config: Config | None) -> None:
    """Check a ``campaignConfig`` against the recipe; also exploration settings of batch jobs.

    Raises:
        InvalidInput: one message with every violation.
    """
    config = config or {}
    problems: list[str] = []
    if not recipe.deployable and not recipe.domain:
        problems.append(f"Recipe {recipe.name} makes segments in batch; it cannot be deployed in a campaign.")
    problems += _exploration_problems(recipe, config.get("itemExplorationConfig"))
    influence = config.get("rankingInfluence")
    if influence and Offer.RANKING_INFLUENCE not in recipe.offers:
        problems.append(f"Recipe {recipe.name} does not support rankingInfluence.")
    for key, value in (influence or {}).items():
        if key not in ("POPULARITY", "FRESHNESS") or not 0 <= value <= 1:
            problems.append("rankingInfluence maps POPULARITY and FRESHNESS to numbers from 0 to 1.")
    _refuse(problems)


def check_recommender(recipe: Facts, config: Config | None, schemas: Schemas) -> None:
    """Check a ``recommenderConfig`` against the recipe and the schemas of the group's datasets.

    Raises:
        InvalidInput: one message with every violation.
    """
    config = config or {}
    _refuse(
        [
            *_exploration_problems(recipe, config.get("itemExplorationConfig")),
            *_column_problems(recipe, config.get("trainingDataConfig"), schemas, False),
        ]
    )


def _exploration_problems(recipe: Facts, sent: Config | None) -> list[str]:
    if not sent:
        return []
    if Offer.EXPLORATION not in recipe.offers:
        return [f"Recipe {recipe.name} does not support itemExplorationConfig."]
    problems: list[str] = []
    for name, text in sent.items():
        number = finite(text)
        match FIELDS.get(name):
            case "weight" if number is None or not 0 <= number <= 1:
                problems.append(f"{name} must be a number from 0 to 1, not {text!r}.")
            case "cut_off_days" if number is None or number <= 0:
                problems.append(f"{name} must be a positive number of days, not {text!r}.")
            case None:
                problems.append(
                    f"itemExplorationConfig has no key {name!r}; it has explorationWeight "
                    "and explorationItemAgeCutOff."
                )
    return problems
