"""Recommenders over the wire: both domains, configurations, stopping, starting, deleting."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

import domains
import promises
from domains import BOUGHT_MOST, VIEWED_MOST, bought, department, partner
from live import Server, Wait, fails, make_clients
from openpersonalize.recipes.facts import Offer
from openpersonalize.recipes.registry import facts_of

RECIPE = "arn:aws:personalize:::recipe/"
ECOMMERCE, VIDEO = promises.SHOP, promises.CINEMA
METRICS = {"coverage", "mean_reciprocal_rank_at_25", "precision_at_5"}
PERSON = "person-04"


def events_of(kind: str) -> dict[str, float]:
    """How often each thing was viewed or bought, what one person repeats less each time."""
    times = Counter((one.person, one.thing) for one in domains.acts("ECOMMERCE") if one.kind == kind)
    counts = dict.fromkeys(domains.THINGS, 0.0)
    for (_, thing), count in times.items():
        counts[thing] += round(sum(0.75**k for k in range(count)), 9)
    return counts


class Store:
    """A domain dataset group with one recommender of each use case, by the name of its recipe."""

    def __init__(self, server: Server, region: str, domain: str, recipes: tuple[str, ...]) -> None:
        self.clients = make_clients(server.endpoint, region)
        self.wait = Wait(self.clients.personalize)
        self.domain = domain
        self.group = domains.make_domain(server, region, domain, domain[:3].lower())
        made = [self.make(recipe, recipe) for recipe in recipes]
        self.arns = dict(zip(recipes, made, strict=True))
        for arn in made:
            self.wait.active(arn, 120)

    def make(self, name: str, recipe: str, **more: Any) -> str:
        personalize = self.clients.personalize
        made = personalize.create_recommender(
            name=name, datasetGroupArn=self.group, recipeArn=f"{RECIPE}{recipe}", **more
        )
        return str(made["recommenderArn"])

    def answer(self, recipe: str, *, count: int = 10, **asked: Any) -> list[dict[str, Any]]:
        arn = self.arns.get(recipe, recipe)
        asked = {"userId": PERSON, **asked}
        answer = self.clients.runtime.get_recommendations(recommenderArn=arn, numResults=count, **asked)
        return list(answer["itemList"])

    def ids(self, recipe: str, **asked: Any) -> list[str]:
        return [entry["itemId"] for entry in self.answer(recipe, **asked)]


def given_often(store: Store, recipe: str) -> Counter[str]:
    """How often each item is in twenty answers: what is explored changes, and in one answer of seven two of
    ten items are explored that are not of the user's kind."""
    return Counter(one for _ in range(20) for one in store.ids(recipe, count=10))


@pytest.fixture(scope="module")
def store(server: Server, region: str) -> Store:
    return Store(server, region, "ECOMMERCE", ECOMMERCE)


@pytest.fixture(scope="module")
def cinema(server: Server, region: str) -> Store:
    return Store(server, f"{region}-cinema", "VIDEO_ON_DEMAND", VIDEO)


@pytest.fixture
def cheap(store: Store, name: str) -> Iterator[str]:
    """A recommender of a test's own that trains in no time."""
    store.clients.personalize.delete_recommender(
        recommenderArn=store.arns["aws-ecomm-popular-items-by-views"]
    )
    store.wait.gone(store.arns["aws-ecomm-popular-items-by-views"])
    arn = store.make(name, "aws-ecomm-popular-items-by-views")
    store.wait.active(arn)
    yield arn
    described = store.wait.final(arn)
    if described["status"] in ("ACTIVE", "INACTIVE", "CREATE FAILED"):
        store.clients.personalize.delete_recommender(recommenderArn=arn)
    store.wait.gone(arn)
    again = store.make("aws-ecomm-popular-items-by-views", "aws-ecomm-popular-items-by-views")
    store.wait.active(again)


class TestShop:
    def test_popular_things_count_events(self, store: Store) -> None:
        for recipe, kind in (
            ("aws-ecomm-popular-items-by-views", "View"),
            ("aws-ecomm-popular-items-by-purchases", "Purchase"),
        ):
            counts = events_of(kind)
            found = [counts[one] for one in store.ids(recipe, count=90)]
            assert found == sorted(found, reverse=True)
            assert len(found) == 90

    def test_a_zealot_puts_nothing_first(self, store: Store) -> None:
        assert store.ids("aws-ecomm-popular-items-by-purchases")[0] != BOUGHT_MOST

    def test_what_is_bought_together(self, store: Store) -> None:
        for thing in ("thing-07", "thing-40", "thing-62"):
            assert store.ids("aws-ecomm-frequently-bought-together", itemId=thing)[0] == partner(thing)
        without = store.clients.runtime.get_recommendations(
            recommenderArn=store.arns["aws-ecomm-frequently-bought-together"], itemId="thing-07"
        )
        assert without["itemList"][0]["itemId"] == partner("thing-07")
        assert len(without["itemList"]) == 25

    def test_what_was_bought_does_not_come_back(self, store: Store) -> None:
        own = bought("ECOMMERCE", PERSON)
        viewed = store.ids("aws-ecomm-customers-who-viewed-x-also-viewed", itemId="thing-07", count=90)
        assert set(viewed) == set(domains.THINGS) - own - {"thing-07"}
        assert {department(one) for one in viewed[:10]} == {department("thing-07")}
        often = given_often(store, "aws-ecomm-recommended-for-you")
        assert not own & set(often)
        assert [department(one) for one, _ in often.most_common(10)].count(department(PERSON)) >= 9

    def test_a_purchase_counts_at_once(self, store: Store) -> None:
        personalize, someone = store.clients.personalize, "person-07"
        tracker = personalize.create_event_tracker(name="tracker", datasetGroupArn=store.group)
        best = store.ids("aws-ecomm-recommended-for-you", userId=someone)[:2]
        for thing, kind in zip(best, ("purchase", "View"), strict=True):
            store.clients.events.put_events(
                trackingId=tracker["trackingId"],
                userId=someone,
                sessionId="s",
                eventList=[{"eventType": kind, "itemId": thing, "sentAt": time.time()}],
            )
        now = store.ids("aws-ecomm-recommended-for-you", userId=someone, count=90)
        assert best[0] not in now
        assert best[1] in now
        viewed = store.ids(
            "aws-ecomm-customers-who-viewed-x-also-viewed", userId=someone, itemId="thing-01", count=90
        )
        assert best[0] not in viewed
        personalize.delete_event_tracker(eventTrackerArn=tracker["eventTrackerArn"])

    def test_somebody_unknown(self, store: Store) -> None:
        assert len(store.ids("aws-ecomm-recommended-for-you", userId="nobody")) == 10
        unknown = store.ids("aws-ecomm-customers-who-viewed-x-also-viewed", userId="nobody", itemId="none")
        popular = ["thing-00", "thing-01", "thing-02", "thing-03", "thing-04", "thing-05"]
        assert sorted(unknown[:6]) == popular

    def test_no_scores_and_no_reasons(self, store: Store) -> None:
        for recipe in ECOMMERCE:
            assert {key for one in store.answer(recipe, itemId="thing-07") for key in one} == {"itemId"}

    def test_filters_and_promotions(self, store: Store, name: str) -> None:
        personalize = store.clients.personalize
        chosen = personalize.create_filter(
            name=name,
            datasetGroupArn=store.group,
            filterExpression="INCLUDE ItemID WHERE Items.CATEGORY_L1 IN ($C)",
        )["filterArn"]
        own = bought("ECOMMERCE", PERSON)
        music = {"filterArn": chosen, "filterValues": {"C": '"music"'}}
        for recipe in ECOMMERCE:
            found = store.ids(recipe, itemId="thing-07", **music)
            assert found
            assert {department(one) for one in found} == {"music"}
        games = {"filterArn": chosen, "filterValues": {"C": '"games"'}}
        found = store.ids("aws-ecomm-recommended-for-you", count=90, **games)
        assert set(found) == {one for one in domains.THINGS if department(one) == "games"} - own
        promotion = {"name": "sale", "percentPromotedItems": 40, **games}
        answer = store.answer("aws-ecomm-recommended-for-you", promotions=[promotion], **music)
        promoted = [one["itemId"] for one in answer if one.get("promotionName") == "sale"]
        assert len(promoted) == 4
        assert {department(one) for one in promoted} == {"games"}
        assert not own & set(promoted)
        message = fails(
            "InvalidInputException",
            store.clients.runtime.get_recommendations,
            recommenderArn=store.arns["aws-ecomm-recommended-for-you"],
            userId=PERSON,
            filterArn=chosen,
        )
        assert message == "Missing value for filter parameter C."

    def test_ids_that_a_request_must_bring(self, store: Store) -> None:
        call = store.clients.runtime.get_recommendations
        for recipe, missing in (
            ("aws-ecomm-popular-items-by-views", "userId"),
            ("aws-ecomm-popular-items-by-purchases", "userId"),
            ("aws-ecomm-recommended-for-you", "userId"),
            ("aws-ecomm-customers-who-viewed-x-also-viewed", "userId"),
            ("aws-ecomm-customers-who-viewed-x-also-viewed", "itemId"),
            ("aws-ecomm-frequently-bought-together", "itemId"),
        ):
            given = {"userId": PERSON, "itemId": "thing-07"}
            del given[missing]
            message = fails("InvalidInputException", call, recommenderArn=store.arns[recipe], **given)
            assert message == f"{missing} is required for recipe {recipe}."

    def test_which_endpoint(self, store: Store) -> None:
        arn = store.arns["aws-ecomm-recommended-for-you"]
        call = store.clients.runtime.get_recommendations
        both = "Provide either campaignArn or recommenderArn."
        asked = {"recommenderArn": arn, "campaignArn": arn, "userId": "u"}
        assert fails("InvalidInputException", call, **asked) == both
        assert fails("InvalidInputException", call, userId="u") == both
        message = fails("ResourceNotFoundException", call, recommenderArn=f"{arn}-none", userId="u")
        assert message == f"Recommender not found: {arn}-none"
        other = (
            " It is the ARN of a recommender, and a campaign's is wanted here: GetRecommendations takes it as"
            " recommenderArn."
        )
        message = fails("ResourceNotFoundException", call, campaignArn=arn, userId="u")
        assert message == f"Campaign not found: {arn}{other}"
        message = fails("ResourceNotFoundException", call, recommenderArn=store.group, userId="u")
        assert message == (
            f"Recommender not found: {store.group} It is the ARN of a dataset group, and a recommender's is"
            " wanted here."
        )
        rank = store.clients.runtime.get_personalized_ranking
        message = fails("ResourceNotFoundException", rank, campaignArn=arn, userId="u", inputList=["a"])
        assert message == f"Campaign not found: {arn}{other}"


class TestCinema:
    def test_popular_films_count_people(self, cinema: Store) -> None:
        seen = {(one.person, one.thing) for one in domains.acts("VIDEO_ON_DEMAND") if one.kind == "Watch"}
        people = Counter(thing for _, thing in seen)
        found = [people[one] for one in cinema.ids("aws-vod-most-popular", count=90)]
        assert found == sorted(found, reverse=True)
        assert cinema.ids("aws-vod-most-popular")[0] != BOUGHT_MOST

    def test_because_you_watched(self, cinema: Store) -> None:
        assert cinema.ids("aws-vod-because-you-watched-x", userId="new", itemId="thing-40")[0] == partner(
            "thing-40"
        )
        own = bought("VIDEO_ON_DEMAND", PERSON)
        found = cinema.ids("aws-vod-because-you-watched-x", itemId="thing-07", count=90)
        assert not own & set(found)

    def test_more_like_it(self, cinema: Store) -> None:
        own = bought("VIDEO_ON_DEMAND", PERSON)
        found = cinema.ids("aws-vod-more-like-x", itemId="thing-07")
        assert not {*own, "thing-07"} & set(found)
        assert {department(one) for one in found} == {department("thing-07")}

    def test_top_picks(self, cinema: Store) -> None:
        often = given_often(cinema, "aws-vod-top-picks")
        assert not bought("VIDEO_ON_DEMAND", PERSON) & set(often)
        assert [department(one) for one, _ in often.most_common(10)].count(department(PERSON)) >= 9

    def test_trending_now(self, cinema: Store) -> None:
        """In the last two hours of the data two people did one thing each, again and again; behind these two
        things come the popular ones."""
        runtime, arn = cinema.clients.runtime, cinema.arns["aws-vod-trending-now"]
        asked = runtime.get_recommendations(recommenderArn=arn, numResults=90)["itemList"]
        found = [one["itemId"] for one in asked]
        assert set(found[:2]) == {VIEWED_MOST, BOUGHT_MOST}
        pairs = {(one.person, one.thing) for one in domains.acts("VIDEO_ON_DEMAND")}
        users = Counter(thing for _, thing in pairs)
        counts = [users[one] for one in found[2:]]
        assert len(found) == 90
        assert counts == sorted(counts, reverse=True)

    def test_trending_now_says_how_well_it_foresees(self, cinema: Store) -> None:
        arn = cinema.arns["aws-vod-trending-now"]
        described = cinema.clients.personalize.describe_recommender(recommenderArn=arn)["recommender"]
        assert set(described["modelMetrics"]) == {"coverage", "trend_prediction_accuracy"}

    def test_trending_now_takes_no_promotions(self, cinema: Store) -> None:
        promotion = {"name": "p", "percentPromotedItems": 10, "filterArn": f"{cinema.group}/none"}
        with pytest.raises(cinema.clients.runtime.exceptions.InvalidInputException, match="Promotions"):
            cinema.answer("aws-vod-trending-now", promotions=[promotion])


class TestControl:
    def test_described_and_listed(self, store: Store) -> None:
        arn, personalize = store.arns["aws-ecomm-recommended-for-you"], store.clients.personalize
        described = personalize.describe_recommender(recommenderArn=arn)["recommender"]
        assert described["recipeArn"] == f"{RECIPE}aws-ecomm-recommended-for-you"
        assert described["datasetGroupArn"] == store.group
        assert described["recommenderConfig"] == {}
        assert described["modelMetrics"].keys() >= METRICS
        assert described["modelMetrics"]["precision_at_5"] > 0.1
        assert "latestRecommenderUpdate" not in described
        assert arn.endswith(":recommender/aws-ecomm-recommended-for-you")
        listed: list[str] = []
        page: dict[str, Any] = {}
        while True:
            answer = personalize.list_recommenders(datasetGroupArn=store.group, maxResults=2, **page)
            assert all(one["recommenderConfig"] == {} for one in answer["recommenders"])
            assert all("modelMetrics" not in one for one in answer["recommenders"])
            listed += [one["recommenderArn"] for one in answer["recommenders"]]
            if "nextToken" not in answer:
                break
            page = {"nextToken": answer["nextToken"]}
        assert set(listed) == set(store.arns.values())
        assert len(listed) == 5
        assert personalize.list_recommenders(datasetGroupArn=f"{store.group}-none")["recommenders"] == []
        token = personalize.list_recommenders(datasetGroupArn=store.group, maxResults=1)["nextToken"]
        fails("InvalidNextTokenException", personalize.list_recommenders, nextToken=token)

    def test_quota(self, store: Store) -> None:
        fails(
            "LimitExceededException",
            store.clients.personalize.create_recommender,
            name="sixth",
            datasetGroupArn=store.group,
            recipeArn=f"{RECIPE}aws-ecomm-popular-items-by-views",
        )

    def test_references(self, store: Store, cinema: Store, name: str) -> None:
        create = store.clients.personalize.create_recommender
        custom = store.clients.personalize.create_dataset_group(name=name)["datasetGroupArn"]
        store.wait.active(custom)
        views = f"{RECIPE}aws-ecomm-popular-items-by-views"
        message = fails("InvalidInputException", create, name=name, datasetGroupArn=custom, recipeArn=views)
        assert "Custom dataset group" in message
        for recipe in ("aws-vod-most-popular", "aws-user-personalization"):
            fails(
                "InvalidInputException",
                create,
                name=name,
                datasetGroupArn=store.group,
                recipeArn=f"{RECIPE}{recipe}",
            )
        for group, recipe in ((f"{store.group}-none", views), (store.group, f"{RECIPE}aws-none")):
            fails("ResourceNotFoundException", create, name=name, datasetGroupArn=group, recipeArn=recipe)
        fails(
            "ResourceAlreadyExistsException",
            create,
            name="aws-ecomm-recommended-for-you",
            datasetGroupArn=store.group,
            recipeArn=views,
        )
        store.clients.personalize.delete_dataset_group(datasetGroupArn=custom)
        for operation in ("describe", "delete", "start", "stop"):
            call = getattr(store.clients.personalize, f"{operation}_recommender")
            for arn in (f"{store.group}-none", store.group):
                fails("ResourceNotFoundException", call, recommenderArn=arn)

    def test_configurations_that_do_not_fit(self, store: Store, name: str) -> None:
        personal = store.arns["aws-ecomm-recommended-for-you"]
        popular = store.arns["aws-ecomm-frequently-bought-together"]
        endpoint = store.clients.personalize.meta.endpoint_url
        unchecked = make_clients(endpoint, personal.split(":")[3], checked=False)
        update = unchecked.personalize.update_recommender
        for arn, config, words in (
            (popular, {"itemExplorationConfig": {"explorationWeight": "0.5"}}, "does not support"),
            (personal, {"itemExplorationConfig": {"explorationWeight": "2"}}, "from 0 to 1"),
            (personal, {"trainingDataConfig": {"excludedDatasetColumns": {"ITEMS": ["NONE"]}}}, "NONE"),
            (personal, {"trainingDataConfig": {"excludedDatasetColumns": {"ITEMS": ["ITEM_ID"]}}}, "ITEM_ID"),
            (personal, {"minRecommendationRequestsPerSecond": 0}, "greater than or equal to 1"),
        ):
            assert words in fails(
                "InvalidInputException", update, recommenderArn=arn, recommenderConfig=config
            )

    def test_tags(self, store: Store) -> None:
        arn, personalize = store.arns["aws-ecomm-recommended-for-you"], store.clients.personalize
        tag = {"tagKey": "team", "tagValue": "web"}
        personalize.tag_resource(resourceArn=arn, tags=[tag])
        assert personalize.list_tags_for_resource(resourceArn=arn)["tags"] == [tag]
        personalize.untag_resource(resourceArn=arn, tagKeys=["team"])
        assert personalize.list_tags_for_resource(resourceArn=arn)["tags"] == []

    def test_stopped_and_started(self, store: Store, cheap: str) -> None:
        personalize, runtime = store.clients.personalize, store.clients.runtime
        before = store.ids(cheap)
        fails("InvalidInputException", personalize.start_recommender, recommenderArn=cheap)
        assert personalize.stop_recommender(recommenderArn=cheap)["recommenderArn"] == cheap
        message = fails(
            "InvalidInputException", runtime.get_recommendations, recommenderArn=cheap, userId=PERSON
        )
        assert message == f"Recommender {cheap} is not active."
        stopped = store.wait.final(cheap)
        assert stopped["status"] == "INACTIVE"
        assert stopped["modelMetrics"]
        fails("InvalidInputException", personalize.stop_recommender, recommenderArn=cheap)
        message = fails(
            "InvalidInputException",
            personalize.update_recommender,
            recommenderArn=cheap,
            recommenderConfig={},
        )
        assert message == f"Resource {cheap} has status INACTIVE; expected ACTIVE."
        fails(
            "LimitExceededException",
            personalize.create_recommender,
            name="one-more",
            datasetGroupArn=store.group,
            recipeArn=f"{RECIPE}aws-ecomm-popular-items-by-views",
        )
        personalize.start_recommender(recommenderArn=cheap)
        store.wait.active(cheap)
        assert store.ids(cheap) == before
        personalize.stop_recommender(recommenderArn=cheap)
        assert store.wait.final(cheap)["status"] == "INACTIVE"

    def test_updates(self, store: Store, cheap: str) -> None:
        personalize = store.clients.personalize
        config = {"enableMetadataWithRecommendations": True, "minRecommendationRequestsPerSecond": 3}
        columns = {"metadataColumns": {"ITEMS": ["CATEGORY_L1"]}}
        message = fails(
            "InvalidInputException",
            store.clients.runtime.get_recommendations,
            recommenderArn=cheap,
            userId=PERSON,
            **columns,
        )
        assert message == f"Metadata with recommendations is not enabled for {cheap}."
        made = store.wait.describe(cheap)["modelMetrics"]
        personalize.update_recommender(recommenderArn=cheap, recommenderConfig=config)
        described = store.wait.updated(cheap, "latestRecommenderUpdate")
        assert described["status"] == "ACTIVE"
        assert described["recommenderConfig"] == config
        assert described["latestRecommenderUpdate"]["recommenderConfig"] == config
        assert described["modelMetrics"] == made
        first = store.answer(cheap, **columns)[0]
        assert first["metadata"] == {"CATEGORY_L1": department(first["itemId"])}
        trained = {"trainingDataConfig": {"excludedDatasetColumns": {"ITEMS": ["PRICE"]}}}
        personalize.update_recommender(recommenderArn=cheap, recommenderConfig=trained)
        during = store.wait.describe(cheap)
        if during["latestRecommenderUpdate"]["status"] != "ACTIVE":
            assert during["status"] == "ACTIVE"
            assert during["recommenderConfig"] == config
            message = fails("ResourceInUseException", personalize.delete_recommender, recommenderArn=cheap)
            assert "latestRecommenderUpdate" in message
        assert store.answer(cheap)
        described = store.wait.updated(cheap, "latestRecommenderUpdate")
        assert described["recommenderConfig"] == trained
        counts = events_of("View")
        assert counts[store.ids(cheap)[0]] == max(counts.values())

    def test_deleted(self, store: Store, cheap: str) -> None:
        personalize, runtime = store.clients.personalize, store.clients.runtime
        message = fails(
            "ResourceInUseException", personalize.delete_dataset_group, datasetGroupArn=store.group
        )
        assert "is used by" in message
        personalize.delete_recommender(recommenderArn=cheap)
        store.wait.gone(cheap)
        fails("ResourceNotFoundException", runtime.get_recommendations, recommenderArn=cheap, userId="u")
        assert store.make(cheap.rpartition("/")[2], "aws-ecomm-popular-items-by-views") == cheap
        store.wait.active(cheap)


def test_too_few_of_its_events(server: Server, region: str, name: str) -> None:
    region = f"{region}-few"
    personalize = make_clients(server.endpoint, region).personalize
    wait = Wait(personalize)
    group = domains.make_domain(server, region, "ECOMMERCE", name, "Items")
    create = {"name": name, "datasetGroupArn": group}
    recipe = f"{RECIPE}aws-ecomm-popular-items-by-views"
    message = fails("InvalidInputException", personalize.create_recommender, recipeArn=recipe, **create)
    assert message == f"Training needs a dataset of type INTERACTIONS in {group}; create it first."
    schema = personalize.create_schema(name=name, schema=domains.interactions_schema(), domain="ECOMMERCE")[
        "schemaArn"
    ]
    personalize.create_dataset(name=name, datasetGroupArn=group, datasetType="Interactions", schemaArn=schema)
    arn = personalize.create_recommender(recipeArn=recipe, **create)["recommenderArn"]
    few = "Dataset has fewer than 1000 interactions after filtering by event type: View"
    assert wait.failed(arn).startswith(few)
    assert "modelMetrics" not in wait.describe(arn)
    runtime = make_clients(server.endpoint, region).runtime
    message = fails("InvalidInputException", runtime.get_recommendations, recommenderArn=arn, userId="u")
    assert message == f"Recommender {arn} is not active."
    fails("InvalidInputException", personalize.stop_recommender, recommenderArn=arn)
    personalize.delete_recommender(recommenderArn=arn)
    wait.gone(arn)


class Novelties:
    """Two things put after everything was trained, and the filter for them."""

    def __init__(self, store: Store) -> None:
        personalize, shop = store.clients.personalize, store.domain == "ECOMMERCE"
        column, name = ("CATEGORY_L1", "categoryL1") if shop else ("GENRES", "genres")
        self.store = store
        self.filter = personalize.create_filter(
            name="novelties",
            datasetGroupArn=store.group,
            filterExpression=f'INCLUDE ItemID WHERE Items.{column} IN ("novelty")',
        )["filterArn"]
        store.wait.active(self.filter)
        others = {"price": 2.5} if shop else {}
        for number, item in enumerate(("novel-1", "novel-2")):
            created = domains.shop.LAST + number
            properties = json.dumps({name: "novelty", "creationTimestamp": created, **others})
            store.clients.events.put_items(
                datasetArn=store.group.replace(":dataset-group/", ":dataset/") + "/ITEMS",
                items=[{"itemId": item, "properties": properties}],
            )

    def listed(self, recipe: str, item: str, count: int) -> list[str]:
        return self.store.ids(recipe, itemId=item, count=count, filterArn=self.filter)


@pytest.fixture(scope="module")
def novelties(store: Store, cinema: Store) -> dict[str, Novelties]:
    return dict.fromkeys(ECOMMERCE, Novelties(store)) | dict.fromkeys(VIDEO, Novelties(cinema))


@pytest.mark.parametrize("recipe", [*ECOMMERCE, *VIDEO])
def test_what_was_put_and_passes_a_filter_is_in_the_next_answers(
    novelties: dict[str, Novelties], recipe: str
) -> None:
    own, end = novelties[recipe], time.monotonic() + 20
    while sorted(own.listed(recipe, "thing-04", 10)) != ["novel-1", "novel-2"]:
        assert time.monotonic() < end, own.listed(recipe, "thing-04", 10)
        time.sleep(0.05)
    assert len(own.listed(recipe, "thing-04", 1)) == 1
    facts = facts_of(recipe)
    assert facts is not None
    if facts.task.anchored:  # a thing is no answer about itself
        assert own.listed(recipe, "novel-1", 10) == ["novel-2"]
    if Offer.EXPLORATION not in facts.offers:  # where nothing asks for them, what people know comes first
        assert not {"novel-1", "novel-2"} & set(own.store.ids(recipe, itemId="thing-04", count=3))


class Live:
    """Somebody new looks at four things of one department; their names are the test's."""

    def __init__(self, store: Store, recipe: str) -> None:
        self.store, self.recipe = store, recipe
        self.person = f"late-{recipe}"

    def before_and_after(self, things: list[str]) -> tuple[list[str], list[str]]:
        """The answers before somebody new looked at these things, and after."""
        asked = {"userId": self.person, "itemId": "thing-07", "count": 12}
        before = self.store.ids(self.recipe, **asked)
        tracker = self.store.clients.personalize.create_event_tracker(
            name="live", datasetGroupArn=self.store.group
        )
        for thing in things:
            self.store.clients.events.put_events(
                trackingId=tracker["trackingId"],
                userId=self.person,
                sessionId="s",
                eventList=[
                    {"eventType": domains.WORDS[self.store.domain][0], "itemId": thing, "sentAt": time.time()}
                ],
            )
        after = self.store.ids(self.recipe, **asked)
        self.store.clients.personalize.delete_event_tracker(eventTrackerArn=tracker["eventTrackerArn"])
        self.store.wait.gone(tracker["eventTrackerArn"])
        return before, after


@pytest.mark.parametrize("recipe", sorted({*ECOMMERCE, *VIDEO} - promises.BY_THE_CLOCK))
def test_streamed_events_count_at_once_where_that_is_promised_and_nowhere_else(
    store: Store, cinema: Store, recipe: str
) -> None:
    live = Live(cinema if recipe in VIDEO else store, recipe)
    music = [thing for thing in domains.THINGS if department(thing) == "music"][10:14]
    before, after = live.before_and_after(music)
    if recipe in promises.AT_ONCE:
        found = [sum(department(thing) == "music" for thing in answer) for answer in (before, after)]
        assert found[0] < 7
        assert found[1] >= 9
    else:
        assert before == after


@pytest.mark.parametrize("recipe", [*ECOMMERCE, *VIDEO])
def test_metrics_have_the_names_and_the_range_of_the_guide(store: Store, cinema: Store, recipe: str) -> None:
    own = cinema if recipe in VIDEO else store
    metrics = own.wait.describe(own.arns[recipe])["modelMetrics"]
    assert metrics.keys() == promises.metrics_of(recipe)
    assert all(0 <= value <= 1 and round(value, 4) == value for value in metrics.values())
    assert metrics["coverage"] > 0
