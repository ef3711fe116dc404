"""User segmentation beside plain methods: who interacts with an item in the held-out part.

    python -m bench.user_segments DATA_FOLDER [DATA_SET ...] [--questions 600] [--most-items 12500]

Of each data set (movielens-latest-small, online-retail, amazon-beauty) the newest fifth of everybody's events
is held out, as GetSolutionMetrics of these recipes does. aws-item-affinity is asked for one percent of the
users of items drawn by a fixed seed; so are plain methods: the most active users, those most active with
items of the same popularity, EASE (Steck 2019) by items and by users. EASE and activity have their best
setting on the test itself, of several regularisations and of leaving out who had the item already or not.
Where items have categories, aws-item-attribute-affinity is asked for values of them, beside who had most
events with items that have the value, and the share of them. Recall is hits / min(actual users, K); 95 %
intervals by bootstrap of the questions, of the recall and of the quotient to the best plain method.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from openpersonalize.algorithms.item_counts import distinct_items
from openpersonalize.algorithms.sparse import SparseRows
from openpersonalize.algorithms.topk import top_k
from openpersonalize.algorithms.truncated_svd import times
from openpersonalize.datasets.holdout import HoldOut
from openpersonalize.datasets.schemas import Field, Schema
from openpersonalize.datasets.sequences import Sequences
from openpersonalize.datasets.splits import split_newest
from openpersonalize.evaluation.bootstrap import interval, resampled_means
from openpersonalize.evaluation.segments import SegmentQuestion, asked
from openpersonalize.recipes.hyperparameters import read_configuration
from openpersonalize.recipes.item_attributes import ItemAttributes
from openpersonalize.recipes.model import Segments
from openpersonalize.recipes.registry import recipe
from openpersonalize.recipes.training import Kind, Training, TrainingData

from .accuracy.problem import Problem, open_problem

SETS = ("movielens-latest-small", "online-retail", "amazon-beauty")
PERCENT = 100
BY_ITEMS, BY_USERS = (300.0, 1000.0, 4000.0), (100.0, 300.0, 1000.0, 3000.0)
MOST_ITEMS, MOST_USERS = 12_500, 5_000
"""Above these EASE's matrix is not inverted; 12,101 items take ten CPU minutes."""
BUCKETS = (5, 10)


class Plain:
    """Plain methods on one training part. `scores`: float32[U, Q] of each."""

    def __init__(self, learnt: Sequences, questions: list[SegmentQuestion], most_items: int) -> None:
        self.learnt, self.rows = learnt, np.array([int(one.items[0]) for one in questions])
        self.most_items = most_items
        ptr, item = distinct_items(learnt.ptr, learnt.item, len(learnt.items))
        self.pairs = SparseRows(ptr, item, np.ones(len(item), np.float32))
        self.user = np.repeat(np.arange(len(learnt.users)), np.diff(ptr))
        self.popularity = np.bincount(item, minlength=len(learnt.items))

    def methods(self) -> Iterator[tuple[str, np.ndarray]]:
        """Each with its name."""
        active = np.log1p(self.learnt.counts).astype(np.float32)[:, None]
        yield "most active users", np.repeat(active, len(self.rows), axis=1)
        place = np.argsort(np.argsort(self.popularity, kind="stable"), kind="stable")
        for count in BUCKETS:
            bucket = place * count // len(place)
            of = np.zeros((len(self.learnt.users), count), np.float32)
            np.add.at(of, (self.learnt.user, bucket[self.learnt.item]), 1)
            yield "active with items as popular", of[:, bucket[self.rows]] + 1e-3 * active
        n, users = len(self.learnt.items), len(self.learnt.users)
        if n <= self.most_items:
            for strength in BY_ITEMS:
                weights = inverted(self._gram(False), strength)[:, self.rows]
                yield "EASE by items, transposed", times(self.pairs, np.ascontiguousarray(weights))
        if users <= MOST_USERS:
            for strength in BY_USERS:
                weights = inverted(self._gram(True), strength)
                yield "EASE by users", (self._dense()[:, self.rows].T @ weights).T

    def _dense(self, start: int = 0, end: int | None = None) -> np.ndarray:
        end = len(self.learnt.users) if end is None else end
        dense = np.zeros((end - start, len(self.learnt.items)), np.float32)
        some = (self.user >= start) & (self.user < end)
        dense[self.user[some] - start, self.pairs.col[some]] = 1
        return dense

    def _gram(self, by_users: bool) -> np.ndarray:
        if by_users:
            dense = self._dense()
            return dense @ dense.T
        n = len(self.learnt.items)
        gram = np.zeros((n, n), np.float32)
        for start in range(0, len(self.learnt.users), 2000):
            dense = self._dense(start, min(start + 2000, len(self.learnt.users)))
            met = np.flatnonzero(dense.any(axis=0))
            gram[np.ix_(met, met)] += dense[:, met].T @ dense[:, met]
        return gram

    def had(self) -> np.ndarray:
        """bool[U, Q], who had the item."""
        where = np.full(len(self.learnt.items), -1)
        where[self.rows] = np.arange(len(self.rows))
        found = np.zeros((len(self.learnt.users), len(self.rows)), bool)
        some = where[self.pairs.col] >= 0
        found[self.user[some], where[self.pairs.col[some]]] = True
        return found


def inverted(gram: np.ndarray, strength: float) -> np.ndarray:
    """EASE's weights."""
    gram[np.diag_indices(len(gram))] += np.float32(strength)
    inverse = np.linalg.inv(gram)
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return weights


def recalls(scores: Iterator[np.ndarray], questions: list[SegmentQuestion], k: int) -> np.ndarray:
    """Of each question."""
    found = [
        np.isin(top_k(one, k), question.users).sum() / min(len(question.users), k)
        for one, question in zip(scores, questions, strict=True)
    ]
    return np.array(found)


def trained(problem: Problem, learnt: Sequences, name: str, attributes: ItemAttributes | None) -> Segments:
    """Our recipe on the training part."""
    code = recipe(name)
    assert code is not None
    items = Kind(learnt.items, problem.items, problem.textual)
    data = TrainingData(Kind(learnt.users, name="users"), learnt, of_items=items, attributes=attributes)
    start = time.process_time()
    model = code.fit(data, read_configuration(code.facts, {}), Training(line=print))
    print(f"{name}: {time.process_time() - start:.0f} CPU s")
    assert isinstance(model, Segments)
    return model


def attributes_of(problem: Problem) -> ItemAttributes | None:
    """The categories of the items."""
    if problem.items is None:
        return None
    kinds = zip(problem.items.columns, problem.items.dtypes, strict=True)
    named = [name for name, kind in kinds if kind == pl.String and name not in problem.textual]
    fields = tuple(Field(name, "string", categorical=name != "ITEM_ID") for name in named)
    if len(fields) < 2:
        return None
    return ItemAttributes(problem.items.select(named), Schema(fields), problem.sequences.items)


def owners(learnt: Sequences, questions: list[SegmentQuestion]) -> dict[str, list[np.ndarray]]:
    """Plain methods for attributes."""
    counts, shares = [], []
    total = learnt.counts.astype(np.float64)
    for question in questions:
        having = np.isin(learnt.item, question.items)
        own = np.bincount(learnt.user[having], minlength=len(total))
        counts.append(own + 1e-3 * np.log1p(total))
        shares.append((own + 3 * own.sum() / total.sum()) / (total + 3))
    active = [np.log1p(total)] * len(questions)
    return {"most active users": active, "most events with them": counts, "share of events with them": shares}


def report(rows: dict[str, np.ndarray], ours: str, k: int) -> None:
    """A line for each, and the quotient of ours to the best of the others."""
    for name, found in rows.items():
        low, high = interval(resampled_means(found[:, None], 0))[:, 0]
        print(f"| {name} | {found.mean():.4f} ({low:.4f} to {high:.4f}) |", flush=True)
    best = max((name for name in rows if name != ours), key=lambda name: float(rows[name].mean()))
    means = resampled_means(np.stack([rows[ours], rows[best]], axis=1), 0)
    low, high = interval(means[:, 0] / means[:, 1])
    print(f"{ours} / {best}: {rows[ours].mean() / rows[best].mean():.3f} ({low:.3f} to {high:.3f})\n")


def about_items(problem: Problem, held_out: HoldOut, most: int, most_items: int) -> None:
    """aws-item-affinity."""
    learnt = problem.sequences.where(held_out.training)
    k = max(1, int((learnt.counts > 0).sum()) // PERCENT)
    questions = list(asked(problem.sequences, held_out, None, most))
    print(f"\n{problem.data}: {len(questions)} items, K = {k} of {len(learnt.users):,} users")
    plain, rows = Plain(learnt, questions, most_items), dict[str, np.ndarray]()
    had = plain.had()
    for name, scores in plain.methods():
        for one in (scores, np.where(had, scores.min() - 1, scores)):
            found = recalls(iter(np.ascontiguousarray(one.T)), questions, k)
            if name not in rows or found.mean() > rows[name].mean():
                rows[name] = found
        print(name, f"{rows[name].mean():.4f}", flush=True)
    model = trained(problem, learnt, "aws-item-affinity", None)
    rows["aws-item-affinity"] = recalls((model.affinity(one.items) for one in questions), questions, k)
    report(rows, "aws-item-affinity", k)


def about_attributes(problem: Problem, held_out: HoldOut, attributes: ItemAttributes, most: int) -> None:
    """aws-item-attribute-affinity."""
    learnt = problem.sequences.where(held_out.training)
    k = max(1, int((learnt.counts > 0).sum()) // PERCENT)
    questions = list(asked(problem.sequences, held_out, attributes, most))
    print(f"\n{problem.data}: {len(questions)} values of {', '.join(attributes.names)}, K = {k}")
    rows = {name: recalls(iter(found), questions, k) for name, found in owners(learnt, questions).items()}
    model = trained(problem, learnt, "aws-item-attribute-affinity", attributes)
    found = recalls((model.affinity(one.items) for one in questions), questions, k)
    rows["aws-item-attribute-affinity"] = found
    report(rows, "aws-item-attribute-affinity", k)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("sets", nargs="*", default=SETS)
    parser.add_argument("--questions", type=int, default=600)
    parser.add_argument("--most-items", type=int, default=MOST_ITEMS)
    options = parser.parse_args()
    for name in options.sets:
        problem = open_problem(options.folder, name, "loo")
        held_out = split_newest(problem.sequences)
        about_items(problem, held_out, options.questions, options.most_items)
        attributes = attributes_of(problem)
        if attributes is not None:
            about_attributes(problem, held_out, attributes, options.questions)


if __name__ == "__main__":
    main()
