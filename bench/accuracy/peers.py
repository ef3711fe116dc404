"""Peers from libraries, in a Python of their own: arrays go there in a file, and lists come back."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from .cells import Key
from .lists import Lists
from .problem import Problem

PYTHON = "PEERS_PYTHON"


class NoPeers(Exception):
    """There is no Python with the peers' libraries."""


def answers(
    problem: Problem, key: Key, limit: float, timed: bool = False
) -> tuple[Lists | None, dict[str, Any]]:
    """What a peer answers, and what it tells; `timed`: no lists, but a curve of accuracy over time.

    Raises:
        NoPeers: the environment names no Python for peers.
    """
    python = os.environ.get(PYTHON)
    if not python:
        raise NoPeers(f"{PYTHON} is not set: name a Python that has requirements/peers.txt installed")
    with tempfile.TemporaryDirectory() as folder:
        asked, answer = Path(folder) / "problem.npz", Path(folder) / "answer.npz"
        write(problem, asked)
        script = Path(__file__).with_name("library.py")
        command = [python, str(script), key.model, str(asked), str(answer)]
        command += ["--seed", str(key.seed), "--limit", str(limit), *(["--timed"] if timed else [])]
        threads = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": "", **threads})
        with np.load(answer) as arrays:
            facts = json.loads(str(arrays["facts"]))
            lists = None if timed else Lists(arrays["kept"], arrays["excluded"])
    return lists, facts


def write(problem: Problem, path: Path) -> None:
    """The problem and its inner one, as arrays."""
    arrays: dict[str, Any] = {"users": len(problem.sequences.users), "items": len(problem.sequences.items)}
    assert problem.inner is not None
    for name, part in (("full", problem), ("inner", problem.inner)):
        arrays |= {f"{name}_user": part.learnt.user, f"{name}_item": part.learnt.item}
        arrays[f"{name}_asked"] = part.test.user
    arrays["inner_truth_ptr"], arrays["inner_truth"] = problem.inner.truth()
    np.savez(path, **arrays)
