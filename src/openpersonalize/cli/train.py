"""``openpersonalize train``: a new version of a solution on a running server, deployed when asked; or of all
solutions whose models had seen users that were removed."""

from __future__ import annotations

import json
import sys

import click

from ..errors import InvalidInput, OpenPersonalizeError
from .connection import Connection, connection_options, page_of_job
from .job_bar import job_bar, stage_of
from .naming import CAMPAIGNS, SOLUTIONS, found, listed


@click.command()
@click.argument("solution", required=False)
@click.option("--update", is_flag=True, help="go on from the newest version with what is new")
@click.option(
    "--deploy",
    metavar="CAMPAIGN",
    is_flag=False,
    flag_value="",
    help="campaign (not the solution) that is to answer with the new version, by name or ARN",
)
@click.option(
    "--after-deletion",
    "deletion",
    metavar="ARN",
    help="begin trainings of all solutions and recommenders whose models this data deletion job names",
)
@connection_options
@click.option("--json", "as_json", is_flag=True, help="print the outcome as JSON")
def train(
    solution: str | None,
    update: bool,
    deploy: str | None,
    deletion: str | None,
    endpoint: str | None,
    as_json: bool,
    **given: object,
) -> None:
    """Train SOLUTION (name or ARN; the only one if left out) and show its metrics; exit code 1: it failed."""
    connection = Connection.of(endpoint, given)
    if deletion is not None:
        if solution is not None or update or deploy is not None:
            raise InvalidInput("--after-deletion trains whatever the job names: say nothing beside it.")
        _train_all(connection, deletion, as_json)
        return
    personalize = connection.client("personalize")
    arn = found(connection, SOLUTIONS, solution)
    campaign = None if deploy is None else _campaign(connection, deploy, arn)
    version = personalize.create_solution_version(
        solutionArn=arn, trainingMode="UPDATE" if update else "FULL"
    )["solutionVersionArn"]
    try:
        with job_bar("Train", quiet=as_json) as moved:
            connection.follow(
                lambda: personalize.describe_solution_version(solutionVersionArn=version)["solutionVersion"],
                version,
                lambda progress: moved(*stage_of(progress)),
            )
            moved(1.0, "", None)
        metrics = personalize.get_solution_metrics(solutionVersionArn=version)["metrics"]
        if campaign is not None:
            _deploy(connection, campaign, version, as_json)
    except OpenPersonalizeError as error:
        if as_json:
            click.echo(json.dumps({"solutionVersionArn": version, "failureReason": error.message}, indent=2))
        else:
            click.echo(error.message, err=True)
        sys.exit(1)
    if as_json:
        click.echo(
            json.dumps({"solutionVersionArn": version, "metrics": metrics, "campaignArn": campaign}, indent=2)
        )
        return
    click.echo(version)
    for name, value in sorted(metrics.items()):
        click.echo(f"  {name:<50}{value:.4f}")


def _campaign(connection: Connection, named: str, solution: str) -> str:
    """The ARN of the campaign that --deploy names.

    Raises:
        InvalidInput: it names none. ResourceNotFound: there is none of that name.
    """
    if named:
        return found(connection, CAMPAIGNS, named)
    there = sorted(str(one["name"]) for one in listed(connection, CAMPAIGNS, solutionArn=solution))
    name = solution.rpartition("/")[2]
    told = (
        f"--deploy takes the campaign that is to answer with the new version: train {name} --deploy CAMPAIGN."
    )
    known = (
        f" Campaigns of {name}: {', '.join(there)}." if there else f" {name} has no campaign: CreateCampaign."
    )
    raise InvalidInput(told + known)


def _train_all(connection: Connection, deletion: str, as_json: bool) -> None:
    """Begin what a data deletion job asks for; a campaign answers with the new version once it is told to."""
    begun = connection.page(f"{page_of_job(deletion)}/retrain", change=True)
    if as_json:
        click.echo(json.dumps(begun, indent=2))
        return
    for arn in begun["versions"]:
        click.echo(arn)
    if begun["versions"]:
        click.echo(
            "They are being trained: `openpersonalize jobs` shows how far they are. A campaign answers with a"
            " new version once it is updated (UpdateCampaign), unless it follows the latest."
        )
    else:
        click.echo("Nothing is to be trained: no model had seen these users, or the trainings have begun.")


def _deploy(connection: Connection, campaign: str, version: str, quiet: bool) -> None:
    personalize = connection.client("personalize")
    personalize.update_campaign(campaignArn=campaign, solutionVersionArn=version)

    def described() -> dict[str, object]:
        one = personalize.describe_campaign(campaignArn=campaign)["campaign"]
        return dict(one.get("latestCampaignUpdate") or one)

    with job_bar("Deploy", quiet=quiet) as moved:
        connection.follow(described, campaign, lambda progress: moved(*stage_of(progress)))
        moved(1.0, "", None)
