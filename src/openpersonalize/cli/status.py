"""``openpersonalize status``: what a server has, how it is, and what it is working on."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import click

from .columns import in_columns
from .connection import Connection, connection_options
from .jobs import job_table
from .naming import CAMPAIGNS, DATASETS, GROUPS, RECOMMENDERS, SOLUTIONS, VERSIONS, elsewhere, listed


@click.command()
@connection_options
@click.option("--json", "as_json", is_flag=True, help="print everything as JSON")
def status(endpoint: str | None, as_json: bool, **given: object) -> None:
    """Show the dataset groups of a server with datasets, models and campaigns, and what it works on."""
    connection = Connection.of(endpoint, given)
    jobs = connection.page("/v1/jobs")
    groups = [_group(connection, one) for one in listed(connection, GROUPS)]
    others = elsewhere(connection, GROUPS, [*jobs["jobs"], *jobs.get("scheduled", [])])
    at_work = [one for one in jobs["jobs"] if one["state"] in ("queued", "running")]
    if as_json:
        record = {
            "address": connection.address,
            "region": connection.region,
            "health": connection.page("/health")["status"],
            "groups": groups,
            "otherRegions": others,
            "jobs": at_work,
            "scheduled": jobs.get("scheduled", []),
        }
        click.echo(json.dumps(record, indent=2, default=str))
        return
    health = connection.page("/health")["status"]
    click.echo(f"{connection.address}: {health}, region {connection.region}")
    if not groups:
        told = f"No dataset groups in region {connection.region}"
        click.echo(f"{told}." if others else f"{told}: `openpersonalize quickstart FILE.csv` makes one.")
    for region, names in others.items():
        click.echo(f"Region {region} has {', '.join(names)}: openpersonalize status --region {region}")
    for group in groups:
        _show(group)
    click.echo("")
    click.echo(job_table(jobs["jobs"], False, jobs.get("scheduled", ())))


def _group(connection: Connection, group: dict[str, Any]) -> dict[str, Any]:
    within = {"datasetGroupArn": group["datasetGroupArn"]}
    personalize = connection.client("personalize")
    solutions = listed(connection, SOLUTIONS, **within)
    campaigns = []
    for solution in solutions:
        versions = listed(connection, VERSIONS, solutionArn=solution["solutionArn"])
        solution["versions"] = len(versions)
        active = [one for one in versions if one["status"] == "ACTIVE"]
        solution["newest"] = max(active, key=lambda one: one["creationDateTime"], default=None)
        if solution["newest"] is not None:
            metrics = personalize.get_solution_metrics(
                solutionVersionArn=solution["newest"]["solutionVersionArn"]
            )["metrics"]
            solution["metrics"] = metrics
        campaigns += listed(connection, CAMPAIGNS, solutionArn=solution["solutionArn"])
    recommenders = listed(connection, RECOMMENDERS, **within)
    return {
        **group,
        "datasets": listed(connection, DATASETS, **within),
        "solutions": solutions,
        "campaigns": campaigns,
        "recommenders": recommenders,
    }


def _show(group: dict[str, Any]) -> None:
    domain = f", {group['domain']}" if group.get("domain") else ""
    click.secho(f"\n{group['name']} ({group['status']}{domain})", bold=True)
    rows = [
        ("  dataset", one["datasetType"].capitalize(), one["status"], f"changed {_when(one)}")
        for one in group["datasets"]
    ]
    for solution in group["solutions"]:
        newest = solution["newest"]
        ndcg = solution.get("metrics", {}).get("normalized_discounted_cumulative_gain_at_10")
        about = "no version yet" if newest is None else f"newest of {solution['versions']}: {_when(newest)}"
        figure = "" if ndcg is None else f", NDCG at 10 {ndcg:.4f}"
        rows.append(("  solution", solution["name"], solution["status"], about + figure))
    rows += [
        ("  campaign", one["name"], one["status"], f"changed {_when(one)}") for one in group["campaigns"]
    ]
    rows += [
        ("  recommender", one["name"], one["status"], f"changed {_when(one)}")
        for one in group["recommenders"]
    ]
    if rows:
        click.echo(in_columns(rows))


def _when(resource: dict[str, Any]) -> str:
    moment: datetime = resource["lastUpdatedDateTime"]
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"
