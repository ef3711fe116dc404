"""The bar that shows one job over all its stages, with the time it will still take: `job_bar`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click

from .jobs import duration, progress_bar

Moved = Callable[[float, str, "float | None"], None]


def stage_of(progress: Mapping[str, Any]) -> tuple[float, str, float | None]:
    """(share done, what it does, seconds left) of a job's progress, over all its stages."""
    overall = progress.get("overall")
    if overall is not None:
        return float(overall["done"]), str(progress.get("step") or ""), overall["eta_seconds"]
    total = progress.get("total") or 0
    share = min(1.0, progress.get("done", 0) / total) if total else 0.0
    return share, str(progress.get("step") or ""), progress.get("eta_seconds")


@contextmanager
def job_bar(label: str, quiet: bool = False) -> Iterator[Moved]:
    """Yields a function that moves a bar to a share between 0 and 1 (never backwards), says what is done and
    how long it will take; where nobody watches, a line tells at the end how long it took."""
    if quiet:
        yield lambda share, step, left: None
        return
    started = time.monotonic()
    if not sys.stdout.isatty():  # a log: a line when it is done
        yield lambda share, step, left: None
        click.echo(f"  {label:<20}done in {time.monotonic() - started:.0f} s")
        return
    furthest = 0.0

    def moved(share: float, step: str, left: float | None) -> None:
        nonlocal furthest
        furthest = max(furthest, share)
        rest = f"{duration(left)} left" if left else ""
        click.echo(f"\r\x1b[K  {label:<20}{progress_bar(furthest, 1.0)}  {rest:<18}{step}", nl=False)

    yield moved
    click.echo(f"\r\x1b[K  {label:<20}{progress_bar(1.0, 1.0)}  {duration(time.monotonic() - started)}")
