"""The resources of a quickstart, made through boto3 as a client's program does (`make`), and the calls as a
program to paste (`script`)."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError

from ..datasets.schemas import spelled
from ..errors import OpenPersonalizeError
from .connection import Connection, in_one_sentence
from .job_bar import job_bar, stage_of

RECIPE = "arn:aws:personalize:::recipe/aws-user-personalization-v2"
BUCKET = "quickstart"
NEW_TO_THEM = 'EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("*")'
"""Leaves out what a user met before, by any event."""
_POLL = 0.2
_LONGEST_DELETION = 60.0
_FAILURES = (OpenPersonalizeError, BotoCoreError, Boto3Error, ClientError, OSError)
_TITLES = ("TITLE", "NAME", "ITEM_NAME", "PRODUCT_NAME", "DESCRIPTION")


@dataclass(frozen=True)
class Source:
    """One file to import: its dataset type, where it is, its schema's text."""

    kind: str
    path: Path
    schema: str

    @property
    def location(self) -> str:
        """Its key in the bucket."""
        return self.path.name


@dataclass
class Made:
    """What was made: the name of all resources, the ARNs of the campaign and of the filter `NEW_TO_THEM`, a
    user to ask for, items' titles."""

    name: str
    sources: list[Source]
    campaign: str = ""
    filter: str = ""
    user: str = ""
    titles: dict[str, str] = field(default_factory=dict)


def make(connection: Connection, name: str, sources: list[Source]) -> Made:
    """Upload, import, train and deploy; `name` is one that is free. What fails leaves nothing behind;
    nor does Ctrl-C, unless a job is at work on what was made.

    Raises:
        OpenPersonalizeError: the sentence says why it failed, and what is left if it could not be removed.
    """
    made: list[tuple[str, str]] = []
    try:
        return _made(connection, name, sources, made)
    except (*_FAILURES, KeyboardInterrupt) as error:
        told = "Interrupted." if isinstance(error, KeyboardInterrupt) else _sentence(error)
        if not made:  # what is called so, files too, is somebody else's
            raise OpenPersonalizeError(told) from error
        try:
            _remove(connection, Made(name, sources), made)
        except _FAILURES:
            left = ", ".join(arn for _, arn in made)
            raise OpenPersonalizeError(f"{told} What quickstart had made is still there: {left}.") from error
        raise OpenPersonalizeError(f"{told} What quickstart had made is removed.") from error


def _sentence(error: Exception) -> str:
    return (error if isinstance(error, OpenPersonalizeError) else in_one_sentence(error)).message


def _made(connection: Connection, name: str, sources: list[Source], noted: list[tuple[str, str]]) -> Made:
    """As `make`; each resource is noted, by its kind and ARN, as soon as it is there."""
    personalize = connection.client("personalize")

    def create(kind: str, **request: Any) -> str:
        arn = str(getattr(personalize, f"create_{kind}")(**request)[_member(kind)])
        noted.append((kind, arn))
        return arn

    made = Made(name, sources)
    group = create("dataset_group", name=made.name)
    _ready(connection, "", personalize.describe_dataset_group, "datasetGroup", group)
    _upload(connection, made)
    for source in sources:
        kind = spelled(source.kind)
        schema = create("schema", name=f"{made.name}-{kind}", schema=source.schema)
        dataset = create(
            "dataset", name=f"{made.name}-{kind}", datasetType=kind, datasetGroupArn=group, schemaArn=schema
        )
        job = personalize.create_dataset_import_job(
            jobName=f"{made.name}-{kind}",
            datasetArn=dataset,
            dataSource={"dataLocation": f"s3://{BUCKET}/{made.name}/{source.location}"},
        )["datasetImportJobArn"]
        _ready(connection, f"Import {kind}", personalize.describe_dataset_import_job, "datasetImportJob", job)
    solution = create(
        "solution", name=made.name, datasetGroupArn=group, recipeArn=RECIPE, performAutoTraining=False
    )
    version = personalize.create_solution_version(solutionArn=solution)["solutionVersionArn"]
    _ready(connection, "Train", personalize.describe_solution_version, "solutionVersion", version)
    made.campaign = create("campaign", name=made.name, solutionVersionArn=version)
    _ready(connection, "Deploy", personalize.describe_campaign, "campaign", made.campaign)
    made.filter = create(
        "filter", name=f"{made.name}-new", datasetGroupArn=group, filterExpression=NEW_TO_THEM
    )
    _ready(connection, "", personalize.describe_filter, "filter", made.filter)
    made.user, made.titles = _somebody(sources)
    return made


def _remove(connection: Connection, made: Made, noted: list[tuple[str, str]]) -> None:
    """Delete what was noted, the newest first, and the files that were uploaded."""
    personalize = connection.client("personalize")
    for kind, arn in reversed(noted):
        named = {_member(kind): arn}
        until = time.monotonic() + _LONGEST_DELETION
        try:
            getattr(personalize, f"delete_{kind}")(**named)
            while time.monotonic() < until:
                getattr(personalize, f"describe_{kind}")(**named)
                time.sleep(_POLL)
            raise OpenPersonalizeError(f"{arn} is still there.")
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
    s3 = connection.client("s3")
    for source in made.sources:
        s3.delete_object(Bucket=BUCKET, Key=f"{made.name}/{source.location}")


def _member(kind: str) -> str:
    """The member of requests and answers that names a resource of a kind."""
    first, *more = kind.split("_")
    return first + "".join(word.capitalize() for word in more) + "Arn"


def script(made: Made, region: str) -> str:
    """The calls of `make` as a program that does it again, on another server or under another name."""
    lines = [
        "import boto3, time",
        "",
        f'personalize = boto3.client("personalize", region_name={json.dumps(region)})',
        f'runtime = boto3.client("personalize-runtime", region_name={json.dumps(region)})',
        "",
        "def ready(describe, **arn):",
        '    while (state := next(iter(describe(**arn).values())))["status"] != "ACTIVE":',
        '        assert "FAILED" not in state["status"], state["failureReason"]',
        "        time.sleep(0.2)",
        "",
        f"name = {json.dumps(made.name)}",
        'group = personalize.create_dataset_group(name=name)["datasetGroupArn"]',
        "ready(personalize.describe_dataset_group, datasetGroupArn=group)",
        "schemas = {",
        *(f"    {json.dumps(spelled(one.kind))}: {_quoted(one.schema)}," for one in made.sources),
        "}",
        "for kind, text in schemas.items():",
        '    schema = personalize.create_schema(name=f"{name}-{kind}", schema=text)["schemaArn"]',
        "    dataset = personalize.create_dataset(",
        '        name=f"{name}-{kind}", datasetType=kind,',
        '        datasetGroupArn=group, schemaArn=schema)["datasetArn"]',
        f'    source = {{"dataLocation": f"s3://{BUCKET}/{made.name}/{{kind.lower()}}.csv"}}',
        "    job = personalize.create_dataset_import_job(",
        '        jobName=f"{name}-{kind}", datasetArn=dataset, dataSource=source)["datasetImportJobArn"]',
        "    ready(personalize.describe_dataset_import_job, datasetImportJobArn=job)",
        f'recipe = "{RECIPE}"',
        "solution = personalize.create_solution(",
        '    name=name, datasetGroupArn=group, recipeArn=recipe, performAutoTraining=False)["solutionArn"]',
        'version = personalize.create_solution_version(solutionArn=solution)["solutionVersionArn"]',
        "ready(personalize.describe_solution_version, solutionVersionArn=version)",
        'campaign = personalize.create_campaign(name=name, solutionVersionArn=version)["campaignArn"]',
        "ready(personalize.describe_campaign, campaignArn=campaign)",
        f"user = {json.dumps(made.user)}",
        "answer = runtime.get_recommendations(campaignArn=campaign, userId=user, numResults=10)",
        'for item in answer["itemList"]:',
        '    print(item["itemId"], item["score"])',
        "",
        "# The same without what the user met before:",
        "new = personalize.create_filter(",
        f"    filterExpression={NEW_TO_THEM!r},",
        """    name=f"{name}-new", datasetGroupArn=group)["filterArn"]""",
        "ready(personalize.describe_filter, filterArn=new)",
        "answer = runtime.get_recommendations(",
        "    campaignArn=campaign, filterArn=new, userId=user, numResults=10)",
        'print("new:", *(item["itemId"] for item in answer["itemList"]))',
    ]
    return "\n".join(lines) + "\n"


def _quoted(schema: str) -> str:
    """A schema as the text of a program, in one line."""
    return repr(json.dumps(json.loads(schema)))


def free_name(personalize: Any, title: str) -> str:
    """`title`, or with a number behind it where that is taken."""
    taken = {
        one["name"]
        for page in personalize.get_paginator("list_dataset_groups").paginate()
        for one in page["datasetGroups"]
    }
    taken |= {
        one["name"].rpartition("-")[0]
        for page in personalize.get_paginator("list_schemas").paginate()
        for one in page["schemas"]
    }
    number = 1
    while (name := title if number == 1 else f"{title}-{number}") in taken:
        number += 1
    return name


def _upload(connection: Connection, made: Made) -> None:
    s3 = connection.bucket(BUCKET)
    for source in made.sources:
        s3.upload_file(str(source.path), BUCKET, f"{made.name}/{source.location}")


def _ready(connection: Connection, label: str, describe: Any, member: str, arn: str) -> None:
    with job_bar(label, quiet=not label) as moved:
        connection.follow(
            lambda: describe(**{f"{member}Arn": arn})[member],
            arn,
            lambda progress: moved(*stage_of(progress)),
        )
        moved(1.0, "", 0.0)


def _somebody(sources: list[Source]) -> tuple[str, dict[str, str]]:
    """The user with the most events, and the titles of items where there are any."""
    of = {one.kind: one.path for one in sources}
    events = pl.scan_csv(of["INTERACTIONS"], infer_schema=False)
    busiest = events.group_by("USER_ID").len().sort("len", "USER_ID", descending=[True, False]).head(1)
    user = str(busiest.collect(engine="streaming")["USER_ID"][0])
    if "ITEMS" not in of:
        return user, {}
    items = pl.scan_csv(of["ITEMS"], infer_schema=False)
    column = next((name for name in _TITLES if name in items.collect_schema().names()), None)
    if column is None:
        return user, {}
    table = items.select("ITEM_ID", pl.col(column).fill_null("")).collect()
    return user, dict(zip(table["ITEM_ID"].to_list(), table[column].to_list(), strict=True))
