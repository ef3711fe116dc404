"""A comparison as text, JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from .comparison import MODES, Comparison, Figure, Result

LEADING = "normalized_discounted_cumulative_gain_at_10"
"""The measure that tables and plots show with its interval and its difference to the baseline."""

TITLES = {"kept": "As served: what a user met before may come again, and counts",
          "excluded": "Without what the user met before"}  # fmt: skip

_ACCURACY = (
    ("MRR@25", "mean_reciprocal_rank_at_25"),
    ("P@10", "precision_at_10"),
    ("RECALL@25", "recall_at_25"),
)
_CHARACTER = (
    ("NOVELTY", "novelty_at_10"),
    ("DIVERSITY", "diversity_at_10"),
    ("POP.BIAS", "popularity_bias_at_10"),
    ("GINI", "exposure_gini_at_10"),
    ("COVERAGE", "coverage"),
)


def as_text(found: Comparison) -> str:
    """Tables for a terminal: one for each mode, a recipe a line, one of what the trainings cost, and who
    failed."""
    seeds = ", ".join(map(str, found.seeds))
    size = f"{found.interactions:,} interactions of {found.users:,} users with {found.items:,} items"
    parts = [f"{size}; split {found.split}, {found.training_interactions:,} train; seeds {seeds}."]
    for mode in MODES:
        right = [["RECIPE", "NDCG@10", "95 % INTERVAL", "AGAINST THE FIRST", *(t for t, _ in _ACCURACY)]]
        right += [_line(result, mode) for result in found.results]
        like = [["RECIPE", *(title for title, _ in _CHARACTER)]]
        like += [[one.name, *_numbers(one, mode, _CHARACTER)] for one in found.results]
        title = f"{TITLES[mode]} ({found.questions[mode]:,} users asked)"
        parts += [f"{title}\n{_aligned(right)}", _aligned(like)]
    rows = [["RECIPE", "SECONDS TO TRAIN", "MEMORY"]]
    rows += [[one.name, f"{_mean(one.training_seconds):.1f}", _size(one)] for one in found.results]
    parts.append(_aligned(rows))
    if found.failures:
        failed = [f"{one.name}: {one.reason}" for one in found.failures]
        parts.append("\n".join(["Could not be compared", *failed]))
    return "\n\n".join(parts)


def as_json(found: Comparison) -> str:
    """All numbers."""
    return json.dumps(asdict(found), indent=2) + "\n"


def as_csv(found: Comparison) -> str:
    """A row for each recipe, mode and measure."""
    columns = [column.name for column in fields(Figure) if column.name != "by_seed"]
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["recipe", "mode", "measure", *columns])
    for result in found.results:
        for mode, figures in result.figures.items():
            for measure, figure in figures.items():
                values: list[Any] = [getattr(figure, column) for column in columns]
                rows.writerow([result.name, mode, measure, *values])
    return text.getvalue()


def _line(result: Result, mode: str) -> list[str]:
    figures = result.figures[mode]
    leading = figures[LEADING]
    return [
        result.name,
        f"{leading.mean:.4f}",
        f"{leading.low:.4f} .. {leading.high:.4f}",
        _difference(leading),
        *_numbers(result, mode, _ACCURACY),
    ]


def _numbers(result: Result, mode: str, columns: Sequence[tuple[str, str]]) -> list[str]:
    return [f"{result.figures[mode][name].mean:.4f}" for _, name in columns]


def _difference(figure: Figure) -> str:
    if figure.difference is None or figure.difference_low is None or figure.difference_high is None:
        return "-"
    clear = figure.difference_low > 0 or figure.difference_high < 0
    bounds = f"({figure.difference_low:+.4f} .. {figure.difference_high:+.4f})"
    return f"{figure.difference:+.4f} {bounds}{'' if clear else ' unclear'}"


def _size(result: Result) -> str:
    known = [one for one in result.peak_memory_bytes if one is not None]
    return f"{max(known) / 2**20:,.0f} MB" if known else "unknown"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / max(len(values), 1)


def _aligned(rows: list[list[str]]) -> str:
    """Columns as wide as their widest cell; numbers to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if not place else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
