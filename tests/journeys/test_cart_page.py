"""The cart page: what is streamed into the cart moves the next answer to what goes with it."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from openpersonalize.testing.live import LiveCampaign
from openpersonalize.testing.worlds import DAY

BUNDLES, SIZE, STAPLES = 15, 4, 10


def orders(customers: int = 150, each: int = 6, seed: int = 0) -> pl.DataFrame:
    """Orders of two of the customer's four staples and all products of any bundle, one second each, in the
    order of the products' names: rows say nothing about what comes next."""
    rng = np.random.default_rng(seed)
    newest = int(time.time()) - 2 * DAY
    rows = []
    for customer in range(customers):
        staples = rng.choice(STAPLES, 4, replace=False)
        for order in range(each):
            bundle = rng.integers(BUNDLES)
            lines = [f"staple-{one}" for one in rng.choice(staples, 2, replace=False)]
            lines += [f"bundle-{bundle:02}-{one}" for one in range(SIZE)]
            when = newest - (each - order) * 7 * DAY + int(rng.integers(5 * DAY))
            rows += [(f"c{customer}", line, when) for line in sorted(lines)]
    return pl.DataFrame(rows, schema=["USER_ID", "ITEM_ID", "TIMESTAMP"], orient="row").with_columns(
        EVENT_TYPE=pl.lit("purchase")
    )


@pytest.fixture(scope="module")
def shop(live_campaign: Callable[..., LiveCampaign]) -> LiveCampaign:
    return live_campaign("aws-user-personalization-v2", orders())


@pytest.fixture(scope="module")
def tracker(shop: LiveCampaign) -> str:
    personalize = shop.server.client("personalize")
    return str(personalize.create_event_tracker(name="cart", datasetGroupArn=shop.group)["trackingId"])


def stream(shop: LiveCampaign, tracker: str, lines: list[str], session: str, user: str | None = None) -> None:
    now = int(time.time())
    shop.server.client("personalize-events").put_events(
        trackingId=tracker,
        sessionId=session,
        **({} if user is None else {"userId": user}),
        eventList=[
            {"eventType": "purchase", "itemId": line, "sentAt": now - 7 * (len(lines) - place)}
            for place, line in enumerate(lines)
        ],
    )


def rest_of(bundle: int, lines: list[str]) -> set[str]:
    return {f"bundle-{bundle:02}-{one}" for one in range(SIZE)} - set(lines)


@pytest.mark.parametrize(("user", "bundle"), [("c3", 2), ("c11", 9)])
def test_the_cart_moves_the_answer_to_what_goes_with_it(
    shop: LiveCampaign, tracker: str, user: str, bundle: int
) -> None:
    cart = [f"bundle-{bundle:02}-1", f"bundle-{bundle:02}-3"]
    before = shop.recommend(user=user, count=4)
    assert not rest_of(bundle, cart) <= set(before)
    stream(shop, tracker, cart, f"s-{user}", user)
    after = [item for item in shop.recommend(user=user, count=6) if item not in cart]
    assert set(after[:2]) == rest_of(bundle, cart)


def test_an_anonymous_cart_counts_and_goes_over_to_the_user(shop: LiveCampaign, tracker: str) -> None:
    cart = ["bundle-05-0", "bundle-05-2"]
    stream(shop, tracker, cart, "nobody-yet")
    after = [item for item in shop.recommend(user="nobody-yet", count=6) if item not in cart]
    assert set(after[:2]) == rest_of(5, cart)
    # Two devices: the session is that of the newest events, whatever device they come from.
    stream(shop, tracker, ["bundle-06-0"], "phone", "c20")
    stream(shop, tracker, ["bundle-06-2"], "laptop", "c20")
    both = [item for item in shop.recommend(user="c20", count=6) if not item.startswith("staple")]
    assert rest_of(6, ["bundle-06-0", "bundle-06-2"]) <= set(both[:4])
