"""An e-mail campaign: recommendations for every recipient by one batch inference job, as a letter each.

    python mail.py recipients.csv letters/          # of the web shop's customers

The README beside this says what happens.
"""

from __future__ import annotations

import csv
import json
import sys
import time
from contextlib import suppress
from pathlib import Path
from string import Template
from typing import Any

import boto3

SHOP, BUCKET, OFFERS = "web-shop", "campaign-mail", 3
LETTER = Template("To: $email\nSubject: $name, we kept these for you\n\n$offers\n\nYour web shop\n")


def recommended(users: list[str]) -> dict[str, list[str]]:
    """What a batch job answers for each user; whoever cannot be answered is not in it."""
    personalize, s3 = boto3.client("personalize"), boto3.client("s3")
    name, version = f"mail-{time.time():.0f}", newest_version(personalize)
    with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=BUCKET)
    lines = "\n".join(json.dumps({"userId": user}) for user in users)
    s3.put_object(Bucket=BUCKET, Key=f"in/{name}.json", Body=lines)
    job = personalize.create_batch_inference_job(
        jobName=name,
        solutionVersionArn=version,
        filterArn=named(personalize.list_filters()["Filters"], f"{SHOP}-new")["filterArn"],
        numResults=OFFERS,
        roleArn="arn:aws:iam::000000000000:role/any",
        jobInput={"s3DataSource": {"path": f"s3://{BUCKET}/in/{name}.json"}},
        jobOutput={"s3DataDestination": {"path": f"s3://{BUCKET}/out/"}},
    )["batchInferenceJobArn"]
    while (state := personalize.describe_batch_inference_job(batchInferenceJobArn=job)["batchInferenceJob"])[
        "status"
    ] != "ACTIVE":
        if "FAILED" in state["status"]:
            raise SystemExit(state["failureReason"])
        time.sleep(0.2)
    answers = s3.get_object(Bucket=BUCKET, Key=f"out/{name}.json.out")["Body"].iter_lines()
    return {
        one["input"]["userId"]: one["output"]["recommendedItems"]
        for one in map(json.loads, answers)
        if one["error"] is None
    }


def newest_version(personalize: Any) -> str:
    """The shop's newest version that is trained."""
    solution = named(personalize.list_solutions()["solutions"], f"{SHOP}-for-you")["solutionArn"]
    versions = personalize.list_solution_versions(solutionArn=solution)["solutionVersions"]
    active = [one for one in versions if one["status"] == "ACTIVE"]
    return str(max(active, key=lambda one: one["creationDateTime"])["solutionVersionArn"])


def named(listed: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """The one of that name."""
    for one in listed:
        if one["name"] == name:
            return one
    raise SystemExit(f"There is no {name}: make the web shop first (examples/web-shop).")


def write_letters(recipients: Path, folder: Path) -> int:
    """A text file for each recipient of a CSV file (user, name, email); how many."""
    with recipients.open(newline="") as stream:
        people = list(csv.DictReader(stream))
    found = recommended([one["user"] for one in people])
    folder.mkdir(parents=True, exist_ok=True)
    for one in people:
        offers = "\n".join(f"  * {item}" for item in found.get(one["user"], []))
        if offers:
            letter = LETTER.substitute(email=one["email"], name=one["name"], offers=offers)
            (folder / f"{one['user']}.txt").write_text(letter)
    return len(found)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    print(f"{write_letters(Path(sys.argv[1]), Path(sys.argv[2]))} letters are in {sys.argv[2]}")
