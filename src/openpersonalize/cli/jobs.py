"""``openpersonalize jobs``: what a server is working on, how far it is, and how long it will take."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any

import click

from ..errors import OpenPersonalizeError
from .columns import in_columns
from .connection import Connection, connection_options

_BAR = 20
_REFRESH_SECONDS = 1.0


@click.command()
@connection_options
@click.option(
    "--watch/--once", default=None, help="show until interrupted, or once  [default: watch on a terminal]"
)
@click.option("--all", "everything", is_flag=True, help="finished jobs too")
def jobs(endpoint: str | None, watch: bool | None, everything: bool, **given: object) -> None:
    """Show running jobs with their progress, and when automatic trainings are due."""
    connection = Connection.of(endpoint, given)
    watching = sys.stdout.isatty() if watch is None else watch
    while True:
        answer = connection.page("/v1/jobs")
        if "jobs" not in answer:
            raise OpenPersonalizeError(f"{connection.address} is no server of OpenPersonalize.")
        table = job_table(answer["jobs"], everything, answer.get("scheduled", ()))
        if watching:
            click.clear()
        click.echo(table)
        if not watching:
            return
        time.sleep(_REFRESH_SECONDS)


def job_table(
    reports: Iterable[Mapping[str, Any]],
    everything: bool,
    scheduled: Iterable[Mapping[str, Any]] = (),
    now: float | None = None,
) -> str:
    """The reports of a server, and the automatic trainings to come, as a table, a line each. A job that has
    no step yet is named by its kind; one that waits for its time is scheduled (`now`: seconds since 1970)."""
    shown = [report for report in reports if everything or report["state"] in ("queued", "running")]
    coming = list(scheduled)
    if not shown and not coming:
        return "No jobs." if everything else "No jobs are queued or running."
    rows = [("RESOURCE", "STATE", "STEP", "PROGRESS", "ETA")]
    now = time.time() if now is None else now
    for report in shown:
        progress = report.get("progress") or {}
        overall = progress.get("overall") or {**progress, "total": progress.get("total")}
        state, eta = str(report["state"]), ""
        if state == "running":
            eta = duration(overall.get("eta_seconds"))
        elif state == "queued" and (wait := (report.get("not_before") or 0) - now) > 0:
            state, eta = "scheduled", f"in {duration(wait)}"
        rows.append(
            (
                _resource(report),
                state,
                str(progress.get("step") or report["kind"].replace("-", " ")),
                progress_bar(overall.get("done"), overall.get("total", 1.0)),
                eta,
            )
        )
    rows += [
        (_resource(one), "scheduled", "automatic training", "", f"in {duration(one['due_in_seconds'])}")
        for one in coming
    ]
    return in_columns(rows)


def progress_bar(done: float | None, total: float | None) -> str:
    """How far something is, as a bar and a percentage; empty where that is unknown."""
    if not total or done is None:
        return ""
    share = min(1.0, max(0.0, done / total))
    filled = round(share * _BAR)
    return f"[{'#' * filled}{'.' * (_BAR - filled)}] {share:4.0%}"


def duration(seconds: float | None) -> str:
    """Seconds as people say them: ``42 s``, ``3 min 05 s``, ``2 h 10 min``, ``6 d 23 h``."""
    if seconds is None:
        return ""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600:02d} h"


def _resource(report: Mapping[str, Any]) -> str:
    return str(report["arn"]).split(":", 5)[-1]
