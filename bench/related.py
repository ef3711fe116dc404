"""Related items beside Amazon's own lists: recall@25 of what people also bought and also viewed.

    python -m bench.related DATA_FOLDER [--anchors 2500]

Trains aws-sims (with its defaults, with no pair and no item left out, and with the settings of
aws-ecomm-customers-who-viewed-x-also-viewed) and aws-similar-items on all of amazon-beauty, asks for 25 items
of anchors drawn by a fixed seed, and compares with the lists, on which nothing is trained or weighed. Plain
methods are beside them: common users by cosine, BM25 and lift, titles by TF-IDF. 95 % intervals by bootstrap
of the anchors.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from openpersonalize.algorithms.events import Events
from openpersonalize.algorithms.item_pairs import ItemPairs
from openpersonalize.recipes.hyperparameters import read_configuration
from openpersonalize.recipes.item_metadata import ItemMetadata
from openpersonalize.recipes.query import Query
from openpersonalize.recipes.registry import recipe
from openpersonalize.recipes.training import Kind, Training, TrainingData

from .accuracy.problem import open_problem

LISTS = ("ALSO_BOUGHT", "ALSO_VIEWED")
COUNT = 25
FEW = 8
EVERYTHING = {
    "algorithmHyperParameters": {"min_cointeraction_count": "0"},
    "featureTransformationParameters": {
        "min_user_history_length_percentile": "0.0",
        "max_user_history_length_percentile": "1.0",
        "min_item_interaction_count_percentile": "0.0",
        "max_item_interaction_count_percentile": "1.0",
    },
}

Scorer = Callable[[int], np.ndarray]


def truths(folder: Path, names: list[str]) -> dict[str, dict[int, set[int]]]:
    """Of each list the items of each anchor, by number."""
    rows = pl.read_csv(folder / "related.csv.gz", infer_schema=False)
    number = {name: k for k, name in enumerate(names)}
    found: dict[str, dict[int, set[int]]] = {which: {} for which in LISTS}
    for row in rows.iter_rows(named=True):
        for which in LISTS:
            listed = {number[one] for one in (row[which] or "").split("|") if one in number}
            if listed and row["ITEM_ID"] in number:
                found[which][number[row["ITEM_ID"]]] = listed
    return found


def recalls(score: Scorer, anchors: np.ndarray, truth: dict[str, dict[int, set[int]]]) -> dict[str, dict]:
    """Recall of each anchor, by list."""
    found: dict[str, dict] = {which: {} for which in LISTS}
    for anchor in anchors.tolist():
        scores = score(anchor).copy()
        scores[anchor] = -np.inf
        best = set(np.argpartition(-scores, COUNT)[:COUNT].tolist())
        for which in LISTS:
            listed = truth[which].get(anchor)
            if listed:
                found[which][anchor] = len(best & listed) / min(COUNT, len(listed))
    return found


def plain(pairs: ItemPairs, metadata: ItemMetadata, everybody: int) -> dict[str, Scorer]:
    """The methods beside ours."""
    users = pairs.users

    def by_pairs(worth: Callable[[np.ndarray, np.ndarray, float], np.ndarray]) -> Scorer:
        def score(anchor: int) -> np.ndarray:
            span = slice(int(pairs.pairs.ptr[anchor]), int(pairs.pairs.ptr[anchor + 1]))
            col, scores = pairs.pairs.col[span], np.zeros(len(users))
            scores[col] = worth(pairs.pairs.value[span], users[col], float(users[anchor]))
            return scores

        return score

    return {
        "cosine": by_pairs(lambda common, other, own: common / np.sqrt(other * own)),
        "BM25": by_pairs(lambda common, other, own: np.log1p(10 * common) * np.log(everybody / (other + 1))),
        "lift": by_pairs(lambda common, other, own: common / ((other + 5) * (own + 5))),
        "titles by TF-IDF": lambda anchor: metadata.texts["TITLE"].cosines(
            *metadata.texts["TITLE"].row(anchor)
        ),
    }


def interval(values: list[float]) -> str:
    """Mean and 95 % interval."""
    rng, all_of_them = np.random.default_rng(0), np.array(values)
    drawn = all_of_them[rng.integers(0, len(values), (1000, len(values)))].mean(axis=1)
    low, high = np.quantile(drawn, (0.025, 0.975))
    return f"{all_of_them.mean():.4f} ({low:.4f} to {high:.4f})"


def report(name: str, found: dict[str, dict], users: np.ndarray) -> None:
    """One line."""
    few = [value for anchor, value in found["ALSO_BOUGHT"].items() if users[anchor] <= FEW]
    bought, viewed = (interval(list(found[which].values())) for which in LISTS)
    print(f"| {name} | {bought} | {viewed} | {interval(few)} |", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--anchors", type=int, default=2500)
    options = parser.parse_args()
    problem = open_problem(options.folder, "amazon-beauty", "loo")
    events, n = problem.sequences, len(problem.sequences.items)
    data = TrainingData(Kind(events.items, problem.items, problem.textual), events)
    truth = truths(options.folder / "amazon-beauty", events.items.strings())
    rng = np.random.default_rng(0)
    anchors = rng.choice(n, min(options.anchors, n), replace=False)
    packed = Events(events.ptr, events.item, events.time, events.event, events.weight, n)
    pairs = ItemPairs.fit(packed, 100, rng, top=n)
    metadata = ItemMetadata.fit(data.ranked, 100, rng)
    users = np.bincount(events.item, minlength=n)
    print(f"| method | also bought | also viewed | also bought, {FEW} events or fewer |\n|---|---|---|---|")
    for name, score in plain(pairs, metadata, len(events.counts)).items():
        report(name, recalls(score, anchors, truth), users)
    for label, name, config in (
        ("aws-sims", "aws-sims", {}),
        ("aws-sims, all pairs", "aws-sims", EVERYTHING),
        ("customers who viewed X also viewed", "aws-ecomm-customers-who-viewed-x-also-viewed", {}),
        ("aws-similar-items without metadata", "aws-similar-items", {}),
        ("aws-similar-items", "aws-similar-items", {}),
    ):
        code = recipe(name)
        assert code is not None
        known = TrainingData(Kind(events.items), events) if "without" in label else data
        start = time.process_time()
        model = code.fit(known, read_configuration(code.facts, config), Training(line=print))
        cost = time.process_time() - start
        found = recalls(
            lambda anchor, asked=model: asked.scores(Query.of_nobody(1, anchor=anchor)), anchors, truth
        )
        report(f"{label} ({cost:.0f} CPU s)", found, users)


if __name__ == "__main__":
    main()
