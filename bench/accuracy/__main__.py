"""Accuracy of the personal recipes on public data sets, beside what a team could pick instead.

    python -m bench.accuracy DATA_FOLDER [--results FOLDER] [--data SET] [--split loo|time] [--model NAME]
        [--seed N] [--limit SECONDS] [--table]

DATA_FOLDER holds a folder per data set with ``interactions.csv.gz``, ``items.csv.gz`` and
``schema-items.json`` in Amazon's import layout. A cell is data set x split x model x seed. Finished cells are
kept in the results folder and not computed again; every run prints the table so far. NDCG@10 over the whole
catalogue, as served (items met before kept in) and with them excluded. Whatever a model leaves open is chosen
on an inner split of its training part; nothing looks at the test.

Peers from libraries run in a Python of their own (PEERS_PYTHON; `make bench-accuracy` makes one).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from . import counted
from .cells import Cell, Cells, Key
from .lists import Lists, ndcg
from .problem import Problem, open_problem
from .report import OURS, costs, matrix, rows, table

SPLITS = ("loo", "time")
COUNTED: dict[str, Callable[[Problem], tuple[Lists, str] | None]] = {
    "popularity": counted.popularity,
    "recent": counted.recent,
    "live": counted.live,
    "transitions": counted.transitions,
    "ease": counted.ease,
}
LIBRARY = ("itemknn", "bm25", "als", "bpr", "sasrec", "esasrec")
RANDOM = (OURS, "als", "bpr", "sasrec", "esasrec")
"""Models that a seed changes."""
SEEDS = (0, 1)
"""Of ours; a peer has one."""


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="Accuracy on public data sets.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--results", type=Path, default=Path("accuracy"))
    parser.add_argument("--data", action="append", default=[])
    parser.add_argument("--split", action="append", default=[], choices=SPLITS)
    parser.add_argument("--model", action="append", default=[], choices=(OURS, *COUNTED, *LIBRARY))
    parser.add_argument("--seed", action="append", default=[], type=int)
    parser.add_argument("--limit", type=float, default=900.0, help="CPU seconds of a peer's training")
    parser.add_argument("--table", action="store_true", help="only print what is there")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    cells = Cells(given.results)
    if given.one:
        _ours(given.folder, cells, Key(*json.loads(given.one)))
        return
    names = sorted(path.parent.name for path in given.folder.glob("*/interactions.csv.gz"))
    for data in (name for name in names if not given.table and (not given.data or name in given.data)):
        for split in given.split or SPLITS:
            problem: Problem | None = None
            for model in given.model or (OURS, *COUNTED, *LIBRARY):
                for seed in given.seed or (SEEDS if model == OURS else SEEDS[:1]):
                    key = Key(data, split, model, seed)
                    if key in cells or (seed and model not in RANDOM):
                        continue
                    print(f"{key.text} ...", file=sys.stderr, flush=True)
                    if model == OURS:
                        # In a process of its own, so that its peak of memory is its own.
                        command = [sys.executable, "-m", "bench.accuracy", str(given.folder)]
                        one = json.dumps([data, split, model, seed])
                        subprocess.run([*command, "--results", str(given.results), "--one", one], check=True)
                        continue
                    problem = problem or open_problem(given.folder, data, split)
                    cell = _counted(problem, key) if model in COUNTED else _library(problem, key, given.limit)
                    if cell is not None:
                        cells.put(cell)
    found = cells.all()
    print(table(rows(found)), matrix(rows(found)), costs(found), sep="\n\n")


def _ours(folder: Path, cells: Cells, key: Key) -> None:
    # Torch and what trains are loaded here only.
    from .ours import ours

    problem = open_problem(folder, key.data, key.split)
    began, wall = time.process_time(), time.monotonic()
    trained = {}

    def told() -> None:
        trained["seconds"] = round(time.process_time() - began, 1)
        trained["wall"] = round(time.monotonic() - wall, 1)
        trained["peak_mb"] = _peak_mb()

    lists, model = ours(problem, key.seed, told)
    facts: dict[str, Any] = {
        **trained,
        "finished": True,
        "chosen": " ".join(f"{name} {weight:g}" for name, weight in model.weights.excluded.items() if weight),
        "kept": dict(model.weights.kept),
    }
    cells.put(Cell(key, ndcg(lists, problem), facts))


def _counted(problem: Problem, key: Key) -> Cell | None:
    began = time.process_time()
    found = COUNTED[key.model](problem)
    if found is None:
        print(f"{key.text}: too many items, left out", file=sys.stderr)
        return None
    lists, chosen = found
    seconds = round(time.process_time() - began, 1)
    facts = {"chosen": chosen, "seconds": seconds, "peak_mb": _peak_mb(), "finished": True}
    return Cell(key, ndcg(lists, problem), facts)


def _library(problem: Problem, key: Key, limit: float) -> Cell | None:
    python = os.environ.get("PEERS_PYTHON")
    if not python:
        print(f"{key.text}: PEERS_PYTHON is not set, left out", file=sys.stderr)
        return None
    with tempfile.TemporaryDirectory() as folder:
        asked, answer = Path(folder) / "problem.npz", Path(folder) / "answer.npz"
        _write(problem, asked)
        script = Path(__file__).with_name("library.py")
        command = [python, str(script), key.model, str(asked), str(answer)]
        subprocess.run(
            [*command, "--seed", str(key.seed), "--limit", str(limit)],
            check=True,
            env={**os.environ, "PYTHONPATH": "", "OPENBLAS_NUM_THREADS": "1"},
        )
        with np.load(answer) as arrays:
            lists = Lists(arrays["kept"], arrays["excluded"])
            facts = json.loads(str(arrays["facts"]))
    return Cell(key, ndcg(lists, problem), facts)


def _write(problem: Problem, path: Path) -> None:
    arrays: dict[str, Any] = {"users": len(problem.sequences.users), "items": len(problem.sequences.items)}
    assert problem.inner is not None
    for name, part in (("full", problem), ("inner", problem.inner)):
        arrays |= {f"{name}_user": part.learnt.user, f"{name}_item": part.learnt.item}
        arrays[f"{name}_asked"] = part.test.user
    arrays["inner_truth_ptr"], arrays["inner_truth"] = problem.inner.truth()
    np.savez(path, **arrays)


def _peak_mb() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    main()
