"""Loading: when, how often, what is let go. Metadata rows and artifacts are real, jobs are not needed."""

import asyncio
import json
import threading
import time

import pytest

from openpersonalize.engine.leases import JobOutput, Leases
from openpersonalize.engine.runnerlease import RunnerLease
from openpersonalize.errors import InvalidInput, ResourceNotFound
from openpersonalize.events.entries import Record
from openpersonalize.installation import Installation
from openpersonalize.recipes.artifact import Artifact
from openpersonalize.serving import registry as module
from openpersonalize.serving.answer import Question, answer
from openpersonalize.serving.catalogue import Catalogue
from openpersonalize.serving.registry import EndpointRegistry
from openpersonalize.settings import read_settings

from .making import CATALOGUE, COLD, TEXTS, interactions, write

REGION, ACCOUNT = "eu-west-1", "000000000000"
V1, POPULAR = "aws-user-personalization", "aws-popularity-count"


class House:
    """An installation with one dataset group, and campaigns made by hand."""

    def __init__(self, folder, settings=None, **more):
        self.installation = Installation.open(
            read_settings({"data_dir": str(folder), **(settings or {})}, {})
        )
        self.scope = self.installation.metadata.scope(ACCOUNT, REGION)
        self.group = self.scope.arn("dataset-group/shop")
        with self.scope.write() as tx:
            tx.add("dataset-group", self.group, "shop", status="ACTIVE")
        self.endpoints = EndpointRegistry(self.installation, **more)

    def close(self):
        self.endpoints.close()
        self.installation.close()

    def version(self, name, recipe):
        """ARN of an ACTIVE version whose artifact is published."""
        staged = self.installation.objects.stage()
        write(staged, recipe, interactions())
        self.installation.objects.publish(staged, f"artifacts/{name}")
        arn = self.scope.arn(f"solution/{name}/00000000")
        with self.scope.write() as tx:
            tx.add(
                "solution-version",
                arn,
                name,
                group_arn=self.group,
                status="CREATE PENDING",
                attributes={
                    "recipeArn": f"arn:aws:personalize:::recipe/{recipe}",
                    "trainingMode": "FULL",
                },
                internal={"artifact": f"artifacts/{name}"},
            )
        return arn

    def campaign(self, name, version, status="ACTIVE"):
        arn = self.scope.arn(f"campaign/{name}")
        with self.scope.write() as tx:
            tx.add(
                "campaign",
                arn,
                name,
                group_arn=self.group,
                status="CREATE PENDING",
                attributes={"solutionVersionArn": version, "campaignConfig": {}},
            )
            if status != "CREATE PENDING":
                tx.update(arn, status="CREATE IN_PROGRESS")
                tx.update(arn, status=status)
        return arn

    def swap(self, campaign, version):
        with self.scope.write() as tx:
            tx.update(campaign, set={"solutionVersionArn": version})

    def touch(self):
        with self.scope.write() as tx:
            tx.update(self.group, set={"touched": True})

    async def get(self, campaign):
        found = self.endpoints.endpoint(self.scope, campaign)
        return found if found is not None else await self.endpoints.load_endpoint(self.scope, campaign)


@pytest.fixture
def house(tmp_path):
    one = House(tmp_path)
    yield one
    one.close()


@pytest.fixture
def reads(monkeypatch):
    """Names of the campaigns whose rows were read."""
    seen = []
    original = module.read_endpoint

    def counted(scope, arn):
        seen.append(arn.rpartition("/")[2])
        return original(scope, arn)

    monkeypatch.setattr(module, "read_endpoint", counted)
    return seen


def test_it_is_loaded_once_and_read_again_only_after_a_change(house, reads):
    campaign = house.campaign("one", house.version("one", POPULAR))

    async def journey():
        assert house.endpoints.endpoint(house.scope, campaign) is None
        first = await house.get(campaign)
        assert await house.get(campaign) is first
        assert reads == ["one"]
        house.touch()
        second = await house.get(campaign)
        assert reads == ["one", "one"]
        assert second.deployment is first.deployment
        assert len(answer(second.deployment, Question(None, 500))) == len(CATALOGUE + COLD)

    asyncio.run(journey())


def test_a_crowd_shares_one_reading(house, reads):
    campaign = house.campaign("one", house.version("one", POPULAR))

    async def journey():
        found = await asyncio.gather(*[house.get(campaign) for _ in range(20)])
        assert len({id(one.deployment) for one in found}) == 1

    asyncio.run(journey())
    assert len(reads) <= 2


def test_campaigns_of_one_version_share_its_model(house):
    version = house.version("one", POPULAR)
    one, other = house.campaign("one", version), house.campaign("other", version)

    async def journey():
        assert (await house.get(one)).deployment is (await house.get(other)).deployment

    asyncio.run(journey())


def test_a_version_that_two_campaigns_want_at_once_is_loaded_once(house, monkeypatch):
    version = house.version("one", POPULAR)
    campaigns = [house.campaign(f"c{k}", version) for k in range(5)]
    opened, original = [], Artifact.open
    monkeypatch.setattr(Artifact, "open", lambda folder: opened.append(folder.name) or original(folder))

    async def journey():
        found = await asyncio.gather(*[house.get(campaign) for campaign in campaigns])
        assert len({id(one.deployment) for one in found}) == 1

    asyncio.run(journey())
    assert opened == ["one"]
    assert house.endpoints.loaded == ["artifacts/one"]


def test_jobs_that_report_and_renew_their_leases_change_nothing(house, reads):
    campaign = house.campaign("one", house.version("one", POPULAR))
    metadata = house.installation.metadata
    lease = RunnerLease.take(metadata, house.installation.settings.data / "runners")
    leases = Leases(metadata, lease)
    with house.scope.write() as tx:
        tx.enqueue("toy", campaign, {})
    (job,) = leases.claim([], 4, 2)

    async def journey():
        found = await house.get(campaign)
        for _ in range(5):
            leases.renew([(job, JobOutput())])
            assert house.endpoints.endpoint(house.scope, campaign) is found

    asyncio.run(journey())
    assert reads == ["one"]
    lease.release()


def test_newcomers_join_up_to_what_the_recipe_considers(house):
    name, text = house.scope.arn("schema/i"), TEXTS["INTERACTIONS"]
    with house.scope.write() as tx:
        tx.add("schema", name, "i", attributes={"schema": text})
        attributes = {"datasetType": "INTERACTIONS", "schemaArn": name}
        arn = house.scope.arn("dataset/shop/INTERACTIONS")
        tx.add("dataset", arn, "i", group_arn=house.group, status="ACTIVE", attributes=attributes)
    campaign = house.campaign("v2", house.version("v2", "aws-user-personalization-v2"))

    async def journey():
        found = await house.get(campaign)
        assert found.recipe.most_items > 750_000
        assert found.deployment.tracker.most == found.recipe.most_items

    asyncio.run(journey())


def test_users_records_go_with_the_last_model_of_their_group(tmp_path):
    house = House(tmp_path, model_bytes=1)
    name, text = house.scope.arn("schema/u"), TEXTS["USERS"]
    filter_arn = house.scope.arn("filter/one")
    with house.scope.write() as tx:
        tx.add("schema", name, "u", attributes={"schema": text})
        attributes = {"datasetType": "USERS", "schemaArn": name}
        arn = house.scope.arn("dataset/shop/USERS")
        tx.add("dataset", arn, "u", group_arn=house.group, status="ACTIVE", attributes=attributes)
        expression = "EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN (*) IF CurrentUser.AGE > 3"
        attributes = {"filterExpression": expression}
        tx.add("filter", filter_arn, "f", group_arn=house.group, status="ACTIVE", attributes=attributes)
        for kind in ("INTERACTIONS",):
            tx.add("schema", house.scope.arn("schema/x"), "x", attributes={"schema": TEXTS[kind]})
            attributes = {"datasetType": kind, "schemaArn": house.scope.arn("schema/x")}
            arn = house.scope.arn(f"dataset/shop/{kind}")
            tx.add("dataset", arn, "i", group_arn=house.group, status="ACTIVE", attributes=attributes)
        other = house.scope.arn("dataset-group/other")
        tx.add("dataset-group", other, "other", status="ACTIVE")
    first = house.campaign("one", house.version("one", POPULAR))
    mine, house.group = house.group, other
    second = house.campaign("two", house.version("two", POPULAR))

    async def journey():
        found = await house.get(first)
        chosen = await house.endpoints.load_filter(house.scope, filter_arn)
        assert chosen.group == mine
        assert found.deployment.group.users() is not None
        await house.get(second)
        assert house.endpoints.filter(house.scope, filter_arn, chosen.version) is None
        assert found.deployment.group.users() is None

    asyncio.run(journey())
    house.close()


def test_another_version_answers_as_soon_as_the_row_says_so(house):
    campaign = house.campaign("one", house.version("popular", POPULAR))
    personal = house.version("personal", V1)

    async def journey():
        assert (await house.get(campaign)).recipe.name == POPULAR
        house.swap(campaign, personal)
        assert house.endpoints.endpoint(house.scope, campaign) is None
        assert (await house.get(campaign)).recipe.name == V1

    asyncio.run(journey())


def test_an_update_on_its_way_is_loaded_ahead(house, monkeypatch):
    campaign = house.campaign("one", house.version("popular", POPULAR))
    personal = house.version("personal", V1)
    with house.scope.write() as tx:
        update = {"solutionVersionArn": personal, "status": "CREATE IN_PROGRESS"}
        tx.update(campaign, set={"latestCampaignUpdate": update})
    opened = []
    original = Artifact.open
    monkeypatch.setattr(Artifact, "open", lambda folder: opened.append(folder.name) or original(folder))

    async def journey():
        assert (await house.get(campaign)).recipe.name == POPULAR
        while len(opened) < 2 or house.endpoints.loading:
            await asyncio.sleep(0.01)
        house.swap(campaign, personal)
        assert (await house.get(campaign)).recipe.name == V1

    asyncio.run(asyncio.wait_for(journey(), 30))
    assert opened == ["popular", "personal"]


def test_models_beyond_the_bound_are_let_go(tmp_path):
    house = House(tmp_path, model_bytes=1)
    campaigns = [house.campaign(name, house.version(name, POPULAR)) for name in ("one", "two", "three")]

    async def journey():
        for campaign in campaigns:
            await house.get(campaign)
        assert house.endpoints.loaded == ["artifacts/three"]
        assert house.endpoints.endpoint(house.scope, campaigns[0]) is None
        assert house.endpoints.endpoint(house.scope, campaigns[2]) is not None
        assert (await house.get(campaigns[0])).arn == campaigns[0]

    asyncio.run(journey())
    house.close()


def test_what_cannot_be_asked(house):
    pending = house.campaign("pending", house.version("one", POPULAR), "CREATE PENDING")

    async def journey():
        with pytest.raises(InvalidInput, match="is not active"):
            await house.get(pending)
        with pytest.raises(ResourceNotFound, match="Campaign not found"):
            await house.get(house.scope.arn("campaign/none"))
        elsewhere = house.installation.metadata.scope(ACCOUNT, "us-east-1")
        with pytest.raises(ResourceNotFound):
            await house.endpoints.load_endpoint(elsewhere, pending)
        with pytest.raises(ResourceNotFound, match="Filter not found"):
            await house.endpoints.load_filter(house.scope, house.scope.arn("filter/none"))

    asyncio.run(journey())


def test_a_filter_without_its_dataset_says_so(house):
    arn = house.scope.arn("filter/one")
    with house.scope.write() as tx:
        attributes = {"filterExpression": "INCLUDE ItemID WHERE Items.PRICE < 3"}
        tx.add("filter", arn, "one", group_arn=house.group, status="ACTIVE", attributes=attributes)

    async def journey():
        with pytest.raises(InvalidInput, match="cannot be used with this request"):
            await house.endpoints.load_filter(house.scope, arn)

    asyncio.run(journey())


def test_a_filter_is_compiled_for_its_groups_schemas(house):
    arn = house.scope.arn("filter/one")
    fields = [{"name": "ITEM_ID", "type": "string"}, {"name": "PRICE", "type": "float"}]
    text = json.dumps(
        {"type": "record", "name": "Items", "namespace": "n", "fields": fields, "version": "1.0"}
    )
    with house.scope.write() as tx:
        schema = tx.add("schema", house.scope.arn("schema/s"), "s", attributes={"schema": text})
        tx.add(
            "dataset",
            house.scope.arn("dataset/shop/ITEMS"),
            "items",
            group_arn=house.group,
            status="ACTIVE",
            attributes={"datasetType": "ITEMS", "schemaArn": schema.arn},
        )
        attributes = {"filterExpression": "INCLUDE ItemID WHERE Items.PRICE < $P"}
        tx.add("filter", arn, "one", group_arn=house.group, status="ACTIVE", attributes=attributes)

    async def journey():
        found = await house.endpoints.load_filter(house.scope, arn)
        assert found.compiled.parameters == {"P"}
        assert house.endpoints.filter(house.scope, arn, found.version) is found
        assert house.endpoints.filter(house.scope, arn, found.version + 1) is None

    asyncio.run(journey())


def test_many_put_records_are_read_beside_the_answers_once_for_all_who_wait(house, monkeypatch):
    campaign = house.campaign("one", house.version("one", V1))
    dataset = house.scope.arn("dataset/shop/ITEMS")
    with house.scope.write() as tx:
        schema = tx.add(
            "schema", house.scope.arn("schema/items"), "items", attributes={"schema": TEXTS["ITEMS"]}
        )
        attributes = {"datasetType": "ITEMS", "schemaArn": schema.arn}
        tx.add("dataset", dataset, "ITEMS", group_arn=house.group, status="ACTIVE", attributes=attributes)
    readers = []
    original = Catalogue.advance

    def advance(self, position):
        readers.append(threading.current_thread())
        time.sleep(0.05)  # long enough for the others to come and wait
        return original(self, position)

    monkeypatch.setattr(Catalogue, "advance", advance)

    def put(items, price):
        entries = [Record(item, json.dumps({"PRICE": price})) for item in items]
        house.installation.log.append(dataset, entries).result()

    async def ask():
        """What a campaign's answer says of two items, one of them new."""
        found = await house.get(campaign)
        await house.endpoints.ready(found.deployment, None, {}, records=True)
        prices = found.deployment.metadata([CATALOGUE[0], "new-0"], ["PRICE"])
        return [one.get("PRICE") for one in prices]

    async def journey():
        await house.get(campaign)
        many = [*CATALOGUE, *(f"new-{k}" for k in range(500))]
        put(many, 1.0)
        answers = [asyncio.ensure_future(ask()) for _ in range(5)]
        ticks = 0
        while not all(one.done() for one in answers):
            await asyncio.sleep(0.001)
            ticks += 1
        assert [one.result() for one in answers] == [["1", "1"]] * 5
        assert ticks > 5  # the loop was free meanwhile
        assert len(readers) in (1, 2, 3)  # the consumer's thread may have come by as well
        assert threading.main_thread() not in readers
        readers.clear()
        put(CATALOGUE[:2], 2.0)
        assert await ask() == ["2", "1"]
        assert threading.main_thread() not in readers

    asyncio.run(journey())
