"""``openpersonalize quickstart`` on a shop's exports, on a live server, and the program that it prints."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from live import Server
from openpersonalize.cli.main import main

random.seed(1)


def orders(count: int = 400) -> str:
    rows = ["Order;Customer ID;SKU;Created at;event"]
    for k in range(count):
        user = k % 40
        item = user % 4 * 5 + random.randrange(5)
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
    assert answer.count("Thing ") >= 5


def test_the_program_that_it_prints_does_it_again(
    first: str, small: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = "import boto3" + first.partition("import boto3")[2].partition("Done in")[0]
    for service in ("", "_RUNTIME"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_PERSONALIZE{service}", small.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")
    exec(compile(program.replace('name = "orders"', 'name = "again"'), "program", "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) == 10


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


def test_two_files_of_one_kind(files: list[str]) -> None:
    made = run(files[0], files[0], "--yes")
    assert made.exit_code == 2
    assert "looks like Interactions, and so does another file" in made.output
