"""Two clients that create, update and delete the same names at once: the state stays whole.

`TwoClients` draws pairs of calls that are sent at the same moment; of schemas, which are made and removed
within their call, the outcomes must be those of one order or the other. Beside it two clients race without
waiting for one another.
"""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import botocore
import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

import shop
from live import Server, make_clients

from .faults import listed
from .race import MAKING, NAMES, REMOVING, WORKING, check_whole, request_of

_regions = itertools.count(1)
_pool = ThreadPoolExecutor(2, "client")

names = st.sampled_from(NAMES)
# What makes something is likelier: nothing is to be met where nothing is.
calls = st.tuples(st.sampled_from((*MAKING, *MAKING, *REMOVING)), names, names)
schema_calls = st.tuples(st.sampled_from(["create", "delete", "describe"]), names)


class TwoClients(RuleBasedStateMachine):
    """A region of its own, and what its schemas ``free-...``, which no dataset uses, must be."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        region = f"eu-pair-{next(_regions)}"
        self.clients = [make_clients(server.endpoint, region).personalize for _ in range(2)]
        self.prefix = f"arn:aws:personalize:{region}:000000000000"
        self.location = server.put(f"s3://{region}/clicks.csv", shop.csv("Interactions"))
        self.jobs = itertools.count(1)
        self.working = 0
        self.free: frozenset[str] = frozenset()
        for one, other in (("CreateDatasetGroup", "CreateSchema"), ("CreateDataset", "CreateFilter")):
            self.at_once((one, "one", "one"), (other, "one", "one"))

    @rule(one=calls, other=calls)
    def at_once(self, one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
        """Each outcome is one that the operation may have."""
        asked = [
            (client, each[0], request_of(client, each[0], self.prefix, *each[1:], self.job, self.location))
            for client, each in zip(self.clients, (one, other), strict=True)
        ]
        for (_, operation, request), code in zip(asked, self.sent(asked), strict=True):
            assert code in (None, *listed(operation)), f"{operation} {request}: {code}"

    @precondition(lambda self: self.working < 2)
    @rule(operation=st.sampled_from(WORKING), name=names, other=calls)
    def at_work(self, operation: str, name: str, other: tuple[str, str, str]) -> None:
        """A job begins while something else is changed."""
        self.working += 1
        self.at_once((operation, name, name), other)

    @rule(one=schema_calls, other=schema_calls)
    def schemas(self, one: tuple[str, str], other: tuple[str, str]) -> None:
        """The outcomes, and the state after them, are those of one order or the other."""
        asked = [
            (client, f"{verb.capitalize()}Schema", self.schema(verb, f"free-{name}"))
            for client, (verb, name) in zip(self.clients, (one, other), strict=True)
        ]
        found = self.sent(asked)
        there = frozenset(
            name
            for name in NAMES
            if self.sent([(self.clients[0], "DescribeSchema", self.schema("describe", f"free-{name}"))])
            == [None]
        )
        first, after_first = outcome(self.free, *one)
        second, after = outcome(after_first, *other)
        third, after_third = outcome(self.free, *other)
        fourth, otherwise = outcome(after_third, *one)
        assert (found, there) in (([first, second], after), ([fourth, third], otherwise)), (one, other)
        self.free = there

    def schema(self, verb: str, name: str) -> dict[str, Any]:
        if verb == "create":
            return {"name": name, "schema": shop.SCHEMAS["Users"]}
        return {"schemaArn": f"{self.prefix}:schema/{name}"}

    @property
    def job(self) -> str:
        """A name that nobody has used."""
        return f"job-{next(self.jobs)}"

    def sent(self, asked: list[tuple[Any, str, dict[str, Any]]]) -> list[str | None]:
        """The codes of the errors of calls that are sent at once; None: it was answered."""
        return list(_pool.map(lambda each: code_of(*each), asked))

    def teardown(self) -> None:
        check_whole(self.clients[0])


def code_of(client: Any, operation: str, request: dict[str, Any]) -> str | None:
    try:
        getattr(client, botocore.xform_name(operation))(**request)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return None


def outcome(there: frozenset[str], verb: str, name: str) -> tuple[str | None, frozenset[str]]:
    """What a call about a schema is answered where these are, and which are there then."""
    if verb == "create":
        return ("ResourceAlreadyExistsException", there) if name in there else (None, there | {name})
    if name not in there:
        return "ResourceNotFoundException", there
    return None, there - {name} if verb == "delete" else there


@pytest.mark.parametrize(
    ("examples", "steps"), [(3, 20), pytest.param(150, 60, marks=pytest.mark.soak)], ids=["share", "soak"]
)
def test_pairs_of_calls(roomy: Server, examples: int, steps: int) -> None:
    run_state_machine_as_test(
        lambda: TwoClients(roomy),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.fixture
def roomy(
    request: pytest.FixtureRequest, server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The session's server; for very many regions one of their own."""
    if request.node.callspec.params["examples"] < 10:
        yield server
        return
    options = ("--quota-regions", "1000000")
    running = Server(tmp_path_factory.mktemp("pairs") / "data", options).start()
    yield running
    running.stop()


class Client:
    """Somebody who does one thing after another, whatever is there."""

    def __init__(self, server: Server, region: str, seed: int, location: str) -> None:
        self.personalize = make_clients(server.endpoint, region).personalize
        self.chance = random.Random(seed)
        self.prefix = f"arn:aws:personalize:{region}:000000000000"
        self.seed, self.location, self.jobs = seed, location, 0
        self.done: list[str] = []
        self.wrong: list[str] = []

    def run(self, steps: int) -> None:
        for _ in range(steps):
            operation = self.chosen()
            name, other = self.chance.choice(NAMES), self.chance.choice(NAMES)
            job = f"job-{self.seed}-{self.jobs}"
            try:
                request = request_of(
                    self.personalize, operation, self.prefix, name, other, job, self.location
                )
                code = code_of(self.personalize, operation, request)
            except Exception as error:  # a thread's errors would be lost
                self.wrong.append(f"{operation}: {error!r}")
                continue
            if code is None:
                self.done.append(operation)
            elif code not in listed(operation):
                self.wrong.append(f"{operation} {request}: {code}")

    def chosen(self) -> str:
        self.jobs += 1
        if self.jobs % 30 == 0:
            return WORKING[self.jobs // 30 % 2]
        often = (*MAKING, "CreateSchema", "CreateDataset")
        return self.chance.choice(often if self.chance.random() < 0.7 else REMOVING)


@pytest.mark.parametrize("steps", [100, pytest.param(1500, marks=pytest.mark.soak)])
def test_the_same_names_at_once(server: Server, steps: int) -> None:
    region = f"eu-race-{steps}"
    location = server.put(f"s3://{region}/clicks.csv", shop.csv("Interactions"))
    two = [Client(server, region, seed, location) for seed in (1, 2)]
    threads = [threading.Thread(target=one.run, args=[steps]) for one in two]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert two[0].wrong + two[1].wrong == []
    done = {*two[0].done, *two[1].done}
    assert {"CreateDatasetGroup", "CreateSchema", "CreateDataset"} <= done
    check_whole(two[0].personalize)
