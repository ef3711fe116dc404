"""The accuracy benchmark counts right, compares the same questions, and goes on where it was stopped."""

import argparse
import gzip
import json
import math
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from bench.accuracy import counted, notebook_report, record, replay, replay_report, sessions, speed_report
from bench.accuracy.__main__ import keys
from bench.accuracy.cells import Cell, Cells, Key
from bench.accuracy.lists import Lists, ndcg
from bench.accuracy.notebook import asked_of, clicks_and_watches, measured, prepare, repeat_scores
from bench.accuracy.page import page
from bench.accuracy.problem import open_problem
from bench.accuracy.report import CEILING, OURS, interval, paired_ratio, rows
from bench.incremental import data_of

from openpersonalize.recipes.questions import held_out_question

ROOT = Path(__file__).parents[2]
HOUR = 3600
COLUMNS = ["USER_ID", "ITEM_ID", "TIMESTAMP"]


def put_data(folder: Path, rows: pl.DataFrame) -> None:
    folder.mkdir(parents=True)
    (folder / "interactions.csv.gz").write_bytes(gzip.compress(rows.write_csv().encode()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """30 users walk round a ring of 12 items, so that the next item is certain; user u starts at item u."""
    events = [(f"u{u:02}", f"i{(u + k) % 12:02}", (100 * k + u) * HOUR) for u in range(30) for k in range(8)]
    put_data(tmp_path / "data" / "ring", pl.DataFrame(events, COLUMNS, orient="row"))
    return tmp_path / "data"


def test_ndcg_of_lists_in_both_views(folder: Path) -> None:
    problem = open_problem(folder, "ring", "loo")
    ptr, truth = problem.truth()
    assert len(ptr) == 31
    assert truth.tolist() == [(u + 7) % 12 for u in range(30)]
    lists = Lists.empty(30)
    lists.kept[0, :3] = 0, 1, 7
    lists.excluded[0, :2] = 8, 7
    lists.kept[1, 9] = 8
    found = ndcg(lists, problem)
    assert found["kept"][:3].tolist() == pytest.approx([0.5, 1 / math.log2(11), 0.0])
    assert found["excluded"][:3].tolist() == pytest.approx([1 / math.log2(3), 0.0, 0.0])


def test_an_item_met_before_counts_in_one_view_only(tmp_path: Path) -> None:
    events = [(user, item, k) for user, items in (("a", "xyx"), ("b", "xyz")) for k, item in enumerate(items)]
    put_data(tmp_path / "back", pl.DataFrame(events, COLUMNS, orient="row"))
    problem = open_problem(tmp_path, "back", "loo")
    lists = Lists.empty(2)
    lists.kept[:, 0] = lists.excluded[:, 0] = 0
    found = ndcg(lists, problem)
    assert found["kept"].tolist() == [1.0, 0.0]
    assert math.isnan(found["excluded"][0])
    assert found["excluded"][1] == 0.0


def test_counted_peers_find_what_there_is_to_count(folder: Path) -> None:
    problem = open_problem(folder, "ring", "loo")
    for name in ("popularity", "recent", "live", "transitions", "ease"):
        lists, _ = getattr(counted, name)(problem)
        assert (lists.kept >= 0).all()
        for k, user in enumerate(problem.test.user.tolist()):
            met = problem.learnt.item[problem.learnt.ptr[user] : problem.learnt.ptr[user + 1]]
            assert not np.isin(lists.excluded[k], met).any()
        value = ndcg(lists, problem)["excluded"].mean()
        assert (value > 0.95) if name == "transitions" else (value < 0.95), name


def test_peers_that_look_at_the_cart_name_its_rest(tmp_path: Path) -> None:
    """Each order is one of eight bundles of six, whoever buys it; the lines of a second have no order."""
    rng = np.random.default_rng(0)
    events = [
        (f"u{u:02}", f"b{bundle}-{line}", (100 * k + u) * HOUR)
        for u in range(30)
        for k, bundle in enumerate(rng.integers(0, 8, 12).tolist())
        for line in range(6)
    ]
    put_data(tmp_path / "bundles", pl.DataFrame(events, COLUMNS, orient="row"))
    problem = open_problem(tmp_path, "bundles", "session")
    assert len(problem.test) > 20
    peers = (sessions.cooccurrence, sessions.cooccurrence_and_repeats, sessions.vstan)
    for found in [peer(problem) for peer in peers]:
        assert found is not None
        assert np.nanmean(ndcg(found[0], problem)["kept"]) > 0.99
        for k in range(len(problem.test)):
            assert len(problem.left_out(k)) == 3
            assert not np.isin(found[0].kept[k], problem.left_out(k)).any()
    assert np.nanmean(ndcg(counted.popularity(problem)[0], problem)["kept"]) < 0.6
    query, _, _ = held_out_question(problem.sequences, problem.test, 0)
    neighbours = sessions.Vstan(
        sessions.Sessions.of(problem.learnt.where(problem.learnt.item < 0)), 2.0, 30.0
    )
    assert not neighbours.scores(query).any()  # nobody met any of the cart before


def test_hindsight_is_the_best_single_list_of_what_was_being_met(tmp_path: Path) -> None:
    """Thirty items are met alike for a day; of what comes on the next, item k is met by k users, and a new
    one by all."""
    events = [(f"u{u:02}", f"i{k:02}", 3_000 * k + u) for u in range(30) for k in range(30)]
    events += [(f"u{u:02}", f"i{k:02}", 100_000 + k) for u in range(30) for k in range(u) if k % 3 == 0]
    put_data(tmp_path / "day", pl.DataFrame(events, COLUMNS, orient="row"))
    problem = open_problem(tmp_path, "day", "time")
    found = counted.hindsight(problem)
    assert found is not None
    best = ndcg(found[0], problem)["kept"].mean()
    rng = np.random.default_rng(0)
    for _ in range(20):
        other = Lists.empty(len(problem.test.user))
        other.kept[:] = rng.permutation(len(problem.sequences.items))[:10]
        assert ndcg(other, problem)["kept"].mean() <= best
    assert best > ndcg(counted.live(problem)[0], problem)["kept"].mean()
    assert counted.hindsight(open_problem(tmp_path, "day", "loo")) is None


@pytest.mark.parametrize("copies", [1, 5])
def test_ease_is_solved_alike_from_both_sides(folder: Path, copies: int) -> None:
    learnt = open_problem(folder, "ring", "loo").learnt
    few = learnt.where(learnt.user < 6 * copies)
    met = np.zeros((30, 12))
    met[few.user, few.item] = 1.0
    inverse = np.linalg.inv(met.T @ met + 2.0 * np.eye(12))
    expected = inverse / -np.diag(inverse)
    expected[np.diag_indices(12)] = 0.0
    np.testing.assert_allclose(counted.solved(few, 2.0), expected, atol=1e-5)


def test_intervals_hold_the_mean_and_shrink_with_more_questions() -> None:
    rng = np.random.default_rng(1)
    few, many = rng.random(50), rng.random(5_000)
    low, high = interval(few)
    assert low < few.mean() < high
    narrow = interval(many)
    assert narrow[1] - narrow[0] < (high - low) / 5
    assert interval(few) == (low, high)


def test_a_ratio_is_of_the_same_questions() -> None:
    peer = np.random.default_rng(2).random(300)
    # Every question is 20 % better: paired, that is certain, though the questions differ widely.
    assert paired_ratio(1.2 * peer, peer) == pytest.approx((1.2, 1.2, 1.2))
    shuffled = np.random.default_rng(3).permutation(peer)
    ratio, low, high = paired_ratio(shuffled, peer)
    assert ratio == pytest.approx(1.0)
    assert low < 0.95
    assert high > 1.05


def cell(model: str, values: list[float], seed: int = 0, data: str = "set", finished: bool = True) -> Cell:
    found = np.array(values, dtype=np.float32)
    facts = {"seconds": 1.5, "peak_mb": 10, "finished": finished, "chosen": ""}
    return Cell(Key(data, "loo", model, seed), {"kept": found, "excluded": found}, facts)


def test_rows_name_the_best_peer_and_say_losses_plainly() -> None:
    half = [0.5] * 50
    row = rows([cell(OURS, [0.5, 0.7] * 25), cell("low", [0.1] * 50), cell("high", half, finished=False)])[0]
    assert (row.peer, row.unfinished, row.seeds) == ("high", ("high",), 1)
    assert row.ratio == pytest.approx(1.2, abs=1e-3)
    assert row.verdict == "win; target 1.05 x peer reached"
    lost = rows([cell(OURS, [0.4] * 50), cell("high", half)])[0]
    assert lost.verdict == "LOSS; target 1.05 x peer NOT REACHED"
    over = rows([cell(OURS, [0.4] * 50), cell("high", half), cell(CEILING, [0.6] * 50)])[0]
    assert over.peer == "high"
    certain = rows([cell(OURS, [0.5010] * 50), cell("high", half)])[0]
    assert certain.verdict == "level; target 1.05 x peer NOT REACHED"
    unsure = rows([cell(OURS, [0.0, 1.0] * 25), cell("high", [1.0, 0.0] * 25)])[0]
    assert unsure.verdict == "level; target 1.05 x peer NOT REACHED"
    assert rows([cell("high", half)])[0].verdict == "not run"


def test_targets_set_beforehand_decide_where_there_are_any() -> None:
    low, high = ([cell(OURS, [value] * 9, data="deskdrop")] for value in (0.45, 0.47))
    assert rows(low)[0].verdict == "no peer yet; target 0.46 NOT REACHED"
    assert rows(high)[0].verdict == "no peer yet; target 0.46 reached"
    better = [*high, cell("peer", [0.5] * 9, data="deskdrop")]
    assert rows(better)[0].verdict == "LOSS; target 0.46 reached"


def test_seeds_are_averaged_question_by_question_and_empty_questions_left_out() -> None:
    nan = float("nan")
    ours = [cell(OURS, [0.0, 1.0, nan]), cell(OURS, [1.0, 0.0, nan], seed=1)]
    row = rows([*ours, cell("p", [0.5, 0.5, nan])])[0]
    assert (row.questions, row.ours, row.low, row.high) == (2, 0.5, 0.5, 0.5)


def test_cells_survive_and_a_half_written_one_does_not_count(tmp_path: Path) -> None:
    cells = Cells(tmp_path / "cells")
    first = cell("p", [0.25, float("nan")])
    cells.put(first)
    (tmp_path / "cells" / "set.loo.q.0.part").write_bytes(b"half")
    again = Cells(tmp_path / "cells")
    assert first.key in again
    assert Key("set", "loo", "q", 0) not in again
    (found,) = again.all()
    assert (found.key, found.facts) == (first.key, first.facts)
    np.testing.assert_array_equal(found.values["kept"], first.values["kept"])


def test_the_record_gives_all_cells_back_and_replaces_none(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random(500).round(3).tolist()
    parts = {"": [cell("p", values), cell("q", [0.5, float("nan")])], "notebook": [], "speed": []}
    path = tmp_path / "accuracy.json"
    record.write(path, parts)
    results = tmp_path / "results"
    Cells(results).put(cell("q", [1.0]))
    record.take_in(path, results)
    kept, old = Cells(results).all()
    np.testing.assert_allclose(kept.values["kept"], values, atol=5e-4)
    assert old.values["kept"].tolist() == [1.0]
    assert record.read(tmp_path / "nothing.json") == {"": [], "replay": [], "notebook": [], "speed": []}


def test_a_run_computes_what_is_missing_and_writes_the_page(folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench.accuracy", str(folder), "--results", str(tmp_path / "results")]
    command += ["--split", "loo", "--model", "popularity", "--model", "transitions"]
    command += ["--page", str(tmp_path / "accuracy.md")]
    first, second = (
        subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True) for _ in range(2)
    )
    assert first.stderr.splitlines() == ["ring.loo.popularity.0 ...", "ring.loo.transitions.0 ..."]
    assert second.stderr == ""
    assert first.stdout == second.stdout
    assert "| ring | loo | excluded | 30 | - | 0 | transitions" in (tmp_path / "accuracy.md").read_text()
    assert len(json.loads((tmp_path / "accuracy.json").read_text())[""]) == 2


def test_cells_can_be_chosen(folder: Path) -> None:
    models = [OURS, "als", "ease"]
    given = argparse.Namespace(folder=folder, data=["ring"], split=["time"], model=models, seed=[])
    assert [(key.model, key.seed) for key in keys(given)] == [(OURS, 0), (OURS, 1), ("als", 0), ("ease", 0)]
    given.seed = [5]
    assert [(key.model, key.seed) for key in keys(given)] == [(OURS, 5), ("als", 5)]


RATINGS = pl.DataFrame(
    [(1, 10, 5, 4.0), (1, 20, 5, 2.0), (2, 10, 3, 1.0), (1, 30, 9, 5.0), (2, 30, 4, 3.5)],
    ["USER_ID", "ITEM_ID", "TIMESTAMP", "EVENT_VALUE"],
    orient="row",
)


def test_the_notebook_makes_clicks_and_watches() -> None:
    made = clicks_and_watches(RATINGS).select("USER_ID", "ITEM_ID", "EVENT_TYPE").rows()
    assert made == [
        ("2", "30", "click"),
        ("2", "30", "watch"),
        ("1", "10", "click"),
        ("1", "20", "click"),
        ("1", "10", "watch"),
        ("1", "30", "click"),
        ("1", "30", "watch"),
    ]


def test_the_notebook_asks_each_user_in_one_fold(tmp_path: Path) -> None:
    films = tmp_path / "movielens-latest-small"
    put_data(films, RATINGS)
    items = "ITEM_ID,TITLE,GENRES,YEAR\n10,A,Drama,1990\n20,B,War|Drama,\n30,C,,2000\n"
    (films / "items.csv.gz").write_bytes(gzip.compress(items.encode()))
    merged = prepare(tmp_path, "merged").sequences
    assert (len(merged.item), len(prepare(tmp_path, "rows").sequences.item)) == (4, 7)
    notebook = prepare(tmp_path, "rows")
    sequences = notebook.sequences
    assert notebook.items["GENRES"].to_list() == ["Drama", "War|Drama", None]
    cuts = [asked_of(sequences, fold, "last 3 rows") for fold in range(10)]
    assert sorted(user for cut in cuts for user in cut.user.tolist()) == [0, 1]
    for cut in cuts:
        assert (~cut.training).sum() == sequences.counts[cut.user].sum()
    # User 1: clicks on 10 and 20, then what is asked about: the watch of 10, both rows of 30.
    cut = next(cut for cut in cuts if 0 in cut.user)
    found = measured(sequences, cut, repeat_scores(np.array([1.0, 1.0, 2.0], dtype=np.float32)))
    # 20 was clicked last, then 10; the popular 30 follows: hits at 2 and 3 of two.
    best = 1 + 1 / math.log2(3)
    assert found["NDCG@5"][0] == pytest.approx((1 / math.log2(3) + 0.5) / best)
    assert found["MRR@25"][0] == pytest.approx(0.5)
    assert found["P@25"][0] == pytest.approx(2 / 25)


def test_the_notebook_table_claims_no_victory_over_figures_of_unknown_truth() -> None:
    def line(model: str, value: float, fold: int) -> Cell:
        values = {name: np.full(20, value, dtype=np.float32) for name in notebook_report.COLUMNS}
        return Cell(Key("films rows", "newest tenth", model, fold), values, {})

    cells = [line(model, value, fold) for model, value in ((OURS, 0.25), ("repeat", 0.2)) for fold in (0, 1)]
    ours, repeat = notebook_report.lines(cells)
    assert (ours.folds, ours.users, ours.deviation) == (2, 40, 0.0)
    assert repeat.ratio == pytest.approx((1.25, 1.25, 1.25), abs=1e-3)
    assert notebook_report.verdict(ours, repeat) == "reached (>= 0.23), reached (>= 1.05 x repeat)"
    assert "NOT REACHED (>= 0.23)" in notebook_report.table([line(OURS, 0.2, 0)])
    assert "0.3321" in notebook_report.table(cells)


@dataclass
class Curves:
    peer: list[list[float]]
    own: list[list[float]]

    def line(self, finished: bool = True) -> speed_report.Line:
        keys = (Key("set", "loo", name, 0) for name in (speed_report.PEER, speed_report.ENCODER))
        curves = zip(keys, (self.peer, self.own), strict=True)
        cells = [Cell(key, {}, {"curve": curve, "finished": finished}) for key, curve in curves]
        (found,) = speed_report.lines(cells)
        return found


def test_speed_is_the_time_to_the_peers_best() -> None:
    peer = [[1, 10.0, 0.1], [2, 20.0, 0.1995], [3, 30.0, 0.2], [4, 40.0, 0.15]]
    line = Curves(peer, [[1, 5.0, 0.1], [2, 10.0, 0.21]]).line()
    assert line.asked == ((0.2, 30.0, 10.0), (0.1995, 20.0, 10.0))
    assert line.ratios == [3.0, 2.0]
    assert line.whole == (40.0, 10.0)
    assert line.verdict == "reached"
    slow = Curves(peer, [[1, 5.0, 0.19]]).line(finished=False)
    assert slow.ratios == [None, None]
    assert slow.verdict == "NOT REACHED (SASRec was stopped by its time limit)"


def test_the_page_is_made_of_the_record() -> None:
    root = ROOT / "docs"
    parts = record.read(root / "accuracy.json")
    assert any(parts.values())
    assert (root / "accuracy.md").read_text() == page(parts), "make bench-accuracy ARGS=--table"


def test_a_replay_asks_what_happened_with_what_was_known(tmp_path: Path) -> None:
    # 40 users walk round a ring, one step an hour; from hour 90 on they read a new item after i05.
    events = []
    for user in range(40):
        for hour in range(100):
            events.append((f"u{user:02}", f"i{(user + hour) % 12:02}", hour * HOUR + user))
            if hour >= 90 and (user + hour) % 12 == 5:
                events.append((f"u{user:02}", "new", hour * HOUR + user + 1_000))
    table = pl.DataFrame(events, COLUMNS, orient="row")
    found = replay.replayed(
        table,
        "ring",
        replay.Pace(HOUR, 5),
        lambda moment: data_of(table.filter(pl.col("TIMESTAMP") < moment), None),
    )
    everything, test = found.problem.sequences, found.problem.test
    assert (test.now >= found.starts[0]).all()
    assert (np.diff(test.now) >= 0).all()
    assert np.array_equal(everything.time[test.start], test.now)
    assert sum(len(places) for _, places in found.steps()) == len(test.now)
    new, asked = everything.items.find("new"), everything.item[test.start]
    first = int(everything.time[everything.item == new].min())
    values = {}
    for name in (OURS, replay.ONCE, "transitions"):
        lists, seconds = replay.MODELS[name](found, 0)
        assert len(seconds) == {OURS: 5, replay.ONCE: 1, "transitions": 0}[name]
        values[name] = ndcg(lists, found.problem)
        # Nobody recommends the new item before the first step that begins after its first event.
        ignorant = test.now < first + HOUR if name != replay.ONCE else np.ones(len(test.now), dtype=bool)
        assert not (lists.kept[ignorant] == new).any()
    # All else was met before.
    later = (asked == new) & (test.now >= first + 2 * HOUR) & ~np.isnan(values[OURS]["excluded"])
    assert (values[OURS]["excluded"][later] == 1.0).all()
    assert later.sum() > 5
    assert np.nanmax(values[replay.ONCE]["excluded"]) == 0.0
    assert values["transitions"]["kept"][asked != new].mean() > 0.5
    cells = [
        Cell(Key("ring", "replay", name, 0), one, {"seconds": [2.0, 1.0]}) for name, one in values.items()
    ]
    lines = replay_report.page(cells).splitlines()
    assert sum("| ring | kept |" in line for line in lines) == 3
    assert lines[-6].split(" | ")[3] == OURS
    assert "| 2, 1.0 |" in lines[-6]
