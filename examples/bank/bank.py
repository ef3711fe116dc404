"""A bank's next best action: which offer to show a customer who opens the app, and how likely it is taken.

    python bank.py prepare          # a made-up bank's history: import, train, deploy
    python bank.py ask customer-3   # the offers for a customer, with probabilities
    python bank.py took customer-3 OFFER

The README beside this says what happens.
"""

from __future__ import annotations

import json
import random
import sys
import time
from typing import Any

import boto3

NAME = "bank"
RECIPE = "arn:aws:personalize:::recipe/aws-next-best-action"
TOPICS = ("savings", "cards", "loans")
REPEAT_DAYS = 7
OFFERS = {
    "open-savings-plan": "savings",
    "gold-card": "cards",
    "travel-insurance": "cards",
    "mortgage-talk": "loans",
}
PAGES = [f"{topic}-page-{number}" for topic in TOPICS for number in range(5)]


def _schema(kind: str, *fields: dict[str, Any]) -> str:
    return json.dumps({"type": "record", "name": kind, "fields": fields, "version": "1.0"})


def _text(name: str, **flags: bool) -> dict[str, Any]:
    return {"name": name, "type": "string", **flags}


SCHEMAS = {
    "Interactions": _schema(
        "Interactions", _text("USER_ID"), _text("ITEM_ID"), {"name": "TIMESTAMP", "type": "long"}
    ),
    "Actions": _schema(
        "Actions",
        _text("ACTION_ID"),
        _text("TOPIC", categorical=True),
        *({"name": name, "type": "long"} for name in ("VALUE", "REPEAT_FREQUENCY")),
    ),
    "Action_Interactions": _schema(
        "ActionInteractions",
        *(_text(name) for name in ("USER_ID", "ACTION_ID", "EVENT_TYPE")),
        {"name": "TIMESTAMP", "type": "long"},
    ),
}


def history(customers: int = 300) -> dict[str, str]:
    """CSV by dataset type: people read about what they need, and take offers for it."""
    chance = random.Random(3)
    now = int(time.time()) - 3600
    read, offered = [], []
    for number in range(customers):
        needs = TOPICS[number % len(TOPICS)]
        begin = now - 20 * 86_400 + number * 60
        for step in range(6):
            topic = needs if chance.random() < 0.8 else chance.choice(TOPICS)
            read.append(f"customer-{number},{topic}-page-{chance.randrange(5)},{begin + 300 * step}")
        for step, (offer, topic) in enumerate(OFFERS.items()):
            taken = chance.random() < (0.7 if topic == needs else 0.08)
            kind = "Taken" if taken else "Not taken"
            offered.append(f"customer-{number},{offer},{kind},{begin + 86_400 + 600 * step}")
    actions = [
        f"{offer},{topic},{10 + place},{REPEAT_DAYS}" for place, (offer, topic) in enumerate(OFFERS.items())
    ]
    return {
        "Interactions": "\n".join(["USER_ID,ITEM_ID,TIMESTAMP", *read]) + "\n",
        "Actions": "\n".join(["ACTION_ID,TOPIC,VALUE,REPEAT_FREQUENCY", *actions]) + "\n",
        "Action_Interactions": "\n".join(["USER_ID,ACTION_ID,EVENT_TYPE,TIMESTAMP", *offered]) + "\n",
    }


def ready(describe: Any, **arn: str) -> None:
    """Wait until a resource is ACTIVE."""
    while (state := next(iter(describe(**arn).values())))["status"] != "ACTIVE":
        if "FAILED" in state["status"]:
            raise SystemExit(f"{state['status']}: {state['failureReason']}")
        time.sleep(0.2)


def prepare() -> None:
    """Import, train and deploy, once."""
    personalize, s3 = boto3.client("personalize"), boto3.client("s3")
    s3.create_bucket(Bucket=NAME)
    group = personalize.create_dataset_group(name=NAME)["datasetGroupArn"]
    ready(personalize.describe_dataset_group, datasetGroupArn=group)
    for kind, text in history().items():
        s3.put_object(Bucket=NAME, Key=f"{kind}.csv", Body=text)
        schema = personalize.create_schema(name=f"{NAME}-{kind}", schema=SCHEMAS[kind])["schemaArn"]
        dataset = personalize.create_dataset(
            name=kind, datasetType=kind, datasetGroupArn=group, schemaArn=schema
        )["datasetArn"]
        source = {"dataLocation": f"s3://{NAME}/{kind}.csv"}
        job = personalize.create_dataset_import_job(
            jobName=f"{NAME}-{kind.replace('_', '-')}", datasetArn=dataset, dataSource=source
        )["datasetImportJobArn"]
        ready(personalize.describe_dataset_import_job, datasetImportJobArn=job)
    solution = personalize.create_solution(name=NAME, datasetGroupArn=group, recipeArn=RECIPE)["solutionArn"]
    version = personalize.create_solution_version(solutionArn=solution)["solutionVersionArn"]
    ready(personalize.describe_solution_version, solutionVersionArn=version)
    campaign = personalize.create_campaign(name=NAME, solutionVersionArn=version)["campaignArn"]
    ready(personalize.describe_campaign, campaignArn=campaign)
    print(f"{NAME} is ready")


def ask(customer: str) -> list[tuple[str, float]]:
    """The offers for a customer, the best first, each with the probability that it is taken."""
    campaigns = boto3.client("personalize").list_campaigns()["campaigns"]
    arn = next((one["campaignArn"] for one in campaigns if one["name"] == NAME), None)
    if arn is None:
        raise SystemExit("There is no bank yet: python bank.py prepare")
    answer = boto3.client("personalize-runtime").get_action_recommendations(
        campaignArn=arn, userId=customer, numResults=len(OFFERS)
    )
    return [(one["actionId"], one["score"]) for one in answer["actionList"]]


def told(customer: str, offer: str, kind: str) -> None:
    """Tell what a customer did with an offer: Taken, Not taken or Viewed."""
    personalize = boto3.client("personalize")
    datasets = personalize.list_datasets()["datasets"]
    arn = next(
        one["datasetArn"] for one in datasets if one["datasetArn"].endswith(f"/{NAME}/ACTION_INTERACTIONS")
    )
    tracking = personalize.describe_dataset(datasetArn=arn)["dataset"]["trackingId"]
    event = {
        "actionId": offer,
        "userId": customer,
        "sessionId": "app",
        "eventType": kind,
        "timestamp": time.time(),
    }
    boto3.client("personalize-events").put_action_interactions(
        trackingId=tracking, actionInteractions=[event]
    )


if __name__ == "__main__":
    if sys.argv[1:] == ["prepare"]:
        prepare()
    elif len(sys.argv) == 3 and sys.argv[1] == "ask":
        for action, probability in ask(sys.argv[2]):
            print(f"{probability:.2f}  {action}")
    elif len(sys.argv) == 4 and sys.argv[1] == "took":
        told(sys.argv[2], sys.argv[3], "Taken")
    else:
        raise SystemExit(__doc__)
