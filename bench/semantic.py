"""Items without events, by what is known of them: aws-semantic-similarity beside TF-IDF cosine of the titles.

    python -m bench.semantic DATA_FOLDER [--anchors 2500] [--encoder FOLDER]

amazon-beauty: recall@25 of Amazon's own lists of what people also bought and viewed, on which nothing is
trained or weighed. movielens-latest-small: for films drawn from those that twenty people or more have seen,
recall@25 of the 25 films that most of their viewers have seen, too, by the cosine of the viewers. No event of
any item is known to either method. 95 % intervals by bootstrap of the anchors.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from openpersonalize.algorithms.topk import top_k
from openpersonalize.recipes.hyperparameters import read_configuration
from openpersonalize.recipes.item_metadata import ItemMetadata
from openpersonalize.recipes.query import Query
from openpersonalize.recipes.registry import recipe
from openpersonalize.recipes.training import Kind, Training, TrainingData
from openpersonalize.storage.idtable import IdTable

from .related import COUNT, LISTS, interval, truths

LEAST_VIEWERS = 20
Truth = dict[int, set[int]]


def records(folder: Path, numbers: tuple[str, ...]) -> pl.DataFrame:
    """The items, in order of their ids."""
    rows = pl.read_csv(folder / "items.csv.gz", infer_schema=False)
    rows = rows.with_columns(pl.col(name).cast(pl.Float64, strict=False) for name in numbers)
    return rows.sort(pl.col("ITEM_ID").cast(pl.Binary))


def co_viewed(folder: Path, ids: IdTable) -> Truth:
    """The films that most share the viewers of each."""
    rows = pl.read_csv(folder / "interactions.csv.gz", infer_schema=False).unique(["USER_ID", "ITEM_ID"])
    users = IdTable.from_series(rows["USER_ID"])
    seen = np.zeros((len(ids), len(users)), dtype=np.float32)
    seen[ids.find_all(rows["ITEM_ID"]), users.find_all(rows["USER_ID"])] = 1
    viewers = seen.sum(axis=1)
    some = np.flatnonzero(viewers >= LEAST_VIEWERS)
    cosine = (seen[some] @ seen[some].T) / np.sqrt(np.outer(viewers[some], viewers[some]))
    np.fill_diagonal(cosine, 0)
    return {int(some[k]): set(some[top_k(row, COUNT)].tolist()) for k, row in enumerate(cosine)}


def recalls(score: Callable[[int], np.ndarray], truth: Truth, anchors: list[int]) -> list[float]:
    """Of each anchor that has a truth."""
    found = []
    for anchor in anchors:
        if anchor in truth:
            scores = score(anchor).copy()
            scores[anchor] = -np.inf
            listed = set(top_k(scores, COUNT).tolist())
            found.append(len(listed & truth[anchor]) / min(COUNT, len(truth[anchor])))
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--anchors", type=int, default=2500)
    parser.add_argument("--encoder", type=Path)
    options = parser.parse_args()
    chosen = recipe("aws-semantic-similarity")
    assert chosen is not None
    print("| data, truth | titles by TF-IDF | aws-semantic-similarity | ratio |\n|---|---|---|---|")
    for name, numbers in (
        ("amazon-beauty", ("PRICE", "SALES_RANK")),
        ("movielens-latest-small", ("YEAR",)),
    ):
        known = records(options.folder / name, numbers)
        ids = IdTable.from_series(known["ITEM_ID"])
        data = TrainingData(Kind(ids, known, frozenset({"TITLE"})), None)
        start = time.process_time()
        training = Training(sentence_encoder=options.encoder)
        model = chosen.fit(data, read_configuration(chosen.facts, {}), training)
        cost = time.process_time() - start
        titles = ItemMetadata.fit(
            Kind(ids, known.select("TITLE"), frozenset({"TITLE"})), 8, np.random.default_rng(0)
        ).texts["TITLE"]
        if name == "amazon-beauty":
            wanted = truths(options.folder / name, ids.strings())
            truth = {"also bought": wanted[LISTS[0]], "also viewed": wanted[LISTS[1]]}
        else:
            truth = {"viewers in common": co_viewed(options.folder / name, ids)}
        anchors = np.random.default_rng(0).permutation(len(ids))[: options.anchors].tolist()
        if name != "amazon-beauty":
            anchors = list(range(len(ids)))
        for what, lists in truth.items():
            plain = recalls(lambda k, one=titles: one.cosines(*one.row(k)), lists, anchors)
            ours = recalls(lambda k, one=model: one.scores(Query.of_nobody(0, anchor=k)), lists, anchors)
            ratio = float(np.mean(ours)) / max(float(np.mean(plain)), 1e-9)
            where = f"{name} ({cost:.0f} CPU s), {what}"
            print(f"| {where} | {interval(plain)} | {interval(ours)} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
