"""Cores of the machine and the share that a heavy step or the server takes of them: `available_cores`,
`with_share`, `calculate_alone`."""

from __future__ import annotations

import os
from dataclasses import replace

from threadpoolctl import ThreadpoolController

from ..settings import Settings


def available_cores() -> int:
    """Cores that this process may use: those that the system gives it, or fewer where ``OMP_NUM_THREADS``
    says so."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    told = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores, int(told)) if told.isdecimal() and int(told) else cores


def with_share(settings: Settings, steps: int) -> Settings:
    """The settings of a step that begins as one of so many at once: where nobody said how many threads it may
    use, its share of the cores. Those that began before keep theirs until they end."""
    if settings.threads:
        return settings
    return replace(settings, threads=max(1, available_cores() // max(1, steps)))


def calculate_alone() -> None:
    """From now on linear algebra in this process is done by the thread that asks for it. What one answer
    multiplies is small: OpenBLAS's threads, which spin while they wait for one another, took 9 ms of a core
    for an answer beside a training on two cores, and 83 answers a second were given where one thread gives
    430. The questions of a training are as small: alone on two cores it took 53 to 56 CPU s, and takes 49 to
    51."""
    ThreadpoolController().limit(limits=1, user_api="blas")
