from __future__ import annotations

import pytest

from openpersonalize.resources.kinds import KINDS
from openpersonalize.resources.lifecycle import AT_WORK, FINAL, PENDING, TRANSITIONAL, Status, failed_after


def test_every_status_has_a_sentence_and_a_side() -> None:
    for status in Status:
        assert status.sentence.endswith(".")
        assert (status in FINAL) != (status in TRANSITIONAL)
    assert PENDING < TRANSITIONAL
    assert AT_WORK < TRANSITIONAL


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_only_known_words_and_no_way_back_to_the_beginning(kind: str) -> None:
    assert KINDS[kind].statuses <= {status.value for status in Status}
    for follow in KINDS[kind].transitions.values():
        assert not follow & {"CREATE PENDING", "PENDING"}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_transitional_state_can_end(kind: str) -> None:
    for status in KINDS[kind].statuses:
        if status in TRANSITIONAL and not status.startswith("DELETE"):
            assert any(status in FINAL for status in KINDS[kind].transitions[status])
            failed = failed_after(status)
            assert failed is not None
            assert KINDS[kind].may_follow(status, failed)


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
    assert KINDS[kind].may_follow(before, after) is allowed
