"""CPU time to equal accuracy: when ours had what SASRec ends with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .cells import Cell
from .markdown import markdown, plain

PEER, ENCODER, RECIPE = "sasrec", "encoder", "recipe"
TARGET = 3.0
NEARLY = 0.99
"""Share of SASRec's best that counts as nearly there: its last hundredth takes it long."""

Curve = Sequence[Sequence[float]]
"""``[pass, CPU seconds of training so far, NDCG@10]``, oldest first."""

ABOUT = f"""\
The inner part of the `loo` problem, met items excluded, one thread, all in one run on one machine: CPU
seconds of training until SASRec's best validation NDCG@10 is reached (and {NEARLY:.0%} of it). *encoder*:
our sequence encoder alone, asked at its own checks. *recipe*: everything, with all that is counted and
weighed; whole trainings from nothing, whose encoder was given 2 s, 10 s and as long as it needs
(`training_seconds`). Target: a ratio of {TARGET:g}. Both sides know here when to stop. *To the end*: what a
training takes that does not: to five passes without gain of SASRec, to the last check of ours.
"""


@dataclass(frozen=True)
class Line:
    """One of ours beside SASRec; `asked`: NDCG@10 and CPU seconds of SASRec and ours (None: never) for its
    best and for nearly that; `whole`: CPU seconds of both trainings to their end."""

    data: str
    seed: int
    name: str
    asked: tuple[tuple[float, float, float | None], ...]
    whole: tuple[float, float]
    best: float
    finished: bool

    @property
    def ratios(self) -> list[float | None]:
        """SASRec's seconds over ours."""
        return [None if own is None else seconds / max(own, 0.1) for _, seconds, own in self.asked]

    @property
    def verdict(self) -> str:
        """Whether the target is reached."""
        ratio = self.ratios[0]
        done = "reached" if ratio is not None and ratio >= TARGET else "NOT REACHED"
        return done if self.finished else f"{done} (SASRec was stopped by its time limit)"


def best_of(curve: Curve, share: float = 1.0) -> tuple[float, float]:
    """CPU seconds and value of the first point that has at least `share` of the best value."""
    top = max(value for _, _, value in curve)
    return next((seconds, value) for _, seconds, value in curve if value >= share * top)


def reached(curve: Curve, value: float) -> float | None:
    """CPU seconds until a value; None: never."""
    return next((seconds for _, seconds, found in curve if found >= value), None)


def lines(cells: Sequence[Cell]) -> list[Line]:
    """By data set, where both sides were measured."""
    facts: dict[tuple[str, int], dict[str, Mapping[str, Any]]] = {}
    for cell in cells:
        facts.setdefault((cell.key.data, cell.key.seed), {})[cell.key.model] = cell.facts
    found = []
    for (data, seed), models in facts.items():
        for name in (one for one in (ENCODER, RECIPE) if PEER in models and one in models):
            peer, own = models[PEER]["curve"], models[name]["curve"]
            asked = tuple(
                (value, seconds, reached(own, value))
                for seconds, value in (best_of(peer, share) for share in (1.0, NEARLY))
            )
            whole = peer[-1][1], own[-1][1]
            found.append(Line(data, seed, name, asked, whole, best_of(own)[1], models[PEER]["finished"]))
    return found


HEAD = (
    "data set",
    "ours",
    "SASRec NDCG@10",
    "CPU s",
    "ours to it, CPU s",
    "ratio",
    f"SASRec to {NEARLY:.0%}, CPU s",
    "ours",
    "ratio",
    "to the end: SASRec, CPU s",
    "ours",
    "ratio",
    "best of ours",
    f"target {TARGET:g}",
)


def _texts(line: Line) -> tuple[str, ...]:
    ratios = ["-" if one is None else f"{one:.1f}" for one in line.ratios]
    own = ["never" if one is None else f"{one:.1f}" for _, _, one in line.asked]
    (value, seconds, _), (_, nearly, _) = line.asked
    figures = (f"{value:.4f}", f"{seconds:.1f}", own[0], ratios[0], f"{nearly:.1f}", own[1], ratios[1])
    peer, ours = line.whole
    whole = (f"{peer:.1f}", f"{ours:.1f}", f"{peer / max(ours, 0.1):.1f}")
    return (line.data, line.name, *figures, *whole, f"{line.best:.4f}", line.verdict)


def table(cells: Sequence[Cell]) -> str:
    """For a terminal."""
    return plain(HEAD, [_texts(line) for line in lines(cells)])


def page(cells: Sequence[Cell]) -> str:
    """For the page."""
    return f"{ABOUT}\n{markdown(HEAD, [_texts(line) for line in lines(cells)])}"
