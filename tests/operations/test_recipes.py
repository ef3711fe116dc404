"""Recipes over the wire: the listing's odd pages are part of the contract."""

from __future__ import annotations

from typing import Any

import pytest

from live import fails, make_clients

PREFIX = "arn:aws:personalize:::"


def names(answer: dict[str, Any]) -> list[str]:
    return [recipe["name"] for recipe in answer["recipes"]]


def test_two_pages_of_twelve_by_name(personalize: Any) -> None:
    first = personalize.list_recipes()
    second = personalize.list_recipes(nextToken=first["nextToken"])
    assert len(names(first)) == 12
    everything = names(first) + names(second)
    assert len(everything) == 22
    assert everything == sorted(everything)
    assert "nextToken" not in second
    assert all(recipe["status"] == "ACTIVE" for recipe in first["recipes"])
    assert [recipe.get("domain") for recipe in first["recipes"][:6]] == ["ECOMMERCE"] * 5 + [None]


def test_domain_is_applied_after_paging(personalize: Any) -> None:
    first = personalize.list_recipes(domain="VIDEO_ON_DEMAND")
    assert names(first) == []
    second = personalize.list_recipes(domain="VIDEO_ON_DEMAND", nextToken=first["nextToken"])
    assert len(names(second)) == 5
    assert all(name.startswith("aws-vod-") for name in names(second))
    assert "nextToken" not in second


@pytest.mark.parametrize("size", [1, 5, 100])
def test_pages_of_any_size_hold_everything_once(personalize: Any, size: int) -> None:
    pages = personalize.get_paginator("list_recipes").paginate(PaginationConfig={"PageSize": size})
    found = [name for page in pages for name in names(page)]
    assert len(found) == len(set(found)) == 22


def test_token_belongs_to_its_filter(personalize: Any) -> None:
    token = personalize.list_recipes()["nextToken"]
    fails("InvalidNextTokenException", personalize.list_recipes, nextToken=token, domain="ECOMMERCE")
    fails("InvalidNextTokenException", personalize.list_recipes, nextToken="bogus")
    fails("InvalidNextTokenException", personalize.list_schemas, nextToken=token)


def test_described(personalize: Any) -> None:
    recipe = personalize.describe_recipe(recipeArn=f"{PREFIX}recipe/aws-user-personalization")["recipe"]
    assert recipe["recipeType"] == "USER_PERSONALIZATION"
    assert recipe["algorithmArn"] == f"{PREFIX}algorithm/aws-user-personalization"
    assert recipe["description"]
    algorithm = personalize.describe_algorithm(algorithmArn=recipe["algorithmArn"])["algorithm"]
    assert algorithm["defaultHyperParameters"]["hidden_dimension"] == "149"
    ranges = algorithm["defaultHyperParameterRanges"]["integerHyperParameterRanges"]
    assert {"name": "hidden_dimension", "minValue": 32, "maxValue": 256, "isTunable": True} in ranges
    assert algorithm["algorithmImage"]["dockerURI"]
    transformation = personalize.describe_feature_transformation(
        featureTransformationArn=recipe["featureTransformationArn"]
    )["featureTransformation"]
    assert transformation["defaultParameters"]["max_user_history_length_percentile"] == "0.99"


def test_every_recipe_leads_to_its_algorithm_and_transformation(personalize: Any) -> None:
    for page in personalize.get_paginator("list_recipes").paginate():
        for summary in page["recipes"]:
            recipe = personalize.describe_recipe(recipeArn=summary["recipeArn"])["recipe"]
            personalize.describe_algorithm(algorithmArn=recipe["algorithmArn"])
            personalize.describe_feature_transformation(
                featureTransformationArn=recipe["featureTransformationArn"]
            )


def test_unknown(personalize: Any) -> None:
    for call, member, kind in (
        (personalize.describe_recipe, "recipeArn", "recipe"),
        (personalize.describe_algorithm, "algorithmArn", "algorithm"),
        (
            personalize.describe_feature_transformation,
            "featureTransformationArn",
            "feature-transformation",
        ),
    ):
        arn = f"{PREFIX}{kind}/none"
        message = fails("ResourceNotFoundException", call, **{member: arn})
        more = " ListRecipes names all recipes." if kind == "recipe" else ""
        assert message == f"Resource Arn {arn} does not exist.{more}"


def test_a_recipe_that_is_nearly_one_is_told_which(personalize: Any) -> None:
    for given, meant in (
        ("aws-user-personalisation-v2", "aws-user-personalization-v2"),
        ("AWS-SIMS", "aws-sims"),
        ("similar-items", "aws-similar-items"),
    ):
        arn = f"{PREFIX}recipe/{given}"
        message = fails("ResourceNotFoundException", personalize.describe_recipe, recipeArn=arn)
        assert message == f"Resource Arn {arn} does not exist. Is {meant} meant? ListRecipes names all."


def test_partition_of_the_region(server: Any) -> None:
    chinese = make_clients(server.endpoint, "cn-north-1").personalize
    recipe = chinese.list_recipes(maxResults=1)["recipes"][0]
    assert recipe["recipeArn"].startswith("arn:aws-cn:personalize:::recipe/")
    chinese.describe_recipe(recipeArn=recipe["recipeArn"])
