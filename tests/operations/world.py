"""A small world in which every operation of Amazon Personalize has something to work on."""

from __future__ import annotations

import json
import time
from typing import Any

import botocore

import domains
import shop
from live import Server, Wait, make_clients
from shapes import SERVICES, model

from .test_actions import SCHEMAS

ROLE = "arn:aws:iam::000000000000:role/Personalize"
RECIPE = "arn:aws:personalize:::recipe/"
POPULAR, RANKING, SEGMENTS, ACTIONS = (
    "aws-popularity-count",
    "aws-personalized-ranking",
    "aws-item-affinity",
    "aws-next-best-action",
)
SERVICE_OF = {name: service for service in SERVICES for name in model(service).operation_names}
"""The service of each of the 79 operations."""
ACTION_NAMES = [f"action-{number}" for number in range(6)]
CSV = {
    **{kind: shop.csv(kind) for kind in shop.TYPES},
    "Actions": "ACTION_ID,KIND,VALUE,EXPIRATION_TIMESTAMP,REPEAT_FREQUENCY,CREATION_TIMESTAMP\n"
    + "".join(f"{one},kind,{n},,,{shop.LAST - 86_400 * 90}\n" for n, one in enumerate(ACTION_NAMES)),
    "Action_Interactions": "USER_ID,ACTION_ID,EVENT_TYPE,TIMESTAMP,RECOMMENDATION_ID,ITEM_ID\n"
    + "".join(
        f"{user},{one},{'Taken' if (n + k) % 2 else 'Not taken'},{shop.LAST - 86_400 * (40 - n)},,\n"
        for k, user in enumerate(shop.USERS)
        for n, one in enumerate(ACTION_NAMES)
    ),
}


class World:
    """Two dataset groups, a custom one and one of a domain, with a resource of every kind.

    Attributes:
        requests: of each operation that was called, the first request.
        arns: the first ARN of each kind, by its member: ``campaignArn``.
        called: the operations that answered, in this order.
    """

    def __init__(self, server: Server, region: str) -> None:
        self.server, self.region = server, region
        self.clients = make_clients(server.endpoint, region)
        self.wait = Wait(self.clients.personalize)
        self.requests: dict[str, dict[str, Any]] = {}
        self.arns: dict[str, str] = {}
        self.called: dict[str, None] = {}
        self._build()

    def call(self, operation: str, **request: Any) -> dict[str, Any]:
        """The answer, whose bytes the client has held against the published shape."""
        service = SERVICE_OF[operation]
        client = {
            "personalize": self.clients.personalize,
            "personalize-runtime": self.clients.runtime,
            "personalize-events": self.clients.events,
        }[service]
        answer = dict(getattr(client, botocore.xform_name(operation))(**request))
        self.requests.setdefault(operation, request)
        self.called[operation] = None
        if operation.startswith("Create"):
            for member, value in answer.items():
                if member.endswith("Arn"):
                    self.arns.setdefault(member, value)
        return answer

    def _build(self) -> None:
        group = self.call("CreateDatasetGroup", name="walk")["datasetGroupArn"]
        self.wait.active(group)
        datasets, jobs = {}, []
        for kind, text in {**shop.SCHEMAS, **SCHEMAS}.items():
            schema = self.call("CreateSchema", name=f"schema-{kind}", schema=text)["schemaArn"]
            datasets[kind] = self.call(
                "CreateDataset", name=kind, datasetGroupArn=group, datasetType=kind, schemaArn=schema
            )["datasetArn"]
            job = self.call(
                "CreateDatasetImportJob",
                jobName=f"import-{kind}",
                datasetArn=datasets[kind],
                dataSource={"dataLocation": self.server.put(f"s3://walk/{kind}.csv", CSV[kind])},
                roleArn=ROLE,
            )
            jobs.append(job["datasetImportJobArn"])
        self.datasets = datasets
        wider = json.loads(shop.SCHEMAS["Items"])
        wider["fields"].append(shop.field("SIZE", ["string", "null"]))
        made = self.call("CreateSchema", name="schema-wider", schema=json.dumps(wider))
        self.wider_schema = made["schemaArn"]
        self.tracking_id = self.call("CreateEventTracker", name="tracker", datasetGroupArn=group)[
            "trackingId"
        ]
        for arn in jobs:
            self.wait.active(arn)
        self.store = domains.make_domain(self.server, self.region, "ECOMMERCE", "store", "Interactions")
        self._train(group)
        self._ask()
        self._work(group)
        self._look()

    def _train(self, group: str) -> None:
        versions = {}
        for recipe in (POPULAR, RANKING, SEGMENTS, ACTIONS):
            solution = self.call(
                "CreateSolution",
                name=f"by-{recipe}",
                datasetGroupArn=group,
                recipeArn=RECIPE + recipe,
                performAutoTraining=False,
            )["solutionArn"]
            versions[recipe] = self.call("CreateSolutionVersion", solutionArn=solution, name="first")[
                "solutionVersionArn"
            ]
        self.versions = versions
        recommender = self.call(
            "CreateRecommender",
            name="recommender",
            datasetGroupArn=self.store,
            recipeArn=f"{RECIPE}aws-ecomm-popular-items-by-views",
        )["recommenderArn"]
        stopped = self.call("CreateSolutionVersion", solutionArn=self.arns["solutionArn"], name="stopped")
        self.call("StopSolutionVersionCreation", solutionVersionArn=stopped["solutionVersionArn"])
        for arn in versions.values():
            self.wait.active(arn, 120)
        self.campaigns = {
            recipe: self.call(
                "CreateCampaign",
                name=f"campaign-{recipe}",
                solutionVersionArn=versions[recipe],
                minProvisionedTPS=1,
            )["campaignArn"]
            for recipe in (POPULAR, RANKING, ACTIONS)
        }
        for arn in (*self.campaigns.values(), recommender):
            self.wait.active(arn, 120)
        filter_arn = self.call(
            "CreateFilter",
            name="filter",
            datasetGroupArn=group,
            filterExpression='INCLUDE ItemID WHERE Items.DEPARTMENT IN ("books")',
        )["filterArn"]
        self.wait.active(filter_arn)

    def _ask(self) -> None:
        """The services of the runtime and of events."""
        tracked = {"trackingId": self.tracking_id, "sessionId": "session", "userId": shop.USERS[0]}
        event = {"eventType": "click", "itemId": shop.ITEMS[0], "sentAt": int(time.time())}
        self.call("PutEvents", **tracked, eventList=[event])
        done = {
            "actionId": ACTION_NAMES[0],
            "userId": shop.USERS[0],
            "sessionId": "session",
            "timestamp": int(time.time()),
            "eventType": "Taken",
        }
        self.call(
            "PutActionInteractions",
            trackingId=self.wait.describe(self.datasets["Action_Interactions"])["trackingId"],
            actionInteractions=[done],
        )
        item = {"department": "books", "price": 1.5, "creationTimestamp": shop.LAST}
        records = {
            "Items": {"itemId": "item-new", "properties": json.dumps(item)},
            "Users": {"userId": "user-new", "properties": json.dumps({"age": 3, "city": "Oslo"})},
            "Actions": {
                "actionId": "action-new",
                "properties": json.dumps({"kind": "kind", "creationTimestamp": shop.LAST}),
            },
        }
        for kind, record in records.items():
            self.call(f"Put{kind}", datasetArn=self.datasets[kind], **{kind.lower(): [record]})
        filtered = {"userId": shop.USERS[1], "filterArn": self.arns["filterArn"]}
        books = self.call("GetRecommendations", campaignArn=self.campaigns[POPULAR], **filtered)["itemList"]
        old = {entry["itemId"] for entry in books} - {"item-new"}  # which is a book as well
        assert {shop.department(item) for item in old} == {"books"}
        ranked = self.call(
            "GetPersonalizedRanking",
            campaignArn=self.campaigns[RANKING],
            inputList=shop.ITEMS[:4],
            userId=shop.USERS[1],
        )["personalizedRanking"]
        assert sorted(entry["itemId"] for entry in ranked) == shop.ITEMS[:4]
        actions = self.call(
            "GetActionRecommendations", campaignArn=self.campaigns[ACTIONS], userId=shop.USERS[1]
        )["actionList"]
        assert {entry["actionId"] for entry in actions} <= {*ACTION_NAMES, "action-new"}
        assert actions

    def _work(self, group: str) -> None:
        """Jobs over files, and what is counted and tagged."""
        metric = {"eventType": "click", "metricName": "clicks", "expression": "SAMPLECOUNT()"}
        self.call(
            "CreateMetricAttribution",
            name="attribution",
            datasetGroupArn=group,
            metrics=[metric],
            metricsOutputConfig={"roleArn": ROLE, "s3DataDestination": {"path": "s3://walk/reports/"}},
        )
        jobs = []
        for kind, recipe, line in (
            ("BatchInference", POPULAR, {"userId": shop.USERS[0]}),
            ("BatchSegment", SEGMENTS, {"itemId": shop.ITEMS[0]}),
        ):
            source = self.server.put(f"s3://walk/{kind}.json", json.dumps(line) + "\n")
            made = self.call(
                f"Create{kind}Job",
                jobName="job",
                solutionVersionArn=self.versions[recipe],
                jobInput={"s3DataSource": {"path": source}},
                jobOutput={"s3DataDestination": {"path": f"s3://walk/{kind}-out/"}},
                roleArn=ROLE,
            )
            jobs.append(made[f"b{kind[1:]}JobArn"])
        jobs.append(
            self.call(
                "CreateDatasetExportJob",
                jobName="export",
                datasetArn=self.arns["datasetArn"],
                roleArn=ROLE,
                jobOutput={"s3DataDestination": {"path": "s3://walk/export/"}},
            )["datasetExportJobArn"]
        )
        for arn in jobs:
            self.wait.active(arn)
        tagged = self.arns["campaignArn"]
        self.call("TagResource", resourceArn=tagged, tags=[{"tagKey": "kept", "tagValue": "1"}])
        self.call("UntagResource", resourceArn=tagged, tagKeys=["gone"])
        assert self.call("ListTagsForResource", resourceArn=tagged)["tags"] == [
            {"tagKey": "kept", "tagValue": "1"}
        ]
        location = self.server.put("s3://walk/gone.csv", f"USER_ID\n{shop.USERS[-1]}\n")
        deletion = self.call(
            "CreateDataDeletionJob",
            jobName="deletion",
            datasetGroupArn=group,
            dataSource={"dataLocation": location},
            roleArn=ROLE,
        )["dataDeletionJobArn"]
        assert self.wait.final(deletion)["status"] == "COMPLETED"

    def _look(self) -> None:
        """Everything that only reads."""
        self.call("GetSolutionMetrics", solutionVersionArn=self.arns["solutionVersionArn"])
        recipe = self.call("DescribeRecipe", recipeArn=f"{RECIPE}{RANKING}")["recipe"]
        self.arns |= {member: recipe[member] for member in ("algorithmArn", "featureTransformationArn")}
        for operation in SERVICE_OF:
            if operation.startswith(("Describe", "List")) and operation not in self.called:
                members = model("personalize").operation_model(operation).input_shape.members
                asked = {member: self.arns[member] for member in members if member.endswith("Arn")}
                if operation == "ListBatchSegmentJobs":
                    asked["solutionVersionArn"] = self.versions[SEGMENTS]
                if operation == "ListRecommenders":
                    asked["datasetGroupArn"] = self.store
                answer = self.call(operation, **asked)
                if operation.startswith("List"):
                    assert any(value for value in answer.values() if isinstance(value, list)), operation

    def changes(self) -> dict[str, dict[str, Any]]:
        """Requests of the operations that change or delete what is there, in an order in which they work."""
        arns = self.arns
        metric = {"eventType": "purchase", "metricName": "worth", "expression": "SUM(Items.PRICE)"}
        return {
            "UpdateCampaign": {"campaignArn": arns["campaignArn"], "minProvisionedTPS": 2},
            "UpdateDataset": {"datasetArn": self.datasets["Items"], "schemaArn": self.wider_schema},
            "UpdateMetricAttribution": {
                "metricAttributionArn": arns["metricAttributionArn"],
                "addMetrics": [metric],
                "removeMetrics": ["clicks"],
            },
            "UpdateSolution": {"solutionArn": arns["solutionArn"], "performAutoTraining": False},
            "UpdateRecommender": {
                "recommenderArn": arns["recommenderArn"],
                "recommenderConfig": {"minRecommendationRequestsPerSecond": 2},
            },
            "StopRecommender": {"recommenderArn": arns["recommenderArn"]},
            "StartRecommender": {"recommenderArn": arns["recommenderArn"]},
            "DeleteRecommender": {"recommenderArn": arns["recommenderArn"]},
            "DeleteCampaign": {"campaignArn": arns["campaignArn"]},
            "DeleteSolution": {"solutionArn": arns["solutionArn"]},
            "DeleteMetricAttribution": {"metricAttributionArn": arns["metricAttributionArn"]},
            "DeleteEventTracker": {"eventTrackerArn": arns["eventTrackerArn"]},
            "DeleteFilter": {"filterArn": arns["filterArn"]},
            "DeleteDataset": {"datasetArn": arns["datasetArn"]},
            "DeleteSchema": {"schemaArn": arns["schemaArn"]},
            "DeleteDatasetGroup": {"datasetGroupArn": arns["datasetGroupArn"]},
        }

    def delete_all(self, operation: str) -> None:
        """Delete every resource of the kind that `operation` deletes, and wait until they are gone."""
        (member,) = model("personalize").operation_model(operation).input_shape.members
        found = self.listed(f"{operation.replace('Delete', 'List')}s")
        assert found
        for one in found:
            self.call(operation, **{member: one[member]})
        for one in found:
            self.wait.gone(one[member])

    def settled(self, arn: str) -> None:
        """Wait until nothing of a resource is under way, its latest update included."""
        self.wait.until(
            arn,
            lambda described: (
                not any(
                    str(part.get("status", "")).endswith(("PENDING", "IN_PROGRESS"))
                    for part in (described, *(one for one in described.values() if isinstance(one, dict)))
                )
            ),
        )

    def listed(self, operation: str, **request: Any) -> list[Any]:
        """The entries of a List operation's first page."""
        answer = getattr(self.clients.personalize, botocore.xform_name(operation))(**request)
        return next(value for value in answer.values() if isinstance(value, list))

    def state(self) -> dict[str, Any]:
        """Every resource of the region as lists and descriptions show it."""
        found: dict[str, Any] = {}
        for operation in SERVICE_OF:
            if not operation.startswith("List") or operation in ("ListRecipes", "ListTagsForResource"):
                continue
            asked = {"metricAttributionArn": self.arns["metricAttributionArn"]}
            found[operation] = self.listed(
                operation, **(asked if operation == "ListMetricAttributionMetrics" else {})
            )
        for arn in self.arns.values():
            if not arn.startswith("arn:aws:personalize:::"):
                found[arn] = self.wait.describe(arn)
        return found
