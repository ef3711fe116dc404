"""A supermarket through the API: groceries come again, what lasts does not."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest

from openpersonalize.datasets.sequences import Sequences
from openpersonalize.testing.live import LiveCampaign
from openpersonalize.testing.worlds import supermarket

ANSWER = 6


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
