"""``openpersonalize jobs``: what a server is working on, how far it is, and how long it will take; of one job
also what it told."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any

import click

from ..errors import InvalidInput, OpenPersonalizeError, ResourceNotFound
from .columns import in_columns
from .connection import Connection, connection_options, page_of_job

_BAR = 20
_REFRESH_SECONDS = 1.0


@click.command()
@click.argument("arn", required=False)
@connection_options
@click.option(
    "--watch/--once", default=None, help="show until interrupted, or once  [default: watch on a terminal]"
)
@click.option("--all", "everything", is_flag=True, help="finished jobs too")
@click.option("--json", "as_json", is_flag=True, help="print everything as JSON, once")
def jobs(
    arn: str | None,
    endpoint: str | None,
    watch: bool | None,
    everything: bool,
    as_json: bool,
    **given: object,
) -> None:
    """Show running jobs with their progress, and when automatic trainings are due.

    With the ARN of a resource, show its newest job once: what it told, and all that was wrong with its data.
    """
    connection = Connection.of(endpoint, given)
    if arn is not None:
        _show(_one(connection, arn), as_json)
        return
    if as_json:
        click.echo(json.dumps(connection.page("/v1/jobs"), indent=2))
        return
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


def _one(connection: Connection, arn: str) -> dict[str, Any]:
    """The page of a resource's newest job, with the problems that it found.

    Raises:
        InvalidInput: that is no ARN. ResourceNotFound: it has had no job.
    """
    if not arn.startswith("arn:"):
        raise InvalidInput(f"{arn} is no ARN; `openpersonalize jobs --all --json` has those of all jobs.")
    report = connection.job(arn)
    if not report:
        raise ResourceNotFound(f"There is no job of {arn}; `openpersonalize jobs --all` shows all.")
    return {**report, "problems": connection.page(f"{page_of_job(arn)}/problems")["problems"]}


def _show(report: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(report, indent=2))
        return
    click.echo(job_table([report], everything=True))
    for line in report["lines"]:
        click.echo(f"  {line['text']}")
    for one in report["problems"]:
        click.echo(f"  {place_of(one)}: {one['what']}")
    if report["reason"]:
        click.echo(report["reason"])


def place_of(problem: Mapping[str, Any]) -> str:
    """Where something is wrong with a file of an import."""
    column = f", column {problem['column']}" if problem["column"] else ""
    return f"{problem['file']}, line {problem['line']}{column}"


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
