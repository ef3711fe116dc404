"""Ours against ours: the cells of two records (or folders of cells) on the same questions, split by gap.

    python -m bench.accuracy.gaps DATA_FOLDER BEFORE AFTER [--data SET] [--split loo]

BEFORE and AFTER are records (``docs/accuracy.json`` of a commit) or results folders. *In session*: the user's
newest event before the question is at most a session gap old, *arriving*: older, or there is none. NDCG@10 of
the seeds that both have, of all seeds where they share none, and the difference with its 95 % interval by
bootstrap of the questions. Cells whose questions are not the same are named and not compared.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from openpersonalize.datasets.scenarios import asked_in_session
from openpersonalize.evaluation.bootstrap import interval, resampled_means

from . import record
from .cells import Cell, Cells
from .lists import VIEWS
from .markdown import markdown
from .problem import open_problem
from .report import OURS

HEAD = ("data set", "split", "view", "asked", "questions", "before", "after", "difference (95 %)")


def cells_of(place: Path, data: str, split: str) -> list[Cell]:
    """Ours of a record or a folder."""
    found = Cells(place).all() if place.is_dir() else record.read(place)[""]
    return [one for one in found if (one.key.data, one.key.split, one.key.model) == (data, split, OURS)]


def values(cells: Sequence[Cell], seeds: set[int], view: str) -> np.ndarray:
    """float64[Q], the mean of the seeds; NaN where a question counts for nothing."""
    chosen = [one.values[view] for one in cells if one.key.seed in seeds] or [
        one.values[view] for one in cells
    ]
    mean: np.ndarray = np.mean(np.stack(chosen).astype(np.float64), axis=0)
    return mean


def compared(
    folder: Path, data: str, split: str, before: Sequence[Cell], after: Sequence[Cell]
) -> list[tuple[str, ...]]:
    """Rows of the table."""
    problem = open_problem(folder, data, split)
    running = asked_in_session(problem.sequences, problem.test, problem.gap)
    seeds = {one.key.seed for one in before} & {one.key.seed for one in after}
    found: list[tuple[str, ...]] = []
    for view in VIEWS:
        old, new = values(before, seeds, view), values(after, seeds, view)
        if len(old) != len(new) or (np.isnan(old) != np.isnan(new)).any():
            found.append((data, split, view, "other questions", *["-"] * 4))
            continue
        for name, asked in (("all", ~np.isnan(old)), ("in session", running), ("arriving", ~running)):
            some = asked & ~np.isnan(old)
            if not some.any():
                continue
            pair = np.stack((old[some], new[some]), axis=1)
            means = resampled_means(pair, 0)
            low, high = interval(means[:, 1] - means[:, 0])
            was, now = pair.mean(axis=0).tolist()
            told = f"{now - was:+.4f} ({low:+.4f} to {high:+.4f})"
            found.append((data, split, view, name, str(len(pair)), f"{was:.4f}", f"{now:.4f}", told))
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Ours against ours, split by gap.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--data", action="append", default=[])
    parser.add_argument("--split", action="append", default=[])
    given = parser.parse_args()
    lines: list[tuple[str, ...]] = []
    commits: dict[str, set[str]] = {"before": set(), "after": set()}
    names = sorted(path.parent.name for path in given.folder.glob("*/interactions.csv.gz"))
    for data in given.data or names:
        for split in given.split or ("loo",):
            before, after = (cells_of(place, data, split) for place in (given.before, given.after))
            if before and after:
                lines += compared(given.folder, data, split, before, after)
                for name, cells in (("before", before), ("after", after)):
                    commits[name] |= {str(one.facts.get("code", "?")) for one in cells}
    print(markdown(HEAD, lines))
    print(json.dumps({name: sorted(found) for name, found in commits.items()}))


if __name__ == "__main__":
    main()
