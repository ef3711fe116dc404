"""Calls that wait share a commit; each hears of its own fate."""

from __future__ import annotations

import asyncio
import threading

import pytest

from openpersonalize.errors import Unavailable
from openpersonalize.events.groupcommit import MOST, GroupCommit


class Gate:
    """A commit that can be held back and notes the batches it got; negative calls fail."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.entered = threading.Event()
        self.batches: list[list[int]] = []

    def __call__(self, works: list[int]) -> list[int]:
        self.batches.append(list(works))
        self.entered.set()
        assert self.open.wait(10)
        if min(works) < 0:
            raise ValueError("negative")
        return works


@pytest.fixture
def gate() -> Gate:
    return Gate()


def test_whoever_waits_during_a_commit_shares_the_next(gate: Gate) -> None:
    commits = GroupCommit(gate, "test")
    first = commits.submit(1)
    assert gate.entered.wait(10)
    others = [commits.submit(n) for n in range(2, MOST + 4)]
    gate.open.set()
    assert [first.result(10), *(other.result(10) for other in others)] == list(range(1, MOST + 4))
    assert [len(batch) for batch in gate.batches] == [1, MOST, 2]
    commits.close()


def test_a_failing_call_fails_alone(gate: Gate) -> None:
    commits = GroupCommit(gate, "test")
    first = commits.submit(1)
    assert gate.entered.wait(10)
    calls = [commits.submit(n) for n in (2, -3, 4)]
    gate.open.set()
    assert [first.result(10), calls[0].result(10), calls[2].result(10)] == [1, 2, 4]
    with pytest.raises(ValueError, match="negative"):
        calls[1].result(10)
    commits.close()


def test_a_coroutine_that_went_away_is_no_trouble(gate: Gate) -> None:
    commits = GroupCommit(gate, "test")

    async def main() -> int:
        gone = asyncio.create_task(commits.submitted(1))
        stays = asyncio.create_task(commits.submitted(2))
        await asyncio.sleep(0)
        gone.cancel()
        gate.open.set()
        return await stays

    assert asyncio.run(main()) == 2
    commits.close()


def test_a_loop_that_ended_is_no_trouble(gate: Gate) -> None:
    commits = GroupCommit(gate, "test")

    async def leave() -> None:
        asyncio.create_task(commits.submitted(1)).add_done_callback(lambda task: task.cancelled())
        await asyncio.sleep(0)

    asyncio.run(leave())
    gate.open.set()
    assert commits.submit(2).result(10) == 2
    commits.close()


def test_closing_twice_is_closing(gate: Gate) -> None:
    commits = GroupCommit(gate, "test")
    gate.open.set()
    assert commits.submit(1).result(10) == 1
    commits.close()
    commits.close()
    with pytest.raises(Unavailable):
        commits.submit(2)
