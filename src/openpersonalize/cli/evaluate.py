"""``openpersonalize evaluate``: which recipe suits the data, measured before anything is deployed."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import InvalidInput, JobFailed
from ..settings import read_settings
from .jobs import duration, progress_bar
from .options import setting_options

if TYPE_CHECKING:
    from ..evaluation.comparison import Comparison, ConfiguredRecipe
    from ..recipes.recipe import Recipe
    from .measured_data import Schemas

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_BASELINE = "aws-popularity-count"


@click.command()
@click.option("--interactions", type=_FILE, metavar="CSV", help="what users did; .csv or .csv.gz")
@click.option("--items", type=_FILE, metavar="CSV", help="what is known about items")
@click.option("--users", type=_FILE, metavar="CSV", help="what is known about users")
@click.option(
    "--schema",
    "schemas",
    type=_FILE,
    multiple=True,
    metavar="FILE",
    help="Avro schema of a file, named after its dataset [default: by header and values]",
)
@click.option("--dataset-group", metavar="ARN|NAME", help="instead of files: what a data folder holds")
@click.option(
    "--recipe",
    "recipes",
    multiple=True,
    metavar="NAME|ARN",
    help="recipe to compare; the first is the baseline [default: all that can be trained]",
)
@click.option("--set", "sets", multiple=True, metavar="RECIPE.NAME=VALUE", help="hyperparameter of a recipe")
@click.option(
    "--event-type", metavar="TYPE", help="only events of this type count, as a solution's eventType"
)
@click.option(
    "--event-value-threshold", type=float, metavar="NUMBER", help="only events of at least this value count"
)
@click.option(
    "--split",
    type=click.Choice(["user", "last", "time", "session"]),
    default="user",
    show_default=True,
    help="user: a tenth of the users, their newest tenth; last: everybody's last event;"
    " time: the newest tenth of all events; session: what follows inside of a session"
    " (of an order: its second half)",
)
@click.option(
    "--seed",
    "seeds",
    type=click.IntRange(0, 2**31 - 1),
    multiple=True,
    default=(1,),
    show_default=True,
    help="source of random choices; given several times, figures are means",
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="write evaluation.json, evaluation.csv and evaluation.png there",
)
@setting_options("data_dir", "database_url", "minimum_data", "threads")
def evaluate(
    interactions: Path | None,
    items: Path | None,
    users: Path | None,
    schemas: tuple[Path, ...],
    dataset_group: str | None,
    recipes: tuple[str, ...],
    sets: tuple[str, ...],
    event_type: str | None,
    event_value_threshold: float | None,
    split: str,
    seeds: tuple[int, ...],
    output: Path | None,
    **given: object,
) -> None:
    """Compare recipes on your data: accuracy with intervals, novelty, diversity, coverage, cost.

    Reads CSV files as an import does, or a dataset group of a data folder as a training does; trains every
    recipe on a part of it and asks about the rest. Nothing is deployed, and no server is needed. A recipe
    that fails keeps no other from being compared; the exit code is 2 then.
    """
    from ..evaluation.comparison import compare
    from ..evaluation.report import as_text
    from ..recipes.training import Training
    from .measured_data import read_files, read_group

    settings = read_settings(given)
    files = {"INTERACTIONS": interactions, "ITEMS": items, "USERS": users}
    present = {kind: path for kind, path in files.items() if path is not None}
    if (dataset_group is None) == (interactions is None):
        raise InvalidInput("Give either --interactions with a CSV file or --dataset-group, and not both.")
    if dataset_group is not None and (len(present) or schemas):
        raise InvalidInput("A dataset group has items, users and schemas of its own: leave the files out.")
    config = {} if event_value_threshold is None else {"eventValueThreshold": event_value_threshold}
    solution: dict[str, Any] = {"eventType": event_type, "solutionConfig": config}
    named = [_recipe(one) for one in dict.fromkeys(recipes)]
    wanted = _hyperparameters(sets, named)
    shown = _Progress()

    def choose(known: Schemas, domain: str | None) -> list[ConfiguredRecipe]:
        return _configured(named or _trainable(known, domain), wanted, solution, known)

    data, configured = (
        read_group(settings, dataset_group, solution, choose, shown.report)
        if dataset_group is not None
        else read_files(settings, present, schemas, solution, choose, shown.report)
    )
    seeds = tuple(dict.fromkeys(seeds))
    training = Training(
        threads=settings.threads or os.cpu_count() or 1,
        progress=shown.progress,
        line=shown.line,
        moment=int(time.time()),
        budget_seconds=settings.training_seconds or None,
    )
    found = compare(data, configured, split=split, seeds=seeds, training=training, begin=shown.begin)
    shown.clear()
    click.echo(as_text(found))
    if output is not None:
        _write(found, output)
    if found.failures:
        names = ", ".join(one.name for one in found.failures)
        raise JobFailed(f"Could not be compared: {names}. The report says why.")


def _recipe(name: str) -> Recipe:
    from ..recipes.facts import Task
    from ..recipes.registry import facts_of, recipe, registry

    found = recipe(name)
    if found is not None and found.facts.preset is not None:
        raise InvalidInput(f"{name} is a preset of {found.facts.preset.of}; compare that one.")
    if found is not None and found.facts.task is Task.SEGMENT:
        raise InvalidInput(f"{name} ranks users; what is compared are lists of items.")
    if found is not None and found.facts.task is Task.ACTIONS:
        raise InvalidInput(f"{name} ranks actions; what is compared are lists of items.")
    if found is None:
        names = ", ".join(
            one.facts.name for one in registry().all() if one.recipe and one.facts.preset is None
        )
        why = "There is no recipe" if facts_of(name) is None else "This version cannot train"
        raise InvalidInput(f"{why} {name}; it trains {names}.")
    return found


def _trainable(schemas: Schemas, domain: str | None) -> list[Recipe]:
    """All that can be trained on these datasets, the baseline first."""
    from ..recipes.registry import registry

    fit = [
        one.recipe
        for one in registry().all()
        if one.recipe and one.facts.domain in (None, domain) and set(one.facts.needs) <= set(schemas)
        if one.facts.preset is None and not one.facts.task.anchored
        if one.facts.task.records == "ITEMS"
    ]
    return sorted(fit, key=lambda one: one.name != _BASELINE)


def _hyperparameters(sets: Sequence[str], recipes: Sequence[Recipe]) -> dict[str, dict[str, dict[str, str]]]:
    """``solutionConfig`` by recipe, from RECIPE.NAME=VALUE; all problems at once."""
    from ..recipes.hyperparameters import PLACES

    named = {one.name for one in recipes}
    configs: dict[str, dict[str, dict[str, str]]] = {}
    problems = []
    for text in sets:
        place, equals, value = text.partition("=")
        name, dot, hyperparameter = place.rpartition(".")
        if not (equals and dot and name and hyperparameter):
            problems.append(f"--set {text} is not of the form RECIPE.NAME=VALUE.")
            continue
        one = _recipe(name)
        if named and one.name not in named:
            problems.append(f"--set {text} is about a recipe that is not compared.")
            continue
        rows = {row.name: row for row in one.facts.hyperparameters}
        row = rows.get(hyperparameter)
        member = PLACES.get(row.place if row else "algorithm", PLACES["algorithm"])
        configs.setdefault(one.name, {}).setdefault(member, {})[hyperparameter] = value
    if problems:
        raise InvalidInput(" ".join(problems))
    return configs


def _configured(
    recipes: Sequence[Recipe],
    wanted: Mapping[str, Mapping[str, Any]],
    solution: Mapping[str, Any],
    schemas: Schemas,
) -> list[ConfiguredRecipe]:
    """The recipes with their settings, checked as a solution's are.

    Raises:
        InvalidInput: one message with every violation.
    """
    from ..evaluation.comparison import ConfiguredRecipe
    from ..recipes.configuration import solution_problems
    from ..recipes.hyperparameters import read_configuration

    problems: list[str] = []
    shared: dict[str, Any] = solution["solutionConfig"]
    configs = {one.name: shared | dict(wanted.get(one.name, {})) for one in recipes}
    for one in recipes:
        asked = {"eventType": solution["eventType"], "solutionConfig": configs[one.name]}
        problems += solution_problems(one.facts, asked, schemas, complete=True)
    if problems:
        raise InvalidInput(" ".join(dict.fromkeys(problems)))
    return [ConfiguredRecipe(one, read_configuration(one.facts, configs[one.name])) for one in recipes]


def _write(found: Comparison, folder: Path) -> None:
    from ..evaluation import plot
    from ..evaluation.report import as_csv, as_json

    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "evaluation.json").write_text(as_json(found), "utf-8")
        (folder / "evaluation.csv").write_text(as_csv(found), "utf-8")
        if plot.available():
            plot.draw(found, folder / "evaluation.png")
        else:
            click.echo(f"{plot.INSTALL}.", err=True)
    except OSError as error:
        raise InvalidInput(f"The folder {folder} cannot be written ({error.strerror}).") from error
    click.echo(f"Written to {folder}/", err=True)


class _Progress:
    """What is going on, on standard error: one line that renews itself on a terminal, else a line a step."""

    def __init__(self) -> None:
        from ..engine.progress import ProgressRate

        self._rate = ProgressRate()
        self._terminal = sys.stderr.isatty()
        self._title = ""
        self._step = ""
        self._time = 0.0

    def begin(self, recipe: str, seed: int) -> None:
        """A training begins."""
        self._title, self._step = f"{recipe}, seed {seed}", ""

    def progress(self, step: str, done: float, total: float, unit: str) -> None:
        """A step is so far."""
        now = time.monotonic()
        fresh, self._step = step != self._step, step
        shown = self._rate.report(step, done, total, unit, now)
        title = f"{self._title}: {step}" if self._title else step
        if not self._terminal:
            if fresh:
                click.echo(title, err=True)
        elif fresh or done >= total or now - self._time > 0.2:
            self._time = now
            bar = f"{progress_bar(done, total)} {duration(shown['eta_seconds']):<14}"
            click.echo(f"\r\x1b[K{title}  {bar}", err=True, nl=False)

    def report(self, report: Mapping[str, Any]) -> None:
        """What a task sends."""
        if "progress" in report:
            told = report["progress"]
            self.progress(told["step"], told["done"], told["total"], told["unit"])
        elif "line" in report:
            self.line(report["line"])

    def line(self, text: str) -> None:
        """Worth a line of its own."""
        self.clear()
        click.echo(text, err=True)

    def clear(self) -> None:
        """Take the moving line away."""
        if self._terminal:
            click.echo("\r\x1b[K", err=True, nl=False)
