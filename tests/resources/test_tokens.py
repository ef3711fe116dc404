from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openpersonalize.errors import InvalidNextToken
from openpersonalize.resources.tokens import decode, encode

ARNS = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=256)
FILTERS = st.none() | ARNS | st.lists(st.none() | ARNS, max_size=3)
POSITIONS = st.tuples(st.floats(0, 4e9), ARNS).map(list)


@given(st.sampled_from(["ListFilters", "ListDataDeletionJobs"]), FILTERS, POSITIONS)
def test_a_position_comes_back_exactly(operation: str, filter: Any, position: list[Any]) -> None:
    token = encode(operation, filter, position)
    assert len(token) <= 1500
    assert set(token) <= set(string.ascii_letters + string.digits + "-_")
    assert decode(token, operation, filter) == position


@given(POSITIONS, FILTERS, FILTERS)
def test_a_token_serves_one_operation_and_filter(position: list[Any], made_for: Any, used_for: Any) -> None:
    token = encode("ListFilters", made_for, position)
    with pytest.raises(InvalidNextToken):
        decode(token, "ListSchemas", made_for)
    if made_for != used_for:
        with pytest.raises(InvalidNextToken):
            decode(token, "ListFilters", used_for)


@given(POSITIONS, st.data())
def test_a_changed_token_is_refused(position: list[Any], data: st.DataObject) -> None:
    token = encode("ListFilters", None, position)
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(min_codepoint=32, max_codepoint=126).filter(lambda c: c != token[at]))
    for changed in (token[:at] + other + token[at + 1 :], token[:at], token + other):
        with pytest.raises(InvalidNextToken) as error:
            decode(changed, "ListFilters", None)
        assert error.value.message == "Invalid nextToken."


@given(st.text(max_size=1500))
def test_any_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidNextToken):
        decode(text, "ListFilters", None)
