"""Accuracy of the personal recipes on public data sets, beside what a team could pick instead.

    python -m bench.accuracy DATA_FOLDER [--results FOLDER] [--data SET] [--split loo|time|session]
        [--model NAME] [--seed N] [--limit SECONDS] [--again] [--table] [--page docs/accuracy.md]

DATA_FOLDER holds a folder per data set with ``interactions.csv.gz`` and, where there are items,
``items.csv.gz`` and ``schema-items.json``, in Amazon's import layout. A cell is data set x split x model x
seed. Finished cells are kept in the results folder and not computed again; every run prints the table so
far. NDCG@10 over the whole catalogue, as served (items met before kept in) and with them excluded. Whatever
a model leaves open is chosen on an inner split of its training part; nothing looks at the test. Every model
runs in a process of its own, so that its peak of memory is its own.

``--page`` writes the page, and beside it the record (JSON) of all cells that it is made from; a run with a
page goes on from the cells of that record. `replay`, `notebook` and `speed` beside this module are programs
of their own and keep their cells below the same folder.

Peers from libraries run in a Python of their own (PEERS_PYTHON; `make bench-accuracy` makes one).
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import counted, record, sessions
from .cells import Cell, Cells, Key
from .lists import Lists, ndcg
from .page import page
from .peers import NoPeers, answers
from .problem import Problem, open_problem
from .report import CEILING, OURS, costs, matrix, rows, table

SPLITS = ("loo", "time", "session")
COUNTED: dict[str, Callable[[Problem], tuple[Lists, str] | None]] = {
    "popularity": counted.popularity,
    "recent": counted.recent,
    "live": counted.live,
    "transitions": counted.transitions,
    "ease": counted.ease,
    "cooccurrence": sessions.cooccurrence,
    "cooccurrence+repeats": sessions.cooccurrence_and_repeats,
    "vstan": sessions.vstan,
    CEILING: counted.hindsight,
}
LIBRARY = ("itemknn", "bm25", "als", "bpr", "sasrec", "esasrec")
OF_SESSIONS = ("cooccurrence", "cooccurrence+repeats", "vstan")
"""Peers that look at the running session; those from libraries know users, and no session."""
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
    parser.add_argument("--limit", type=float, default=1200.0, help="CPU seconds of a peer's training")
    parser.add_argument("--again", action="store_true", help="compute also what is there")
    parser.add_argument("--table", action="store_true", help="only print what is there")
    parser.add_argument("--page", type=Path, help="write this page, and its record beside it")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    cells = Cells(given.results)
    if given.one:
        one(given.folder, cells, Key(*json.loads(given.one)), given.limit)
        return
    kept = None if given.page is None else given.page.with_suffix(".json")
    if kept is not None:
        record.take_in(kept, given.results)
    for key in [] if given.table else keys(given):
        if key in cells and not given.again:
            continue
        print(f"{key.text} ...", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", "bench.accuracy", str(given.folder), "--results", str(given.results)]
        command += [
            "--limit",
            str(given.limit),
            "--one",
            json.dumps([key.data, key.split, key.model, key.seed]),
        ]
        subprocess.run(command, check=True)
    found = cells.all()
    print(table(rows(found)), matrix(rows(found)), costs(found), sep="\n\n")
    if kept is not None:
        parts = record.collect(given.results)
        record.write(kept, parts)
        given.page.write_text(page(parts))


def keys(given: argparse.Namespace) -> list[Key]:
    """The cells that were asked for."""
    names = sorted(path.parent.name for path in given.folder.glob("*/interactions.csv.gz"))
    return [
        Key(data, split, model, seed)
        for data in names
        if not given.data or data in given.data
        for split in given.split or SPLITS
        for model in given.model or (OURS, *COUNTED, *LIBRARY)
        for seed in given.seed or (SEEDS if model == OURS else SEEDS[:1])
        if (not seed or model in RANDOM) and (split == "session" or model not in OF_SESSIONS)
        if split != "session" or model not in (*LIBRARY, CEILING)
    ]


def one(folder: Path, cells: Cells, key: Key, limit: float) -> None:
    """Compute one cell, in this process or, for a peer from a library, in its own."""
    problem = open_problem(folder, key.data, key.split)
    try:
        found = _ours(problem, key) if key.model == OURS else _peer(problem, key, limit)
    except NoPeers as problem_with_it:
        print(f"{key.text}: left out, {problem_with_it}", file=sys.stderr)
        return
    if found is None:
        print(f"{key.text}: left out, the method does not reach that far", file=sys.stderr)
        return
    lists, facts = found
    cells.put(Cell(key, ndcg(lists, problem), facts))


def _ours(problem: Problem, key: Key) -> tuple[Lists, dict[str, Any]]:
    # Torch and what trains are loaded here only.
    from .ours import code, ours

    began, wall = time.process_time(), time.monotonic()
    trained: dict[str, Any] = {}

    def told() -> None:
        trained["seconds"] = round(time.process_time() - began, 1)
        trained["wall"] = round(time.monotonic() - wall, 1)
        trained["peak_mb"] = _peak_mb()

    lists, model = ours(problem, key.seed, told)
    chosen = " ".join(
        f"{name} {weight:.3g}" for name, weight in model.weights.arriving.excluded.items() if weight
    )
    kept = {name: round(weight, 3) for name, weight in model.weights.arriving.kept.items() if weight}
    return lists, {**trained, "finished": True, "chosen": chosen, "kept": kept, "code": code()}


def _peer(problem: Problem, key: Key, limit: float) -> tuple[Lists, dict[str, Any]] | None:
    if key.model in LIBRARY:
        lists, facts = answers(problem, key, limit)
        assert lists is not None
        return lists, facts
    began = time.process_time()
    found = COUNTED[key.model](problem)
    if found is None:
        return None
    lists, chosen = found
    seconds = round(time.process_time() - began, 1)
    return lists, {"chosen": chosen, "seconds": seconds, "peak_mb": _peak_mb(), "finished": True}


def _peak_mb() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    main()
