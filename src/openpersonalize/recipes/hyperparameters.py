"""Hyperparameters: from the texts of a solution to checked, typed values, and to what a search may try."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from ..errors import InvalidInput
from .catalogue import SEARCH_JOBS_LIMIT, SEARCH_PARALLEL_LIMIT
from .facts import Facts, Hyperparameter, Offer, Value
from .objective import Objective
from .training import Configuration

Config: TypeAlias = Mapping[str, Any]

PLACES = {"algorithm": "algorithmHyperParameters", "feature": "featureTransformationParameters"}
_PREFIX = re.compile(r"^(training|data)\.")


def read_configuration(
    recipe: Facts, config: Config | None, tuned: Mapping[str, str] | None = None
) -> Configuration:
    """The settings of a checked solution, every hyperparameter with a typed value; `tuned` ones win.

    Raises:
        InvalidInput: a value cannot be read (only when `config` was never checked).
    """
    config = config or {}
    sent = {
        _bare(name): text for place in PLACES.values() for name, text in (config.get(place) or {}).items()
    }
    sent |= {_bare(name): text for name, text in (tuned or {}).items()}
    parameters: dict[str, Value] = {}
    for row in recipe.hyperparameters:
        value, problem = _read(row, sent[row.name]) if row.name in sent else (row.default, None)
        if problem:
            raise InvalidInput(problem)
        parameters[row.name] = value
    objective = config.get("optimizationObjective") or {}
    attribute = objective.get("itemAttribute")
    return Configuration(
        parameters,
        Objective(attribute, objective.get("objectiveSensitivity") or "OFF") if attribute else None,
    )


@dataclass(frozen=True)
class Range:
    """What the search may try for one hyperparameter: `low` to `high`, or one of `values` (texts)."""

    row: Hyperparameter
    low: float | None = None
    high: float | None = None
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Search:
    """``hpoConfig``, read: the ranges and how many models may be tried, how many at a time."""

    ranges: tuple[Range, ...]
    jobs: int
    parallel: int


def read_search(recipe: Facts, config: Config | None) -> Search:
    """What ``performHPO`` lets the search try; when no ranges are sent the recipe's own, of all that the
    solution does not set."""
    hpo = (config or {}).get("hpoConfig") or {}
    fixed = {_bare(name) for name in (config or {}).get("algorithmHyperParameters") or {}}
    resources = hpo.get("hpoResourceConfig") or {}
    sent = {_bare(entry.get("name") or ""): entry for _, entry in _sent_ranges(hpo)}
    ranges = []
    for row in recipe.hyperparameters:
        if not row.tunable or (row.name not in sent if sent else row.name in fixed):
            continue
        entry = sent.get(row.name, {})
        if row.type in ("boolean", "string"):
            ranges.append(Range(row, values=tuple(entry.get("values") or row.values)))
        else:
            low, high = entry.get("minValue", row.low), entry.get("maxValue", row.high)
            ranges.append(Range(row, low=low, high=high))
    return Search(
        tuple(ranges),
        int(resources.get("maxNumberOfTrainingJobs") or 20),
        int(resources.get("maxParallelTrainingJobs") or 5),
    )


def described_config(recipe: Facts | None, config: Config | None) -> dict[str, Any]:
    """``solutionConfig`` as DescribeSolution shows it: tuned names prefixed ``training.`` or ``data.``."""
    shown = dict(config or {})
    hpo = shown.get("hpoConfig")
    if not isinstance(hpo, Mapping) or not isinstance(hpo.get("algorithmHyperParameterRanges"), Mapping):
        return shown
    lists = {
        kind: [{**entry, "name": _prefixed(entry.get("name"))} for entry in entries or []]
        for kind, entries in hpo["algorithmHyperParameterRanges"].items()
    }
    shown["hpoConfig"] = {**hpo, "algorithmHyperParameterRanges": lists}
    return shown


def finite(text: Any) -> float | None:
    """The number in a text, None when there is none or it is not finite."""
    try:
        number = float(text)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _bare(name: str) -> str:
    return _PREFIX.sub("", name)


def _prefixed(name: str | None) -> str | None:
    if not name or _PREFIX.match(name):
        return name
    return f"data.{name}" if name == "recency_mask" else f"training.{name}"


def _read(row: Hyperparameter, text: str) -> tuple[Value, str | None]:
    """The value of a hyperparameter's text, or what is wrong with it."""
    if row.type in ("boolean", "string"):
        known = row.aliases.get(text, text.lower() if row.type == "boolean" else text)
        if known not in row.values:
            return row.default, f"{row.name} must be one of {', '.join(row.values)}, not {text!r}."
        return (known == "true" if row.type == "boolean" else known), None
    number = finite(text)
    if number is None or (row.type == "integer" and number != int(number)):
        return (
            row.default,
            f"{row.name} must be {'an integer' if row.type == 'integer' else 'a number'}, not {text!r}.",
        )
    if (row.low is not None and number < row.low) or (row.high is not None and number > row.high):
        return row.default, f"{row.name} must be between {row.low} and {row.high}, not {text}."
    return (int(number) if row.type == "integer" else number), None


def parameter_problems(recipe: Facts, config: Config) -> list[str]:
    """What is wrong with the fixed hyperparameters, as sentences."""
    problems: list[str] = []
    for place, member in PLACES.items():
        rows = {row.name: row for row in recipe.hyperparameters if row.place == place}
        elsewhere = {row.name: row.place for row in recipe.hyperparameters if row.place != place}
        for name, text in (config.get(member) or {}).items():
            bare = _bare(name)
            if bare in rows:
                problems += filter(None, [_read(rows[bare], text)[1]])
            elif elsewhere.get(bare) == "search":
                problems.append(f"{bare} can be set only through the ranges of hpoConfig.")
            elif bare in elsewhere:
                problems.append(f"{bare} belongs in {PLACES[elsewhere[bare]]}, not in {member}.")
            else:
                known = f"; it has {', '.join(rows)}" if rows else "; it has none there"
                problems.append(f"Recipe {recipe.name} has no hyperparameter {name!r} in {member}{known}.")
    if not problems:
        problems += _percentile_problems(recipe, config)
    return problems


def _percentile_problems(recipe: Facts, config: Config) -> list[str]:
    values = read_configuration(recipe, config).parameters
    pairs = [
        (name, f"max_{name[4:]}")
        for name in values
        if name.startswith("min_") and name.endswith("_percentile")
    ]
    return [
        f"{low} must be below {high}." for low, high in pairs if float(values[low]) >= float(values[high])
    ]


def _sent_ranges(hpo: Config) -> list[tuple[str, Config]]:
    ranges = hpo.get("algorithmHyperParameterRanges") or {}
    kinds = {"integerHyperParameterRanges": "integer", "continuousHyperParameterRanges": "float",
             "categoricalHyperParameterRanges": "category"}  # fmt: skip
    return [(kind, entry) for member, kind in kinds.items() for entry in ranges.get(member) or []]


def search_problems(recipe: Facts, hpo: Config | None, perform: bool) -> list[str]:
    """What is wrong with ``hpoConfig`` and ``performHPO``, as sentences."""
    if Offer.HPO not in recipe.offers:
        nothing = f"Recipe {recipe.name} has no hyperparameters to tune: leave performHPO and hpoConfig out."
        return [nothing] if perform or hpo else []
    if not hpo:
        return []
    problems: list[str] = []
    if hpo.get("hpoObjective"):
        problems.append("hpoObjective cannot be configured.")
    problems += _resource_problems(hpo.get("hpoResourceConfig") or {})
    rows = {row.name: row for row in recipe.hyperparameters if row.tunable}
    seen: set[str] = set()
    for kind, entry in _sent_ranges(hpo):
        name = _bare(entry.get("name") or "")
        if name not in rows:
            problems.append(
                f"{name!r} is not tunable for recipe {recipe.name}; tunable are {', '.join(rows)}."
            )
            continue
        if name in seen:
            problems.append(f"{name} is given more than one range.")
        seen.add(name)
        problems += _range_problems(rows[name], kind, entry)
    return problems


def _range_problems(row: Hyperparameter, kind: str, entry: Config) -> list[str]:
    expected = "category" if row.type in ("boolean", "string") else row.type
    if kind != expected:
        lists = {"integer": "integer", "float": "continuous", "category": "categorical"}
        return [f"{row.name} belongs in {lists[expected]}HyperParameterRanges."]
    if expected == "category":
        values = entry.get("values") or []
        wrong = [value for value in values if value not in row.values]
        if not values or wrong:
            return [f"The values of {row.name} must be among {', '.join(row.values)}."]
        return []
    low, high = entry.get("minValue", row.low), entry.get("maxValue", row.high)
    if low > high or low < row.low or high > row.high:
        return [
            f"The range of {row.name} must lie within {row.low} and {row.high}, minValue not above maxValue."
        ]
    return []


def _resource_problems(resources: Config) -> list[str]:
    problems = []
    numbers: dict[str, int] = {}
    for member, limit in (
        ("maxNumberOfTrainingJobs", SEARCH_JOBS_LIMIT),
        ("maxParallelTrainingJobs", SEARCH_PARALLEL_LIMIT),
    ):
        text = resources.get(member)
        if text is None:
            continue
        number = finite(text)
        if number is None or number != int(number) or not 1 <= number <= limit:
            problems.append(f"{member} must be a whole number from 1 to {limit}, not {text!r}.")
        else:
            numbers[member] = int(number)
    if len(numbers) == 2 and numbers["maxParallelTrainingJobs"] > numbers["maxNumberOfTrainingJobs"]:
        problems.append("maxParallelTrainingJobs must not be above maxNumberOfTrainingJobs.")
    return problems
