"""What texts say about items, on public data sets.

    python -m bench.text DATA_FOLDER [--set NAME ...] [--seed N]

Neighbours (amazon-beauty only): precision@10 of the nearest texts against the lists of what was bought and
viewed together. Cold items: a tenth of the items is removed from training; their events are asked with the
history before them, and the cold items ranked among themselves by the encoder that knows only their
metadata: HR@10 and NDCG@10 without the text, with its words, with its vector, with both; and by the vectors
of the texts alone (cosine to the last ten items).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from openpersonalize.algorithms.encoder_plan import plan_for
from openpersonalize.algorithms.encoder_training import fit_encoder
from openpersonalize.algorithms.events import Events
from openpersonalize.algorithms.item_attribute import ItemAttribute
from openpersonalize.algorithms.text_encoder import TextEncoder
from openpersonalize.datasets.schemas import parse_schema
from openpersonalize.datasets.selection import EventSelection
from openpersonalize.datasets.sequences import Sequences, build_sequences
from openpersonalize.recipes.item_vocabulary import ItemVocabulary

SETS = {"amazon-beauty": "TITLE", "online-retail": "TITLE", "movielens-latest-small": "TITLE"}
COLD = 0.1
MOST = 4_000


@dataclass(frozen=True)
class Case:
    """A data set: its interactions and its items, aligned; the column of text."""

    sequences: Sequences
    items: pl.DataFrame
    text: str


def load(folder: Path, text: str) -> Case:
    """A data set."""
    schema = parse_schema((folder / "schema-items.json").read_text())
    types = {field.name: pl.Float64 if field.is_number else pl.String for field in schema.fields}
    items = pl.read_csv(folder / "items.csv.gz", schema_overrides=types)
    rows = pl.read_csv(folder / "interactions.csv.gz", infer_schema=False)
    sequences = build_sequences(rows.lazy(), items["ITEM_ID"], EventSelection())
    ids = sequences.items.series().alias("ITEM_ID").to_frame()
    useful = [field.name for field in schema.fields if field.trains or field.name == text]
    aligned = ids.join(items, on="ITEM_ID", how="left", maintain_order="left")
    return Case(sequences, aligned[useful], text)


def neighbours(case: Case, folder: Path, vectors: np.ndarray) -> float:
    """precision@10 of the nearest texts among the related items."""
    ids = case.sequences.items
    related = pl.read_csv(folder / "related.csv.gz", infer_schema=False)
    hits, count = 0.0, 0
    for item, *lists in related.iter_rows():
        wanted = {ids.find(one) for joined in lists if joined for one in joined.split("|")} - {-1}
        row = ids.find(item)
        if wanted and row >= 0 and row % 4 == 0:
            near = vectors @ vectors[row]
            near[row] = -np.inf
            hits += len(wanted & set(np.argpartition(-near, 10)[:10].tolist())) / 10
            count += 1
    return hits / count


def cold_items(case: Case, vectors: np.ndarray, seed: int) -> dict[str, tuple[float, float]]:
    """HR@10 and NDCG@10 among the cold items, by what is known of them."""
    sequences, n = case.sequences, len(case.sequences.items)
    rng = np.random.default_rng(seed)
    met = np.unique(sequences.item)
    cold = np.zeros(n, dtype=np.bool_)
    cold[rng.choice(met, int(COLD * len(met)), replace=False)] = True
    learnt = sequences.where(~cold[sequences.item])
    events = Events(learnt.ptr, learnt.item, learnt.time, learnt.event, learnt.weight, n)
    asked = np.flatnonzero(cold[sequences.item])
    asked = rng.permutation(asked)[: 2 * MOST]
    users = np.searchsorted(sequences.ptr, asked, side="right") - 1
    before = []
    for event, user in zip(asked.tolist(), users.tolist(), strict=True):
        past = np.arange(int(sequences.ptr[user]), event)
        past = past[(~cold[sequences.item[past]]) & (sequences.time[past] < sequences.time[event])]
        if len(past) and len(before) < MOST:
            before.append((event, past[-50:]))
    rows = np.flatnonzero(cold)
    place = np.full(n, -1)
    place[rows] = np.arange(len(rows))

    def judged(scores: Callable[[np.ndarray], np.ndarray]) -> tuple[float, float]:
        ranks = []
        for event, past in before:
            found = scores(past)
            ranks.append(int((found > found[place[sequences.item[event]]]).sum()))
        rank = np.array(ranks)
        return float((rank < 10).mean()), float(np.where(rank < 10, 1 / np.log2(rank + 2), 0).mean())

    plain = ItemVocabulary.fit(case.items.drop(case.text)).attributes
    words = ItemVocabulary.fit(case.items.select(case.text), {case.text}).attributes
    dense = [ItemAttribute.of_vectors(vectors * SCALE)]
    variants = {
        "no text": plain,
        "words": plain + words,
        "vector": plain + dense,
        "both": plain + words + dense,
    }
    found = {
        "vectors alone": judged(lambda past: vectors[rows] @ vectors[sequences.item[past[-10:]]].mean(0))
    }
    for name, features in variants.items():
        began = time.process_time()
        encoder = fit_encoder(events, features, plan_for(events, False), seed=seed).encoder
        found[name] = judged(
            lambda past, e=encoder: (
                e.items[rows] @ e.encode(sequences.item[past], sequences.time[past], sequences.event[past])
            )
        )
        print(f"  {name:14} {found[name]} {time.process_time() - began:.0f} s CPU", flush=True)
    return found


SCALE = np.float32(4.0)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="Texts of items.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for name in given.set or SETS:
        case = load(given.folder / name, SETS[name])
        texts = case.items[case.text]
        began = time.process_time()
        encoder = TextEncoder.fit(texts, seed=given.seed)
        vectors = encoder.transform(texts)
        print(f"{name}: {vectors.shape}, {time.process_time() - began:.1f} s CPU")
        if (given.folder / name / "related.csv.gz").exists():
            print(f"  neighbours precision@10 {neighbours(case, given.folder / name, vectors):.4f}")
        for known, (hits, ndcg) in cold_items(case, vectors, given.seed).items():
            print(f"  {known:14} HR@10 {hits:.4f}  NDCG@10 {ndcg:.4f}")


if __name__ == "__main__":
    main()
