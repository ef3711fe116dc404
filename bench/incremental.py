"""What bringing a model up to date costs and brings, beside training it again.

    python -m bench.incremental DATA_FOLDER [--set NAME ...] [--threads N] [--seed N]

The newest hundredth of the events is asked, one by one, each with what its user did before it. The five
hundredths before are what is new: `before` never saw them, `UPDATE` takes them in, `FULL` learns all anew.
CPU seconds of the fit that ends in the model (`FULL` without the fit that is measured), and NDCG@10 of the
next item, over the whole catalogue; new items can only be found by the last two.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from openpersonalize.datasets.schemas import parse_schema
from openpersonalize.datasets.selection import EventSelection
from openpersonalize.datasets.sequences import Sequences, build_sequences
from openpersonalize.recipes.artifact import Artifact, write_artifact
from openpersonalize.recipes.fusion.model import FusedModel
from openpersonalize.recipes.hyperparameters import read_configuration
from openpersonalize.recipes.model import Model
from openpersonalize.recipes.query import Query
from openpersonalize.recipes.recipe import Updates
from openpersonalize.recipes.registry import recipe
from openpersonalize.recipes.training import Training, TrainingData
from openpersonalize.training.data import aligned, trained_columns

RECIPE = recipe("aws-user-personalization")
SETS = ("movielens-latest-small",)
MOST = 2_000
HISTORY = 200


def frame(folder: Path, kind: str) -> tuple[pl.DataFrame, list[str], frozenset[str]] | None:
    """A table, its columns that train, and those that are prose."""
    if not (folder / f"schema-{kind}.json").exists():
        return None
    schema = parse_schema((folder / f"schema-{kind}.json").read_text())
    types = {field.name: pl.Float64 if field.is_number else pl.String for field in schema.fields}
    rows = pl.read_csv(folder / f"{kind}.csv.gz", schema_overrides=types)
    if "TIMESTAMP" in rows.columns:
        rows = rows.with_columns(pl.col("TIMESTAMP").cast(pl.Int64))
    textual = frozenset(field.name for field in schema.fields if field.textual)
    return rows, trained_columns(schema, kind.upper(), {}), textual


def data_of(rows: pl.DataFrame, items: tuple[pl.DataFrame, list[str], frozenset[str]] | None) -> TrainingData:
    """What a training on these interactions learns from: the catalogue is what was met so far."""
    sequences = build_sequences(rows.lazy(), None, EventSelection())
    if items is None:
        return TrainingData.of(sequences)
    records, columns, textual = items
    return TrainingData.of(sequences, aligned(records, columns, sequences.items.series()), textual)


def timed(work: Callable[[], Model]) -> tuple[FusedModel, float]:
    began = time.process_time()
    model = work()
    assert isinstance(model, FusedModel)
    return model, time.process_time() - began


def ndcg(model: FusedModel, everything: Sequences, asked: np.ndarray) -> np.ndarray:
    """NDCG@10 of each question; 0 where the model does not know the item."""
    ours = model.items.find_all(everything.items.series())
    user = everything.user
    values = np.zeros(len(asked))
    for place, event in enumerate(asked.tolist()):
        begin = max(int(everything.ptr[user[event]]), event - HISTORY)
        item = ours[everything.item[begin:event]]
        known = item >= 0
        target = int(ours[everything.item[event]])
        if target < 0:
            continue
        moments, types, weights = (
            np.asarray(getattr(everything, name))[begin:event][known] for name in ("time", "event", "weight")
        )
        scores = model.scores(Query(item[known], moments, types, weights, now=int(everything.time[event])))
        rank = int((scores > scores[target]).sum())
        values[place] = 1 / np.log2(rank + 2) if rank < 10 else 0.0
    return values


def measure(folder: Path, threads: int, seed: int) -> None:
    """One data set; prints its rows of the table."""
    table = frame(folder, "interactions")
    assert table is not None
    assert isinstance(RECIPE, Updates)
    rows, items = table[0], frame(folder, "items")
    first, second = (int(rows["TIMESTAMP"].quantile(share, "lower") or 0) for share in (0.94, 0.99))
    old, new = (rows.filter(pl.col("TIMESTAMP") <= moment) for moment in (first, second))
    everything = build_sequences(rows.lazy(), None, EventSelection())
    rng = np.random.default_rng(seed)
    asked = np.flatnonzero(everything.time > second)
    asked = np.sort(rng.choice(asked, MOST, replace=False)) if len(asked) > MOST else asked
    configuration = read_configuration(RECIPE.facts, {})
    lines: list[str] = []
    training = Training(seed, threads, line=lines.append)
    before, after = data_of(old, items), data_of(new, items)
    results = [("before", *timed(lambda: RECIPE.fit(before, configuration, training)))]
    with tempfile.TemporaryDirectory() as place:
        write_artifact(
            Path(place), model=results[0][1], recipe=RECIPE, data=before,
            selection=EventSelection(), position=0,
        )  # fmt: skip
        artifact = Artifact.open(Path(place))
        lines.clear()
        earlier = artifact.earlier
        results.append(("UPDATE", *timed(lambda: RECIPE.update(after, configuration, training, earlier))))
        print("  " + "; ".join(lines))
        results.append(("FULL", *timed(lambda: RECIPE.fit(after, configuration, training))))
        print(
            f"{folder.name}: {len(before.sequences.item):,} events, then "
            f"{len(after.sequences.item) - len(before.sequences.item):,} new ones with "
            f"{len(after.sequences.items) - len(before.sequences.items):,} new items; "
            f"{len(asked):,} questions"
        )
        base = ndcg(results[0][1], everything, asked)
        for name, model, seconds in results:
            values = ndcg(model, everything, asked)
            gain = values - base
            spread = 1.96 * gain.std() / np.sqrt(len(gain))
            told = f"NDCG@10 {values.mean():.4f}  {gain.mean():+.4f} ± {spread:.4f}"
            print(f"  {name:8}{seconds:8.1f} CPU s  {told}")


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--set", action="append", dest="sets")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for name in given.sets or SETS:
        measure(given.folder / name, given.threads, given.seed)


if __name__ == "__main__":
    main()
