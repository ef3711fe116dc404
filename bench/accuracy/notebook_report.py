"""The table of Amazon's notebook evaluation: ours beside simple rules and Amazon's printed figures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .cells import Cell
from .markdown import markdown, plain
from .report import OURS, Float64, interval, paired_ratio

HEAD = "NDCG@25"
COLUMNS = ("NDCG@5", "NDCG@10", "NDCG@25", "MRR@25", "P@25")
AMAZON = {
    "Amazon, User-Personalization": (0.2279, 0.2687, 0.3321, 0.2690, 0.0379),
    "Amazon, SIMS": (0.1889, 0.2234, 0.2895, 0.1669, 0.0418),
    "Amazon, Personalized-Ranking": (0.0578, 0.0707, 0.0956, 0.0537, 0.0113),
}
"""As printed in the samples' notebook in 2020: one run; which rows were the truth is not said."""

TARGETS = {("rows", "newest tenth"): 0.23, ("rows", "last 3 rows"): 0.41}
OVER_REPEAT = 1.05
"""In `rows`, newest tenth: how much better than "repeat" is asked for."""


ABOUT = """\
`movielens-latest-small` as the notebook of the Amazon Personalize samples prepares it: a `click` row for
each rating above 1 and a `watch` row for each above 3, of the same second. A tenth of the users tests
(crc32 of USER_ID modulo 10, each of the ten in turn), the others train. Input: the oldest rows; truth: the
distinct items of the newest ones. All items are candidates, those of the input too.

Amazon prints one run and does not say which rows were its truth. Its figures cannot come from the newest
tenth (16 items on average): the steps of NDCG from 5 to 25 mean one or two items. So nothing here is
claimed to be better or worse than Amazon's 0.3321; the rows below say what the same data gives under three
readings. *rows* keeps both rows of a film, as the notebook feeds them; *merged* counts interactions of one
user, item and second once, as an import and a training here do. The figures of *rows* are high because a
film's second row is often still to come when its first is known: *repeat*, which learns nothing (what was
clicked and not watched yet, newest first, then the popular), shows how much that alone gives.
"""


@dataclass(frozen=True)
class Line:
    """A model under a truth.

    Attributes:
        means: by metric, over the users of all folds. deviation: of the folds' `HEAD`.
        low, high: 95 % interval of the mean of `HEAD`. ratio: ours over this model, with its interval.
    """

    preparation: str
    truth: str
    model: str
    folds: int
    users: int
    means: dict[str, float]
    deviation: float
    low: float
    high: float
    ratio: tuple[float, float, float] | None


def lines(cells: Sequence[Cell]) -> list[Line]:
    """By preparation and truth, ours first. A ratio counts only folds that both have."""
    grouped: dict[tuple[str, str], dict[str, dict[int, Cell]]] = defaultdict(lambda: defaultdict(dict))
    for cell in cells:
        grouped[cell.key.data.rsplit(" ", 1)[-1], cell.key.split][cell.key.model][cell.key.seed] = cell
    found = []
    for (preparation, truth), models in sorted(
        grouped.items(), key=lambda one: (one[0][0] != "rows", one[0][1])
    ):
        ordered = sorted(models, key=lambda name: (name != OURS, name))
        found += [_line(preparation, truth, model, models) for model in ordered]
    return found


def _line(preparation: str, truth: str, model: str, models: dict[str, dict[int, Cell]]) -> Line:
    own = models[model]
    means = {name: float(_joined(own, name, list(own)).mean()) for name in COLUMNS}
    values = _joined(own, HEAD, list(own))
    by_fold = [float(cell.values[HEAD].mean()) for cell in own.values()]
    deviation = float(np.std(by_fold, ddof=1)) if len(by_fold) > 1 else 0.0
    shared = sorted(own.keys() & models.get(OURS, {}).keys())
    ratio = None
    if model != OURS and shared:
        ratio = paired_ratio(_joined(models[OURS], HEAD, shared), _joined(own, HEAD, shared))
    return Line(preparation, truth, model, len(own), len(values), means, deviation, *interval(values), ratio)


def _joined(cells: dict[int, Cell], metric: str, folds: Sequence[int]) -> Float64:
    return np.concatenate([cells[fold].values[metric] for fold in folds]).astype(np.float64)


def verdict(line: Line, repeat: Line | None) -> str:
    """Whether the target is reached; empty where none was set."""
    target = TARGETS.get((line.preparation, line.truth))
    if line.model != OURS or target is None:
        return ""
    asked = [(f">= {target:g}", line.means[HEAD] >= target)]
    if line.truth == "newest tenth" and repeat is not None and repeat.ratio is not None:
        asked.append((f">= {OVER_REPEAT:g} x repeat", repeat.ratio[0] >= OVER_REPEAT))
    return ", ".join(f"{'reached' if done else 'NOT REACHED'} ({text})" for text, done in asked)


HEADS = (
    "rows",
    "truth",
    "model",
    "folds",
    "users",
    *COLUMNS,
    "sd over folds",
    f"95 % of {HEAD}",
    "ours over it",
)


def _texts(cells: Sequence[Cell]) -> list[tuple[str, ...]]:
    texts = [
        ("?", "not said", name, "1", "-", *(f"{value:.4f}" for value in printed), "-", "-", "-")
        for name, printed in AMAZON.items()
    ]
    found = lines(cells)
    repeats = {(one.preparation, one.truth): one for one in found if one.model == "repeat"}
    for line in found:
        over = "" if line.ratio is None else "{:.2f} ({:.2f} to {:.2f})".format(*line.ratio)
        told = verdict(line, repeats.get((line.preparation, line.truth))) or over or "-"
        figures = (f"{line.means[name]:.4f}" for name in COLUMNS)
        spread = (f"{line.deviation:.4f}", f"{line.low:.4f} to {line.high:.4f}")
        texts.append(
            (
                line.preparation,
                line.truth,
                line.model,
                str(line.folds),
                str(line.users),
                *figures,
                *spread,
                told,
            )
        )
    return texts


def table(cells: Sequence[Cell]) -> str:
    """For a terminal."""
    return plain(HEADS, _texts(cells))


def page(cells: Sequence[Cell]) -> str:
    """For the page."""
    return f"{ABOUT}\n{markdown(HEADS, _texts(cells))}"
