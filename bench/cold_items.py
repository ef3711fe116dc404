"""Items that nobody met yet: how well the model orders them, and what they cost the others.

    python -m bench.cold_items DATA_FOLDER [--data amazon-beauty]

The last event of each user is the test. A tenth of the items is taken out of training altogether, with their
records left in the catalogue. Printed: of the tests on those items the share found among the best 10 of the
cold items alone, and among the best 50 of the whole catalogue; of the other tests NDCG@10 over the whole
catalogue, and with the cold items left out, which is what they would be without cold items.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from openpersonalize.datasets.sequences import Sequences
from openpersonalize.recipes.base_rankers import final_rankers
from openpersonalize.recipes.fusion.model import FusedModel
from openpersonalize.recipes.item_counts import ItemCounts
from openpersonalize.recipes.item_vocabulary import ItemVocabulary
from openpersonalize.recipes.query import HISTORY_LENGTH, Query
from openpersonalize.recipes.training import Training
from openpersonalize.recipes.weighing import weigh

from .accuracy.problem import open_problem

SHARE = 0.1
MOST_WARM = 4_000


@dataclass(frozen=True)
class World:
    """What is learnt, the cold items, and the tests: users and their last items."""

    learnt: Sequences
    cold: np.ndarray
    users: np.ndarray
    targets: np.ndarray
    now: np.ndarray


def split(sequences: Sequences, seed: int = 0) -> World:
    """Take a tenth of the items and everybody's last event out."""
    rng = np.random.default_rng(seed)
    met = np.flatnonzero(np.bincount(sequences.item, minlength=len(sequences.items)))
    cold = np.sort(rng.choice(met, int(SHARE * len(met)), replace=False))
    is_cold = np.zeros(len(sequences.items), dtype=np.bool_)
    is_cold[cold] = True
    last = sequences.ptr[1:] - 1
    kept = ~is_cold[sequences.item]
    kept[last] = False
    before = np.concatenate(([0], np.cumsum(kept)))
    users = np.flatnonzero(before[sequences.ptr[1:]] > before[sequences.ptr[:-1]])
    target = sequences.item[last]
    warm = users[~is_cold[target[users]]]
    warm = rng.choice(warm, min(MOST_WARM, len(warm)), replace=False)
    users = np.concatenate((users[is_cold[target[users]]], np.sort(warm)))
    return World(sequences.where(kept), cold, users, target[users], sequences.time[last[users]])


def fit(world: World, vocabulary: ItemVocabulary, seed: int = 0) -> FusedModel:
    """Weigh and fit as a training does."""
    training = Training(seed=seed, line=lambda text: print(text, file=sys.stderr))
    weights, start = weigh(world.learnt, True, training, vocabulary.attributes, "leave_last")
    members = final_rankers(world.learnt, world.learnt, True, training, vocabulary.attributes, weights, start)
    return FusedModel(
        world.learnt.items, ItemCounts.of(world.learnt), members, weights, vocabulary=vocabulary
    )


def query(world: World, k: int) -> Query:
    """The k-th test's question."""
    ptr, user = world.learnt.ptr, int(world.users[k])
    span = slice(max(int(ptr[user]), int(ptr[user + 1]) - HISTORY_LENGTH), int(ptr[user + 1]))
    learnt = world.learnt
    item, time, event, weight = learnt.item[span], learnt.time[span], learnt.event[span], learnt.weight[span]
    return Query(item, time, event, weight, now=int(world.now[k]))


def credit(scores: np.ndarray, target: int) -> float:
    """NDCG@10 of one relevant item."""
    rank = int((scores > scores[target]).sum())
    return float(1 / np.log2(rank + 2)) if rank < 10 else 0.0


def measure(world: World, model: FusedModel) -> dict[str, float]:
    """The figures; items met before are left out."""
    found: dict[str, list[float]] = {}
    is_cold = np.zeros(len(model.counts.users), dtype=np.bool_)
    is_cold[world.cold] = True

    def note(name: str, value: float) -> None:
        found.setdefault(name, []).append(value)

    for k, target in enumerate(world.targets.tolist()):
        asked = replace(query(world, k), seen_excluded=True)
        scores = model.scores(asked)
        scores[asked.item] = -np.inf
        if is_cold[target]:
            note(
                "HR@10 of cold tests, among cold items",
                float((scores[world.cold] > scores[target]).sum() < 10),
            )
            note("R@50 of cold tests, all items", float((scores > scores[target]).sum() < 50))
            continue
        note("NDCG@10 of other tests, all items", credit(scores, target))
        order = np.argpartition(-scores, 10)[:10]
        note("share of cold items in the best 10 of other tests", float(is_cold[order].mean()))
        scores[world.cold] = -np.inf
        note("NDCG@10 of other tests, without cold items", credit(scores, target))
    return {name: float(np.mean(values)) for name, values in found.items()}


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="Items without interactions.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", default="amazon-beauty")
    given = parser.parse_args()
    problem = open_problem(given.folder, given.data, "loo")
    world = split(problem.sequences)
    model = fit(world, ItemVocabulary.fit(problem.items, problem.textual))
    for name, value in measure(world, model).items():
        print(f"{name:52} {value:.4f}")


if __name__ == "__main__":
    main()
