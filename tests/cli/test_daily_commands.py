"""The commands that an operator uses every day, in the order of a day, against one live server."""

from __future__ import annotations

import json
import re
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import shop
from live import Server, Wait, make_shop
from openpersonalize.cli.main import main

RECIPE = "arn:aws:personalize:::recipe/aws-popularity-count"


@pytest.fixture(scope="module")
def region() -> str:
    """No other module uses it, and it comes before theirs: of several regions a command names the first."""
    return "a-region-1"


@pytest.fixture(scope="module")
def own(server: Server, region: str, personalize: Any, wait: Wait) -> shop.SmallShop:
    """A shop of this module's own, with a solution that has no version yet."""
    made = make_shop(server, region)
    personalize.create_solution(
        name="popular", datasetGroupArn=made.group, recipeArn=RECIPE, performAutoTraining=False
    )
    return made


@pytest.fixture
def run(server: Server, region: str, own: shop.SmallShop) -> Any:
    def command(*words: str, **more: Any) -> Result:
        environment = {"AWS_ENDPOINT_URL_PERSONALIZE": server.endpoint, "AWS_REGION": region}
        keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_PROFILE": None}
        return CliRunner().invoke(main, [*words], env={**environment, **keys}, **more)

    return command


def record(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_train_and_deploy(run: Any, personalize: Any, wait: Wait) -> None:
    made = record(run("train", "--json"))
    assert made["metrics"]["normalized_discounted_cumulative_gain_at_10"] > 0
    campaign = personalize.create_campaign(name="front", solutionVersionArn=made["solutionVersionArn"])[
        "campaignArn"
    ]
    wait.active(campaign)
    made = run("train", "popular", "--deploy", "front")
    assert made.exit_code == 0, made.output
    newest = personalize.describe_campaign(campaignArn=campaign)["campaign"]["solutionVersionArn"]
    assert newest in made.output
    refused = run("train", "popular", "--deploy")
    assert refused.exit_code == 2
    assert "--deploy takes the campaign" in refused.output
    assert "Campaigns of popular: front." in refused.output
    assert "normalized_discounted_cumulative_gain_at_10" in made.output


def test_versions(run: Any) -> None:
    """Of a shop so small that nothing can be said of two versions of it."""
    older, newer = (one["solutionVersionArn"] for one in record(run("versions", "list", "--json")))
    listed = run("versions", "list", "popular").output
    assert [line.split()[1:2] for line in listed.splitlines()] == [["SOLUTION"], ["popular"], ["popular"]]
    alone = run("versions", "compare", older.rpartition("/")[2])
    assert alone.exit_code == 0, alone.output
    for word in (
        "95 % INTERVAL",
        "BEST SELLERS",
        "ndcg_at_25",
        "coverage",
        "aws-popularity-count",
        "unclear",
    ):
        assert word in alone.output
    both = run("versions", "compare", older, newer)
    assert both.exit_code == 2
    assert "questions; below 20 nothing can be said" in both.output
    assert "better" not in alone.output
    for words, told in (
        (("none",), "There is no solution version none"),
        (("compare", "a"), "There is no solution version compare"),
        (("arn:aws:personalize:eu-west-1:000000000000:campaign/a",), "not the ARN of a solution version"),
        ((older + "0",), "does not exist"),
    ):
        refused = run("versions", "compare", *words)
        assert refused.exit_code == 2
        assert told in refused.output


def test_recommend(run: Any) -> None:
    answer = record(run("recommend", "user-01", "--count", "3", "--json"))
    assert len(answer["itemList"]) == 3
    assert shop.FAVOURITE in run("recommend", "user-01", "--campaign", "front").output
    for words, told in (
        (("recommend",), "Name a user"),
        (("recommend", "u", "--campaign", "none"), "There is no campaign none in region"),
        (("recommend", "u", "--filter", "none"), "There is no filter none"),
        (("recommend", "u", "--recommender", "none"), "there is none"),
    ):
        refused = run(*words)
        assert refused.exit_code == 2
        assert told in refused.output


def test_status(run: Any, server: Server, region: str) -> None:
    found = record(run("status", "--json"))
    assert (found["address"], found["health"], found["region"]) == (server.endpoint, "ready", region)
    (group,) = found["groups"]
    assert sorted(one["datasetType"] for one in group["datasets"]) == ["INTERACTIONS", "ITEMS", "USERS"]
    assert [one["name"] for one in group["campaigns"]] == ["front"]
    shown = run("status").output
    for fact in ("shop (ACTIVE)", "newest of 2", "NDCG at 10", "campaign", "front"):
        assert fact in shown
    elsewhere = run("status", "--region", "nowhere-1").output
    assert "No dataset groups in region nowhere-1." in elsewhere
    assert f"Region {region} has shop: openpersonalize status --region {region}\n" in elsewhere
    assert record(run("status", "--region", "nowhere-1", "--json"))["otherRegions"][region] == ["shop"]


def test_status_where_the_server_works_for_itself(
    run: Any, server: Server, own: shop.SmallShop, tmp_path: Path
) -> None:
    """A job that removes what an import replaced belongs to no resource, and so to no region."""
    (tmp_path / "users.csv").write_text(shop.csv("Users"))
    for _ in range(2):
        assert run("import", str(tmp_path / "users.csv")).exit_code == 0
    with urllib.request.urlopen(f"{server.endpoint}/v1/jobs") as answer:
        jobs = json.load(answer)["jobs"]
    assert [one for one in jobs if not one["arn"].startswith("arn:")]
    assert [one["name"] for one in record(run("status", "--json"))["groups"]] == ["shop"]
    assert "shop (ACTIVE)" in run("status").output


def test_the_wrong_region_is_one_step_from_the_right_one(
    run: Any, region: str, own: shop.SmallShop, tmp_path: Path
) -> None:
    (tmp_path / "users.csv").write_text(shop.csv("Users"))
    file = str(tmp_path / "users.csv")
    by_name = [
        (("recommend", "u"), "Region {} has front: say --region {}."),
        (("recommend", "u", "--campaign", "front"), "Region {} has it: say --region {}."),
        (("explain", "u", "i"), "Region {} has front: say --region {}."),
        (("train",), "Region {} has popular: say --region {}."),
        (("import", file), "Region {} has shop: say --region {}."),
        (("import", file, "--group", "shop"), "Region {} has it: say --region {}."),
        (("delete-user", "u", "--yes"), "Region {} has shop: say --region {}."),
        (("versions", "compare", "0a1b2c3d"), "Region {} has popular: say --region {}."),
    ]
    by_arn = [
        (("import", file, "--group", own.group), "is of region {}, and nowhere-1 is the one that is asked"),
        (("delete-user", "u", "--yes", "--group", own.group), "say --region {}."),
    ]
    for words, told in (*by_name, *by_arn):
        refused = run(*words, "--region", "nowhere-1")
        assert refused.exit_code == 2, refused.output
        assert told.format(region, region) in refused.output
    none = run("versions", "list", "--region", "nowhere-1")
    assert none.exit_code == 0
    assert none.output == (
        f"No solution versions in region nowhere-1. Region {region} has popular: say --region {region}.\n"
    )
    assert record(run("versions", "list", "--region", "nowhere-1", "--json")) == []
    campaign = run("explain", "user-01", "--campaign", _campaign(region), "--region", "nowhere-1")
    assert campaign.exit_code == 0, "a page takes ARNs of every region"


def _campaign(region: str) -> str:
    return f"arn:aws:personalize:{region}:000000000000:campaign/front"


def test_a_training_that_is_done_has_done_all(run: Any, server: Server) -> None:
    newest = record(run("versions", "list", "--json"))[-1]["solutionVersionArn"]
    with urllib.request.urlopen(f"{server.endpoint}/v1/jobs/{newest}") as answer:
        job = json.load(answer)
    assert (job["state"], job["eta_seconds"]) == ("done", None)
    assert (job["progress"]["overall"]["done"], job["progress"]["overall"]["eta_seconds"]) == (1.0, None)


def test_import_and_what_is_wrong(run: Any, tmp_path: Path, own: shop.SmallShop) -> None:
    text = shop.csv("Users")
    (tmp_path / "users.csv").write_text(text)
    made = run("import", str(tmp_path / "users.csv"))
    assert made.exit_code == 0, made.output
    assert "40 rows read from 1 files" in made.output
    assert "of the 40 users in the interactions, 40 are in the Users dataset, which has 40" in made.output
    (tmp_path / "users.csv").write_text(text + "user-99,old,Rome\n")
    made = run("import", str(tmp_path / "users.csv"), "--add", "--json")
    assert made.exit_code == 1
    told = json.loads(made.stdout)
    assert [(one["line"], one["column"]) for one in told["problems"]] == [(42, "AGE")]
    about = run("jobs", told["datasetImportJobArn"])
    assert about.exit_code == 0, about.output
    assert 'users.csv, line 42, column AGE: "old" is not a whole number' in about.output
    whole = record(run("jobs", told["datasetImportJobArn"], "--json"))
    assert (whole["state"], whole["problems"]) == ("failed", told["problems"])
    made = run("import", str(tmp_path / "users.csv"), "--type", "Users")
    assert made.exit_code == 1
    assert 'line 42, column AGE: "old" is not a whole number' in made.output
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    refused = run("import", str(tmp_path / "x.csv"))
    assert refused.exit_code == 2
    assert "say --type" in refused.output
    assert "--convert" in refused.output


def test_a_shops_export_into_what_is_there(
    run: Any, personalize: Any, tmp_path: Path, own: shop.SmallShop
) -> None:
    """The file of another day, as `quickstart` read the first one."""
    customers = "Customer-Nr;customer_id;age;city\n1;user-41;44;Rome\n2;user-42;31;Graz\n"
    (tmp_path / "customers.csv").write_text(customers)
    plain = run("import", str(tmp_path / "customers.csv"), "--add", "--type", "Users")
    assert plain.exit_code == 1
    assert "is read with --convert" in plain.output
    made = run("import", str(tmp_path / "customers.csv"), "--add", "--convert")
    assert made.exit_code == 0, made.output
    assert "separated by ';', customer_id is USER_ID" in made.output
    assert "2 rows read from 1 files" in made.output
    assert record(run("import", str(tmp_path / "customers.csv"), "--add", "--convert", "--json"))
    (tmp_path / "customers.csv").write_text("name;age\nAnna;44\n")
    refused = run("import", str(tmp_path / "customers.csv"), "--convert", "--type", "Users")
    assert refused.exit_code == 2
    assert "no column looks like USER_ID" in refused.output


def test_cp_goes_through_the_server_that_the_shell_names(run: Any, server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x\n")
    assert run("cp", str(tmp_path / "a.csv"), "s3://daily/in/").exit_code == 0
    assert (server.data / "buckets" / "daily" / "in" / "a.csv").read_text() == "x\n"
    assert run("cp", "s3://daily/in/a.csv", str(tmp_path / "b.csv")).exit_code == 0
    assert (tmp_path / "b.csv").read_text() == "x\n"
    refused = run("cp", str(tmp_path / "a.csv"), "s3://NO_BUCKET/a.csv")
    assert refused.exit_code == 2
    assert refused.output.startswith("openpersonalize: ")
    assert "openpersonalize serve" not in refused.output
    missing = run("cp", "s3://daily/none", str(tmp_path / "c.csv"))
    assert missing.exit_code == 2
    assert "There is no object s3://daily/none" in missing.output


def test_delete_user(run: Any) -> None:
    refused = run("delete-user", "user-07", input="")
    assert refused.exit_code == 2
    assert "say --yes" in refused.output
    gone = record(run("delete-user", "user-07", "--yes", "--json"))
    assert gone["rows"] > 0
    again = run("delete-user", "user-07", "user-08", "--yes")
    assert again.exit_code == 0, again.output
    assert "rows are gone." in again.output
    assert "Files in buckets stay" in again.output
    (command,) = re.findall(
        r"^  openpersonalize (train --after-deletion arn:\S+ --endpoint \S+)$", again.output, re.M
    )
    assert "trained with data of users that are removed now: arn:" in run("jobs", command.split()[2]).output
    begun = record(run(*command.split(), "--json"))["versions"]
    assert begun
    mistyped = run("delete-user", "user-8O", "--yes")
    assert mistyped.exit_code == 0, mistyped.output
    assert "0 rows: nothing of user-8O was in arn:" in mistyped.output
    assert "rows are gone" not in mistyped.output


def test_doctor(run: Any, server: Server, tmp_path: Path) -> None:
    checks = {
        one["name"]: one for one in json.loads(run("doctor", "--json", "--data-dir", str(tmp_path)).stdout)
    }
    for name in ("python", "torch", "server", "pages", "calls", "data folder"):
        assert checks[name]["ok"], checks[name]
    assert checks["data folder"]["found"] == f"{tmp_path} (no server uses it now)"
    assert "its data folder is another one than that above" in checks["server"]["found"]
    own = run("doctor", "--data-dir", str(server.data)).output
    assert f"{server.data} (a server uses it)" in own
    assert "another one" not in own
    (tmp_path / "thesis.docx").write_text("x")
    made = run("doctor", "--data-dir", str(tmp_path), "--endpoint", "http://127.0.0.1:9")
    assert made.exit_code == 1
    assert "holds something else (thesis.docx)" in made.output
    assert "No server answers at http://127.0.0.1:9" in made.output


@pytest.mark.parametrize(
    "words", [("status",), ("train",), ("recommend", "u"), ("delete-user", "u", "--yes"), ("jobs",)]
)
def test_a_server_that_is_not_there_is_one_sentence(run: Any, words: tuple[str, ...]) -> None:
    made = run(*words, "--endpoint", "http://127.0.0.1:9")
    assert made.exit_code == 2
    assert made.output.count("\n") == 1
    assert "openpersonalize serve" in made.output
