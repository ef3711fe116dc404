"""Use cases of related items beside the recipe they are made of: NDCG@25 as GetSolutionMetrics has it.

    python -m bench.related_presets DATA_FOLDER [--data NAME ...] [--folds 5]

Each fold holds another tenth of the users out: given the newest item of what is known of one, where does the
newest tenth of the user's events stand. aws-sims with its defaults, with the settings of
aws-ecomm-customers-who-viewed-x-also-viewed and aws-vod-because-you-watched-x, and aws-similar-items by
histories alone. 95 % intervals of the difference to aws-sims by bootstrap of the users; coverage is the mean
of the folds.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from openpersonalize.datasets.selection import EventSelection
from openpersonalize.evaluation.bootstrap import interval, resampled_means
from openpersonalize.evaluation.metrics import Float64
from openpersonalize.recipes.hyperparameters import read_configuration
from openpersonalize.recipes.registry import recipe
from openpersonalize.recipes.training import Training, TrainingData
from openpersonalize.training.fit import OBJECTIVE, measured

from .accuracy.problem import open_problem

RECIPES = ("aws-sims", "aws-ecomm-customers-who-viewed-x-also-viewed", "aws-similar-items")


def asked(name: str, data: TrainingData, folds: int) -> tuple[Float64, float]:
    """float64[Q], NDCG@25 of the users of all folds; and the coverage."""
    chosen = recipe(name)
    assert chosen is not None
    configuration, values, coverage = read_configuration(chosen.facts, {}), [], []
    for first in range(folds):
        found = measured(chosen, data, EventSelection(), configuration, Training(seed=1), 1, first, tenths=1)[
            1
        ]
        values.append(found.questions.values[:, found.questions.names.index(OBJECTIVE[0])])
        coverage.append(found.metrics["coverage"])
    return np.concatenate(values).astype(np.float64), float(np.mean(coverage))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", nargs="+", default=["online-retail", "movielens-latest-small", "deskdrop"])
    parser.add_argument("--folds", type=int, default=5)
    options = parser.parse_args()
    print(
        "| data | users | recipe | NDCG@25 | difference | coverage | CPU s |\n|---|---|---|---|---|---|---|"
    )
    for data in options.data:
        events = TrainingData.of(open_problem(options.folder, data, "loo").sequences)
        base = None
        for name in RECIPES:
            begun = time.process_time()
            values, coverage = asked(name, events, options.folds)
            took = (time.process_time() - begun) / options.folds
            told = "-"
            if base is None:
                base = values
            else:
                low, high = interval(resampled_means((values - base)[:, None], 0))[:, 0]
                told = f"{(values - base).mean():+.4f} ({low:+.4f} to {high:+.4f})"
            cells = (data, str(len(values)), name, f"{values.mean():.4f}", told, f"{coverage:.2f}")
            print(f"| {' | '.join(cells)} | {took:.1f} |", flush=True)


if __name__ == "__main__":
    main()
