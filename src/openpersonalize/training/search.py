"""Hyperparameter search (``performHPO``), `search`: what is tried, in which order, on how much of the data.

A tree-structured Parzen estimator (Bergstra et al. 2011; Optuna's) proposes settings, the recipe's defaults
first. Asynchronous successive halving (Li et al. 2020) prunes them: each is tried on a part of the users
first, and on three times as many only while it belongs to the best third of all that came so far. The best
of twenty is best by chance, too: the leading ones and the defaults are judged once more, by other users, and
the mean decides.

A batch of settings is proposed at once and judged together, so the outcome depends on the seed and on what
the trainings say, never on which of them ends first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, TypeAlias

from ..recipes.facts import Facts
from ..recipes.hyperparameters import Range, read_search

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import Trial

Settings: TypeAlias = dict[str, str]

DRAWS = 20
"""Proposals that are looked at for each setting that may be tried: small ranges repeat themselves."""
RANDOM_SHARE = 0.5
RANDOM_MOST = 10
"""Settings that are drawn at random before the estimator proposes any: so many, or this share of all."""

LEAST_SAMPLE = 100_000
"""Events of the smallest part of the users that tells settings apart. With 30,000 a search of 20 settings of
aws-sims on films (100,836 events) found less than one without pruning."""
FINALISTS = 3
"""Settings that are tried on all users, at least; so many are judged again."""
THIRDS = 3
TIE = 1e-9


@dataclass(frozen=True)
class Try:
    """One training of a search: with these hyperparameters, as texts, on one user in `part`; `again`: judged
    by other users than before."""

    settings: Settings
    part: int
    again: bool = False


@dataclass(frozen=True)
class Tried:
    """What came of it.

    Attributes:
        value: what is maximised; None: the recipe holds nothing out, so that nothing can be compared.
        events: interactions of all users together.
    """

    value: float | None
    events: int


Evaluate: TypeAlias = Callable[[Sequence[Try]], Sequence[Tried]]


def search(
    recipe: Facts,
    config: Mapping[str, Any],
    seed: int,
    evaluate: Evaluate,
    planned: Callable[[float], None] = lambda trainings: None,
) -> Settings:
    """The best settings found with ``maxNumberOfTrainingJobs`` of them, texts by name: of equals those tried
    first. Empty where nothing is left to tune, or nothing can be compared.

    Args:
        recipe: whose hyperparameters. config: the solution's configuration, checked.
        seed: one seed, and the same values, find the same settings.
        evaluate: the values of some tries, at most ``maxParallelTrainingJobs``, in their order.
        planned: told about how many trainings on all users the search costs, once that is known.
    """
    asked = read_search(recipe, config)
    if not asked.ranges:
        return {}
    default = {one.row.name: default_in(one) for one in asked.ranges}
    [whole] = evaluate([Try(default, 1)])
    if whole.value is None:
        return {}
    values: list[tuple[Settings, float]] = []
    grid = all_settings(asked.ranges, default, asked.jobs)
    jobs = asked.jobs if grid is None else len(grid)
    parts = parts_tried(jobs, whole.events)
    planned(cost(jobs, parts) + FINALISTS + 1)
    proposals = _Proposals(asked.ranges, seed, default, grid, jobs)
    for begin in range(0, jobs, asked.parallel):
        running = proposals.next(min(asked.parallel, jobs - begin))
        if not running:
            break
        for rung, part in enumerate(parts):
            found = evaluate([Try(settings, part) for _, settings in running])
            reached = [float(one.value) for one in found if one.value is not None]
            if part == 1:
                for (trial, settings), value in zip(running, reached, strict=True):
                    proposals.study.tell(trial, value)
                    values.append((settings, value))
                break
            running = proposals.kept(running, reached, rung, always=default)
            if not running:
                break
    return _decided(values, default, asked.parallel, evaluate)


def _decided(
    values: list[tuple[Settings, float]], default: Settings, parallel: int, evaluate: Evaluate
) -> Settings:
    """The best of the leading settings and the defaults when other users have judged them, too; of equals
    the defaults, or else those that were tried first."""
    ordered = sorted(values, key=lambda one: (-one[1], one[0] != default))
    leading = [one for k, one in enumerate(ordered) if k < FINALISTS or one[0] == default]
    if len(leading) == 1:
        return default
    best = (-math.inf, default)
    for begin in range(0, len(leading), parallel):
        some = leading[begin : begin + parallel]
        again = evaluate([Try(settings, 1, again=True) for settings, _ in some])
        for (settings, first), second in zip(some, again, strict=True):
            mean = (first + float(second.value or 0.0)) / 2
            best = max(best, (mean, settings), key=lambda one: (one[0], one[1] == default))
    return best[1]


class _Proposals:
    """Optuna's study, in memory: a search that begins again is told the same values and proposes the same."""

    def __init__(
        self, ranges: Sequence[Range], seed: int, default: Settings, grid: list[Settings] | None, jobs: int
    ) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        start = max(1, min(RANDOM_MOST, round(jobs * RANDOM_SHARE)))
        self.study: Study = optuna.create_study(
            direction="maximize",
            sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=start),
            pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=THIRDS),
        )
        self._ranges = {one.row.name: one for one in ranges}
        self._space: dict[str, BaseDistribution] = {
            name: _distribution(one) for name, one in self._ranges.items()
        }
        self._seen: list[Settings] = []
        for settings in [default] if grid is None else grid:
            self.study.enqueue_trial({name: self._value(name, text) for name, text in settings.items()})

    def next(self, count: int) -> list[tuple[Trial, Settings]]:
        """At most `count` settings that were not proposed before."""
        from optuna.trial import TrialState

        found: list[tuple[Trial, Settings]] = []
        for _ in range(DRAWS * count):
            if len(found) == count:
                break
            trial = self.study.ask(self._space)
            settings = {name: self._text(name, value) for name, value in trial.params.items()}
            settings = {name: settings[name] for name in self._ranges}
            if settings in self._seen:
                self.study.tell(trial, state=TrialState.FAIL)  # which the estimator passes over
                continue
            self._seen.append(settings)
            found.append((trial, settings))
        return found

    def kept(
        self, running: list[tuple[Trial, Settings]], values: Sequence[float], rung: int, always: Settings
    ) -> list[tuple[Trial, Settings]]:
        """Those that are tried on more users; the settings `always` are. The best are judged first: the
        others then have them to be compared with. Of equals those tried first stay."""
        from optuna.trial import TrialState

        kept = []
        for place in sorted(range(len(running)), key=lambda k: -values[k]):
            trial, settings = running[place]
            trial.report(values[place] - TIE * trial.number, THIRDS**rung)
            pruned = trial.should_prune()
            if pruned and settings != always:
                self.study.tell(trial, state=TrialState.PRUNED)
            else:
                kept.append(place)
        return [running[place] for place in sorted(kept)]

    def _value(self, name: str, text: str) -> str | int | float:
        kind = self._ranges[name].row.type
        return int(text) if kind == "integer" else float(text) if kind == "float" else text

    def _text(self, name: str, value: Any) -> str:
        return str(round(value, 6)) if self._ranges[name].row.type == "float" else str(value)


def _distribution(one: Range) -> BaseDistribution:
    from optuna import distributions

    if one.values:
        return distributions.CategoricalDistribution(one.values)
    assert one.low is not None
    assert one.high is not None
    if one.row.type == "integer":
        return distributions.IntDistribution(int(one.low), int(one.high))
    return distributions.FloatDistribution(one.low, one.high)


def all_settings(ranges: Sequence[Range], default: Settings, most: int) -> list[Settings] | None:
    """All settings that there are, `default` first; None: there are more than `most`."""
    choices: list[list[str]] = []
    for one in ranges:
        if one.values:
            choices.append(list(one.values))
        elif one.row.type == "float" and one.low != one.high:
            return None
        elif one.row.type == "float":
            choices.append([default[one.row.name]])
        else:
            assert one.low is not None
            assert one.high is not None
            choices.append([str(k) for k in range(int(one.low), min(int(one.high), int(one.low) + most) + 1)])
    if math.prod(map(len, choices)) > most:
        return None
    names = [one.row.name for one in ranges]
    every = [dict(zip(names, values, strict=True)) for values in product(*choices)]
    return sorted(every, key=lambda one: one != default)


def parts_tried(tries: int, events: int) -> list[int]:
    """The parts of the users on which settings are tried, one after the other: 9, a ninth; 3, a third; 1,
    all. After each but the last about a third of the settings stays.

    Args:
        tries: settings to try.
        events: interactions of all users together.
    """
    parts = [1]
    while math.ceil(tries / THIRDS) >= FINALISTS and events >= LEAST_SAMPLE * THIRDS * parts[0]:
        tries = math.ceil(tries / THIRDS)
        parts.insert(0, parts[0] * THIRDS)
    return parts


def cost(tries: int, parts: Sequence[int]) -> float:
    """About how many trainings on all users the trainings of a search cost."""
    total = 0.0
    for part in parts:
        total += tries / part
        tries = math.ceil(tries / THIRDS)
    return total


def default_in(one: Range) -> str:
    """The default of a hyperparameter, moved into the range."""
    if one.values:
        return one.row.default_text if one.row.default_text in one.values else one.values[0]
    assert one.low is not None
    assert one.high is not None
    moved = min(max(float(one.row.default), one.low), one.high)
    return str(round(moved)) if one.row.type == "integer" else str(moved)
