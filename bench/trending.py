"""Trends, replayed by the hour: who of the items listed now gains users next.

    python -m bench.trending DATA_FOLDER [--data globo-news-1m] [--share 0.3]

Trains aws-trending-now on the events before the newest `share` of the time that is busy, has it follow the
rest as a server does, and asks once every hour. Beside it the plain method: the users of each item in the
last interval, counted in a sliding window. Of both lists of 25: the trend prediction accuracy (growth of the
listed items in the next interval, against that of the 25 which grow most; not below 0), the growth that was
caught (that of the listed items which do grow), and the share of the next hour's readers.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import polars as pl

from openpersonalize.algorithms.distinct_users import Visits, visits
from openpersonalize.datasets.selection import EventSelection
from openpersonalize.datasets.sequences import Sequences, build_sequences
from openpersonalize.recipes.hyperparameters import read_configuration
from openpersonalize.recipes.query import Query
from openpersonalize.recipes.registry import recipe
from openpersonalize.recipes.training import Training, TrainingData
from openpersonalize.recipes.trending_now import LIST, SECONDS

HOUR = 3_600
LEAST = 200
"""Users of an hour below which it is not asked about."""

Row = tuple[float, float, float, float, float]


def measured(listed: np.ndarray, now: np.ndarray, then: np.ndarray, readers: np.ndarray) -> Row:
    """Growth of the list, of its items that grow, and the best possible; readers of the list and in all."""
    growth = then - now
    best = np.sort(growth)[-LIST:].sum()
    caught = np.maximum(growth[listed], 0).sum()
    return max(0.0, growth[listed].sum()), caught, best, readers[listed].sum(), readers.sum()


def replayed(events: Sequences, frequency: str, share: float) -> tuple[list[Row], list[Row]]:
    """The hours of one frequency, of ours and of the sliding window."""
    chosen, n, window = recipe("aws-trending-now"), len(events.items), SECONDS[frequency]
    assert chosen is not None
    low, high = np.quantile(events.time, (1 - share, 0.998)).astype(np.int64) // HOUR * HOUR
    sent = {"featureTransformationParameters": {"trend_discovery_frequency": frequency}}
    past = TrainingData.of(events.where(events.time <= low))
    model = chosen.fit(past, read_configuration(chosen.facts, sent), Training())
    online = model.online()  # type: ignore[attr-defined]
    order = np.argsort(events.time, kind="stable")
    item, time = events.item[order], events.time[order]
    user = events.user[order].astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    known: Visits = visits(item, time, user, window)
    hourly: Visits = visits(item, time, user, HOUR)
    ours, plain = [], []
    for now in range(int(low) + HOUR, int(high), HOUR):
        some = slice(*np.searchsorted(time, (now - HOUR, now), side="right"))
        online.observe(item[some], time[some], np.ones(len(item[some]), np.float32), user[some])
        readers = hourly.users(now + HOUR, n)
        if readers.sum() < LEAST:
            continue
        last, then = known.users(now, n), known.users(now + window, n)
        scores = online.scores(Query.of_nobody(now))
        ours.append(measured(np.argsort(-scores, kind="stable")[:LIST], last, then, readers))
        plain.append(measured(np.argsort(-last, kind="stable")[:LIST], last, then, readers))
    return ours, plain


def figures(rows: list[Row]) -> tuple[float, float, float]:
    """Mean accuracy of an hour; share of the growth caught, and of the readers reached, of all hours."""
    table = np.array(rows)
    accuracy = np.minimum(table[:, 0] / np.maximum(table[:, 2], 1), 1).mean()
    return accuracy, table[:, 1].sum() / table[:, 2].sum(), table[:, 3].sum() / table[:, 4].sum()


def ratio(ours: list[Row], plain: list[Row]) -> str:
    """Of the accuracies, with a 95 % interval by bootstrap of the hours."""
    rng = np.random.default_rng(0)
    accuracy = [np.array([min(row[0] / max(row[2], 1), 1) for row in rows]) for rows in (ours, plain)]
    drawn = rng.integers(0, len(ours), (1000, len(ours)))
    low, high = np.quantile(
        accuracy[0][drawn].mean(axis=1) / np.maximum(accuracy[1][drawn].mean(axis=1), 1e-9), (0.025, 0.975)
    )
    mean = accuracy[0].mean() / max(accuracy[1].mean(), 1e-9)
    return f"{mean:.2f} ({low:.2f} to {high:.2f})" if accuracy[1].mean() > 1e-3 else "-"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", default="globo-news-1m")
    parser.add_argument("--share", type=float, default=0.3)
    options = parser.parse_args()
    rows = pl.read_csv(options.folder / options.data / "interactions.csv.gz", infer_schema=False)
    rows = rows.select("USER_ID", "ITEM_ID", pl.col("TIMESTAMP").cast(pl.Int64))
    events = build_sequences(rows.lazy(), None, EventSelection())
    print("| interval | hours | accuracy, ours | sliding window | ratio | growth caught | | readers | |")
    print("|---|---|---|---|---|---|---|---|---|")
    for frequency in SECONDS:
        ours, plain = replayed(events, frequency, options.share)
        pairs = " | ".join(
            f"{one:.3f} | {other:.3f}" + (f" | {ratio(ours, plain)}" if place == 0 else "")
            for place, (one, other) in enumerate(zip(figures(ours), figures(plain), strict=True))
        )
        print(f"| {frequency} | {len(ours)} | {pairs} |", flush=True)


if __name__ == "__main__":
    main()
