from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import StrEnum

import numpy as np
import pytest

from openpersonalize.server.protocol import OPERATIONS


class Status(StrEnum):
    ACTIVE = "ACTIVE"


def written(operation: str, answer: dict[str, object]) -> str:
    return OPERATIONS[operation].serialise(answer).decode()


def test_members_come_in_the_order_of_the_shape() -> None:
    answer = {"campaigns": [{"status": "ACTIVE", "campaignArn": "arn", "name": "n"}], "nextToken": "t"}
    assert written("ListCampaigns", answer) == (
        '{"campaigns":[{"name":"n","campaignArn":"arn","status":"ACTIVE"}],"nextToken":"t"}'
    )


def test_unknown_members_and_none_are_dropped() -> None:
    answer = {"schema": {"name": "n", "internal": 1, "domain": None}, "other": 2}
    assert written("DescribeSchema", answer) == '{"schema":{"name":"n"}}'


def test_an_empty_list_stays_and_a_missing_token_goes() -> None:
    assert written("ListFilters", {"Filters": [], "nextToken": None}) == '{"Filters":[]}'


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (1542392161.8371, "1542392161.837"),
        (1542392161, "1542392161.0"),
        (datetime(2018, 11, 16, 18, 16, 1, 837000, UTC), "1542392161.837"),
    ],
)
def test_timestamps_are_seconds_with_milliseconds(instant: object, text: str) -> None:
    assert (
        written("DescribeSchema", {"schema": {"creationDateTime": instant}})
        == f'{{"schema":{{"creationDateTime":{text}}}}}'
    )


def test_numbers_of_numpy_and_enumerations_are_written() -> None:
    answer = {"itemList": [{"itemId": Status.ACTIVE, "score": np.float32(0.5)}]}
    assert json.loads(written("GetRecommendations", answer)) == {
        "itemList": [{"itemId": "ACTIVE", "score": 0.5}]
    }
    campaign = {"campaign": {"minProvisionedTPS": np.int64(3), "status": Status.ACTIVE}}
    assert written("DescribeCampaign", campaign) == '{"campaign":{"minProvisionedTPS":3,"status":"ACTIVE"}}'


def test_a_number_that_json_cannot_hold_is_an_error_not_a_null() -> None:
    with pytest.raises(ValueError, match="nan"):
        written("GetSolutionMetrics", {"metrics": {"coverage": float("nan")}})
