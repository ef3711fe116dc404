"""Answers hold until the sign changes."""

from __future__ import annotations

import pytest

from openpersonalize.events.remembered import Remembered


def test_an_answer_is_worked_out_once_for_each_state() -> None:
    state = [1]
    calls: list[str] = []

    def make(name: str) -> str:
        calls.append(name)
        return name

    remembered = Remembered(lambda: state[0])
    assert [remembered.get("a", lambda: make("a")) for _ in range(3)] == ["a"] * 3
    assert remembered.get("b", lambda: make("b")) == "b"
    state[0] = 2
    assert remembered.get("a", lambda: make("c")) == "c"
    assert calls == ["a", "b", "c"]


def test_a_failure_is_not_remembered() -> None:
    remembered = Remembered(lambda: 1)
    with pytest.raises(ZeroDivisionError):
        remembered.get("a", lambda: 1 // 0)
    assert remembered.get("a", lambda: 2) == 2


def test_an_answer_begun_in_an_older_state_does_not_outlive_it() -> None:
    state = [1]
    remembered = Remembered(lambda: state[0])

    def slow() -> str:
        state[0] = 2
        remembered.get("b", lambda: "meanwhile")
        return "old"

    assert remembered.get("a", slow) == "old"
    assert remembered.get("a", lambda: "new") == "new"


def test_the_table_is_bounded() -> None:
    remembered = Remembered(lambda: 1, most=2)
    for key in "abc":
        remembered.get(key, lambda key=key: key)
    assert remembered.get("a", lambda: "again") == "again"
