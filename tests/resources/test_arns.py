from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openpersonalize.resources.arns import kind_of, make_arn, parse_arn

PREFIX = "arn:aws:personalize:eu-west-1:123456789012:"


@pytest.mark.parametrize(
    ("resource_part", "kind"),
    [
        ("schema/s", "schema"),
        ("dataset-group/g", "dataset-group"),
        ("dataset/g/INTERACTIONS", "dataset"),
        ("dataset-import-job/j", "dataset-import-job"),
        ("event-tracker/d2e7ccdc", "event-tracker"),
        ("solution/s", "solution"),
        ("solution/s/0a1b2c3d", "solution-version"),
        ("solution/s/$LATEST", "solution-version"),
        ("campaign/c", "campaign"),
    ],
)
def test_the_kind_of_an_arn(resource_part: str, kind: str) -> None:
    assert kind_of(PREFIX + resource_part) == kind


def test_a_recipe_has_no_region_and_no_account() -> None:
    parsed = parse_arn("arn:aws:personalize:::recipe/aws-popularity-count")
    assert parsed == ("aws", "", "", "recipe", "aws-popularity-count")


@pytest.mark.parametrize(
    ("region", "partition"),
    [("us-east-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
)
def test_the_region_chooses_the_partition(region: str, partition: str) -> None:
    assert make_arn("000000000000", region, "schema/s").startswith(f"arn:{partition}:personalize:{region}:")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "schema/s",
        "arn:aws:s3:::bucket/key",
        PREFIX,
        PREFIX + "schema",
        PREFIX + "schema/",
        PREFIX + "/s",
        PREFIX + "schema/a b",
        PREFIX + "schema/é",
        PREFIX + "schema/\ud800",
        PREFIX.replace("123456789012", "1234") + "schema/s",
        " " + PREFIX + "schema/s",
        PREFIX + "schema/s\n",
    ],
)
def test_other_texts_are_no_arns(text: str) -> None:
    assert parse_arn(text) is None
    assert kind_of(text) is None


@given(
    st.from_regex(r"[0-9]{12}", fullmatch=True),
    st.from_regex(r"[a-z]{2}-[a-z]{1,9}-[1-9]", fullmatch=True),
    st.sampled_from(["schema", "campaign", "dataset-group", "filter"]),
    st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9\-_]{0,62}", fullmatch=True),
)
def test_what_is_made_is_parsed(account: str, region: str, kind: str, name: str) -> None:
    parsed = parse_arn(make_arn(account, region, f"{kind}/{name}"))
    assert parsed is not None
    assert (parsed.account, parsed.region, parsed.kind, parsed.rest) == (account, region, kind, name)


@given(st.text())
def test_no_text_breaks_parsing(text: str) -> None:
    for candidate in (text, PREFIX + text):
        parsed = parse_arn(candidate)
        assert parsed is None or candidate.endswith(parsed.rest)
