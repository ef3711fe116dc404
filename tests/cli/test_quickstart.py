"""``openpersonalize quickstart`` on a shop's exports, on a live server, and the program that it prints."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from live import Server, make_clients
from openpersonalize.cli.main import main
from openpersonalize.cli.own_server import serve_command


def orders(count: int = 400) -> str:
    """Of 40 customers; each buys five things of one kind, some of them again and again."""
    chance = random.Random(1)
    rows = ["Order;Customer ID;SKU;Created at;event"]
    for k in range(count):
        user = k % 40
        item = user % 4 * 5 + (k // 40 if k < 200 else chance.randrange(5))
        rows.append(f"{k};{user}.0;p{item};0{1 + k % 9}.04.2024 1{k % 10}:{k % 60:02d};view")
    return "\n".join(rows) + "\n"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that takes little data."""
    running = Server(
        tmp_path_factory.mktemp("small") / "data", ("--minimum-data", "off", "--s3", "local")
    ).start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "orders.csv").write_text(orders())
    (folder / "products.csv").write_text(
        "id,name,price\n" + "".join(f"p{k},Thing {k},{k}\n" for k in range(20))
    )
    (folder / "customers.csv").write_text("customer_id,country\n" + "".join(f"{k},AT\n" for k in range(40)))
    return [str(folder / name) for name in ("orders.csv", "products.csv", "customers.csv")]


def run(*words: str) -> Result:
    return CliRunner().invoke(
        main, ["quickstart", *words], env={"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"}
    )


@pytest.fixture(scope="module")
def first(small: Server, files: list[str]) -> str:
    made = run(*files, "--yes", "--endpoint", small.endpoint, "--region", "eu-central-1")
    assert made.exit_code == 0, made.output
    return made.output


def test_three_exports_to_recommendations(first: str) -> None:
    for said in (
        "orders.csv: Interactions, 400 rows",
        "separated by ';', Customer ID is USER_ID, SKU is ITEM_ID",
        "not used: Order",
        "dates like 01.04.2024 10:00 (day, month, year; UTC)",
        "of the 20 items in the interactions, 20 are in the Items dataset, which has 20",
        "This is less data than Amazon takes",
    ):
        assert said in first
    answer = first.partition("GetRecommendations for user")[2].partition("The calls")[0]
    assert answer.count("Thing ") >= 10
    user, titles, *rows, told = answer.strip().splitlines()
    assert titles.split() == ["SCORE", "ITEM", "WITH", "FILTER", "orders-new"]
    assert told.strip() == f"The filter leaves out what {user.strip()} met before."
    plain, new = (set(found) for found in zip(*(re.findall(r"\bp\d+\b", row) for row in rows), strict=True))
    met = {f"p{int(user) % 4 * 5 + k}" for k in range(5)}
    assert plain >= met
    assert met.isdisjoint(new)


def test_the_region_that_is_named(first: str, small: Server) -> None:
    groups = make_clients(small.endpoint, "eu-central-1").personalize.list_dataset_groups()["datasetGroups"]
    assert [one["name"] for one in groups] == ["orders"]
    assert f"openpersonalize env --port {small.port} --region eu-central-1)" in first


def test_the_program_that_it_prints_does_it_again(
    first: str, small: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = "import boto3" + first.partition("import boto3")[2].partition("Done in")[0]
    for service in ("", "_RUNTIME"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_PERSONALIZE{service}", small.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")
    exec(compile(program.replace('name = "orders"', 'name = "again"'), "program", "exec"), {})
    *plain, new = capsys.readouterr().out.splitlines()
    assert len(plain) == 10
    user = program.partition('user = "')[2].partition('"')[0]
    met = {f"p{int(user) % 4 * 5 + k}" for k in range(5)}
    assert {line.split()[0] for line in plain} >= met
    assert new.startswith("new: p")
    assert met.isdisjoint(new.split())


def test_what_fails_leaves_nothing_behind(
    server: Server, region: str, personalize: Any, files: list[str], tmp_path: Path
) -> None:
    """At the import, and, with too few users for a training, later."""
    rows = [f"{k % 10};p{k % 7};0{1 + k % 9}.04.2024 1{k % 10}:{k % 60:02d}" for k in range(1200)]
    (tmp_path / "few.csv").write_text("\n".join(["customer;sku;date", *rows]) + "\n")
    few = [str(tmp_path / "few.csv"), files[1]]
    for given, why in (
        (files, "must have at least 1000 records"),
        (few, "fewer than 25 users with at least 2"),
    ):
        made = run(*given, "--yes", "--endpoint", server.endpoint, "--region", region)
        assert made.exit_code == 2
        assert why in made.output
        assert "--minimum-data off. What quickstart had made is removed." in made.output
        assert personalize.list_dataset_groups()["datasetGroups"] == []
        assert personalize.list_schemas()["schemas"] == []
        assert not list((server.data / "buckets" / "quickstart").rglob("*.csv"))
    assert "A dataset group 'few' with" in run(*few, "--endpoint", server.endpoint, "--region", region).output


def test_what_somebody_else_has_made_stays(
    first: str, small: Server, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two begin at once, and one comes first."""
    assert first
    monkeypatch.setattr("openpersonalize.cli.quickstart.free_name", lambda _, title: title)
    made = run(*files, "--yes", "--endpoint", small.endpoint, "--region", "eu-central-1")
    assert made.exit_code == 2
    assert "ResourceAlreadyExistsException" in made.output
    assert "removed" not in made.output
    assert len(list((small.data / "buckets" / "quickstart" / "orders").glob("*.csv"))) == 3


def test_an_upload_that_is_refused_leaves_nothing_behind(small: Server, files: list[str]) -> None:
    small.put("s3://quickstart/taken", "a file where others are to be put")
    region = ("--region", "eu-west-2")
    made = run(*files, "--yes", "--name", "taken", "--endpoint", small.endpoint, *region)
    assert made.exit_code == 2
    assert "What quickstart had made is removed." in made.output
    personalize = make_clients(small.endpoint, "eu-west-2").personalize
    assert personalize.list_dataset_groups()["datasetGroups"] == []


def test_who_interrupts_it_is_told_what_becomes_of_it(
    small: Server, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("openpersonalize.cli.quickstart_resources._upload", interrupted)
    made = run(*files, "--yes", "--endpoint", small.endpoint, "--region", "eu-west-3")
    assert made.exit_code == 2
    assert "Interrupted. What quickstart had made is removed." in made.output
    personalize = make_clients(small.endpoint, "eu-west-3").personalize
    assert personalize.list_dataset_groups()["datasetGroups"] == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--endpoint", "http://127.0.0.1:9"), "say --yes"),
        (("--yes", "--endpoint", "http://127.0.0.1:9"), "No server answers at http://127.0.0.1:9"),
    ],
)
def test_it_asks_and_it_says_when_nobody_answers(
    files: list[str], words: tuple[str, ...], sentence: str
) -> None:
    made = run(files[0], *words)
    assert made.exit_code == 2
    assert sentence in made.output


def test_the_plan_names_what_will_be_made(first: str, small: Server, files: list[str]) -> None:
    """Beside what is there already, and for a server that takes little only if it was told to."""
    assert "A dataset group 'orders' with these datasets is made" in first
    again = run(files[0], "--endpoint", small.endpoint, "--region", "eu-central-1")
    assert again.exit_code == 2
    assert "say --yes" in again.output
    assert "A dataset group 'orders-2' with these datasets is made" in again.output
    assert "it has to run with --minimum-data off, an option of `openpersonalize serve`" in again.output


def test_the_server_is_started_again_where_it_was() -> None:
    folder = Path("shop-data")
    assert serve_command(folder, 8077, small=False) == "openpersonalize serve --data-dir shop-data"
    told = "openpersonalize serve --data-dir shop-data --port 8190 --minimum-data off"
    assert serve_command(folder, 8190, small=True) == told


def test_two_files_of_one_kind(files: list[str]) -> None:
    made = run(files[0], files[0], "--yes")
    assert made.exit_code == 2
    assert "looks like Interactions, and so does another file" in made.output
