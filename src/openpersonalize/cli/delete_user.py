"""``openpersonalize delete-user``: users removed from a dataset group of a running server, for good."""

from __future__ import annotations

import csv
import io
import json
import sys
import time

import click

from ..errors import InvalidInput, OpenPersonalizeError
from .connection import Connection, connection_options
from .job_bar import job_bar, stage_of
from .naming import GROUPS, found

BUCKET = "deletions"
_FILES_STAY = (
    "Files in buckets stay as they are (what was imported, exports, answers of batch jobs): delete or mend"
    " those that name them. Imported again, such a file brings them back."
)


@click.command("delete-user")
@click.argument("users", nargs=-1, required=True, metavar="USER...")
@click.option("--group", help="dataset group, by name or ARN  [default: the only one]")
@click.option("--yes", is_flag=True, help="do it without asking")
@connection_options
@click.option("--json", "as_json", is_flag=True, help="print the outcome as JSON")
def delete_user(
    users: tuple[str, ...], group: str | None, yes: bool, endpoint: str | None, as_json: bool, **given: object
) -> None:
    """Remove users from imports, events, models and what was shown; exit code 1 when it fails."""
    connection = Connection.of(endpoint, given)
    arn = found(connection, GROUPS, group)
    if not yes:
        if not sys.stdin.isatty():
            raise InvalidInput("Nobody is there to be asked: say --yes.")
        click.confirm(f"Remove {len(users)} users from {arn} for good?", abort=True)
    s3, personalize = connection.bucket(BUCKET), connection.client("personalize")
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows([("USER_ID",), *((user,) for user in users)])
    key = f"{time.time_ns()}.csv"
    s3.put_object(Bucket=BUCKET, Key=key, Body=table.getvalue().encode())
    failure = ""
    try:
        job = personalize.create_data_deletion_job(
            jobName=f"delete-{time.time_ns()}",
            datasetGroupArn=arn,
            dataSource={"dataLocation": f"s3://{BUCKET}/{key}"},
            roleArn="arn:aws:iam::000000000000:role/AnyRole",
        )["dataDeletionJobArn"]
        with job_bar("Delete", quiet=as_json) as moved:
            done = connection.follow(
                lambda: _described(
                    personalize.describe_data_deletion_job(dataDeletionJobArn=job)["dataDeletionJob"]
                ),
                job,
                lambda progress: moved(*stage_of(progress)),
            )
            moved(1.0, "", None)
    except OpenPersonalizeError as error:
        failure = error.message
    finally:
        s3.delete_object(Bucket=BUCKET, Key=key)  # the list of those who wanted to be gone goes too
    if failure:
        click.echo(json.dumps({"failureReason": failure}, indent=2) if as_json else failure, err=not as_json)
        sys.exit(1)
    versions = connection.job(job).get("versions", [])
    if as_json:
        record = {"dataDeletionJobArn": job, "rows": done.get("numDeleted"), "versions": versions}
        click.echo(json.dumps(record, indent=2))
        return
    rows = done.get("numDeleted", 0)
    if not rows and not versions:
        click.echo(f"0 rows: nothing of {_named(users)} was in {arn}. Is that how the data spell the id?")
    else:
        click.echo(f"{rows} rows are gone.")
    click.echo(_FILES_STAY)
    if versions:
        click.echo("These versions had been trained with them and know nothing of them any more:")
        for one in versions:
            click.echo(f"  {one}")
        command = f"openpersonalize train --after-deletion {job} --endpoint {connection.address}"
        click.echo(f"To train them anew:\n  {command}")


def _named(users: tuple[str, ...]) -> str:
    """The users in a sentence, a few of many."""
    few = ", ".join(users[:3])
    return few if len(users) <= 3 else f"{few} and {len(users) - 3} others"


def _described(job: dict[str, object]) -> dict[str, object]:
    """A data deletion job, which is COMPLETED where others are ACTIVE."""
    return {**job, "status": "ACTIVE"} if job["status"] == "COMPLETED" else job
