"""The code of README and docs runs: Python blocks in order against one shop on a live server, commands as the
command line takes them. What does not run says why, here or before the block: ``<!-- not run: why -->``."""

from __future__ import annotations

import json
import random
import re
import shlex
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
import click
import pytest
import yaml
from click.testing import CliRunner

import shop
from live import Server, Wait
from openpersonalize.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").glob("*/README.md")])
REGION = "documented-1"
NOT_RUN = re.compile(r"<!-- not run: (.+?) -->\s*\Z", re.DOTALL)
LANGUAGES = {
    "": "a drawing",
    "text": "what something printed",
    "js": "tried in a browser by tests/examples",
    "cron": "a line for a service of the system",
    "ini": "deploy/ has it whole, tests/test_deploy.py looks at it",
}
"""Kinds of blocks that are no code for here, and why."""
ELSEWHERE = {
    "README.md": "tests/journeys/test_unchanged_programs.py runs it, twice",
    "docs/own-recipe.md": "tests/testing/test_examples.py and tests/test_docs.py look at it",
}
"""Pages whose Python runs somewhere else."""
PROGRAMS = {
    **dict.fromkeys((".", "cat", "cd", "export"), "of a shell"),
    **dict.fromkeys(("pip", "python3"), "installs"),
    **dict.fromkeys(("npm", "python"), "tests/examples and tests/bench run them"),
    "aws": "tests/journeys, with boto3",
    "curl": "tests/server, with a client of its own",
    "docker": "no daemon in a test",
    "eval": "tests/cli/test_environment.py",
    "make": "the suite is one of its targets",
    "sudo": "changes the system",
}
"""Programs of console blocks that are not run here, and why."""
HARMLESS = (
    "status",
    "doctor",
    "versions list",
    "validate interactions.csv items.csv users.csv",
)
"""Commands that are run; of others it is seen that they exist, with these options."""


@dataclass(frozen=True)
class Block:
    """A fenced block: `page` from the root, `line` of its beginning, `reason` why it does not run."""

    page: str
    line: int
    language: str
    text: str
    reason: str | None

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    text, name = page.read_text(), page.relative_to(ROOT).as_posix()
    for found in re.finditer(r"^( *)```(\w*)\n(.*?)^\1```$", text, re.DOTALL | re.MULTILINE):
        indent, language, inside = found.groups()
        marked = NOT_RUN.search(text[: found.start()].rstrip())
        lines = [line.removeprefix(indent) for line in inside.splitlines()]
        place = text.count("\n", 0, found.start()) + 1
        yield Block(name, place, language, "\n".join(lines), marked[1] if marked else None)


BLOCKS = [block for page in PAGES for block in blocks(page)]
PYTHON = [block for block in BLOCKS if block.language == "python" and block.page not in ELSEWHERE]
COMMANDS = [block for block in BLOCKS if block.language == "console"]


def interactions() -> str:
    chance = random.Random(2)
    rows = ["USER_ID,ITEM_ID,EVENT_TYPE,TIMESTAMP"]
    for user in range(1, 61):
        own = [item for item in ITEMS if ITEMS.index(item) % 3 == user % 3]
        for step, item in enumerate(chance.choices(own, k=20)):
            kind = "purchase" if step % 4 == 3 else "view"
            rows.append(f"{user},{item},{kind},{shop.LAST - 600 * (20 - step) - user}")
    return "\n".join(rows) + "\n"


ITEMS = [f"{kind}-{number:02d}" for number in range(12) for kind in ("tea", "cheese", "bread")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the reader sits: the files that the pages speak of."""
    made = tmp_path_factory.mktemp("reader")
    (made / "interactions.csv").write_text(interactions())
    (made / "items.csv").write_text(
        "ITEM_ID,CATEGORY,PRICE,IN_STOCK\n"
        + "".join(f"{item},{item.split('-')[0]},{3 + k % 5}.5,yes\n" for k, item in enumerate(ITEMS))
    )
    (made / "users.csv").write_text(
        "USER_ID,AGE\n" + "".join(f"{user},{20 + user}\n" for user in range(1, 61))
    )
    (made / "recipients.txt").write_text("1\n2\n")
    (made / "FILE").write_text("USER_ID,ITEM_ID,TIMESTAMP\n")
    for name in ("orders", "products", "customers"):
        (made / f"{name}.csv").write_text("")
    for kind in ("interactions", "items", "users"):
        (made / f"{kind}.csv.gz").write_bytes(b"")
    return made


@pytest.fixture(scope="module")
def reader(server: Server, folder: Path) -> Iterator[dict[str, Any]]:
    """What a reader's program has by then: clients, and a shop of the recipes that the pages are about. About
    8 s, for one small training that explores and one of related items."""
    with pytest.MonkeyPatch.context() as patch:
        for service in ("PERSONALIZE", "PERSONALIZE_RUNTIME", "PERSONALIZE_EVENTS", "S3"):
            patch.setenv(f"AWS_ENDPOINT_URL_{service}", server.endpoint)
        for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
            patch.setenv(name, REGION)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "local")
        patch.delenv("AWS_PROFILE", raising=False)
        patch.chdir(folder)
        yield _reader(server, folder)


def _reader(server: Server, folder: Path) -> dict[str, Any]:
    personalize, s3 = boto3.client("personalize"), boto3.client("s3")
    wait = Wait(personalize)
    for bucket in ("documented", "reports", "privacy"):
        s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket="privacy", Key="requests-of-may.csv", Body="USER_ID\n60\n")
    group = personalize.create_dataset_group(name="documented")["datasetGroupArn"]
    wait.active(group)
    schemas = {
        "Interactions": [
            *(shop.field(one) for one in ("USER_ID", "ITEM_ID", "EVENT_TYPE")),
            shop.field("TIMESTAMP", "long"),
        ],
        "Items": [
            shop.field("ITEM_ID"),
            shop.field("CATEGORY", categorical=True),
            shop.field("PRICE", "float"),
            shop.field("IN_STOCK", ["null", "string"]),
        ],
    }
    datasets = {}
    for kind, fields in schemas.items():
        schema = personalize.create_schema(name=kind, schema=shop.schema(kind, *fields))["schemaArn"]
        datasets[kind] = personalize.create_dataset(
            name=kind, datasetGroupArn=group, datasetType=kind, schemaArn=schema
        )["datasetArn"]
        file = f"{kind.lower()}.csv"
        s3.upload_file(str(folder / file), "documented", file)
        source = {"dataLocation": f"s3://documented/{file}"}
        job = personalize.create_dataset_import_job(
            jobName=kind, datasetArn=datasets[kind], dataSource=source
        )
        wait.active(job["datasetImportJobArn"])
    made: dict[str, tuple[str, str]] = {}
    for name, recipe in (("documented", "aws-user-personalization"), ("related", "aws-sims")):
        recipe = f"arn:aws:personalize:::recipe/{recipe}"
        solution = personalize.create_solution(
            name=name, datasetGroupArn=group, recipeArn=recipe, performAutoTraining=False
        )["solutionArn"]
        made[name] = solution, personalize.create_solution_version(solutionArn=solution)["solutionVersionArn"]
    campaigns = {}
    for name, (_, version) in made.items():
        wait.active(version, 120)
        campaigns[name] = personalize.create_campaign(
            name=name, solutionVersionArn=version, campaignConfig={"enableMetadataWithRecommendations": True}
        )["campaignArn"]
        wait.active(campaigns[name])
    solution, version = made["documented"]
    return {
        "boto3": boto3, "json": json, "time": time, "datetime": datetime, "group": group,
        "personalize": personalize, "runtime": boto3.client("personalize-runtime"), "solution": solution,
        "version": version, "VERSION": version, "campaign": campaigns["documented"], "wait": wait,
        "related": campaigns["related"], "items_dataset": datasets["Items"],
        "role": "arn:aws:iam::000000000000:role/any",
    }  # fmt: skip


def test_every_block_is_of_a_known_kind() -> None:
    kinds = {"python", "console", "toml", "json", "yaml"}
    assert [str(one) for one in BLOCKS if one.language not in kinds | set(LANGUAGES)] == []
    assert len(PYTHON) > 15
    assert len(COMMANDS) > 25


def test_python_in_order(reader: dict[str, Any]) -> None:
    """Names that a page makes are there in its later blocks; of other pages only what a reader had before."""
    ran = 0
    for page in dict.fromkeys(block.page for block in PYTHON):
        names = dict(reader)
        for block in PYTHON:
            if block.page != page:
                continue
            code = compile("\n" * block.line + block.text, ROOT / page, "exec")
            if block.reason is None:
                exec(code, names)
                ran += 1
            for arn in _filters(reader):  # the next call of a reader comes later than that of a test
                reader["wait"].active(arn)
    assert ran > 12


def _filters(reader: dict[str, Any]) -> list[str]:
    return [one["filterArn"] for one in reader["personalize"].list_filters()["Filters"]]


def commands(block: Block) -> Iterator[str]:
    """The commands of a console block, one a line, without remarks."""
    for line in re.sub(r"\\\n\s*", "", block.text).splitlines():
        command = re.sub(r"\s#\s.*$", "", line).strip()
        yield from (part.strip() for part in command.split(" && ") if part.strip())


@pytest.mark.parametrize("block", COMMANDS, ids=str)
def test_commands_exist_with_their_options(
    block: Block, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    for command in commands(block):
        words = shlex.split(command)
        if words[0] != "openpersonalize":
            assert words[0] in PROGRAMS, f"{block}: say why {words[0]} does not run"
        for own in re.findall(r"(?:^|/bin/|\(|openpersonalize )openpersonalize ([a-z][^)\"]*)", command):
            taken(block, shlex.split(own))


def taken(block: Block, words: list[str]) -> None:
    """The command line takes these words."""
    command: click.Command = main
    while isinstance(command, click.Group):
        name = words.pop(0)
        found = command.get_command(click.Context(command), name)
        assert found is not None, f"{block}: there is no command {name}"
        command = found
    try:
        command.make_context(command.name, words)
    except click.UsageError as error:
        pytest.fail(f"{block}: openpersonalize {command.name} {words}: {error.format_message()}")


@pytest.mark.parametrize("command", HARMLESS)
def test_commands_that_change_nothing(command: str, reader: dict[str, Any]) -> None:
    written = {one.removeprefix("openpersonalize ") for block in COMMANDS for one in commands(block)}
    assert any(one == command or one.startswith(f"{command} ") for one in written), "no page has it any more"
    done = CliRunner().invoke(main, shlex.split(command))
    assert done.exit_code == 0, done.output


def test_data_can_be_read() -> None:
    for block in BLOCKS:
        read = {"json": json.loads, "toml": tomllib.loads, "yaml": yaml.safe_load}.get(block.language)
        if read is not None:
            assert read(block.text), block
