"""Programs that are called every few minutes until all is there, or all is gone: each call looks what exists,
makes what is missing, and leaves the rest for the next. Deployments of demonstration shops and of pipelines
work so, from lists and descriptions alone.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

import shop
from live import PATIENCE, Server

RECIPE = "arn:aws:personalize:::recipe/"
ROLE = "arn:aws:iam::000000000000:role/import"
SCHEMAS = {
    "Interactions": shop.schema(
        "Interactions",
        shop.field("ITEM_ID"),
        shop.field("USER_ID"),
        shop.field("EVENT_TYPE"),
        shop.field("TIMESTAMP", "long"),
        shop.field("DISCOUNT", categorical=True),
    ),
    "Items": shop.schema(
        "Items",
        shop.field("ITEM_ID"),
        shop.field("PRICE", "float"),
        shop.field("CATEGORY_L1", ["string"], categorical=True),
        shop.field("PRODUCT_NAME"),
        shop.field("PRODUCT_DESCRIPTION", textual=True),
        shop.field("PROMOTED"),
    ),
}
FILTERS = {
    "not-bought": 'EXCLUDE ItemID WHERE INTERACTIONS.event_type IN ("Purchase")',
    "some-categories": 'EXCLUDE ItemID WHERE ITEMS.CATEGORY_L1 NOT IN ("books", "games")',
    "same-category": "INCLUDE ItemID WHERE ITEMS.CATEGORY_L1 IN CurrentItem.CATEGORY_L1",
    "promoted": 'EXCLUDE ItemID WHERE INTERACTIONS.event_type IN ("Purchase") | INCLUDE ItemID WHERE'
    ' ITEMS.PROMOTED IN ("Y") AND ITEMS.CATEGORY_L1 NOT IN ("books")',
}
EXCLUDED = {"trainingDataConfig": {"excludedDatasetColumns": {"ITEMS": ["PRODUCT_NAME", "PROMOTED"]}}}
FEATURED = shop.ITEMS[:6]


def table(kind: str) -> str:
    """The small shop as such programs write it: columns in another order, and one that no schema has."""
    rows = [line.split(",") for line in shop.csv(kind).splitlines()[1:]]
    if kind == "Items":
        named = [
            f"{n},{row[0]},{row[2]},{row[1]},The {row[0]},A fine {row[1]} of the house,{'YN'[n % 2]}"
            for n, row in enumerate(rows)
        ]
        return "\n".join([",ITEM_ID,PRICE,CATEGORY_L1,PRODUCT_NAME,PRODUCT_DESCRIPTION,PROMOTED", *named])
    named = [
        f"{n},{row[1]},{row[0]},{'Purchase' if n % 9 == 0 else 'View'},{row[2]},{('Yes', 'No')[n % 2]}"
        for n, row in enumerate(rows)
    ]
    return "\n".join([",ITEM_ID,USER_ID,EVENT_TYPE,TIMESTAMP,DISCOUNT", *named])


@dataclass(frozen=True)
class Program:
    """The clients of a program, and the region that it has for itself."""

    personalize: Any
    runtime: Any
    s3: Any

    def listed(self, operation: str, **narrowed: Any) -> Iterator[dict[str, Any]]:
        for page in self.personalize.get_paginator(operation).paginate(**narrowed):
            yield from next(value for value in page.values() if isinstance(value, list))

    def found(self, operation: str, name: str, **narrowed: Any) -> dict[str, Any] | None:
        every = self.listed(operation, **narrowed)
        return next((one for one in every if name in (one.get("name"), one.get("jobName"))), None)

    def had(self, operation: str, name: str, make: Callable[[], Any], **narrowed: Any) -> dict[str, Any]:
        """What a list says of a name; it is made when it is not there, and then has no status yet."""
        there = self.found(operation, name, **narrowed)
        if there is None:
            make()
        return there or {}

    def set_up(self) -> bool:
        """One call; whether all was ACTIVE."""
        create = self.personalize
        schemas = {kind: self.schema(kind, text) for kind, text in SCHEMAS.items()}
        made = self.had(
            "list_dataset_groups",
            "retail",
            lambda: create.create_dataset_group(name="retail", domain="ECOMMERCE"),
        )
        if made.get("status") != "ACTIVE":
            return False
        group = {"datasetGroupArn": made["datasetGroupArn"]}
        datasets = {
            kind: self.had(
                "list_datasets",
                kind,
                lambda kind=kind: create.create_dataset(
                    name=kind, datasetType=kind.upper(), schemaArn=schemas[kind], **group
                ),
                **group,
            )
            for kind in SCHEMAS
        }
        if any(one.get("status") != "ACTIVE" for one in datasets.values()):
            return False
        imports = [
            self.had(
                "list_dataset_import_jobs",
                f"{kind}-import",
                lambda kind=kind, one=one: create.create_dataset_import_job(
                    jobName=f"{kind}-import",
                    datasetArn=one["datasetArn"],
                    dataSource={"dataLocation": f"s3://retail/csvs/{kind}.csv"},
                    roleArn=ROLE,
                ),
                datasetArn=one["datasetArn"],
            )
            for kind, one in datasets.items()
        ]
        if any(one.get("status") != "ACTIVE" for one in imports):
            return False
        parts = [self.recommender(group), self.tracker(group), *self.filters(group)]
        version = self.version(group)
        if version.get("status") == "ACTIVE":
            parts.append(self.campaign(version))
            if all(part.get("status") == "ACTIVE" for part in parts):
                parts.append(self.themes(version, group))
        return all(part.get("status") == "ACTIVE" for part in [*parts, version])

    def schema(self, kind: str, text: str) -> str:
        """A schema of that name and text: one of another text is replaced."""
        there = self.found("list_schemas", kind)
        if there is not None:
            described = self.personalize.describe_schema(schemaArn=there["schemaArn"])["schema"]
            if json.loads(described["schema"]) == json.loads(text):
                return str(there["schemaArn"])
            self.personalize.delete_schema(schemaArn=there["schemaArn"])
        return str(self.personalize.create_schema(name=kind, schema=text, domain="ECOMMERCE")["schemaArn"])

    def recommender(self, group: dict[str, str]) -> dict[str, Any]:
        recipe = f"{RECIPE}aws-ecomm-popular-items-by-views"
        return self.had(
            "list_recommenders",
            "popular",
            lambda: self.personalize.create_recommender(
                name="popular", recipeArn=recipe, recommenderConfig=EXCLUDED, **group
            ),
            **group,
        )

    def tracker(self, group: dict[str, str]) -> dict[str, Any]:
        return self.had(
            "list_event_trackers",
            "tracker",
            lambda: self.personalize.create_event_tracker(name="tracker", **group),
            **group,
        )

    def filters(self, group: dict[str, str]) -> Iterator[dict[str, Any]]:
        for name, expression in FILTERS.items():
            yield self.had(
                "list_filters",
                name,
                lambda name=name, expression=expression: self.personalize.create_filter(
                    name=name, filterExpression=expression, **group
                ),
                **group,
            )

    def version(self, group: dict[str, str]) -> dict[str, Any]:
        """The best version of the solution that there is."""
        made = self.had(
            "list_solutions",
            "related",
            lambda: self.personalize.create_solution(
                name="related",
                recipeArn=f"{RECIPE}aws-similar-items",
                eventType="View",
                solutionConfig=EXCLUDED,
                performAutoTraining=False,
                **group,
            ),
            **group,
        )
        if made.get("status") != "ACTIVE":
            return {}
        versions = list(self.listed("list_solution_versions", solutionArn=made["solutionArn"]))
        if not versions:
            self.personalize.create_solution_version(solutionArn=made["solutionArn"], trainingMode="FULL")
            return {}
        return min(versions, key=lambda one: one["status"] != "ACTIVE")

    def campaign(self, version: dict[str, Any]) -> dict[str, Any]:
        solution = version["solutionVersionArn"].rsplit("/", 1)[0]
        return self.had(
            "list_campaigns",
            "related",
            lambda: self.personalize.create_campaign(
                name="related", solutionVersionArn=version["solutionVersionArn"]
            ),
            solutionArn=solution,
        )

    def themes(self, version: dict[str, Any], group: dict[str, str]) -> dict[str, Any]:
        name = "themes-" + version["solutionVersionArn"].rsplit("/", 1)[1]

        def make() -> None:
            lines = "".join(json.dumps({"itemId": item}) + "\n" for item in FEATURED)
            self.s3.put_object(Bucket="retail", Key="featured.json", Body=lines.encode())
            same = self.found("list_filters", "same-category", **group)
            assert same is not None
            self.personalize.create_batch_inference_job(
                jobName=name,
                solutionVersionArn=version["solutionVersionArn"],
                filterArn=same["filterArn"],
                roleArn=ROLE,
                batchInferenceJobMode="THEME_GENERATION",
                themeGenerationConfig={"fieldsForThemeGeneration": {"itemName": "PRODUCT_NAME"}},
                jobInput={"s3DataSource": {"path": "s3://retail/featured.json"}},
                jobOutput={"s3DataDestination": {"path": "s3://retail/themes/"}},
                numResults=15,
            )

        arn = version["solutionVersionArn"]
        return self.had("list_batch_inference_jobs", name, make, solutionVersionArn=arn)

    def clean_up(self) -> bool:
        """One call; whether all is gone. A step begins when nothing is left of the one before."""
        group = self.found("list_dataset_groups", "retail")
        if group is None:
            return True
        narrowed = {"datasetGroupArn": group["datasetGroupArn"]}
        solutions = list(self.listed("list_solutions", **narrowed))
        campaigns = [
            one
            for each in solutions
            for one in self.listed("list_campaigns", solutionArn=each["solutionArn"])
        ]
        steps: list[tuple[str, list[dict[str, Any]]]] = [
            ("campaign", campaigns),
            ("recommender", list(self.listed("list_recommenders", **narrowed))),
            ("solution", solutions),
            ("event_tracker", list(self.listed("list_event_trackers", **narrowed))),
            ("filter", list(self.listed("list_filters", **narrowed))),
            ("dataset", list(self.listed("list_datasets", **narrowed))),
        ]
        for kind, resources in steps:
            if resources:
                for one in resources:
                    self.gone(kind, one)
                return False
        self.gone("dataset_group", group)
        return False

    def gone(self, kind: str, resource: dict[str, Any]) -> None:
        """Ask for its deletion, unless it is on its way; what vanished since it was listed is no error."""
        first, *rest = kind.split("_")
        member = first + "".join(word.capitalize() for word in rest) + "Arn"
        arn = {member: resource[member]}
        try:
            described = getattr(self.personalize, f"describe_{kind}")(**arn)
            status = next(one for one in described.values() if "status" in one)["status"]
            assert status in ("ACTIVE", "CREATE FAILED") or status.startswith("DELETE"), status
            if not status.startswith("DELETE"):
                getattr(self.personalize, f"delete_{kind}")(**arn)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise


def until(call: Callable[[], bool]) -> int:
    """How many calls it took."""
    end, calls = time.monotonic() + 120 * PATIENCE, 1
    while not call():
        assert time.monotonic() < end
        calls += 1
        time.sleep(0.1)
    return calls


@pytest.fixture(scope="module")
def program(server: Server, region: str) -> Program:
    session = boto3.Session("local", "local", region_name=region)
    made = [
        session.client(name, endpoint_url=server.endpoint)
        for name in ("personalize", "personalize-runtime", "s3")
    ]
    return Program(*made)


def test_a_shop_is_set_up_and_cleaned_up(program: Program) -> None:
    program.s3.create_bucket(Bucket="retail")
    for kind in SCHEMAS:
        program.s3.upload_fileobj(io.BytesIO(table(kind).encode()), "retail", f"csvs/{kind}.csv")
    program.personalize.create_schema(name="Items", schema=shop.SCHEMAS["Users"])  # left by somebody
    assert until(program.set_up) > 2
    keys = [one["Key"] for one in program.s3.list_objects_v2(Bucket="retail", Prefix="themes/")["Contents"]]
    assert keys == ["themes/featured.json.out"]
    body = program.s3.get_object(Bucket="retail", Key=keys[0])["Body"].read()
    lines = [json.loads(line) for line in body.splitlines()]
    assert [line["input"]["itemId"] for line in lines] == FEATURED
    assert all(line["output"]["theme"] for line in lines)
    for line in lines:
        own = shop.department(line["input"]["itemId"])
        assert {shop.department(item) for item in line["output"]["recommendedItems"]} == {own}
    group = program.found("list_dataset_groups", "retail")
    assert group is not None
    narrowed = {"datasetGroupArn": group["datasetGroupArn"]}
    recommender, *others = program.listed("list_recommenders", **narrowed)
    assert others == []
    bought = program.found("list_filters", "not-bought", **narrowed)
    assert bought is not None
    answer = program.runtime.get_recommendations(
        recommenderArn=recommender["recommenderArn"],
        userId=shop.USERS[1],
        numResults=60,
        filterArn=bought["filterArn"],
    )
    assert 0 < len(answer["itemList"]) < len(shop.ITEMS)
    until(program.clean_up)
    for kind in SCHEMAS:
        there = program.found("list_schemas", kind)
        assert there is not None
        program.personalize.delete_schema(schemaArn=there["schemaArn"])
    assert program.found("list_solutions", "related") is None
