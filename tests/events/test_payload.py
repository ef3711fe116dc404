"""Requests become rows by the documented rules, or are refused with every reason."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openpersonalize.datasets.schemas import Field, Schema
from openpersonalize.errors import InvalidInput
from openpersonalize.events.entries import Event, Record
from openpersonalize.events.payload import EventReader, RecordReader

SCHEMA = Schema(
    (
        Field("USER_ID", "string"),
        Field("ITEM_ID", "string"),
        Field("TIMESTAMP", "long"),
        Field("EVENT_TYPE", "string"),
        Field("EVENT_VALUE", "float"),
        Field("NUM_RATINGS", "int"),
        Field("CABIN_TYPE", "string", nullable=True, categorical=True),
        Field("memberClass", "string", nullable=True),
    )
)
ITEM_SCHEMA = Schema(
    (
        Field("ITEM_ID", "string"),
        Field("CATEGORY_L1", "string", categorical=True),
        Field("CREATION_TIMESTAMP", "long", nullable=True),
        Field("PLOT", "string", nullable=True, textual=True),
        Field("PRICE", "double", nullable=True),
        Field("WEIGHT", "float", nullable=True),
        Field("ADULT", "boolean", nullable=True),
    )
)
NAMES = ["NUM_RATINGS", "CABIN_TYPE", "memberClass"]


def event(**members: Any) -> Event:
    """The row of one event; `properties` may be given as a dict."""
    given = {"eventType": "click", "sentAt": 1_700_000_000.9, "itemId": "alien"} | members
    if isinstance(given.get("properties"), dict):
        given["properties"] = json.dumps(given["properties"])
    given = {name: value for name, value in given.items() if value is not None}
    request = {"trackingId": "t", "sessionId": "s1", "userId": "ann", "eventList": [given]}
    return EventReader(SCHEMA).read(request)[0]


def stored(properties: dict[str, Any] | str) -> dict[str, Any]:
    text = event(properties=properties).properties
    return {} if text is None else dict(json.loads(text))


def refusal(**members: Any) -> str:
    with pytest.raises(InvalidInput) as refused:
        event(**members)
    return refused.value.message.removeprefix("Invalid Event at index 0: ")


def item(properties: dict[str, Any] | str | None) -> dict[str, Any]:
    text = properties if properties is None or isinstance(properties, str) else json.dumps(properties)
    given = {"itemId": "alien"} | ({} if text is None else {"properties": text})
    record = RecordReader(ITEM_SCHEMA, "Item", "itemId").read([given])[0]
    assert record.id == "alien"
    return {} if record.properties is None else dict(json.loads(record.properties))


def item_refusal(properties: dict[str, Any] | str) -> str:
    with pytest.raises(InvalidInput) as refused:
        item(properties)
    return refused.value.message.removeprefix("Invalid Item at index 0: ")


def test_every_member_has_its_place() -> None:
    row = event(
        eventId="e1",
        eventValue=2.5,
        impression=["a", "b"],
        recommendationId="RID-1",
        metricAttribution={"eventAttributionSource": "mail"},
    )
    assert row == Event("ann", "s1", "alien", 1_700_000_000, "click", 2.5, "e1", "RID-1", "a|b", "mail", None)


def test_without_a_user_the_event_is_the_sessions() -> None:
    request = {"sessionId": "s1", "eventList": [{"eventType": "c", "sentAt": 5, "itemId": "a"}]}
    assert EventReader(SCHEMA).read(request) == [Event(None, "s1", "a", 5, "c")]


@pytest.mark.parametrize("spelling", ["itemId", "ITEM_ID", "item_id", "itemid"])
def test_the_item_may_stand_in_the_properties(spelling: str) -> None:
    assert event(itemId=None, properties={spelling: "heat"}).item == "heat"
    assert event(properties={spelling: "heat"}).item == "alien"
    assert event(itemId=None, properties={spelling: 42}).item == "42"


@pytest.mark.parametrize("properties", [None, {}, {"itemId": None}, {"itemId": ""}, {"numRatings": 1}])
def test_an_event_needs_an_item(properties: dict[str, Any] | None) -> None:
    assert refusal(itemId=None, properties=properties) == "itemId is required."


@pytest.mark.parametrize("item", [["a"], {"a": 1}, "\ud800"])
def test_an_item_is_text(item: Any) -> None:
    assert (
        refusal(itemId=None, properties={"itemId": item})
        == "Invalid value for property itemId. It must be text."
    )


def test_an_item_in_the_properties_is_as_long_as_any() -> None:
    assert event(itemId=None, properties={"itemId": "x" * 256}).item == "x" * 256
    assert (
        refusal(itemId=None, properties={"itemId": "x" * 257})
        == "Property itemId must have at most 256 characters."
    )


@pytest.mark.parametrize(
    ("given", "value"),
    [
        (4, 4.0),
        (0.5, 0.5),
        ("4", 4.0),
        ("-1e2", -100.0),
        ("true", 1.0),
        ("FALSE", 0.0),
        (True, 1.0),
        (None, None),
        ("", None),
    ],
)
def test_the_value_may_stand_in_the_properties(given: Any, value: float | None) -> None:
    assert event(properties={"eventValue": given}).value == value
    assert event(eventValue=7.0, properties={"eventValue": given}).value == 7.0


@pytest.mark.parametrize("given", ["yes", "nan", "inf", "1_0", "0x1", " 1", "1e39", 1e39, [1], {"a": 1}])
def test_a_value_is_a_number(given: Any) -> None:
    assert (
        refusal(properties={"eventValue": given})
        == "Invalid value for property eventValue. It must be a number of 32 bits."
    )


@pytest.mark.parametrize(
    "key",
    [
        "userId",
        "userid",
        "USERID",
        "sessionId",
        "eventType",
        "timestamp",
        "Timestamp",
        "recommendationId",
        "impression",
    ],
)
def test_members_of_the_event_are_reserved(key: str) -> None:
    assert refusal(properties={key: "x"}) == f"Reserved keyword {key} cannot be used in properties."


@pytest.mark.parametrize(
    ("key", "column"),
    [
        ("numRatings", "NUM_RATINGS"),
        ("NUM_RATINGS", "NUM_RATINGS"),
        ("num_ratings", "NUM_RATINGS"),
        ("numratings", "NUM_RATINGS"),
        ("cabinType", "CABIN_TYPE"),
        ("memberClass", "memberClass"),
        ("MEMBER_CLASS", "memberClass"),
    ],
)
def test_keys_find_their_column_in_any_spelling(key: str, column: str) -> None:
    assert list(stored({key: 1})) == [column]


def test_keys_without_a_column_are_ignored_whatever_they_hold() -> None:
    assert stored({"unknownThing": 1, "other": {"a": [1]}, "USER_ID": "eve", "EVENT_TYPE": "x"}) == {}


@pytest.mark.parametrize(
    "text", ['{"numRatings": 1, "NUM_RATINGS": 1}', '{"numRatings": 1, "numRatings": 1}']
)
def test_two_keys_for_one_column_are_refused(text: str) -> None:
    assert "name the same column" in refusal(properties=text)


@pytest.mark.parametrize(
    "text", ["[1]", '"a"', "1", "null", "{", "", '{"a": NaN}', "{'a': 1}", "[" * 1000, '{"a":1}}']
)
def test_properties_hold_a_json_object(text: str) -> None:
    assert refusal(properties=text).startswith("properties must hold a JSON object")


@pytest.mark.parametrize(
    ("given", "text"),
    [("a", "a"), (3, "3"), (3.0, "3"), (0.1, "0.1"), (1e300, "1e+300"), (True, "true"), (["a", "b"], "a|b")],
)
def test_strings_are_made_of_numbers_booleans_and_lists(given: Any, text: str) -> None:
    assert stored({"cabinType": given}) == {"CABIN_TYPE": text}


@pytest.mark.parametrize("given", [None, "", []])
def test_nothing_is_stored_as_nothing(given: Any) -> None:
    assert stored({"cabinType": given}) == {}


@pytest.mark.parametrize("given", [{"a": 1}, [1], ["a", None], "\udfff"])
def test_no_string_is_made_of_anything_else(given: Any) -> None:
    assert (
        refusal(properties={"cabinType": given}) == "Invalid value for property cabinType. It must be text."
    )


@pytest.mark.parametrize("given", [12, 12.0, "12", "12.0", "+12"])
def test_whole_numbers_may_be_written_as_text_or_with_a_zero_fraction(given: Any) -> None:
    assert stored({"numRatings": given}) == {"NUM_RATINGS": 12}


@pytest.mark.parametrize("given", [True, 1.5, "1.5", "x", [1], 2**31, -(2**31) - 1, "9" * 400, "１２"])
def test_int_columns_take_whole_numbers_of_32_bits(given: Any) -> None:
    assert (
        refusal(properties={"numRatings": given})
        == "Invalid value for property numRatings. It must be a whole number of 32 bits."
    )


def test_long_strings_are_refused_in_the_words_of_an_import() -> None:
    assert stored({"cabinType": "x" * 1000}) == {"CABIN_TYPE": "x" * 1000}
    assert refusal(properties={"cabinType": "x" * 1001}).startswith(
        "Length cannot be more than 1000 characters for CABIN_TYPE. If no values exceed"
    )


@pytest.mark.parametrize(
    ("sent_at", "fits"), [(0.5, True), (4_102_444_800, True), (0, False), (-1, False), (4_102_444_801, False)]
)
def test_times_lie_between_1970_and_2100(sent_at: float, fits: bool) -> None:
    if fits:
        assert event(sentAt=sent_at).time == int(sent_at)
    else:
        assert refusal(sentAt=sent_at) == "sentAt must lie after 1970-01-01 and not after 2100-01-01."


def test_an_event_has_at_most_10_kb() -> None:
    assert event(impression=["é" * 200] * 24).impression
    assert refusal(impression=["é" * 256] * 25) == "The event is larger than 10 KB."


def test_all_problems_are_told_each_with_its_place() -> None:
    events = [
        {"eventType": "c", "sentAt": 5, "itemId": "a"},
        {"eventType": "c", "sentAt": 0, "properties": '{"userid": 1, "numRatings": "x"}'},
        {"eventType": "c", "sentAt": 5, "itemId": "a", "properties": "?"},
    ]
    with pytest.raises(InvalidInput) as refused:
        EventReader(SCHEMA).read({"sessionId": "s", "eventList": events})
    assert refused.value.message == (
        "Invalid Event at index 1: sentAt must lie after 1970-01-01 and not after 2100-01-01."
        " Invalid Event at index 1: Reserved keyword userid cannot be used in properties."
        " Invalid Event at index 1: Invalid value for property numRatings."
        " It must be a whole number of 32 bits."
        " Invalid Event at index 1: itemId is required."
        " Invalid Event at index 2: properties must hold a JSON object; it cannot be parsed."
    )


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=4,
)


@given(
    st.dictionaries(
        st.sampled_from([*NAMES, "num_Ratings", "x", "itemId", "eventValue"]) | st.text(), JSON_VALUES
    )
)
def test_whatever_is_sent_is_stored_in_its_type_or_refused(properties: dict[str, Any]) -> None:
    try:
        row = event(properties=properties)
    except InvalidInput as error:
        problems = error.message
    else:
        problems = ""
    if problems:
        assert problems.startswith("Invalid Event at index 0: ")
        return
    cells = {} if row.properties is None else json.loads(row.properties)
    assert list(cells) == [name for name in NAMES if name in cells]
    for name, value in cells.items():
        assert isinstance(value, int if name == "NUM_RATINGS" else str)
        assert not isinstance(value, bool)
    assert row.item == "alien"


def test_a_record_may_be_its_id_alone() -> None:
    assert item(None) == {}
    assert (
        RecordReader(ITEM_SCHEMA, "Item", "itemId").read([{"itemId": "a"}, {"itemId": "a"}])
        == [Record("a")] * 2
    )


def test_records_fill_their_columns() -> None:
    sent = {
        "categoryL1": ["a", "b"],
        "creationTimestamp": "1700000000",
        "price": "9.99",
        "adult": "True",
        "itemId": 1,
    }
    assert item(sent) == {
        "CATEGORY_L1": "a|b",
        "CREATION_TIMESTAMP": 1_700_000_000,
        "PRICE": 9.99,
        "ADULT": True,
    }


def test_a_null_is_refused_only_where_it_is_sent_for_a_column_without_null() -> None:
    assert item({"price": 1.0}) == {"PRICE": 1.0}
    assert item({"price": None, "plot": ""}) == {}
    assert item_refusal({"categoryL1": None}) == "Property categoryL1 must not be null."


@pytest.mark.parametrize("given", [4_102_444_801, -1, 1_700_000_000_000])
def test_creation_times_are_seconds(given: int) -> None:
    assert (
        item_refusal({"creationTimestamp": given})
        == "Invalid value for property creationTimestamp. It must be a time in seconds since 1970."
    )


@pytest.mark.parametrize("given", [1, 0, "yes", [True]])
def test_booleans_are_true_or_false(given: Any) -> None:
    assert item_refusal({"adult": given}) == "Invalid value for property adult. It must be true or false."


@pytest.mark.parametrize("given", [True, "x", "1e999", [1.0]])
def test_doubles_are_numbers(given: Any) -> None:
    assert item_refusal({"price": given}) == "Invalid value for property price. It must be a number."


def test_a_float_has_32_bits_and_a_double_64() -> None:
    largest = 3.4028235e38  # as programs print the largest float, a little above it
    assert item({"price": 1e39, "weight": largest}) == {"PRICE": 1e39, "WEIGHT": largest}
    assert np.isfinite(np.float32(largest))
    assert (
        item_refusal({"weight": "-1e39"})
        == "Invalid value for property weight. It must be a number of 32 bits."
    )
    assert event(eventValue=-largest).value == -largest
    assert refusal(eventValue=-1e39) == "eventValue must be a number of 32 bits."


@pytest.mark.parametrize(("letter", "kept"), [("x", 20_000), ("é", 20_000), ("映", 7_000), ("か", 7_000)])
def test_texts_are_cut_never_refused(letter: str, kept: int) -> None:
    assert item({"plot": letter * 20_001}) == {"PLOT": letter * kept}
