"""How much CPU time training takes to the accuracy that RecTools' SASRec ends with: one thread, one data set
after the other, all on the same machine in the same run.

    python -m bench.accuracy.speed DATA_FOLDER [--results FOLDER] [--data SET] [--seed N] [--limit SECONDS]
        [--again] [--table]

Everybody trains on the inner part of the ``loo`` problem and is asked the inner questions, met items left
out. SASRec is asked after every pass, to five passes without gain: its time is that of its best pass. Ours
are the sequence encoder alone, asked at its own checks, and the whole recipe with all that is fitted and
weighed: trainings from nothing, one for each time that its encoder is given. Asking costs nothing on either
side.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from openpersonalize.algorithms.encoder import Encoder
from openpersonalize.algorithms.events import Events
from openpersonalize.recipes.item_vocabulary import ItemVocabulary
from openpersonalize.recipes.questions import held_out_question

from .cells import Cell, Cells, Key
from .lists import Float32, Lists, met_before, ndcg
from .ours import code, ours
from .problem import Problem, open_problem
from .speed_report import ENCODER, PEER, RECIPE, table

SETS = ("deskdrop", "movielens-latest-small", "amazon-beauty")
"""Where SASRec converges in minutes."""
VIEW = "excluded"
HISTORY = 200
GIVEN = (2.0, 10.0, None)
"""Seconds that the encoder of the recipe may take; None: as long as it needs."""


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="CPU time to equal accuracy.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--results", type=Path, default=Path("accuracy/speed"))
    parser.add_argument("--data", action="append", default=[])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=1200.0, help="CPU seconds of SASRec's training")
    parser.add_argument("--again", action="store_true", help="measure also what is there")
    parser.add_argument("--table", action="store_true", help="only print what is there")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    cells = Cells(given.results)
    if given.one:
        key = Key(*json.loads(given.one))
        cells.put(_ours(open_problem(given.folder, key.data, key.split), key))
        return
    for data in () if given.table else given.data or SETS:
        keys = [Key(data, "loo", model, given.seed) for model in (PEER, ENCODER, RECIPE)]
        if not given.again and all(key in cells for key in keys):
            continue
        # One after the other and all of them, so that a ratio is of one run.
        for key in keys:
            print(f"{key.text} ...", file=sys.stderr, flush=True)
            if key.model == PEER:
                cells.put(_peer(open_problem(given.folder, data, "loo"), key, given.limit))
            else:
                command = [sys.executable, "-m", "bench.accuracy.speed", str(given.folder)]
                one = json.dumps([key.data, key.split, key.model, key.seed])
                subprocess.run(
                    [*command, "--results", str(given.results), "--one", one],
                    check=True,
                    env={**os.environ, "OMP_NUM_THREADS": "1"},
                )
    print(table(cells.all()))


def _peer(problem: Problem, key: Key, limit: float) -> Cell:
    from .peers import answers

    _, facts = answers(problem, key, limit, timed=True)
    return Cell(key, {}, facts)


def _ours(problem: Problem, key: Key) -> Cell:
    inner = problem.inner
    assert inner is not None
    curve = _encoder_curve(inner, key.seed) if key.model == ENCODER else _recipe_curve(inner, key.seed)
    return Cell(key, {}, {"curve": curve, "seconds": curve[-1][1], "finished": True, "code": code()})


def _encoder_curve(part: Problem, seed: int) -> list[list[float]]:
    from openpersonalize.algorithms.encoder_plan import plan_for
    from openpersonalize.algorithms.encoder_training import fit_encoder

    learnt = part.learnt
    events = Events(learnt.ptr, learnt.item, learnt.time, learnt.event, learnt.weight, len(learnt.items))
    curve: list[list[float]] = []
    asking = 0.0
    began = time.process_time()

    def validate(encoder: Encoder) -> float:
        nonlocal asking
        reached = time.process_time()
        made = Lists.empty(len(part.test.user))
        for k in range(len(part.test.user)):
            query, _, _ = held_out_question(part.sequences, part.test, k)
            scores: Float32 = np.array(encoder.feature(query))
            made.put(k, scores, scores.copy(), met_before(part, k))
        value = float(np.nanmean(ndcg(made, part)[VIEW]))
        curve.append([len(curve) + 1, round(reached - began - asking, 1), round(value, 5)])
        asking += time.process_time() - reached
        return value

    features = ItemVocabulary.fit(part.items, part.textual).attributes
    fit_encoder(events, features, plan_for(events, False), seed=seed, threads=1, validate=validate)
    return curve


def _recipe_curve(part: Problem, seed: int) -> list[list[float]]:
    # Loading the libraries counts for nobody.
    from openpersonalize.algorithms import encoder_training  # noqa: F401

    return [[k, *_trained(part, seed, given)] for k, given in enumerate(GIVEN, 1)]


def _trained(part: Problem, seed: int, given: float | None) -> tuple[float, float]:
    """CPU seconds and value of one training."""
    spent: list[float] = []
    began = time.process_time()
    lists, _ = ours(part, seed, lambda: spent.append(time.process_time() - began), given)
    return round(spent[0], 1), round(float(np.nanmean(ndcg(lists, part)[VIEW])), 5)


if __name__ == "__main__":
    main()
