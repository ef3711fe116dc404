"""What is bought with an item: the other items of later orders, given one of them.

    python -m bench.bought_together DATA_FOLDER [--share 0.2] [--orders 4000]

online-retail: trained on the purchases before the newest `share` of them; asked about one item, drawn by a
fixed seed, of each later order of two known items or more. Beside aws-ecomm-frequently-bought-together:
co-occurrence in orders by cosine and by lift, aws-sims, and the best sellers. NDCG@10 and recall@25 of the
other items of the order, with 95 % intervals by bootstrap of the orders.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from openpersonalize.algorithms.cooccurrence import pair_sums, paired_items
from openpersonalize.algorithms.sparse import join
from openpersonalize.algorithms.topk import top_k
from openpersonalize.datasets.selection import EventSelection
from openpersonalize.datasets.sequences import build_sequences
from openpersonalize.recipes.bought_together import orders_of
from openpersonalize.recipes.hyperparameters import read_configuration
from openpersonalize.recipes.query import Query
from openpersonalize.recipes.registry import recipe
from openpersonalize.recipes.training import Training, TrainingData

from .related import interval

CUT, LONG = 10, 25
Scorer = Callable[[int], np.ndarray]


def asked(rows: pl.DataFrame, names: list[str], most: int) -> list[tuple[int, set[int]]]:
    """An item of each order, and the others."""
    number = {name: k for k, name in enumerate(names)}
    rng, found = np.random.default_rng(0), []
    orders = rows.group_by("USER_ID", "TIMESTAMP", maintain_order=True).agg("ITEM_ID")["ITEM_ID"]
    for order in orders.to_list():
        items = sorted({number[one] for one in order if one in number})
        if len(items) >= 2:
            anchor = int(rng.choice(items))
            found.append((anchor, set(items) - {anchor}))
    return [found[k] for k in rng.permutation(len(found))[:most]]


def measured(score: Scorer, questions: list[tuple[int, set[int]]]) -> tuple[list[float], list[float]]:
    """NDCG@10 and recall@25 of each question."""
    gains, recalls = [], []
    for anchor, others in questions:
        scores = score(anchor).copy()
        scores[anchor] = -np.inf
        hits = np.array([row in others for row in top_k(scores, LONG).tolist()])
        best = (1 / np.log2(np.arange(2, 2 + min(CUT, len(others))))).sum()
        gains.append(float((hits[:CUT] / np.log2(np.arange(2, 2 + len(hits[:CUT])))).sum() / best))
        recalls.append(float(hits.sum() / min(LONG, len(others))))
    return gains, recalls


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--share", type=float, default=0.2)
    parser.add_argument("--orders", type=int, default=4000)
    options = parser.parse_args()
    rows = pl.read_csv(options.folder / "online-retail" / "interactions.csv.gz", infer_schema=False)
    rows = rows.filter(pl.col("EVENT_TYPE") == "purchase").with_columns(pl.col("TIMESTAMP").cast(pl.Int64))
    rows = rows.select("USER_ID", "ITEM_ID", "TIMESTAMP").unique(maintain_order=True)
    cut = rows.select(pl.col("TIMESTAMP").quantile(1 - options.share)).item()
    learnt = build_sequences(rows.filter(pl.col("TIMESTAMP") < cut).lazy(), None, EventSelection())
    n, names = len(learnt.items), learnt.items.strings()
    questions = asked(rows.filter(pl.col("TIMESTAMP") >= cut), names, options.orders)
    ptr, item = paired_items(orders_of(learnt.events)[0])
    nobody = np.zeros(len(ptr) - 1, np.int64)
    parts = pair_sums(ptr, item, n, np.ones(1), nobody, lambda: None)
    pairs = join(((row, col, sums.astype(np.float32)) for row, col, sums in parts), n)
    times = np.bincount(item, minlength=n)

    def by_pairs(worth: Callable[[np.ndarray, np.ndarray, int], np.ndarray]) -> Scorer:
        def score(anchor: int) -> np.ndarray:
            span = slice(int(pairs.ptr[anchor]), int(pairs.ptr[anchor + 1]))
            scores = np.zeros(n)
            scores[pairs.col[span]] = worth(pairs.value[span], times[pairs.col[span]], int(times[anchor]))
            return scores

        return score

    scorers: dict[str, Scorer] = {
        "best sellers": lambda anchor: times.astype(float),
        "cosine of orders": by_pairs(lambda common, other, own: common / np.sqrt(other * own)),
        "lift": by_pairs(lambda common, other, own: common / (other * own)),
        "lift, shrunk by 5": by_pairs(lambda common, other, own: common / ((other + 5) * (own + 5))),
    }
    for name in ("aws-sims", "aws-ecomm-frequently-bought-together"):
        code = recipe(name)
        assert code is not None
        start = time.process_time()
        configuration = read_configuration(code.facts, {})
        model = code.fit(TrainingData.of(learnt), configuration, Training(line=print))
        label = f"{name} ({time.process_time() - start:.0f} CPU s)"
        scorers[label] = lambda anchor, one=model: one.scores(Query.of_nobody(0, anchor=anchor))
    print(f"{len(questions)} orders\n| method | NDCG@{CUT} | recall@{LONG} |\n|---|---|---|")
    for name, score in scorers.items():
        gains, recalls = measured(score, questions)
        print(f"| {name} | {interval(gains)} | {interval(recalls)} |", flush=True)


if __name__ == "__main__":
    main()
