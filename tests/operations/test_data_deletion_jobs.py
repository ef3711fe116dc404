"""Data deletion jobs through the official client: a person is really gone."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from click.testing import CliRunner, Result

import shop
from leftovers import places_of
from live import PATIENCE, Clients, Server, Wait, fails, make_clients, make_shop
from openpersonalize.access.keys import KeyRing
from openpersonalize.cli.main import main

REGION = "eu-west-3"
ROLE = "arn:aws:iam::000000000000:role/Personalize"
PERSON, OTHER, CITY = "user-of-whom-nothing-stays", "user-01", "Nowhere-on-Sea"
ONLY_THEIRS = "an-item-of-nobody-else"


class Shop:
    """A server of its own with the small shop, one person more, and a deployed model that knows them."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.clients: Clients = make_clients(server.endpoint, REGION)
        self.wait = Wait(self.clients.personalize)
        made = make_shop(server, REGION)
        self.group, self.datasets = made.group, made.datasets
        self.import_rows("Interactions", "more", self.interactions())
        self.import_rows("Users", "more-users", f"USER_ID,AGE,CITY\n{PERSON},44,{CITY}\n")
        personalize = self.clients.personalize
        self.tracker = personalize.create_event_tracker(name="tracker", datasetGroupArn=self.group)[
            "trackingId"
        ]
        self.stream()
        self.solution = personalize.create_solution(
            name="solution",
            datasetGroupArn=self.group,
            recipeArn="arn:aws:personalize:::recipe/aws-personalized-ranking",
            performAutoTraining=False,
        )["solutionArn"]
        self.version = self.train()
        self.campaign = personalize.create_campaign(
            name="campaign", solutionVersionArn=self.version, minProvisionedTPS=1
        )["campaignArn"]
        self.wait.active(self.campaign)
        self.quoted()
        self.sealed()

    def quoted(self) -> None:
        """Imports that fail with the person's id in their words: in the wrong column, in a file without a
        header; and one that tells an id beside its hint."""
        shifted = f"USER_ID,AGE,CITY\nother,{PERSON},{CITY}\n"
        for name, text in (("shifted", shifted), ("headless", f"{PERSON},44,{CITY}\n")):
            location = self.server.put(f"s3://more/{name}.csv", text)
            job = self.clients.personalize.create_dataset_import_job(
                jobName=name, datasetArn=self.datasets["Users"], dataSource={"dataLocation": location}
            )["datasetImportJobArn"]
            assert PERSON in self.wait.failed(job)

    def sealed(self) -> None:
        """Until what was streamed lies in segments: a server that starts looks for what is to be sealed."""
        self.server.stop()
        self.server.start()
        end = time.monotonic() + 30 * PATIENCE
        while not any(path.startswith("segments/") for path in places_of(PERSON, self.server.data)):
            assert time.monotonic() < end, "nothing was sealed"
            time.sleep(0.1)

    def interactions(self) -> str:
        rows = [f"{PERSON},{item},{shop.LAST - 50 * n},click,1.5" for n, item in enumerate(shop.ITEMS[:30])]
        return "\n".join(["USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE,EVENT_VALUE", *rows]) + "\n"

    def import_rows(self, kind: str, name: str, text: str) -> None:
        location = self.server.put(f"s3://more/{name}.csv", text)
        job = self.clients.personalize.create_dataset_import_job(
            jobName=name,
            datasetArn=self.datasets[kind],
            dataSource={"dataLocation": location},
            importMode="INCREMENTAL",
        )["datasetImportJobArn"]
        self.wait.active(job)

    def event(self, item: str, session: str, **more: Any) -> None:
        event = {"eventType": "click", "itemId": item, "sentAt": time.time()}
        self.clients.events.put_events(trackingId=self.tracker, sessionId=session, eventList=[event], **more)

    def stream(self) -> None:
        """Three events, the first of them anonymous, and a record."""
        self.event("item-07", "session-of-the-person")
        self.event("item-08", "session-of-the-person", userId=PERSON)
        self.event("item-09", "session-of-the-person", userId=PERSON)
        self.event("item-10", "another-session", userId=OTHER)
        self.clients.events.put_users(
            datasetArn=self.datasets["Users"],
            users=[{"userId": PERSON, "properties": json.dumps({"age": 45, "city": CITY})}],
        )

    def train(self) -> str:
        version = self.clients.personalize.create_solution_version(solutionArn=self.solution)
        arn = str(version["solutionVersionArn"])
        self.wait.active(arn, 120)
        return arn

    def delete(self, name: str, text: str, folder: bool = False) -> str:
        location = self.server.put(f"s3://deletions/{name}/some/users.csv", text)
        if folder:
            location = f"s3://deletions/{name}/"
        return str(
            self.clients.personalize.create_data_deletion_job(
                jobName=name,
                datasetGroupArn=self.group,
                dataSource={"dataLocation": location},
                roleArn=ROLE,
                tags=[{"tagKey": "why", "tagValue": "asked"}],
            )["dataDeletionJobArn"]
        )

    def ranking(self, user: str) -> list[str]:
        answer = self.clients.runtime.get_personalized_ranking(
            campaignArn=self.campaign, userId=user, inputList=shop.ITEMS
        )
        return [one["itemId"] for one in answer["personalizedRanking"]]

    def popular(self, name: str) -> list[str]:
        """The items that a version trained now knows."""
        personalize = self.clients.personalize
        solution = personalize.create_solution(
            name=name,
            datasetGroupArn=self.group,
            recipeArn="arn:aws:personalize:::recipe/aws-popularity-count",
            performAutoTraining=False,
        )["solutionArn"]
        version = personalize.create_solution_version(solutionArn=solution)["solutionVersionArn"]
        self.wait.active(version, 120)
        campaign = personalize.create_campaign(name=name, solutionVersionArn=version)["campaignArn"]
        self.wait.active(campaign)
        answer = self.clients.runtime.get_recommendations(campaignArn=campaign, userId=OTHER, numResults=500)
        return [one["itemId"] for one in answer["itemList"]]

    def page(self, path: str, method: str = "GET") -> Any:
        request = urllib.request.Request(f"{self.server.endpoint}/v1/jobs/{path}", method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    options = ("--minimum-data", "off", "--segment-rows", "2", "--strict-filter-values", "on")
    server = Server(tmp_path_factory.mktemp("deletion") / "data", options).start()
    yield Shop(server)
    server.stop()


def test_a_person_is_really_gone(house: Shop) -> None:
    personalize, data = house.clients.personalize, house.server.data
    of_nobody, of_others = house.ranking("nobody-in-particular"), house.ranking(OTHER)
    assert house.ranking(PERSON) != of_nobody
    before = {path.split("/")[0] for path in places_of(PERSON, data)}
    assert before >= {"artifacts", "parts", "snapshots", "segments"}
    assert {path.split(".")[0] for path in before} >= {"events", "metadata"}
    arn = house.delete("first", f"USER_ID\n{PERSON}\nwhom-nobody-knows\n", folder=True)
    done = house.wait.until(arn, lambda job: job["status"] not in ("PENDING", "IN_PROGRESS"))
    assert done["status"] == "COMPLETED", done
    # 30 interactions, 3 streamed events of which one was anonymous, a record imported and one put
    assert done["numDeleted"] == 35
    assert places_of(PERSON, data) == []
    assert places_of("session-of-the-person", data) == []
    assert places_of(CITY, data) == []
    assert house.ranking(PERSON) == of_nobody
    assert house.ranking(OTHER) == of_others
    for name in ("shifted", "headless"):
        job = house.datasets["Users"].rsplit(":", 1)[0] + f":dataset-import-job/{name}"
        reason = house.wait.describe(job)["failureReason"]
        assert reason.endswith("What stood there was removed with a data deletion job."), reason
        assert reason.startswith(("Input csv has rows", "Failed to create a data import job Users")), reason
        page = house.page(urllib.parse.quote(job, safe=""))
        assert page["reason"] == reason
    assert personalize.list_tags_for_resource(resourceArn=arn)["tags"] == [
        {"tagKey": "why", "tagValue": "asked"}
    ]


def test_the_versions_that_saw_the_person_are_trained_anew_in_one_call(house: Shop) -> None:
    arn = house.clients.personalize.list_data_deletion_jobs()["dataDeletionJobs"][-1]["dataDeletionJobArn"]
    path = urllib.parse.quote(arn, safe="")
    assert house.page(path)["versions"] == [house.version]
    assert any(house.version in line["text"] for line in house.page(path)["lines"])
    (version,) = house.page(f"{path}/retrain", "POST")["versions"]
    assert version.startswith(house.solution)
    assert house.page(f"{path}/retrain", "POST") == {"versions": []}, "one is at work already"
    house.wait.active(version, 120)
    with pytest.raises(urllib.error.HTTPError) as caught:
        house.page(
            "arn%3Aaws%3Apersonalize%3Aeu-west-3%3A000000000000%3Adata-deletion-job%2Fnone/retrain", "POST"
        )
    assert caught.value.code == 404


def test_an_item_that_only_the_person_knew_goes_with_the_next_version(house: Shop) -> None:
    rows = "".join(f"{PERSON},{ONLY_THEIRS},{shop.LAST - n},click,1\n" for n in range(3))
    house.import_rows("Interactions", "theirs", "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE,EVENT_VALUE\n" + rows)
    assert ONLY_THEIRS in house.popular("before")
    job = house.delete("theirs", f"USER_ID\n{PERSON}\n")
    done = house.wait.until(job, lambda found: found["status"] == "COMPLETED")
    assert done["numDeleted"] == 3
    assert places_of(PERSON, house.server.data) == []
    assert ONLY_THEIRS not in house.popular("after")


def test_whoever_comes_back_starts_afresh(house: Shop) -> None:
    house.import_rows("Users", "back", f"USER_ID,AGE,CITY\n{PERSON},46,Oslo\n")
    house.event("item-11", "a-new-session", userId=PERSON)
    arn = house.delete("second", f"user_id\r\n{PERSON}\r\n")
    done = house.wait.until(arn, lambda job: job["status"] == "COMPLETED")
    assert done["numDeleted"] == 2
    assert places_of(PERSON, house.server.data) == []


def test_what_is_imported_while_a_job_is_at_work_stays(house: Shop) -> None:
    job = house.delete("third", f"USER_ID\n{PERSON}\n")
    house.import_rows("Users", "meanwhile", f"USER_ID,AGE,CITY\n{PERSON},47,Oslo\n")
    assert house.wait.describe(job)["status"] == "COMPLETED"
    assert places_of(PERSON, house.server.data)


REFUSED: list[tuple[str, str]] = [
    ("ITEM_ID\ni1\n", "Input CSV is missing the following columns:[USER_ID]."),
    ("USER_ID,AGE\nu1,7\n", "Input CSV must have the single column USER_ID; users.csv has 2."),
    ("USER_ID\n", "Input CSV has no records."),
]


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_files_that_name_nobody(house: Shop, text: str, reason: str) -> None:
    arn = house.delete(f"bad-{len(text)}", text)
    described = house.wait.until(arn, lambda job: job["status"] == "FAILED")
    assert described["failureReason"] == reason
    assert "numDeleted" not in described


def test_nothing_at_the_location(house: Shop) -> None:
    arn = house.clients.personalize.create_data_deletion_job(
        jobName="nothing",
        datasetGroupArn=house.group,
        dataSource={"dataLocation": "s3://deletions/none/"},
        roleArn=ROLE,
    )["dataDeletionJobArn"]
    described = house.wait.until(arn, lambda job: job["status"] == "FAILED")
    assert described["failureReason"] == (
        "Invalid Data location. No objects found at s3://deletions/none/. The server, which has no S3"
        " service, looked for buckets/deletions/none/ in its data folder: `openpersonalize cp FILE"
        " s3://deletions/none/` puts one there."
    )


def test_requests_that_are_refused(house: Shop) -> None:
    create = house.clients.personalize.create_data_deletion_job
    good: dict[str, Any] = {
        "jobName": "first",
        "datasetGroupArn": house.group,
        "dataSource": {"dataLocation": "s3://deletions/x.csv"},
        "roleArn": ROLE,
    }
    fails("ResourceAlreadyExistsException", create, **good)
    unknown = house.group.replace("shop", "none")
    fails("ResourceNotFoundException", create, **{**good, "jobName": "n", "datasetGroupArn": unknown})
    bad = {"dataLocation": "http://somewhere/x.csv"}
    message = fails("InvalidInputException", create, **{**good, "jobName": "n", "dataSource": bad})
    assert message == "Invalid Data location."
    describe = house.clients.personalize.describe_data_deletion_job
    arn = house.group.replace("dataset-group/shop", "data-deletion-job/none")
    assert arn in fails("ResourceNotFoundException", describe, dataDeletionJobArn=arn)


def test_lists_have_the_newest_first_in_pages(house: Shop) -> None:
    every = house.clients.personalize.list_data_deletion_jobs
    jobs = every(datasetGroupArn=house.group)["dataDeletionJobs"]
    names = [job["jobName"] for job in jobs]
    assert names[-4:] == ["third", "second", "theirs", "first"]
    page = every(datasetGroupArn=house.group, maxResults=2)
    assert [job["jobName"] for job in page["dataDeletionJobs"]] == names[:2]
    rest = every(datasetGroupArn=house.group, nextToken=page["nextToken"])
    assert [job["jobName"] for job in rest["dataDeletionJobs"]] == names[2:]
    fails("InvalidNextTokenException", every, nextToken=page["nextToken"])
    assert every(datasetGroupArn=house.group.replace("shop", "none"))["dataDeletionJobs"] == []
    fails("InvalidInputException", every, datasetGroupArn=house.datasets["Items"])


def test_values_that_no_placeholder_has_are_refused_where_the_server_is_strict(house: Shop) -> None:
    made = house.clients.personalize.create_filter(
        name="strict",
        datasetGroupArn=house.group,
        filterExpression="EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ($KIND)",
    )["filterArn"]
    house.wait.active(made)
    rank = house.clients.runtime.get_personalized_ranking
    asked = {"campaignArn": house.campaign, "userId": OTHER, "inputList": shop.ITEMS, "filterArn": made}
    assert rank(**asked, filterValues={"KIND": '"click"'})["personalizedRanking"]
    for values in ({"KIND": '"click"', "KNID": '"click"'}, {"KNID": '"click"'}):
        message = fails("InvalidInputException", rank, **asked, filterValues=values)
        assert message == f"Filter {made} has no placeholder $KNID; its placeholders: $KIND."


def test_with_keys_only_an_admin_has_the_versions_trained_anew(house: Shop) -> None:
    """The last: from now on the server wants signatures."""
    job = house.group.replace("dataset-group/shop", "data-deletion-job/first")
    url = f"{house.server.endpoint}/v1/jobs/{urllib.parse.quote(job, safe='')}/retrain"
    ring = KeyRing(house.server.data)
    made = {role: ring.create(role) for role in ("admin", "read")}
    house.server.stop()
    house.server.start()

    def posted(role: str | None) -> tuple[int, Any]:
        request = AWSRequest("POST", url, data=b"")
        if role is not None:
            key, secret = made[role]
            SigV4Auth(Credentials(key.id, secret), "personalize", REGION).add_auth(request)
        try:
            sent = urllib.request.Request(url, b"", dict(request.headers), method="POST")
            with urllib.request.urlopen(sent, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    assert posted(None)[0] == 403
    assert posted("read")[1]["error"]["code"] == "AccessDeniedException"

    def commanded(role: str) -> Result:
        key, secret = made[role]
        environment = {"AWS_ACCESS_KEY_ID": key.id, "AWS_SECRET_ACCESS_KEY": secret, "AWS_PROFILE": None}
        words = ["train", "--after-deletion", job, "--endpoint", house.server.endpoint, "--json"]
        return CliRunner().invoke(main, words, env=environment)

    refused = commanded("read")
    assert refused.exit_code == 2
    assert "it needs one of the roles admin" in refused.output
    body = json.loads(commanded("admin").stdout)
    assert [version.rsplit("/", 1)[0] for version in body["versions"]] == [house.solution]
