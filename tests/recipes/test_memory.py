"""What a training is expected to need is what it takes."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from openpersonalize.algorithms import ivf_index
from openpersonalize.algorithms.encoder_plan import memory_needed, plan_for
from openpersonalize.datasets.sequences import Sequences
from openpersonalize.recipes import memory
from openpersonalize.recipes.memory import training_memory
from openpersonalize.storage.idtable import IdTable
from openpersonalize.testing.worlds import sequences_of


def walks(users: int, items: int = 3_000, length: int = 30) -> Sequences:
    """From each item on to one of two."""
    rng = np.random.default_rng(0)
    steps = np.cumsum(rng.integers(1, 3, (users, length)), axis=1) + rng.integers(0, items, (users, 1))
    return sequences_of(
        [
            (f"u{user:04}", f"i{item % items}", 1_000_000 + 60 * place + user)
            for user, walk in enumerate(steps.tolist())
            for place, item in enumerate(walk)
        ]
    )


TRAIN = """
import json
from pathlib import Path
from openpersonalize.recipes.training import Training, TrainingData
from openpersonalize.recipes.hyperparameters import read_configuration
from openpersonalize.recipes.memory import training_memory
from openpersonalize.recipes.registry import recipe
from openpersonalize.algorithms.encoder_plan import plan_for
from recipes.test_memory import walks

def megabytes(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024

world, chosen = walks(400), recipe("aws-user-personalization-v2")
expected = megabytes("VmRSS") + training_memory(world, plan_for(world.events, False), [], 400) / 2**20
Path("/proc/self/clear_refs").write_text("5")
model = chosen.fit(TrainingData.of(world), read_configuration(chosen.facts, {}), Training(budget_seconds=1.0))
assert "encoder" in model.weights.arriving.kept
print(json.dumps([expected, megabytes("VmHWM")]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peaks are read from /proc")
def test_the_estimate_is_within_a_quarter_of_the_peak() -> None:
    root = Path(__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", TRAIN], capture_output=True, text=True, cwd=root)
    assert done.returncode == 0, done.stderr
    expected, peak = (float(one) for one in done.stdout.strip().strip("[]").split(","))
    assert expected == pytest.approx(peak, rel=0.25)


def test_more_data_needs_more_and_features_too() -> None:
    few, many = walks(50), walks(800)
    plan = plan_for(many.events, False)
    assert training_memory(few, plan, [], 100) < training_memory(many, plan, [], 100)
    assert training_memory(many, None, [], 100) < training_memory(many, plan, [], 100)
    encoder = replace(plan, tokens=20_000)  # larger than the questions
    assert training_memory(many, encoder, [], 100, tried=100) > training_memory(many, encoder, [], 100)
    assert memory_needed(plan, 10**6, 0, 0) < memory_needed(plan, 10**6, 100, 10**6)


def test_free_memory_is_known_here() -> None:
    free = memory.free_memory()
    assert free is None or free > 10_000_000


def test_the_index_of_a_large_catalogue_counts() -> None:
    world, n = walks(400), 5_000_000
    plan = plan_for(world.events, False)
    large = replace(world, items=IdTable(np.zeros(n, np.uint8), np.arange(n + 1)))
    indexed = training_memory(large, plan, [], 100)
    assert indexed > 4 * n * plan.shape.d + ivf_index.memory_needed(n, plan.shape.d)
    assert indexed > training_memory(large, plan, [], 100, index_above=n)
