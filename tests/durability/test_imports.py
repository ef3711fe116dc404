"""Imports of servers and processes that are killed: the old data or the new, never a mix."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import Any

import polars as pl

import shop
from durability.world import STEP, World, children, kill, kills, rounds
from openpersonalize.datasets.snapshots import Snapshot
from openpersonalize.engine.report import job_list, job_report
from openpersonalize.installation import Installation

ROWS = 20_000
WITNESS = "witness"
State = dict[str, Any]


@dataclass
class Books:
    """What was asked of one dataset, and what it holds after each of the jobs, in order.

    Attributes:
        states: states[i] is the dataset after the first i jobs.
    """

    kind: str
    jobs: list[str] = field(default_factory=list)
    states: list[State] = field(default_factory=list)

    def add(self, job: str, state: State) -> None:
        self.jobs.append(job)
        self.states.append(state)

    def done(self, world: World) -> int:
        """How many of the jobs have ended; they end in order."""
        ended = [world.wait.describe(job)["status"] in ("ACTIVE", "CREATE FAILED") for job in self.jobs[-6:]]
        count = len(self.jobs) - len(ended) + sum(ended)
        assert ended == sorted(ended, reverse=True), "a later import ended before an earlier one"
        return count


def items_file(generation: int, mode: str) -> tuple[str, State]:
    """All known items in a colour of their own, or for INCREMENTAL the even ones; and many others."""
    names = shop.ITEMS if mode == "FULL" else shop.ITEMS[::2]
    names = names + [f"other-{generation if mode != 'FULL' else 0}-{n:05d}" for n in range(ROWS // 20)]
    colour = f"colour-{generation}"
    rows = [f"{name},books,5.25,{colour},1600000000" for name in names]
    return "ITEM_ID,DEPARTMENT,PRICE,COLOUR,CREATION_TIMESTAMP\n" + "\n".join(rows), dict.fromkeys(
        names, colour
    )


def interactions_file(generation: int) -> tuple[str, State]:
    """Events of one type; the witness meets three items that belong to this generation."""
    kind = f"type-{generation}"
    rows = [f"u{n % 997},item-{n % 60:02d},{1_600_000_000 + n},{kind}," for n in range(ROWS)]
    seen = [shop.ITEMS[(generation * 3 + n) % 60] for n in range(3)]
    rows += [f"{WITNESS},{item},{int(time.time()) - 60},{kind}," for item in seen]
    return "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE,EVENT_VALUE\n" + "\n".join(rows), {kind: frozenset(seen)}


def request(world: World, books: Books, chance: random.Random) -> None:
    """Ask for one import, good or broken."""
    generation = len(books.jobs) + 1
    mode = chance.choice(["FULL", "INCREMENTAL"])
    text, news = items_file(generation, mode) if books.kind == "Items" else interactions_file(generation)
    before = books.states[-1]
    after = dict(news) if mode == "FULL" else {**before, **news}
    if chance.random() < 0.2:
        text, after = text + "\nonly,two-columns\n", before
    location = world.server.put(f"s3://killed/{books.kind}-{generation}.csv", text)
    made = world.clients.personalize.create_dataset_import_job(
        jobName=f"{books.kind}-{generation}",
        datasetArn=world.stock.datasets[books.kind],
        dataSource={"dataLocation": location},
        importMode=mode,
    )
    books.add(made["datasetImportJobArn"], after)


def colours(world: World) -> State:
    """Item -> colour as one answer shows it."""
    shown = world.recommend("user-00", 50, metadataColumns={"ITEMS": ["COLOUR"]})
    return {entry["itemId"]: entry["metadata"].get("COLOUR") for entry in shown}


def visible(world: World, books: Books, state: State) -> Any:
    """What a state looks like to callers."""
    if books.kind == "Items":
        return {name: state.get(name) for name in colours(world)}
    return frozenset().union(*state.values())


def check_visible(world: World, books: Books) -> None:
    """Callers see the dataset exactly as some number of whole imports left it."""
    least = books.done(world)
    seen: Any = colours(world) if books.kind == "Items" else frozenset(world.items_met(WITNESS))
    most = books.done(world)
    possible = [visible(world, books, books.states[n]) for n in range(least, most + 1)]
    assert seen in possible, f"{books.kind} after {least} to {most} imports"


def check_stored(installation: Installation, world: World, all_books: list[Books]) -> None:
    """The snapshots hold exactly the rows of the newest state, and nothing else is kept."""
    scope = installation.metadata.scope("000000000000", world.stock.region)
    with scope.read() as tx:
        keys = {d.attributes["datasetType"]: d.internal.snapshot for d in tx.find("dataset")}
    for books in all_books:
        frame = Snapshot.open(installation.objects, keys[books.kind.upper()]).scan().collect()
        state = books.states[-1]
        if books.kind == "Items":
            assert dict(frame.select("ITEM_ID", "COLOUR").iter_rows()) == state
        else:
            counts = dict(frame.group_by("EVENT_TYPE").agg(pl.len()).iter_rows())
            assert counts == dict.fromkeys(state, ROWS + 3)
    jobs = job_list(scope)
    waiting = {j["arn"] for j in jobs if j["kind"] == "remove-snapshot" and j["state"] == "queued"}
    kept = {f"snapshots/{path.name}" for path in (world.server.data / "snapshots").iterdir()}
    assert kept - waiting == set(keys.values())
    assert [path for path in (world.server.data / "staging").iterdir() if path.is_dir()] == []


def first_books(world: World, chance: random.Random) -> list[Books]:
    """Both datasets begin with an import of known content."""
    both = []
    for kind in ("Items", "Interactions"):
        text, state = items_file(1, "FULL") if kind == "Items" else interactions_file(1)
        made = world.clients.personalize.create_dataset_import_job(
            jobName=f"{kind}-{chance.randrange(10**9)}",
            datasetArn=world.stock.datasets[kind],
            dataSource={"dataLocation": world.server.put(f"s3://killed/{kind}-1.csv", text)},
        )
        both.append(Books(kind, [made["datasetImportJobArn"]], [{}, state]))
    for books in both:
        world.wait.active(books.jobs[0])
    return both


@rounds
def test_the_server_is_killed_while_it_imports(world: World, chance: random.Random, rounds: int) -> None:
    both = first_books(world, chance)
    for _ in range(rounds):
        for books in both:
            for _ in range(chance.choice([1, 2])):
                request(world, books, chance)
        for _ in kills(chance, rounds):
            time.sleep(chance.uniform(0.0, 1.5))
            world.restart()
            for books in both:
                check_visible(world, books)
        for books in both:
            for number in range(1, len(books.jobs) + 1):
                if number < len(books.jobs) - 2:
                    continue
                broken = books.states[number] is books.states[number - 1]
                end = world.wait.final(books.jobs[number - 1])
                assert end["status"] == ("CREATE FAILED" if broken else "ACTIVE"), end
                assert ("failureReason" in end) == broken
            check_visible(world, books)
    with world.opened() as installation:
        check_stored(installation, world, both)


@rounds
def test_the_process_that_imports_is_killed(world: World, chance: random.Random, rounds: int) -> None:
    [items, _] = first_books(world, chance)
    patience = 0.6  # seconds; less after every import that was done before it could be killed
    left = rounds
    while left:
        most = chance.choice([1, 3])  # as often as it is tried, or less
        state = items.states[-1]
        number = len(items.jobs) + 1
        text, news = items_file(number, "FULL")
        location = world.server.put(f"s3://killed/step-{number}.csv", text)
        job = world.clients.personalize.create_dataset_import_job(
            jobName=f"step-{number}-{chance.randrange(10**9)}",
            datasetArn=world.stock.datasets["Items"],
            dataSource={"dataLocation": location},
        )["datasetImportJobArn"]
        killed: set[int] = set()
        while len(killed) < most and world.wait.describe(job)["status"].endswith(("PENDING", "PROGRESS")):
            for pid in children(world.server, STEP):
                if pid not in killed and (most == 3 or time.sleep(chance.uniform(0.0, patience)) is None):
                    killed |= {pid} if kill(pid) else set()
        end = world.wait.final(job)
        if not killed:
            patience /= 2
            assert patience > 1e-3, "no import could be killed before it was done"
        left -= bool(killed)
        if end["status"] == "ACTIVE":
            assert len(killed) < 3
            state = news
        else:
            assert len(killed) == 3
            assert "died 3 times" in end["failureReason"]
            assert "memory" in end["failureReason"]
        items.add(job, state)
        check_visible(world, items)
    with world.opened() as installation:
        scope = installation.metadata.scope("000000000000", world.stock.region)
        lines = [line["text"] for line in (job_report(scope, items.jobs[-1]) or {"lines": []})["lines"]]
        assert sum("died" in line for line in lines) == len(killed)
        assert [path for path in (world.server.data / "staging").iterdir() if path.is_dir()] == []
