"""Amazon's own evaluation on movielens-latest-small, repeated: their preparation, their metrics, ten folds.

    python -m bench.accuracy.notebook DATA_FOLDER [--results FOLDER] [--fold N] [--model NAME]
        [--again] [--table]

The POC notebook of the Amazon Personalize samples makes two rows of a liked film: ``click`` for each rating
above 1 and ``watch`` for each above 3, of the same second. Nine tenths of the users train (fold = crc32 of
USER_ID modulo 10), the others are asked with their oldest rows about the distinct items of the newest ones:
the newest tenth (the developer guide's rule), the last three rows and the last row (what Amazon's printed
figures rather look like; they do not say). All items are candidates, those of the input too.

``rows`` keeps both rows of a film, as the notebook feeds them; ``merged`` lets interactions of one user,
item and second count once, as an import and a training here do.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from zlib import crc32

import numpy as np
import numpy.typing as npt
import polars as pl

from openpersonalize.algorithms.events import Events
from openpersonalize.algorithms.popularity import item_popularity
from openpersonalize.algorithms.topk import top_k
from openpersonalize.algorithms.transitions import Transitions
from openpersonalize.datasets.holdout import HoldOut
from openpersonalize.datasets.selection import EventSelection
from openpersonalize.datasets.sequences import Sequences, build_sequences
from openpersonalize.evaluation.metrics import CUTS, LIST, ideal_gains, ndcg, precision, reciprocal_rank
from openpersonalize.recipes.hyperparameters import read_configuration
from openpersonalize.recipes.model import Model
from openpersonalize.recipes.query import Query
from openpersonalize.recipes.questions import held_out_question
from openpersonalize.recipes.registry import recipe
from openpersonalize.recipes.training import Training, TrainingData
from openpersonalize.storage.idtable import IdTable

from .cells import Cell, Cells, Float32, Key
from .ours import code
from .report import OURS

DATA = "movielens-latest-small"
RECIPE = "aws-user-personalization-v2"
FOLDS = 10
HISTORY = 200
PREPARATIONS = ("rows", "merged")
TRUTHS: dict[str, Callable[[npt.NDArray[np.int64]], npt.NDArray[np.int64]]] = {
    "newest tenth": lambda counts: np.maximum(1, counts // 10),
    "last 3 rows": lambda counts: np.minimum(3, counts - 1),
    "last row": lambda counts: np.ones_like(counts),
}
SIMS, ITSELF = "aws-sims", "aws-sims, itself first"
MODELS = ("popularity", "transitions", "repeat", SIMS, ITSELF, OURS)
METRICS = (*(f"NDCG@{k}" for k in CUTS), "MRR@25", "P@25")

Scores = Callable[[Query], Float32]


@dataclass(frozen=True)
class Notebook:
    """The prepared data: `sequences`, and `items` aligned with its catalogue."""

    sequences: Sequences
    items: pl.DataFrame


def prepare(folder: Path, preparation: str) -> Notebook:
    """Read ratings and films, in Amazon's import layout, and make the notebook's rows of them."""
    ratings = pl.read_csv(folder / DATA / "interactions.csv.gz", schema_overrides={"USER_ID": pl.Int64})
    films = pl.read_csv(folder / DATA / "items.csv.gz", schema_overrides={"ITEM_ID": pl.String})
    rows = clicks_and_watches(ratings)
    selection = EventSelection.from_solution(None, {})
    sequences = build_sequences(rows.lazy(), films["ITEM_ID"], selection)
    if preparation == "rows":
        sequences = _with_all_rows(sequences, rows)
    ids = sequences.items.series().alias("ITEM_ID").to_frame()
    known = films.select("ITEM_ID", "GENRES", "YEAR")
    return Notebook(sequences, ids.join(known, on="ITEM_ID", how="left", maintain_order="left"))


def clicks_and_watches(ratings: pl.DataFrame) -> pl.DataFrame:
    """The notebook's rows: ordered by time, clicks of a second before its watches, each by user and film.

    Theirs sorts by time with an unstable sort, so rows of one second are in any order there.
    """
    ordered = ratings.sort("USER_ID", "ITEM_ID")
    kinds = [
        ordered.filter(pl.col("EVENT_VALUE") > least).with_columns(EVENT_TYPE=pl.lit(kind))
        for kind, least in (("click", 1), ("watch", 3))
    ]
    chosen = pl.concat(kinds).sort("TIMESTAMP", maintain_order=True)
    return chosen.select(pl.col("USER_ID", "ITEM_ID").cast(pl.String), "TIMESTAMP", "EVENT_TYPE")


def _with_all_rows(merged: Sequences, rows: pl.DataFrame) -> Sequences:
    """`merged`, with the rows that share user, item and second back in."""
    user, item = merged.users.find_all(rows["USER_ID"]), merged.items.find_all(rows["ITEM_ID"])
    seconds = rows["TIMESTAMP"].to_numpy()
    order = np.lexsort((seconds, user))
    ptr = np.zeros(len(merged.users) + 1, dtype=np.int64)
    np.cumsum(np.bincount(user, minlength=len(merged.users)), out=ptr[1:])
    kinds = (rows["EVENT_TYPE"] == "watch").to_numpy().astype(np.int16)
    return replace(
        merged,
        ptr=ptr,
        item=item[order],
        time=seconds[order],
        event=kinds[order],
        value=np.full(len(rows), np.nan, dtype=np.float32),
        weight=np.ones(len(rows), dtype=np.float32),
        event_types=("click", "watch"),
    )


def fold_of(users: IdTable) -> npt.NDArray[np.int64]:
    """int64[U] in 0..9."""
    return np.array([crc32(user.encode()) % FOLDS for user in users], dtype=np.int64)


def asked_of(sequences: Sequences, fold: int, truth: str) -> HoldOut:
    """Who trains, and who is asked about which rows."""
    counts = sequences.counts
    tests = (fold_of(sequences.users) == fold) & (counts >= 2)
    user = np.flatnonzero(tests)
    end = sequences.ptr[user + 1]
    start = end - TRUTHS[truth](counts[user])
    return HoldOut(np.repeat(~tests, counts), user.astype(np.int32), start, end, sequences.time[start])


def measured(sequences: Sequences, cut: HoldOut, scores: Scores) -> dict[str, Float32]:
    """float32[Q] by metric."""
    hits = np.zeros((len(cut.user), LIST))
    sizes = np.zeros(len(cut.user), dtype=np.int64)
    for k in np.argsort(cut.now, kind="stable").tolist():
        query, target, _ = held_out_question(sequences, cut, k)
        found = top_k(scores(query), LIST)
        hits[k, : len(found)] = np.isin(found, target)
        sizes[k] = len(target)
    ideal = ideal_gains(sizes)
    columns = [*(ndcg(hits, ideal, k) for k in CUTS), reciprocal_rank(hits), precision(hits, LIST)]
    return {name: values.astype(np.float32) for name, values in zip(METRICS, columns, strict=True)}


def repeat_scores(popularity: Float32) -> Scores:
    """What was clicked and not watched yet, the newest first, then what is popular: nothing is learnt."""
    share = popularity / max(float(popularity.max()), 1.0)

    def scores(query: Query) -> Float32:
        found = share.copy()
        waiting = (query.event == 0) & ~np.isin(query.item, query.item[query.event == 1])
        found[query.item[waiting]] = 1 + np.flatnonzero(waiting)
        return found

    return scores


def fitted(model: str, notebook: Notebook, learnt: Sequences) -> Scores:
    """Train a model on nine tenths of the users."""
    n = len(learnt.items)
    if model in ("popularity", "repeat"):
        counts = item_popularity(learnt.ptr, learnt.item, n)[0]
        return repeat_scores(counts) if model == "repeat" else lambda query: counts
    if model == "transitions":
        table = Transitions.fit(Events(learnt.ptr, learnt.item, learnt.time, learnt.event, learnt.weight, n))
        return table.feature
    chosen = recipe(SIMS if model in (SIMS, ITSELF) else RECIPE)
    assert chosen is not None
    training = Training(
        threads=int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1),
        line=lambda text: print(text, file=sys.stderr),
    )
    data = TrainingData.of(learnt, notebook.items)
    made = chosen.fit(data, read_configuration(chosen.facts, None), training)
    if model not in (SIMS, ITSELF):
        return made.scores
    return lambda query: related(made, query, model == ITSELF)


def related(model: Model, query: Query, itself: bool) -> Float32:
    """What goes with the newest item of the input, which is no answer about itself, or else the first one."""
    anchor = int(query.item[-1])
    scores = model.scores(replace(query, anchor=anchor))
    scores[anchor] = scores.max() + 1 if itself else scores.min() - 1
    return scores


def keys(folds: list[int], models: list[str], preparation: str) -> Iterator[list[Key]]:
    """The cells of one training."""
    for model in models:
        for fold in folds:
            yield [Key(f"{DATA} {preparation}", truth, model, fold) for truth in TRUTHS]


def main() -> None:
    """See the module."""
    from .notebook_report import table

    parser = argparse.ArgumentParser(description="Amazon's notebook evaluation on movielens-latest-small.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--results", type=Path, default=Path("accuracy/notebook"))
    parser.add_argument("--fold", action="append", default=[], type=int, choices=range(FOLDS))
    parser.add_argument("--model", action="append", default=[], choices=MODELS)
    parser.add_argument("--preparation", action="append", default=[], choices=PREPARATIONS)
    parser.add_argument("--again", action="store_true", help="compute also what is there")
    parser.add_argument("--table", action="store_true", help="only print what is there")
    given = parser.parse_args()
    cells = Cells(given.results)
    for preparation in () if given.table else given.preparation or PREPARATIONS:
        notebook = prepare(given.folder, preparation)
        for group in keys(given.fold or list(range(FOLDS)), given.model or list(MODELS), preparation):
            if not given.again and all(key in cells for key in group):
                continue
            print(f"{preparation} {group[0].model} fold {group[0].seed} ...", file=sys.stderr, flush=True)
            run(notebook, group, cells)
    print(table(cells.all()))


def run(notebook: Notebook, group: list[Key], cells: Cells) -> None:
    """One training, measured on every truth."""
    sequences = notebook.sequences
    cuts = [asked_of(sequences, key.seed, key.split) for key in group]
    began = time.process_time()
    scores = fitted(group[0].model, notebook, sequences.where(cuts[0].training))
    facts: dict[str, float | bool | str] = {
        "seconds": round(time.process_time() - began, 1),
        "finished": True,
    }
    if group[0].model == OURS:
        facts["code"] = code()
    for key, cut in zip(group, cuts, strict=True):
        cells.put(Cell(key, measured(sequences, cut, scores), facts))


if __name__ == "__main__":
    main()
