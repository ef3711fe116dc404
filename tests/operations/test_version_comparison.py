"""Versions compared through the page and the command: of one shop's data, before and after more of it."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any

import pytest
from click.testing import CliRunner

import shop
from live import Server, Wait
from openpersonalize.cli.main import main
from openpersonalize.testing.worlds import two_clusters

POPULAR, RELATED, TRENDING = "aws-popularity-count", "aws-sims", "aws-trending-now"
SEGMENT = "aws-item-affinity"
NDCG = "normalized_discounted_cumulative_gain_at_25"


@dataclass(frozen=True)
class Trained:
    """Versions by name; `group`: of all."""

    region: str
    group: str
    versions: dict[str, str]


def rows(users: int) -> str:
    """Interactions of this many users of a world in which two halves of them like two halves of the items."""
    world = two_clusters(users=users)
    names, items = world.users.strings(), world.items.strings()
    each = zip(world.user.tolist(), world.item.tolist(), world.time.tolist(), strict=True)
    return "USER_ID,ITEM_ID,TIMESTAMP\n" + "".join(
        f"{names[user]},{items[item]},{time}\n" for user, item, time in each
    )


@pytest.fixture(scope="module")
def trained(server: Server, region: str, personalize: Any, wait: Wait) -> Trained:
    group = personalize.create_dataset_group(name="compared")["datasetGroupArn"]
    wait.active(group)
    fields = (shop.field("USER_ID"), shop.field("ITEM_ID"), shop.field("TIMESTAMP", "long"))
    schema = personalize.create_schema(name="compared", schema=shop.schema("Interactions", *fields))
    dataset = personalize.create_dataset(
        name="compared", datasetGroupArn=group, datasetType="Interactions", schemaArn=schema["schemaArn"]
    )["datasetArn"]

    def filled(name: str, users: int) -> None:
        location = server.put(f"s3://compared-{region}/{name}.csv", rows(users))
        job = personalize.create_dataset_import_job(
            jobName=name, datasetArn=dataset, dataSource={"dataLocation": location}, importMode="FULL"
        )["datasetImportJobArn"]
        wait.active(job)

    def version(recipe: str, name: str) -> str:
        try:
            solution = personalize.create_solution(
                name=recipe,
                datasetGroupArn=group,
                recipeArn=f"arn:aws:personalize:::recipe/{recipe}",
                performAutoTraining=False,
            )["solutionArn"]
        except personalize.exceptions.ResourceAlreadyExistsException:
            solution = f"{group.rpartition(':')[0]}:solution/{recipe}"
        return str(personalize.create_solution_version(solutionArn=solution, name=name)["solutionVersionArn"])

    filled("few", 700)
    made = {recipe: version(recipe, "first") for recipe in (POPULAR, RELATED, TRENDING, SEGMENT)}
    for arn in made.values():
        wait.active(arn)
    filled("more", 1000)
    made["more"] = version(POPULAR, "more")
    wait.active(made["more"])
    return Trained(region, group, made)


def page(server: Server, *arns: str) -> Any:
    query = urllib.parse.urlencode([("version", arn) for arn in arns])
    with urllib.request.urlopen(f"{server.endpoint}/v1/versions/compare?{query}") as answer:
        return json.load(answer)


def command(server: Server, region: str, *words: str) -> Any:
    environment = {"AWS_ENDPOINT_URL_PERSONALIZE": server.endpoint, "AWS_REGION": region}
    return CliRunner().invoke(main, ["versions", "compare", *words], env=environment)


def test_amazons_metrics_stay_and_have_intervals_beside_the_best_sellers(
    trained: Trained, server: Server, personalize: Any
) -> None:
    [one] = page(server, trained.versions[RELATED])["versions"]
    arn = trained.versions[RELATED]
    metrics = personalize.get_solution_metrics(solutionVersionArn=arn)["metrics"]
    assert {name: said["value"] for name, said in one["metrics"].items()} == metrics
    assert one["questions"] > 20
    for name, said in one["metrics"].items():
        assert ("low" in said) == (name != "coverage")
    said = one["metrics"][NDCG]
    assert said["low"] < said["value"] < said["high"]
    assert said["difference"]["verdict"] == "better"
    # Best sellers are what the recipe of popular items answers, so they score what that scores.
    [popular] = page(server, trained.versions[POPULAR])["versions"]
    assert popular["metrics"][NDCG]["difference"]["mean"] == pytest.approx(0, abs=1e-6)


def test_two_versions_of_the_same_data(trained: Trained, server: Server) -> None:
    popular, related = trained.versions[POPULAR], trained.versions[RELATED]
    answer = page(server, popular, related)
    both, [first, second] = answer["comparison"], answer["versions"]
    assert both["questions"] == first["questions"] == second["questions"]
    assert (both["verdict"], both["decidedBy"]) == ("better", NDCG)
    difference = both["metrics"][NDCG]["difference"]
    gained = second["metrics"][NDCG]["value"] - first["metrics"][NDCG]["value"]
    assert difference["low"] < gained < difference["high"]
    assert page(server, related, popular)["comparison"]["verdict"] == "worse"
    assert page(server, related, related)["comparison"]["verdict"] == "unclear"


def test_the_command_says_it_and_its_exit_code(trained: Trained, server: Server) -> None:
    popular, related = trained.versions[POPULAR], trained.versions[RELATED]
    better = command(server, trained.region, popular, related)
    assert better.exit_code == 0, better.output
    assert "The second version is better, by ndcg_at_25." in better.output
    assert command(server, trained.region, related, popular).exit_code == 1
    record = command(server, trained.region, related, popular, "--json")
    assert json.loads(record.stdout)["comparison"]["verdict"] == "worse"
    assert record.exit_code == 1


def test_a_version_of_newer_data_shares_some_questions(trained: Trained, server: Server) -> None:
    both = page(server, trained.versions[POPULAR], trained.versions["more"])
    newer = both["versions"][1]["questions"]
    assert 20 <= both["comparison"]["questions"] < newer
    assert both["comparison"]["verdict"] == "unclear"


def test_a_recipe_that_is_measured_otherwise_has_no_questions(trained: Trained, server: Server) -> None:
    answer = page(server, trained.versions[TRENDING], trained.versions[POPULAR])
    assert answer["versions"][0]["questions"] == 0
    assert "measured otherwise" in answer["versions"][0]["reason"]
    assert answer["comparison"]["reason"] == "Not both versions have questions."
    assert (
        command(server, trained.region, trained.versions[TRENDING], trained.versions[POPULAR]).exit_code == 2
    )


def test_versions_of_different_tasks_get_no_verdict(trained: Trained, server: Server) -> None:
    related, segment = trained.versions[RELATED], trained.versions[SEGMENT]
    both = page(server, related, segment)["comparison"]
    assert (both["questions"], both["verdict"], both["metrics"]) == (0, "unclear", {})
    assert both["reason"].startswith(
        "aws-sims (RELATED_ITEMS) and aws-item-affinity (USER_SEGMENTATION) answer different kinds of"
    )
    shown = command(server, trained.region, related, segment)
    assert shown.exit_code == 2
    assert "different kinds of questions" in shown.output
    assert "version is" not in shown.output


@pytest.mark.parametrize(
    ("arns", "status", "said"),
    [
        ([], 400, "Name one or two solution versions"),
        (["a", "b", "c"], 400, "Name one or two solution versions"),
        (["x" * 5000], 400, "is not the ARN of a solution version"),
        (["arn:aws:personalize:eu-west-1:000000000000:solution/a"], 400, "is not the ARN"),
        (["arn:aws:personalize:eu-west-1:000000000000:solution/a/b"], 404, "does not exist"),
        (["arn:aws:personalize::000000000000:solution/a/b"], 404, "does not exist"),
    ],
)
def test_what_cannot_be_compared(server: Server, arns: list[str], status: int, said: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        page(server, *arns)
    assert refused.value.code == status
    assert said in json.load(refused.value)["error"]["message"]
