"""A web shop whose pages tell OpenPersonalize what visitors do, and show what it recommends.

    python shop.py prepare      # a made-up shop's history: import, train, deploy
    python shop.py serve        # the pages, on http://localhost:8000

The README beside this says what happens.
"""

from __future__ import annotations

import json
import mimetypes
import os
import random
import sys
import time
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
from botocore.exceptions import ClientError

NAME, BUCKET, PORT = "web-shop", "web-shop", 8000
RECIPES = {"for-you": "aws-user-personalization-v2", "related": "aws-sims"}
AISLES = ("tea", "cheese", "bread", "fruit")
PRODUCTS = {
    f"{aisle}-{number:02d}": {"title": f"{aisle.title()} no. {number}", "aisle": aisle, "price": 2.5 + number}
    for aisle in AISLES
    for number in range(12)
}
PAGES = Path(__file__).parent / "pages"
SCHEMAS: dict[str, list[dict[str, Any]]] = {
    "Interactions": [
        {"name": "USER_ID", "type": "string"},
        {"name": "ITEM_ID", "type": "string"},
        {"name": "EVENT_TYPE", "type": "string"},
        {"name": "TIMESTAMP", "type": "long"},
    ],
    "Items": [
        {"name": "ITEM_ID", "type": "string"},
        {"name": "AISLE", "type": "string", "categorical": True},
        {"name": "PRICE", "type": "float"},
    ],
}


def history(customers: int = 150) -> dict[str, str]:
    """What the shop knows already, as CSV by dataset type: everybody keeps to an aisle or two."""
    chance = random.Random(7)
    now = int(time.time()) - 3600
    rows = []
    for number in range(customers):
        own = [item for item in PRODUCTS if item.split("-")[0] in chance.sample(AISLES, 1 + number % 2)]
        moment = now - chance.randrange(30 * 86_400)
        for step, item in enumerate(chance.choices(own, k=12)):
            kind = "purchase" if step % 4 == 3 else "view"
            rows.append(f"customer-{number},{item},{kind},{moment + 60 * step}")
    items = [f"{item},{one['aisle']},{one['price']}" for item, one in PRODUCTS.items()]
    return {
        "Interactions": "\n".join(["USER_ID,ITEM_ID,EVENT_TYPE,TIMESTAMP", *rows]) + "\n",
        "Items": "\n".join(["ITEM_ID,AISLE,PRICE", *items]) + "\n",
    }


def ready(describe: Any, **arn: str) -> dict[str, Any]:
    """Wait until a resource is ACTIVE."""
    while (state := next(iter(describe(**arn).values())))["status"] != "ACTIVE":
        if "FAILED" in state["status"]:
            raise SystemExit(f"{state['status']}: {state['failureReason']}")
        time.sleep(0.2)
    return dict(state)


def prepare() -> None:
    """Import, train and deploy, once."""
    personalize, s3 = boto3.client("personalize"), boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    group = personalize.create_dataset_group(name=NAME)["datasetGroupArn"]
    ready(personalize.describe_dataset_group, datasetGroupArn=group)
    for kind, text in history().items():
        s3.put_object(Bucket=BUCKET, Key=f"{kind}.csv", Body=text)
        avro = {"type": "record", "name": kind, "fields": SCHEMAS[kind], "version": "1.0"}
        schema = personalize.create_schema(name=f"{NAME}-{kind}", schema=json.dumps(avro))["schemaArn"]
        dataset = personalize.create_dataset(
            name=kind, datasetType=kind, datasetGroupArn=group, schemaArn=schema
        )["datasetArn"]
        source = {"dataLocation": f"s3://{BUCKET}/{kind}.csv"}
        job = personalize.create_dataset_import_job(
            jobName=f"{NAME}-{kind}", datasetArn=dataset, dataSource=source
        )
        ready(personalize.describe_dataset_import_job, datasetImportJobArn=job["datasetImportJobArn"])
    personalize.create_event_tracker(name=NAME, datasetGroupArn=group)
    versions = {}
    for name, recipe in RECIPES.items():
        solution = personalize.create_solution(
            name=f"{NAME}-{name}", datasetGroupArn=group, recipeArn=f"arn:aws:personalize:::recipe/{recipe}"
        )["solutionArn"]
        versions[name] = personalize.create_solution_version(solutionArn=solution)["solutionVersionArn"]
    for name, version in versions.items():
        ready(personalize.describe_solution_version, solutionVersionArn=version)
        campaign = personalize.create_campaign(name=f"{NAME}-{name}", solutionVersionArn=version)[
            "campaignArn"
        ]
        ready(personalize.describe_campaign, campaignArn=campaign)
    bought = 'EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("purchase")'
    chosen = personalize.create_filter(name=f"{NAME}-new", datasetGroupArn=group, filterExpression=bought)
    ready(personalize.describe_filter, filterArn=chosen["filterArn"])
    print(f"{NAME} is ready: {', '.join(versions)}")


class Shop:
    """What the shop's own server asks. Its key may ask for recommendations; the pages' key may not."""

    def __init__(self) -> None:
        personalize = boto3.client("personalize")
        self.runtime = boto3.client("personalize-runtime")
        campaigns = personalize.list_campaigns()["campaigns"]
        self.campaigns = {one["name"]: one["campaignArn"] for one in campaigns}
        filters = {one["name"]: one["filterArn"] for one in personalize.list_filters()["Filters"]}
        trackers = {
            one["name"]: one["eventTrackerArn"] for one in personalize.list_event_trackers()["eventTrackers"]
        }
        if f"{NAME}-new" not in filters:
            raise SystemExit("There is no shop yet: python shop.py prepare")
        self.bought = filters[f"{NAME}-new"]
        tracker = personalize.describe_event_tracker(eventTrackerArn=trackers[NAME])["eventTracker"]
        self.settings = {
            "endpoint": os.environ.get("SHOP_EVENTS_URL", os.environ["AWS_ENDPOINT_URL_PERSONALIZE_EVENTS"]),
            "region": boto3.session.Session().region_name,
            "trackingId": tracker["trackingId"],
            # A key that may tell of events of this tracker, and nothing else: every visitor can read it.
            "accessKeyId": os.environ.get("SHOP_EVENTS_KEY", "local"),
            "secretAccessKey": os.environ.get("SHOP_EVENTS_SECRET", "local"),
        }

    def for_you(self, user: str) -> list[str]:
        """What a customer, or a visitor's session, may want next and has not bought yet."""
        return self._asked("for-you", userId=user, filterArn=self.bought)

    def related(self, item: str) -> list[str]:
        """What goes with a product."""
        return self._asked("related", itemId=item)

    def _asked(self, campaign: str, **asked: str) -> list[str]:
        answer = self.runtime.get_recommendations(
            campaignArn=self.campaigns[f"{NAME}-{campaign}"], numResults=6, **asked
        )
        return [one["itemId"] for one in answer["itemList"]]


class Pages(BaseHTTPRequestHandler):
    """The shop's web server: files, and three questions."""

    def __init__(self, shop: Shop, *about: Any) -> None:
        self.shop = shop
        super().__init__(*about)

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        try:
            if parts.path == "/settings.json":
                self._send({"events": self.shop.settings, "products": PRODUCTS})
            elif parts.path == "/for-you":
                self._send(self.shop.for_you(asked["user"]))
            elif parts.path == "/related":
                self._send(self.shop.related(asked["item"]))
            else:
                self._file(parts.path)
        except (ClientError, KeyError) as error:
            self._answer(400, "text/plain", str(error).encode())

    def _file(self, path: str) -> None:
        names = {page.name: page for page in PAGES.iterdir()}
        page = names.get(path.lstrip("/") or "index.html")
        if page is None:
            self._answer(404, "text/plain", b"There is no such page.")
        else:
            self._answer(200, mimetypes.guess_type(page.name)[0] or "text/plain", page.read_bytes())

    def _send(self, value: Any) -> None:
        self._answer(200, "application/json", json.dumps(value).encode())

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *about: Any) -> None:
        """Say nothing."""


def serve(port: int = PORT) -> None:
    """Serve the pages until somebody stops it."""
    server = ThreadingHTTPServer(("127.0.0.1", port), partial(Pages, Shop()))
    print(f"The shop: http://localhost:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    if sys.argv[1:] == ["prepare"]:
        prepare()
    elif sys.argv[1:2] == ["serve"]:
        serve(int(sys.argv[2]) if len(sys.argv) > 2 else PORT)
    else:
        raise SystemExit(__doc__)
