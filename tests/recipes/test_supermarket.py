"""A supermarket through the API: groceries come again, what lasts does not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from openpersonalize.datasets.sequences import Sequences
from openpersonalize.testing.live import LiveCampaign
from openpersonalize.testing.worlds import supermarket

ANSWER = 6
LONG = 16
"""More than anybody's groceries."""


@pytest.fixture(scope="module")
def shop() -> tuple[Sequences, pl.DataFrame]:
    return supermarket()


@pytest.mark.parametrize("described", [True, False])
def test_what_lasts_is_not_recommended_again(
    shop: tuple[Sequences, pl.DataFrame], live_campaign: Callable[..., LiveCampaign], described: bool
) -> None:
    """Of the durables in an answer hardly one was bought already; the groceries are the customer's own."""
    sequences, items = shop
    campaign = live_campaign("aws-user-personalization-v2", sequences, items if described else None)
    names = sequences.items.strings()
    bought_again, own = 0, 0
    users = range(0, 120, 3)
    for user in users:
        begin, end = sequences.ptr[user], sequences.ptr[user + 1]
        bought = {names[item] for item in sequences.item[begin:end].tolist()}
        answer = campaign.recommend(sequences.users.strings()[user], count=ANSWER)
        bought_again += sum(item.startswith("d") and item in bought for item in answer)
        own += sum(item.startswith("g") and item in bought for item in answer)
    assert bought_again <= 0.1 * len(users)
    assert own >= 4 * len(users)


def browsed(sequences: Sequences) -> pl.DataFrame:
    """The same where what lasts is viewed up to four times, hour by hour, before it is bought."""
    rng = np.random.default_rng(0)
    bought = pl.DataFrame(
        {
            "USER_ID": sequences.users.series().gather(sequences.user),
            "ITEM_ID": sequences.items.series().gather(sequences.item),
            "TIMESTAMP": sequences.time,
            "EVENT_TYPE": ["purchase"] * len(sequences.item),
        }
    )
    lasting = bought.filter(pl.col("ITEM_ID").str.starts_with("d"))
    hours = pl.Series("HOUR", [list(range(1, 1 + int(most))) for most in rng.integers(1, 5, len(lasting))])
    views = lasting.with_columns(hours, EVENT_TYPE=pl.lit("view")).explode("HOUR")
    views = views.with_columns(TIMESTAMP=pl.col("TIMESTAMP") - 3_600 * pl.col("HOUR") + 300)
    return pl.concat([bought, views.drop("HOUR")])


def test_what_is_viewed_until_it_is_bought_is_not_recommended_after_that(
    live_campaign: Callable[..., LiveCampaign],
) -> None:
    """Views come again and again, so an item seemed to come again after its purchase, too: of 111 that last
    all had been bought."""
    sequences, items = supermarket(users=90, weeks=10)
    campaign = live_campaign("aws-user-personalization-v2", browsed(sequences), items)
    names = sequences.items.strings()
    lasting, again = 0, 0
    for user in range(0, 90, 3):
        begin, end = sequences.ptr[user], sequences.ptr[user + 1]
        bought = {names[item] for item in sequences.item[begin:end].tolist()}
        answer = campaign.recommend(sequences.users.strings()[user], count=LONG)
        lasting += sum(item.startswith("d") for item in answer)
        again += sum(item.startswith("d") and item in bought for item in answer)
    assert again <= 0.1 * lasting
