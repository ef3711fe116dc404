"""The shop of the demo, made and asked by boto3 as a client's program does: `Shop`.

What it does can be copied: it knows nothing beyond Amazon Personalize's API, but for the progress of jobs.
"""

from __future__ import annotations

import gzip
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, BinaryIO, cast

import boto3
import click
import polars as pl

from .job_bar import job_bar, stage_of

SHOP = "online-retail"
NAMESPACE = "com.amazonaws.personalize.schema"
RECIPE = "arn:aws:personalize:::recipe/aws-user-personalization-v2"
NEW_AND_IN_STOCK = (
    'EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("purchase")'
    ' | EXCLUDE ItemID WHERE Items.IN_STOCK IN ("no")'
)


def _schema(name: str, **columns: str | dict[str, Any]) -> str:
    fields = [
        {"name": column, **(kind if isinstance(kind, dict) else {"type": kind})}
        for column, kind in columns.items()
    ]
    return json.dumps(
        {"type": "record", "name": name, "namespace": NAMESPACE, "fields": fields, "version": "1.0"}
    )


SCHEMAS = {
    "Interactions": _schema(
        "Interactions",
        USER_ID="string",
        ITEM_ID="string",
        TIMESTAMP="long",
        EVENT_TYPE="string",
        EVENT_VALUE="float",
        QUANTITY="int",
        PRICE="float",
    ),
    "Items": _schema(
        "Items",
        ITEM_ID="string",
        TITLE={"type": ["null", "string"]},
        PRICE={"type": ["null", "float"]},
        CREATION_TIMESTAMP="long",
        IN_STOCK="string",
    ),
    "Users": _schema("Users", USER_ID="string", COUNTRY={"type": "string", "categorical": True}),
}


def read_tables() -> dict[str, pl.DataFrame]:
    """Interactions, items and users of the shop, as its CSV files have them."""
    return {name: _table(name) for name in ("interactions", "items", "users")}


def _table(name: str) -> pl.DataFrame:
    packed = resources.files("openpersonalize") / "demo_data" / f"{name}.csv.gz"
    with packed.open("rb") as file, gzip.open(file) as plain:
        frame = pl.read_csv(cast(BinaryIO, plain), infer_schema=False)
    return frame.with_columns(IN_STOCK=pl.lit("yes")) if name == "items" else frame


@dataclass
class Shop:
    """The shop of the demo: its tables and the AWS clients that speak to the server."""

    endpoint: str
    tables: dict[str, pl.DataFrame]
    customer: str

    def __post_init__(self) -> None:
        session = boto3.Session(
            aws_access_key_id="demo",
            aws_secret_access_key="demo",  # noqa: S106 (any will do without keys)
            region_name="us-east-1",
        )
        services = ("personalize", "personalize-runtime", "personalize-events")
        self.personalize, self.runtime, self.events = (
            session.client(service, endpoint_url=self.endpoint) for service in services
        )
        items = self.tables["items"]
        self.titles = dict(zip(items["ITEM_ID"], items["TITLE"].fill_null("?"), strict=True))
        self.datasets: dict[str, str] = {}
        self.campaign = self.filter = self.tracking_id = ""

    # ------------------------------------------------------------------------------------------ build

    def fill(self, buckets: Path) -> None:
        """Write the CSV files where s3://demo/... looks for them without an S3 service."""
        for name, frame in self.tables.items():
            target = buckets / "demo" / SHOP / f"{name}.csv"
            target.parent.mkdir(parents=True, exist_ok=True)
            frame.write_csv(target)

    def build(self) -> None:
        """Everything from schemas to a campaign, a filter and an event tracker."""
        personalize = self.personalize
        _headline("Import", "CSV files into three datasets")
        group = personalize.create_dataset_group(name=SHOP)["datasetGroupArn"]
        self._wait("dataset_group", "datasetGroup", group, quiet=True)
        jobs = []
        for kind, text in SCHEMAS.items():
            schema = personalize.create_schema(name=f"{SHOP}-{kind}", schema=text)["schemaArn"]
            self.datasets[kind] = personalize.create_dataset(
                name=kind, datasetType=kind, datasetGroupArn=group, schemaArn=schema
            )["datasetArn"]
            jobs.append(
                personalize.create_dataset_import_job(
                    jobName=f"{SHOP}-{kind}",
                    datasetArn=self.datasets[kind],
                    dataSource={"dataLocation": f"s3://demo/{SHOP}/{kind.lower()}.csv"},
                    roleArn="arn:aws:iam::000000000000:role/AnyRole",
                )["datasetImportJobArn"]
            )
        for kind, job in zip(SCHEMAS, jobs, strict=True):
            self._wait("dataset_import_job", "datasetImportJob", job, label=kind)

        _headline("Train", "aws-user-personalization-v2 on purchases; returns do not count as likes")
        solution = personalize.create_solution(
            name=SHOP,
            datasetGroupArn=group,
            recipeArn=RECIPE,
            eventType="purchase",
            performAutoTraining=False,
        )["solutionArn"]
        version = personalize.create_solution_version(solutionArn=solution)["solutionVersionArn"]
        self._wait("solution_version", "solutionVersion", version, label="Training")
        metrics = personalize.get_solution_metrics(solutionVersionArn=version)["metrics"]
        for name, value in sorted(metrics.items()):
            click.echo(f"  {name:<50}{value:.4f}")

        _headline("Deploy", "a campaign, a filter, an event tracker")
        self.campaign = personalize.create_campaign(name=SHOP, solutionVersionArn=version)["campaignArn"]
        self._wait("campaign", "campaign", self.campaign, label="Campaign")
        self.filter = personalize.create_filter(
            name="new-and-in-stock", datasetGroupArn=group, filterExpression=NEW_AND_IN_STOCK
        )["filterArn"]
        self.tracking_id = personalize.create_event_tracker(name=SHOP, datasetGroupArn=group)["trackingId"]

    def _wait(self, operation: str, member: str, arn: str, *, label: str = "", quiet: bool = False) -> None:
        describe = getattr(self.personalize, f"describe_{operation}")
        with job_bar(label, quiet) as moved:
            while True:
                state = describe(**{f"{member}Arn": arn})[member]
                if state["status"] == "ACTIVE":
                    moved(1.0, "", None)
                    return
                if "FAILED" in state["status"]:
                    raise click.ClickException(f"{arn}: {state.get('failureReason')}")
                if not quiet:
                    moved(*self._progress(arn))
                time.sleep(0.1)

    def _progress(self, arn: str) -> tuple[float, str, float | None]:
        """How far a job is, from the server's own job page."""
        try:
            address = f"{self.endpoint}/v1/jobs/{urllib.parse.quote(arn, safe='')}"
            with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310 (our own address)
                return stage_of(json.load(answer).get("progress") or {})
        except urllib.error.HTTPError:  # the job is not there yet, or the resource needs none
            return 0.0, "", None

    # ------------------------------------------------------------------------------------------ show

    def show(self) -> None:
        """Recommendations for one customer, with filters, before and after a streamed event."""
        bought = self._bought()
        _headline(f"Customer {self.customer}", f"bought {len(bought)} different products, lately:")
        self._list([{"itemId": item} for item in self._lately(4)])

        _headline("GetRecommendations", "no filter: what is bought again and again is in it")
        self._list(self._recommend(5), bought)

        _headline("GetRecommendations", f"with the filter {NEW_AND_IN_STOCK}")
        fresh = self._recommend(5, self.filter)
        self._list(fresh, bought)
        again = bought & {item["itemId"] for item in self._recommend(500, self.filter)}
        click.echo(f"  {len(again)} of the first 500 were bought before (checked against the CSV file).")
        if again:
            raise click.ClickException(f"the filter let bought products through: {sorted(again)[:5]}")

        sold_out = fresh[0]["itemId"]
        _headline("PutItems", f"{self.titles[sold_out]} sells out; the very next answer lacks it")
        self._put_stock(sold_out, "no")
        after = self._recommend(5, self.filter)
        self._list(after, bought)
        if sold_out in {item["itemId"] for item in after}:
            raise click.ClickException(f"{sold_out} is out of stock and still recommended")

        chosen = self._recommend(60, self.filter)[-1]["itemId"]
        before = [item["itemId"] for item in self._recommend(25, self.filter)]
        _headline("PutEvents", f"the customer buys {self.titles[chosen]}; the next answer knows")
        self.events.put_events(
            trackingId=self.tracking_id,
            userId=self.customer,
            sessionId="demo",
            eventList=[{"eventType": "purchase", "itemId": chosen, "sentAt": time.time()}],
        )
        self._list(self._recommend(5, self.filter), bought)
        later = [item["itemId"] for item in self._recommend(25, self.filter)]
        new = len(set(later) - set(before))
        moved = sum(was != now for was, now in zip(before, later, strict=True)) - new
        click.echo(f"  Of the first 25, {new} are new and {moved} stand in another place.")
        if later == before:
            raise click.ClickException("the purchase changed nothing")

    def _recommend(self, count: int, filter_arn: str = "") -> list[dict[str, Any]]:
        wanted: dict[str, Any] = {"campaignArn": self.campaign, "userId": self.customer, "numResults": count}
        if filter_arn:
            wanted["filterArn"] = filter_arn
        return cast(list[dict[str, Any]], self.runtime.get_recommendations(**wanted)["itemList"])

    def _list(self, items: list[dict[str, Any]], bought: set[str] | None = None) -> None:
        for item in items:
            score = f"{item['score']:.5f}" if "score" in item else " " * 7
            note = "  (bought before)" if bought and item["itemId"] in bought else ""
            click.echo(f"  {score}  {item['itemId']:<8}{self.titles.get(item['itemId'], '?')}{note}")

    def _own_rows(self) -> pl.DataFrame:
        rows = self.tables["interactions"]
        return rows.filter((pl.col("USER_ID") == self.customer) & (pl.col("EVENT_TYPE") == "purchase"))

    def _bought(self) -> set[str]:
        return set(self._own_rows()["ITEM_ID"])

    def _lately(self, count: int) -> list[str]:
        return self._own_rows().sort("TIMESTAMP", maintain_order=True)["ITEM_ID"].tail(count).to_list()

    def _put_stock(self, item: str, in_stock: str) -> None:
        row = self.tables["items"].filter(pl.col("ITEM_ID") == item).row(0, named=True)
        properties = {
            "title": row["TITLE"],
            "price": row["PRICE"],
            "creationTimestamp": row["CREATION_TIMESTAMP"],
            "inStock": in_stock,
        }
        self.events.put_items(
            datasetArn=self.datasets["Items"], items=[{"itemId": item, "properties": json.dumps(properties)}]
        )


def _headline(title: str, rest: str) -> None:
    click.echo("")
    click.echo(click.style(title, bold=True) + f"  {rest}")
