from __future__ import annotations

from typing import Any

import pytest

from openpersonalize.access.admission import MAX_BUFFERED, SMALL_BODY, Admission, BodyRoom
from openpersonalize.errors import Throttled
from openpersonalize.settings import read_settings

CAMPAIGN = "arn:aws:personalize:us-east-1:000000000000:campaign/{}"
DATASET = "arn:aws:personalize:us-east-1:000000000000:dataset/{}/{}"


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Gate:
    """An admission under a clock of its own."""

    def __init__(self, profile: str = "aws", provisioned: int = 1, **more: int) -> None:
        self.clock = Clock()
        self.provisioned = provisioned
        settings = read_settings({"quota_profile": profile, "shed_after": 4}, {})

        async def read(arn: str) -> int:
            return self.provisioned

        self.admission = Admission(settings, read, self.clock, **more)

    def admit(self, operation: str, request: dict[str, Any], region: str) -> None:
        """As the server calls it."""
        call = self.admission.admit(operation, request, region)
        with pytest.raises(StopIteration):  # it waits for nothing here, so that no loop is needed
            call.send(None)

    def passed(self, operation: str, request: dict[str, Any], calls: int, region: str = "us-east-1") -> int:
        """How many of `calls` at one instant pass."""
        count = 0
        for _ in range(calls):
            try:
                self.admit(operation, request, region)
            except Throttled:
                pass
            else:
                count += 1
        return count


def test_the_error_of_a_rate() -> None:
    gate = Gate()
    request = {"datasetArn": DATASET.format("g", "ITEMS")}
    gate.passed("PutItems", request, 10)
    with pytest.raises(Throttled) as refused:
        gate.admit("PutItems", request, "us-east-1")
    assert (refused.value.code, refused.value.message) == ("ThrottlingException", "Rate exceeded")
    assert (refused.value.status, refused.value.rest_status) == (400, 429)


def test_by_default_nothing_is_counted() -> None:
    assert Gate().admission.rated
    assert not Gate("none").admission.rated


@pytest.mark.parametrize(("provisioned", "rate"), [(1, 500), (800, 800)])
def test_a_campaign_admits_its_rate_and_fills_up_again(provisioned: int, rate: int) -> None:
    gate = Gate(provisioned=provisioned)
    request = {"campaignArn": CAMPAIGN.format("a")}
    assert gate.passed("GetRecommendations", request, 1000) == rate
    gate.clock.now += 0.5
    assert gate.passed("GetRecommendations", request, 1000) == rate / 2
    gate.clock.now += 60
    assert gate.passed("GetRecommendations", request, 1000) == rate


def test_campaigns_and_operations_are_counted_apart() -> None:
    gate = Gate()
    assert gate.passed("GetRecommendations", {"campaignArn": CAMPAIGN.format("a")}, 600) == 500
    assert gate.passed("GetRecommendations", {"campaignArn": CAMPAIGN.format("b")}, 600) == 500
    assert gate.passed("GetPersonalizedRanking", {"campaignArn": CAMPAIGN.format("a")}, 600) == 500
    assert gate.passed("GetRecommendations", {"recommenderArn": CAMPAIGN.format("r")}, 600) == 500


def test_all_runtime_calls_together_have_a_limit() -> None:
    gate = Gate()
    passed = [gate.passed("GetRecommendations", {"campaignArn": CAMPAIGN.format(n)}, 500) for n in range(6)]
    assert passed == [500] * 5 + [0]
    assert gate.passed("GetRecommendations", {"campaignArn": CAMPAIGN.format("a")}, 1, "eu-west-1") == 1


def test_a_provisioned_rate_that_was_raised_is_seen_after_a_minute() -> None:
    gate = Gate()
    request = {"campaignArn": CAMPAIGN.format("a")}
    assert gate.passed("GetRecommendations", request, 1000) == 500
    gate.provisioned = 900
    gate.clock.now += 61
    gate.passed("GetRecommendations", request, 1)
    gate.clock.now += 1
    assert gate.passed("GetRecommendations", request, 1000) == 900


@pytest.mark.parametrize(
    ("operation", "request_", "rate"),
    [
        ("PutEvents", {"trackingId": "t"}, 1000),
        ("PutActionInteractions", {"trackingId": "t"}, 1000),
        ("PutItems", {"datasetArn": DATASET.format("g", "ITEMS")}, 10),
        ("PutUsers", {"datasetArn": DATASET.format("g", "USERS")}, 10),
        ("PutActions", {"datasetArn": DATASET.format("g", "ACTIONS")}, 10),
    ],
)
def test_puts_have_a_rate_per_dataset_group(operation: str, request_: dict[str, str], rate: int) -> None:
    gate = Gate()
    assert gate.passed(operation, request_, 1100) == rate
    other = {name: value.replace("/g/", "/h/") + "2" for name, value in request_.items()}
    assert gate.passed(operation, other, 1100) == rate


def test_control_calls_have_no_rate() -> None:
    assert Gate().passed("ListSchemas", {}, 5000) == 5000


def test_made_up_names_do_not_grow_it() -> None:
    gate = Gate(most_buckets=10)
    for number in range(100):
        gate.passed("PutEvents", {"trackingId": str(number)}, 1)
        gate.passed("GetRecommendations", {"campaignArn": CAMPAIGN.format(number)}, 1)
    assert len(gate.admission._buckets) <= 10
    assert len(gate.admission._asked) <= 10


def test_requests_in_flight() -> None:
    gate = Gate("none").admission
    for _ in range(4):
        gate.enter()
    with pytest.raises(Throttled):
        gate.enter()
    gate.leave()
    gate.enter()


def test_requests_whose_bodies_are_awaited_are_counted_apart() -> None:
    gate = Gate("none").admission
    rooms = [BodyRoom(gate, address) for address in ("a", "a", "b", "b")]
    for room in rooms:
        room.wait()
        room.wait()
    assert (gate.awaited, gate.in_flight) == (4, 0)
    with pytest.raises(Throttled):
        BodyRoom(gate, "c").wait()
    gate.enter()  # who needs no waiting is not kept from work
    rooms[0].arrived()
    BodyRoom(gate, "c").wait()


def test_an_address_waits_with_half_of_the_places() -> None:
    gate = Gate("none").admission
    rooms = [BodyRoom(gate, "a") for _ in range(3)]
    rooms[0].wait()
    rooms[1].wait()
    with pytest.raises(Throttled):
        rooms[2].wait()
    for room in rooms:
        room.close()
        room.close()
    assert gate.awaited == 0
    rooms[2].wait()


def test_large_bodies_share_a_room_as_they_grow() -> None:
    gate = Gate("none").admission
    small, first, second = BodyRoom(gate, "a"), BodyRoom(gate, "a"), BodyRoom(gate, "b")
    small.grow(SMALL_BODY)
    for room in (first, second):
        room.grow(SMALL_BODY + 1)
        room.grow(SMALL_BODY + MAX_BUFFERED // 2)
    for room in (small, BodyRoom(gate, "c")):
        with pytest.raises(Throttled):
            room.grow(SMALL_BODY + 1)
    first.close()
    BodyRoom(gate, "c").grow(SMALL_BODY + 1)
    with pytest.raises(Throttled):
        second.grow(SMALL_BODY + MAX_BUFFERED // 2 + 1)
