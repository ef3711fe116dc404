"""A program as people write it for Amazon Personalize: no word in it names this project or an endpoint.

The calls are those of Amazon's getting-started notebooks, in their order: import, train, measure, deploy,
recommend, stream a click, recommend again, clean up.
"""

import json
import sys
import time
import uuid

import boto3

personalize = boto3.client("personalize")
personalize_runtime = boto3.client("personalize-runtime")
personalize_events = boto3.client(service_name="personalize-events")
location, user, clicked = sys.argv[1:]


def wait(describe, member, **arn):
    limit = time.time() + 3 * 60 * 60
    while time.time() < limit:
        status = describe(**arn)[member]["status"]
        print(f"{member}: {status}")
        if status == "ACTIVE" or status == "CREATE FAILED":
            break
        time.sleep(0.2)
    assert status == "ACTIVE"


fields = [("USER_ID", "string"), ("ITEM_ID", "string"), ("TIMESTAMP", "long")]
schema = {
    "type": "record",
    "name": "Interactions",
    "namespace": "com.amazonaws.personalize.schema",
    "fields": [{"name": name, "type": kind} for name, kind in fields],
    "version": "1.0",
}
schema_arn = personalize.create_schema(name="demo-schema", schema=json.dumps(schema))["schemaArn"]
dataset_group_arn = personalize.create_dataset_group(name="launch-demo")["datasetGroupArn"]
wait(personalize.describe_dataset_group, "datasetGroup", datasetGroupArn=dataset_group_arn)
dataset_arn = personalize.create_dataset(
    name="launch-interactions",
    datasetType="INTERACTIONS",
    datasetGroupArn=dataset_group_arn,
    schemaArn=schema_arn,
)["datasetArn"]
wait(personalize.describe_dataset, "dataset", datasetArn=dataset_arn)
job_arn = personalize.create_dataset_import_job(
    jobName="demo-import1",
    datasetArn=dataset_arn,
    dataSource={"dataLocation": location},
    roleArn="arn:aws:iam::000000000000:role/PersonalizeRole",
)["datasetImportJobArn"]
wait(personalize.describe_dataset_import_job, "datasetImportJob", datasetImportJobArn=job_arn)

recipe_arn = "arn:aws:personalize:::recipe/aws-user-personalization"
assert recipe_arn in [
    recipe["recipeArn"]
    for page in personalize.get_paginator("list_recipes").paginate()
    for recipe in page["recipes"]
]
solution_arn = personalize.create_solution(
    name="demo-soln-user-personalization", datasetGroupArn=dataset_group_arn, recipeArn=recipe_arn
)["solutionArn"]
version_arn = personalize.create_solution_version(solutionArn=solution_arn)["solutionVersionArn"]
wait(personalize.describe_solution_version, "solutionVersion", solutionVersionArn=version_arn)
metrics = personalize.get_solution_metrics(solutionVersionArn=version_arn)["metrics"]
assert metrics["coverage"] > 0
campaign_arn = personalize.create_campaign(
    name="demo-camp",
    solutionVersionArn=version_arn,
    minProvisionedTPS=1,
    campaignConfig={"itemExplorationConfig": {"explorationWeight": "0.5"}},
)["campaignArn"]
wait(personalize.describe_campaign, "campaign", campaignArn=campaign_arn)
before = personalize_runtime.get_recommendations(campaignArn=campaign_arn, userId=user)["itemList"]
assert len(before) == 25

tracker = personalize.create_event_tracker(name="ClickTracker", datasetGroupArn=dataset_group_arn)
personalize_events.put_events(
    trackingId=tracker["trackingId"],
    userId=user,
    sessionId=str(uuid.uuid1()),
    eventList=[
        {
            "sentAt": int(time.time()),
            "eventType": "EVENT_TYPE",
            "properties": json.dumps({"itemId": clicked}),
        }
    ],
)
after = personalize_runtime.get_recommendations(campaignArn=campaign_arn, userId=user)["itemList"]
assert [(i["itemId"], i["score"]) for i in after] != [(i["itemId"], i["score"]) for i in before]


def gone(describe, **arn):
    try:
        while True:
            describe(**arn)
            time.sleep(0.1)
    except personalize.exceptions.ResourceNotFoundException:
        pass


personalize.delete_campaign(campaignArn=campaign_arn)
gone(personalize.describe_campaign, campaignArn=campaign_arn)
personalize.delete_solution(solutionArn=solution_arn)
gone(personalize.describe_solution, solutionArn=solution_arn)
personalize.delete_event_tracker(eventTrackerArn=tracker["eventTrackerArn"])
gone(personalize.describe_event_tracker, eventTrackerArn=tracker["eventTrackerArn"])
personalize.delete_dataset(datasetArn=dataset_arn)
gone(personalize.describe_dataset, datasetArn=dataset_arn)
personalize.delete_schema(schemaArn=schema_arn)
personalize.delete_dataset_group(datasetGroupArn=dataset_group_arn)
gone(personalize.describe_dataset_group, datasetGroupArn=dataset_group_arn)
print("cleaned up")
