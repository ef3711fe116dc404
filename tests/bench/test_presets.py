"""The bench of the personal presets asks what it says, and counts what it got."""

import gzip
import time

import numpy as np
import pytest
from bench.presets import CASES, LINES, Question, divided, table, values


def write(path, *lines):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress("\n".join(lines).encode()))


def test_orders_of_the_newest_tenth_are_asked_for(tmp_path) -> None:
    rows = [f"u{k % 2},i{k},{1000 + k},{'purchase' if k != 7 else 'return'}" for k in range(21)]
    write(
        tmp_path / "online-retail" / "interactions.csv.gz",
        "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE",
        *rows,
        "late,i3,2000,purchase",
    )
    tables, questions = divided(CASES["online-retail"], tmp_path, 10)
    known = tables["Interactions"]
    assert set(known["EVENT_TYPE"]) == {"Purchase"}
    assert known["TIMESTAMP"].max() == pytest.approx(time.time() - 60, abs=30)
    assert sorted(one.user for one in questions) == ["u0", "u1"]  # nothing is known of who came late
    for one in questions:
        assert not one.truth & set(known["ITEM_ID"])
        assert one.before == set(known.filter(known["USER_ID"] == one.user)["ITEM_ID"])
        assert "i7" not in one.before


def test_of_films_the_newest_tenth_of_everybody(tmp_path) -> None:
    rows = [f"u{user},i{k},{10**6 * user + k},rating" for user in range(3) for k in range(11)]
    films = tmp_path / "movielens-latest-small"
    write(films / "interactions.csv.gz", "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE", *rows)
    write(films / "items.csv.gz", "ITEM_ID,TITLE,GENRES", *(f"i{k},Film,Drama" for k in range(12)))
    tables, questions = divided(CASES["movielens-latest-small"], tmp_path, 10)
    assert {one.user: one.truth for one in questions} == {f"u{user}": {"i9", "i10"} for user in range(3)}
    assert set(tables["Items"]["ITEM_ID"]) == {f"i{k}" for k in range(9)}


def test_the_table_has_what_the_lists_are_worth() -> None:
    questions = [
        Question(f"u{k}", frozenset({"old"}), frozenset({"old", "new"} if k else {"old"})) for k in range(3)
    ]
    lists = {label: [["new", "old"], ["new"], ["x", "old"]] for label, _ in LINES}
    lists["v2"] = [["old"], ["new", "old"], ["x", "old"]]
    found = values(lists["v1"], [one.truth for one in questions])
    hit = np.log2(3)
    assert np.allclose(found, [1 / hit, 1 / (1 + 1 / hit), 1 / hit / (1 + 1 / hit)])
    fresh = values(lists["v1"], [one.truth - one.before for one in questions])
    assert np.isnan(fresh[0])
    lines = {line.split(" | ")[0].strip("| "): line for line in table(lists, questions).splitlines()}
    assert f"| {found.mean():.4f} | - |" in lines["v1"]
    assert "1 of 3 (v1)" in lines["v2"]
    assert "3 of 3 (v1, filter)" in lines["preset"]
