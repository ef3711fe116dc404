"""The resources of a quickstart, made through boto3 as a client's program does (`make`), and the calls as a
program to paste (`script`)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from ..datasets.schemas import spelled
from .connection import Connection
from .job_bar import job_bar, stage_of

RECIPE = "arn:aws:personalize:::recipe/aws-user-personalization-v2"
BUCKET = "quickstart"
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
    """What was made: the name of all resources, the campaign's ARN, a user to ask for, items' titles."""

    name: str
    sources: list[Source]
    campaign: str = ""
    user: str = ""
    titles: dict[str, str] = field(default_factory=dict)


def make(connection: Connection, name: str, sources: list[Source]) -> Made:
    """Upload, import, train and deploy; `name` is one that is free."""
    personalize = connection.client("personalize")
    made = Made(name, sources)
    group = personalize.create_dataset_group(name=made.name)["datasetGroupArn"]
    _upload(connection, made)
    _ready(connection, "", personalize.describe_dataset_group, "datasetGroup", group)
    for source in sources:
        kind = spelled(source.kind)
        schema = personalize.create_schema(name=f"{made.name}-{kind}", schema=source.schema)["schemaArn"]
        dataset = personalize.create_dataset(
            name=f"{made.name}-{kind}", datasetType=kind, datasetGroupArn=group, schemaArn=schema
        )["datasetArn"]
        job = personalize.create_dataset_import_job(
            jobName=f"{made.name}-{kind}",
            datasetArn=dataset,
            dataSource={"dataLocation": f"s3://{BUCKET}/{made.name}/{source.location}"},
        )["datasetImportJobArn"]
        _ready(connection, f"Import {kind}", personalize.describe_dataset_import_job, "datasetImportJob", job)
    solution = personalize.create_solution(
        name=made.name, datasetGroupArn=group, recipeArn=RECIPE, performAutoTraining=False
    )["solutionArn"]
    version = personalize.create_solution_version(solutionArn=solution)["solutionVersionArn"]
    _ready(connection, "Train", personalize.describe_solution_version, "solutionVersion", version)
    made.campaign = personalize.create_campaign(name=made.name, solutionVersionArn=version)["campaignArn"]
    _ready(connection, "Deploy", personalize.describe_campaign, "campaign", made.campaign)
    made.user, made.titles = _somebody(sources)
    return made


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
