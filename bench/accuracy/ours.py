"""The recipe under test: its own weighing and its own final fit, asked as serving asks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from openpersonalize.datasets.protocols import ValidationProtocol
from openpersonalize.recipes.base_rankers import final_rankers
from openpersonalize.recipes.fusion.model import FusedModel
from openpersonalize.recipes.item_counts import ItemCounts
from openpersonalize.recipes.item_vocabulary import ItemVocabulary
from openpersonalize.recipes.questions import held_out_question
from openpersonalize.recipes.training import Training
from openpersonalize.recipes.weighing import weigh

from .lists import Lists, met_before
from .problem import Problem

PROTOCOLS: dict[str, ValidationProtocol | None] = {"loo": "leave_last", "time": "horizon", "session": None}
"""How ours is weighed for a split; None: as on a server."""


def ours(
    problem: Problem, seed: int, told: Callable[[], None], seconds: float | None = None
) -> tuple[Lists, FusedModel]:
    """Train, and ask every question under both sets of weights; `told` is called between. `seconds`: how long
    the encoder may take; None: as long as it needs."""
    learnt = problem.learnt
    protocol = PROTOCOLS[problem.split]
    threads = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
    training = Training(
        seed=seed,
        threads=threads,
        line=lambda text: print(text, file=sys.stderr),
        budget_seconds=seconds,
    )
    vocabulary = ItemVocabulary.fit(problem.items, problem.textual)
    features, categories = vocabulary.attributes, vocabulary.categories_of(problem.items)
    weights, start = weigh(learnt, True, training, features, protocol, categories=categories)
    rankers = final_rankers(learnt, problem.known, True, training, features, weights, start, categories)
    model = FusedModel(learnt.items, ItemCounts.of(learnt), rankers, weights)
    told()
    return asked(problem, model), model


def asked(problem: Problem, model: FusedModel) -> Lists:
    """The lists of a model; an item that nobody met has a place in an answer by exploration alone."""
    unseen = np.flatnonzero(~model.interacted)
    made = Lists.empty(len(problem.test.user))
    for k in np.argsort(problem.test.now, kind="stable").tolist():
        query, _, _ = held_out_question(problem.sequences, problem.test, k)
        kept, excluded = (np.array(model.scores(replace(query, seen_excluded=x))) for x in (False, True))
        kept[unseen] = excluded[unseen] = -np.inf
        made.put(k, kept, excluded, met_before(problem, k), problem.left_out(k))
    return made


def code() -> str:
    """The commit that is measured, ``+`` behind it where files differ from it; empty outside a clone."""
    found = subprocess.run(
        ["git", "describe", "--always", "--exclude", "*", "--dirty=+"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip()
