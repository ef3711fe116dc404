from __future__ import annotations

from typing import Any

import botocore.session
import pytest

from openpersonalize.access.keys import ROLES
from openpersonalize.access.roles import ALLOWED, Caller, authorise, authorise_content, authorise_page
from openpersonalize.errors import AccessRefused
from openpersonalize.server.s3.actions import ACTIONS

OPERATIONS = sorted(
    name
    for service in ("personalize", "personalize-runtime", "personalize-events")
    for name in botocore.session.get_session().get_service_model(service).operation_names
)
DATASET = "arn:aws:personalize:us-east-1:000000000000:dataset/{}/ITEMS"


def caller(role: str, tracker: str | None = None) -> Caller:
    return Caller("OPAK", role, tracker, "us-east-1")


def groups(region: str, tracking_id: str) -> str | None:
    return {("us-east-1", "t-1"): "films"}.get((region, tracking_id))


def may(role: str, operation: str, request: dict[str, Any] | None = None, tracker: str | None = None) -> bool:
    try:
        authorise(caller(role, tracker), operation)
        authorise_content(caller(role, tracker), request or {}, groups("us-east-1", tracker or ""))
    except AccessRefused:
        return False
    return True


def test_the_table_names_every_operation_and_only_known_roles() -> None:
    assert sorted(name for name in ALLOWED if ":" not in name) == OPERATIONS
    assert len(OPERATIONS) == 79
    assert {role for roles in ALLOWED.values() for role in roles} == set(ROLES)


def test_every_operation_of_s3_has_a_row() -> None:
    others = {name for name in ALLOWED if ":" in name}
    assert others == {f"s3:{name}" for name in ACTIONS} | {"sts:GetCallerIdentity"}


@pytest.mark.parametrize("action", ACTIONS)
def test_who_may_use_buckets(action: str) -> None:
    for role in ROLES:
        content = role in ("admin", "buckets")
        names = (
            role == "read"
            and action.startswith(("List", "HeadBucket", "GetBucket"))
            and "Parts" not in action
        )
        assert may(role, f"s3:{action}") is (content or names)


@pytest.mark.parametrize("role", ROLES)
def test_everybody_may_ask_who_he_is(role: str) -> None:
    assert may(role, "sts:GetCallerIdentity")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_who_may_call(operation: str) -> None:
    assert may("admin", operation)
    runtime = operation in ("GetRecommendations", "GetPersonalizedRanking", "GetActionRecommendations")
    assert may("runtime", operation) is runtime
    assert may("events", operation) is (operation in ("PutEvents", "PutActionInteractions"))
    assert may("catalogue", operation) is (operation in ("PutItems", "PutUsers", "PutActions"))
    assert may("ingest", operation) is operation.startswith("Put")
    reads = operation.startswith(("Describe", "List")) or operation == "GetSolutionMetrics"
    assert may("read", operation) is reads


@pytest.mark.parametrize(
    ("operation", "request_", "allowed"),
    [
        ("PutEvents", {"trackingId": "t-1"}, True),
        ("PutEvents", {"trackingId": "t-2"}, False),
        ("PutActionInteractions", {"trackingId": "t-1"}, True),
        ("PutItems", {"datasetArn": DATASET.format("films")}, True),
        ("PutItems", {"datasetArn": DATASET.format("shoes")}, False),
        ("PutUsers", {"datasetArn": "dataset"}, False),
        ("PutUsers", {}, False),
    ],
)
def test_a_key_bound_to_a_tracker(operation: str, request_: dict[str, str], allowed: bool) -> None:
    assert may("ingest", operation, request_, "t-1") is allowed


def test_a_key_bound_to_a_tracker_that_is_gone_may_put_nothing() -> None:
    assert not may("catalogue", "PutItems", {"datasetArn": DATASET.format("films")}, "t-9")


def test_the_refusal_names_the_roles_that_would_do() -> None:
    with pytest.raises(AccessRefused, match="needs one of the roles admin, runtime"):
        authorise(caller("read"), "GetRecommendations")


def test_pages() -> None:
    for role in ("admin", "read"):
        authorise_page(caller(role), "/metrics")
    for role in ("runtime", "events", "catalogue", "ingest"):
        with pytest.raises(AccessRefused, match="may not read /metrics"):
            authorise_page(caller(role), "/metrics")


def test_the_page_that_explains_answers() -> None:
    for role in ("admin", "read", "runtime"):
        authorise_page(caller(role), "/v1/explain")
    for role in ("events", "catalogue", "ingest", "buckets"):
        with pytest.raises(AccessRefused, match="needs one of the roles admin, read, runtime"):
            authorise_page(caller(role), "/v1/explain")
