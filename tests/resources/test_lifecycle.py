from __future__ import annotations

import pytest

from openpersonalize.resources.lifecycle import (
    FINAL,
    PENDING,
    TRANSITIONAL,
    TRANSITIONS,
    Status,
    failed_after,
    may_follow,
    statuses_of,
)


def test_every_status_has_a_sentence_and_a_side() -> None:
    for status in Status:
        assert status.sentence.endswith(".")
        assert (status in FINAL) != (status in TRANSITIONAL)
    assert PENDING < TRANSITIONAL


@pytest.mark.parametrize("kind", sorted(TRANSITIONS))
def test_only_known_words_and_no_way_back_to_the_beginning(kind: str) -> None:
    assert statuses_of(kind) <= {status.value for status in Status}
    for follow in TRANSITIONS[kind].values():
        assert not follow & {"CREATE PENDING", "PENDING"}


@pytest.mark.parametrize("kind", sorted(TRANSITIONS))
def test_every_transitional_state_can_end(kind: str) -> None:
    for status in statuses_of(kind):
        if status in TRANSITIONAL and not status.startswith("DELETE"):
            assert any(status in FINAL for status in TRANSITIONS[kind][status])
            failed = failed_after(status)
            assert failed is not None
            assert may_follow(kind, status, failed)


@pytest.mark.parametrize(
    ("kind", "before", "after", "allowed"),
    [
        ("campaign", "CREATE PENDING", "ACTIVE", True),
        ("campaign", "ACTIVE", "CREATE IN_PROGRESS", False),
        ("campaign", "CREATE FAILED", "ACTIVE", True),
        ("solution", "CREATE FAILED", "ACTIVE", False),
        ("solution-version", "CREATE STOPPING", "CREATE STOPPED", True),
        ("solution-version", "CREATE STOPPING", "ACTIVE", False),
        ("dataset", "ACTIVE", "UPDATE PENDING", True),
        ("filter", "ACTIVE", "UPDATE PENDING", False),
        ("data-deletion-job", "PENDING", "COMPLETED", True),
        ("recommender", "INACTIVE", "START PENDING", True),
        ("filter", "DELETE IN_PROGRESS", "ACTIVE", False),
        ("schema", None, None, True),
        ("schema", None, "ACTIVE", False),
    ],
)
def test_which_state_may_follow(kind: str, before: str | None, after: str | None, allowed: bool) -> None:
    assert may_follow(kind, before, after) is allowed
