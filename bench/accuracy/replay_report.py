"""The table of the replay: ours, brought up to date, beside ours left alone and what is counted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from .cells import Cell
from .lists import VIEWS
from .markdown import markdown, plain
from .report import OURS, Float64, interval, paired_ratio

ONCE = "openpersonalize, trained once"
FAR = 100
"""Ratios from here on are of next to nothing."""

ABOUT = """\
The newest tenth of the events happens again: a question is one of them, asked with all that its user did
before, at its moment; news by the hour for a day, an intranet feed every two hours for a week. Before every
step ours is updated as a server does it (`trainingMode=UPDATE`), and in between it is told what happens every
five minutes, of items that it knows; what came within the step it cannot recommend yet. *trained once*: the
same without the updates. *transitions* and *popularity* are counted anew before every step, *live* at every
question, of new items too. Transformers are not here: taking in a new item costs them a training. *CPU s*: of
the training, and of an update on average.
"""

HEAD = ("data set", "view", "questions", "model", "NDCG@10 (95 %)", "ours over it (95 %)", "CPU s")


def _texts(cells: Sequence[Cell]) -> list[tuple[str, ...]]:
    grouped: dict[str, dict[str, Cell]] = defaultdict(dict)
    for cell in cells:
        grouped[cell.key.data][cell.key.model] = cell
    texts: list[tuple[str, ...]] = []
    for data, models in sorted(grouped.items()):
        for view in VIEWS:
            values = {name: _values(cell, view) for name, cell in models.items()}
            for name in sorted(values, key=lambda name: (name != OURS, -values[name].mean())):
                own = values[name]
                low, high = interval(own)
                over = "-"
                if name != OURS and OURS in values:
                    ratios = paired_ratio(values[OURS], own)
                    over = "{:.2f} ({:.2f} to {:.2f})".format(*ratios) if ratios[2] < FAR else f"> {FAR}"
                mean = f"{own.mean():.4f} ({low:.4f} to {high:.4f})"
                texts.append((data, view, str(len(own)), name, mean, over, _cost(models[name])))
    return texts


def _values(cell: Cell, view: str) -> Float64:
    found = cell.values[view].astype(np.float64)
    return found[~np.isnan(found)]


def _cost(cell: Cell) -> str:
    first, *updates = cell.facts["seconds"] or [None]
    told = "-" if first is None else f"{first:.0f}"
    return f"{told}, {np.mean(updates):.1f}" if updates else told


def table(cells: Sequence[Cell]) -> str:
    """For a terminal."""
    return plain(HEAD, _texts(cells))


def page(cells: Sequence[Cell]) -> str:
    """For the page."""
    return f"{ABOUT}\n{markdown(HEAD, _texts(cells))}"
