"""A comparison as one picture. The only module that knows matplotlib, which is optional."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .comparison import MODES, Comparison
from .report import LEADING, TITLES

INSTALL = 'For a plot install matplotlib: pip install "openpersonalize[plot]"'


def available() -> bool:
    """Whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def draw(found: Comparison, path: Path) -> None:
    """Write the picture: accuracy with intervals on the left, what it costs in novelty and coverage beside
    it; a row for each mode. Its format is that of the path's ending."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # no display, no global state
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 2.2 + len(MODES) * (1.6 + 0.35 * len(found.results))), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(MODES), 3, squeeze=False, width_ratios=(1.3, 1, 1))
    for row, mode in zip(axes, MODES, strict=True):
        _accuracy(row[0], found, mode)
        _against(row[1], found, mode, "novelty_at_10", "novelty, bits")
        _against(row[2], found, mode, "coverage", "coverage of the catalogue")
    figure.suptitle(f"NDCG@10 with 95 % intervals over users; split {found.split}")
    figure.savefig(path, dpi=120)


def _accuracy(axis: Any, found: Comparison, mode: str) -> None:
    for place, result in enumerate(found.results):
        value = result.figures[mode][LEADING]
        assert value.low is not None
        assert value.high is not None
        reach = [[max(value.mean - value.low, 0)], [max(value.high - value.mean, 0)]]
        axis.errorbar(value.mean, place, xerr=reach, fmt="o", color=f"C{place % 10}", capsize=4)
    axis.set_yticks(range(len(found.results)), [result.name for result in found.results])
    axis.set_ylim(len(found.results) - 0.5, -0.5)
    axis.set_xlim(left=0)
    axis.set_title(f"{TITLES[mode]}\n({found.questions[mode]:,} users)", fontsize=10)
    axis.set_xlabel("NDCG@10")
    axis.grid(axis="x", alpha=0.3)


def _against(axis: Any, found: Comparison, mode: str, measure: str, label: str) -> None:
    for place, result in enumerate(found.results):
        figures = result.figures[mode]
        point = (figures[measure].mean, figures[LEADING].mean)
        axis.plot(*point, "o", color=f"C{place % 10}", label=result.name)
    axis.set_ylim(bottom=0)
    axis.margins(x=0.15, y=0.15)
    if measure == "coverage":
        axis.set_xlim(left=0)
    axis.set_xlabel(label)
    axis.set_ylabel("NDCG@10")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=7)
