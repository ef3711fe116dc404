"""Recipes compared on one data set: one split, the same questions, paired intervals.

Each recipe is trained on what the split leaves for training and asked about the rest over the whole
catalogue, twice: as served (``kept``: what the user met before may come, and counts), and with it left out
(``excluded``: neither listed nor counted; users who met nothing new are not asked then).

Memory: one model at a time, and per recipe about 250 bytes and 15 numbers for each of at most
`splits.MOST_USERS` users.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..algorithms.topk import top_k
from ..datasets.holdout import HoldOut
from ..datasets.sequences import Bools, Int32, Sequences
from ..datasets.splits import SPLITS, sampled
from ..errors import JobFailed, JobStopped, OpenPersonalizeError
from ..recipes.complete import CompleteModel
from ..recipes.recipe import Recipe
from ..recipes.training import Configuration, Training, TrainingData
from . import bootstrap
from .lists import ItemPopularity, diversity, exposure_gini, mean_over_list
from .measure import ask
from .metrics import CUTS, LIST, Float64, ideal_gains, ndcg, precision, recall, reciprocal_rank
from .peak import forget_peak, peak_bytes

SHORT = 10
"""Length of the lists whose novelty, diversity and popularity are looked at."""

ACCURACY = (
    "mean_reciprocal_rank_at_25",
    *(
        f"{name}_at_{k}"
        for name in ("normalized_discounted_cumulative_gain", "precision", "recall")
        for k in CUTS
    ),
)
CHARACTER = ("novelty_at_10", "diversity_at_10", "popularity_at_10", "popularity_bias_at_10")
PER_USER = (*ACCURACY, *CHARACTER)
"""Measures that are means over users, and so have intervals; see `docs/evaluate.md`."""

OVERALL = ("coverage", "exposure_gini_at_10")
"""Measures of all lists together. They grow or fall with the number of users asked, which resampling changes:
no interval."""

MODES = ("kept", "excluded")

_ASKED = {
    "user": "users with two or more interactions among a tenth of all users",
    "last": "users with two or more interactions",
    "time": "users with interactions both before and in the newest tenth of all",
    "session": "users with a session (an order: of four lines or more) in the newest tenth of all",
}


@dataclass(frozen=True)
class ConfiguredRecipe:
    """A recipe with its settings."""

    recipe: Recipe
    configuration: Configuration


@dataclass(frozen=True)
class Figure:
    """A measure of one recipe: the mean over users and seeds, the bounds of its 95 % interval, the same for
    the difference to the baseline (None for the baseline itself, and without an interval), and the mean of
    each seed."""

    mean: float
    by_seed: tuple[float, ...]
    low: float | None = None
    high: float | None = None
    difference: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None


@dataclass(frozen=True)
class Result:
    """What was found for one recipe: figures by mode and measure; seconds to train and bytes of memory that
    the whole process held meanwhile, by seed."""

    name: str
    arn: str
    hyperparameters: Mapping[str, Any]
    figures: Mapping[str, Mapping[str, Figure]]
    training_seconds: tuple[float, ...]
    peak_memory_bytes: tuple[int | None, ...]


@dataclass(frozen=True)
class Failure:
    """A recipe that could not be compared, and why, in a sentence."""

    name: str
    arn: str
    reason: str


@dataclass(frozen=True)
class Comparison:
    """Everything that was found; `questions` by mode. `baseline` is the first recipe that could be compared;
    `failures` are those that could not."""

    split: str
    seeds: tuple[int, ...]
    interactions: int
    training_interactions: int
    users: int
    items: int
    questions: Mapping[str, int]
    baseline: str
    results: tuple[Result, ...]
    failures: tuple[Failure, ...] = ()
    confidence: float = bootstrap.CONFIDENCE
    resamples: int = bootstrap.RESAMPLES


@dataclass
class _Run:
    """One trained model: values float64[Q, measures] and overall figures by mode."""

    values: dict[str, Float64] = field(default_factory=dict)
    overall: dict[str, tuple[float, ...]] = field(default_factory=dict)
    seconds: float = 0.0
    memory: int | None = None


def compare(
    data: TrainingData,
    recipes: Sequence[ConfiguredRecipe],
    *,
    split: str,
    seeds: Sequence[int],
    training: Training,
    begin: Callable[[str, int], None] = lambda recipe, seed: None,
) -> Comparison:
    """Train and measure every recipe with every seed. One that fails keeps no other from being compared.

    Args:
        data: all of it. recipes: the first one that does not fail is the baseline.
        split: a name of `splits.SPLITS`.
        seeds: sources of random choices; figures are means over them. The first also draws the resamples.
        training: threads, progress, stop, and who is told of failures; its seed is replaced.
        begin: told what begins.

    Raises:
        JobFailed: nothing to train on or nobody to ask, or every recipe failed; the sentence says why.
        JobStopped: `training` said so.
    """
    # Nobody has the order of an order's lines when a question is asked.
    sequences = data.sequences.without_order_in_baskets(np.random.default_rng(seeds[0]))
    data = replace(data, interactions=sequences)
    parts = SPLITS[split](sequences)
    asked = sampled(sequences, parts)
    if not len(asked.user) or not parts.training.any():
        raise JobFailed(
            f"The split {split} leaves nobody to ask: it takes {_ASKED[split]}."
            " Try another split, or more data."
        )
    shown = replace(data, interactions=sequences.where(parts.training))
    popularity = ItemPopularity.of(shown.sequences)
    compared: list[ConfiguredRecipe] = []
    runs: list[list[_Run]] = []
    failures: list[Failure] = []
    for configured in recipes:
        try:
            runs.append(
                [_run(configured, seed, data, shown, asked, popularity, training, begin) for seed in seeds]
            )
            compared.append(configured)
        except JobStopped:
            raise
        except Exception as error:  # noqa: BLE001 - told, and no reason to lose what the others found
            failures.append(_failure(configured.recipe, error, training))
    if not compared:
        raise JobFailed(" ".join(f"{one.name} cannot be compared: {one.reason}" for one in failures))
    fresh = ~np.isnan(runs[0][0].values["excluded"][:, 0])
    people = {"kept": np.ones(len(asked.user), dtype=np.bool_), "excluded": fresh}
    figures = {mode: _figures([[one.values[mode] for one in each] for each in runs],
                              [[one.overall[mode] for one in each] for each in runs],
                              people[mode], seeds[0]) for mode in MODES}  # fmt: skip
    return Comparison(
        split,
        tuple(seeds),
        len(sequences.item),
        int(parts.training.sum()),
        len(sequences.users),
        len(sequences.items),
        {mode: int(people[mode].sum()) for mode in MODES},
        compared[0].recipe.name,
        tuple(
            Result(
                configured.recipe.name,
                configured.recipe.facts.arn,
                dict(configured.configuration.parameters),
                {mode: figures[mode][place] for mode in MODES},
                tuple(run.seconds for run in runs[place]),
                tuple(run.memory for run in runs[place]),
            )
            for place, configured in enumerate(compared)
        ),
        tuple(failures),
    )


def _run(
    configured: ConfiguredRecipe,
    seed: int,
    data: TrainingData,
    shown: TrainingData,
    asked: HoldOut,
    popularity: ItemPopularity,
    training: Training,
    begin: Callable[[str, int], None],
) -> _Run:
    """Train on `shown` and ask about the rest."""
    begin(configured.recipe.name, seed)
    forget_peak()
    began = time.monotonic()
    model = configured.recipe.fit(shown, configured.configuration, replace(training, seed=seed))
    run = _Run(seconds=time.monotonic() - began, memory=peak_bytes())
    complete = CompleteModel(model, configured.recipe.facts.task, shown.counts)
    for mode in MODES:
        run.values[mode], run.overall[mode] = _measured(
            complete, data.sequences, asked, shown.sequences, popularity, mode == "excluded", training
        )
    return run


def _failure(recipe: Recipe, error: Exception, training: Training) -> Failure:
    """What is told of a recipe that failed; of one that did not mean to, with the place."""
    if isinstance(error, OpenPersonalizeError):
        reason = error.message
    elif isinstance(error, MemoryError):
        reason = "The machine has too little memory for it; give it more, or use less data."
    else:
        reason = f"{type(error).__name__}: {error}"
        training.line("".join(traceback.format_exception(error)))
    training.line(f"{recipe.name} cannot be compared: {reason}")
    return Failure(recipe.name, recipe.facts.arn, reason)


def _measured(
    model: CompleteModel,
    sequences: Sequences,
    split: HoldOut,
    shown: Sequences,
    popularity: ItemPopularity,
    excluded: bool,
    training: Training,
) -> tuple[Float64, tuple[float, ...]]:
    """float64[Q, PER_USER], NaN for users that are not asked; and the figures OVERALL."""
    count = len(split.user)
    lists = np.full((count, LIST), -1, dtype=np.int32)
    hits = np.zeros((count, LIST))
    sizes = np.zeros(count, dtype=np.int64)
    truth_popularity = np.zeros(count)
    asked = ask(model, sequences, split, seen_excluded=excluded,
                progress=training.progress, check=training.check)  # fmt: skip
    for k, (_, truth, _), scores in asked:
        if excluded:
            start = int(sequences.ptr[split.user[k]])
            met = np.unique(sequences.item[start : split.start[k]])
            truth = np.setdiff1d(truth, met)
            if not len(truth):
                continue
            scores = scores.copy()
            scores[met] = -np.inf
        listed = top_k(scores, LIST)
        lists[k, : len(listed)] = listed
        hits[k, : len(listed)] = np.isin(listed, truth)
        sizes[k] = len(truth)
        truth_popularity[k] = popularity.percentile[truth].mean()
    values = _per_user(lists, hits, sizes, truth_popularity, shown, popularity)
    values[sizes == 0] = np.nan
    items = len(sequences.items)
    coverage = len(np.unique(lists[lists >= 0])) / max(items, 1)
    return values, (coverage, exposure_gini(lists[:, :SHORT], items))


def _per_user(
    lists: Int32,
    hits: Float64,
    sizes: Any,
    truth_popularity: Float64,
    shown: Sequences,
    popularity: ItemPopularity,
) -> Float64:
    """float64[Q, PER_USER]."""
    ideal, short = ideal_gains(sizes), lists[:, :SHORT]
    listed = mean_over_list(popularity.percentile, short)
    return np.column_stack(
        [
            reciprocal_rank(hits),
            *(ndcg(hits, ideal, k) for k in CUTS),
            *(precision(hits, k) for k in CUTS),
            *(recall(hits, sizes, k) for k in CUTS),
            mean_over_list(popularity.surprise(), short),
            diversity(shown, short),
            listed,
            listed - truth_popularity,
        ]
    )


def _figures(
    values: list[list[Float64]], overall: list[list[tuple[float, ...]]], people: Bools, seed: int
) -> list[dict[str, Figure]]:
    """Figures of every recipe; the first is the baseline. All are 0 where nobody is asked."""
    by_seed = [np.stack([one[people] for one in each]).mean(axis=1) if people.any()
               else np.zeros((len(each), len(PER_USER))) for each in values]  # fmt: skip
    users = np.stack([np.mean([one[people] for one in each], axis=0) for each in values], axis=1)
    count, recipes, measures = users.shape
    means = bootstrap.resampled_means(users.reshape(count, recipes * measures), seed).reshape(
        -1, recipes, measures
    )
    low, high = bootstrap.interval(means)
    under, over = bootstrap.interval(means - means[:, :1])
    found: list[dict[str, Figure]] = []
    for e in range(recipes):
        mean = by_seed[e].mean(axis=0)
        difference = mean - by_seed[0].mean(axis=0)
        figures = {
            name: Figure(
                float(mean[m]),
                tuple(by_seed[e][:, m].tolist()),
                float(low[e, m]),
                float(high[e, m]),
                *((float(difference[m]), float(under[e, m]), float(over[e, m])) if e else ()),
            )
            for m, name in enumerate(PER_USER)
        }
        for o, name in enumerate(OVERALL):
            seeds = tuple(one[o] for one in overall[e])
            first = float(np.mean([one[o] for one in overall[0]]))
            mean_of_all = float(np.mean(seeds))
            figures[name] = Figure(mean_of_all, seeds, difference=mean_of_all - first if e else None)
        found.append(figures)
    return found
