from __future__ import annotations

import pytest
from botocore.session import Session

from openpersonalize.resources.arns import kind_of, make_arn
from openpersonalize.resources.kinds import KINDS, Kind
from openpersonalize.settings import read_settings

MODEL = Session().get_service_model("personalize")
SETTINGS = read_settings({}, {})


def operation(kind: Kind) -> str:
    """The name of its List operation."""
    return f"List{kind.listed_under[0].upper()}{kind.listed_under[1:]}"


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_a_kind_is_listed_as_the_service_model_says(kind: Kind) -> None:
    shape = MODEL.operation_model(operation(kind))
    assert kind.listed_under in shape.output_shape.members
    entry = shape.output_shape.members[kind.listed_under].member
    assert kind.arn_member in entry.members
    narrowing = set(shape.input_shape.members) - {"nextToken", "maxResults"}
    assert ({kind.listed_by} if kind.listed_by else set()) == narrowing


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_what_narrows_a_list_is_a_kind(kind: Kind) -> None:
    if kind.listed_by is not None:
        assert kind.listed_by in {one.arn_member for one in KINDS.values()}


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_tags_are_taken_where_the_service_model_takes_them(kind: Kind) -> None:
    words = "".join(word.capitalize() for word in kind.name.split("-"))
    assert ("tags" in MODEL.operation_model(f"Create{words}").input_shape.members) == kind.taggable


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_a_quota_is_a_setting(kind: Kind) -> None:
    if kind.quota is not None:
        assert getattr(SETTINGS, kind.quota.setting) > 0


@pytest.mark.parametrize("name", sorted(KINDS))
def test_arns_name_their_kind(name: str) -> None:
    part = "solution/films/1" if name == "solution-version" else f"{name}/films"
    assert kind_of(make_arn("000000000000", "us-east-1", part)) == name
