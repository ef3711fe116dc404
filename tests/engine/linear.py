"""A step in a module that imports what the steps of jobs do, libraries with threads among it."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import polars as pl
from threadpoolctl import threadpool_info

import openpersonalize.batch.segment_step
import openpersonalize.batch.step
import openpersonalize.training.step
import openpersonalize.training.trial
import openpersonalize.workflows.attribution_step
import openpersonalize.workflows.erasure_step
import openpersonalize.workflows.export_step
import openpersonalize.workflows.import_step
import openpersonalize.workflows.sealing  # noqa: F401 - all are imported for what importing them does
from openpersonalize.engine.task import Task


def libraries(task: Task) -> dict[str, Any]:
    """How many threads the libraries use, and which process made this one."""
    assert np.ones((300, 300)).dot(np.ones((300, 300)))[0, 0] == 300.0
    linear = [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]
    return {"linear": linear, "frames": pl.thread_pool_size(), "parent": os.getppid()}
