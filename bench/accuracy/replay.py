"""Data that moves, replayed: trained once, then asked event by event, and brought up to date step by step.

    python -m bench.accuracy.replay DATA_FOLDER [--results FOLDER] [--data SET] [--model NAME] [--seed N]
        [--again] [--table]

A split that hides all of the future says little where most of what is read tomorrow does not exist today.
Here the newest tenth of the events happens again: each question is one of them, asked with everything that
its user did before, at its moment. Before every step (an hour of news, two of an intranet feed) the model
is updated as a server does it (``trainingMode=UPDATE``), and between the steps it is told the events as a
server tells it: every five minutes. What came within a step is unknown to it until the next. Peers are
counted anew at every step; *live*, at every question.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from openpersonalize.datasets.holdout import HoldOut
from openpersonalize.datasets.selection import EventSelection
from openpersonalize.datasets.sequences import Sequences, build_sequences
from openpersonalize.recipes.artifact import Artifact, write_artifact
from openpersonalize.recipes.fusion.model import FusedModel
from openpersonalize.recipes.hyperparameters import read_configuration
from openpersonalize.recipes.query import Query
from openpersonalize.recipes.questions import held_out_question
from openpersonalize.recipes.recipe import Updates
from openpersonalize.recipes.registry import recipe
from openpersonalize.recipes.training import Training, TrainingData
from openpersonalize.serving.states import FRESH_SECONDS

from ..incremental import data_of, frame
from . import counted
from .cells import Cell, Cells, Key
from .lists import Int32, Lists, met_before, ndcg
from .ours import code
from .problem import Int64, Problem
from .replay_report import ONCE, table
from .report import OURS

SPLIT = "replay"
RECIPE = "aws-user-personalization-v2"
HISTORY = 200
QUESTIONS, TUNING = 10_000, 2_000


@dataclass(frozen=True)
class Pace:
    """How a data set is replayed: seconds of a step, and how many steps."""

    seconds: int
    steps: int


PACES = {"globo-news-1m": Pace(3_600, 24), "deskdrop": Pace(7_200, 84)}


@dataclass(frozen=True)
class Replay:
    """One data set. `problem.test` has all questions, oldest first; its inner problem the questions of as
    many steps before, for what a peer leaves open. `starts`: int64[steps], the moments that steps begin at.
    """

    problem: Problem
    pace: Pace
    starts: Int64
    train: Callable[[int], TrainingData]
    """What a training at a moment learns from."""

    def steps(self) -> Iterator[tuple[int, Int64]]:
        """The moment of each step, and the places of its questions."""
        ends = np.append(self.starts[1:], self.starts[-1] + self.pace.seconds)
        now = self.problem.test.now
        for start, end in zip(self.starts.tolist(), ends.tolist(), strict=True):
            yield start, np.flatnonzero((now >= start) & (now < end))


def replayed(rows: pl.DataFrame, data: str, pace: Pace, train: Callable[[int], TrainingData]) -> Replay:
    """The newest tenth of the events, as far as the pace goes."""
    everything = build_sequences(rows.lazy(), None, EventSelection())
    begin = int(np.quantile(everything.time, 0.9, method="higher"))
    length = pace.seconds * pace.steps
    test = happened(everything, begin, begin + length, QUESTIONS)
    tuned = happened(everything, begin - length, begin, TUNING)
    inner = Problem(
        data, SPLIT, everything, everything.where(tuned.training), everything, tuned, None, None, frozenset()
    )
    problem = replace(inner, learnt=everything.where(test.training), test=test, inner=inner)
    return Replay(problem, pace, begin + pace.seconds * np.arange(pace.steps), train)


def happened(everything: Sequences, begin: int, end: int, most: int) -> HoldOut:
    """Events of users who did something before, in order of time: at most so many, drawn by a fixed seed."""
    again = np.arange(len(everything.time)) > everything.ptr[everything.user]
    asked = np.flatnonzero((everything.time >= begin) & (everything.time < end) & again)
    if len(asked) > most:
        asked = np.random.default_rng(0).choice(asked, most, replace=False)
    asked = asked[np.argsort(everything.time[asked], kind="stable")]
    now = everything.time[asked]
    return HoldOut(everything.time < begin, everything.user[asked].astype(np.int32), asked, asked + 1, now)


def peer(replay: Replay, answer: Callable[[Problem], tuple[Lists, str] | None]) -> Lists:
    """A model that is counted anew before every step."""
    problem, made = replay.problem, Lists.empty(len(replay.problem.test.now))
    for start, places in replay.steps():
        test = problem.test
        part = HoldOut(
            test.training, test.user[places], test.start[places], test.end[places], test.now[places]
        )
        learnt = problem.sequences.where(problem.sequences.time < start)
        found = answer(replace(problem, learnt=learnt, test=part))
        assert found is not None
        made.kept[places], made.excluded[places] = found[0].kept, found[0].excluded
    return made


def ours(replay: Replay, seed: int, updated: bool) -> tuple[Lists, list[float]]:
    """The recipe; the CPU seconds of its training and of each update."""
    chosen = recipe(RECIPE)
    assert isinstance(chosen, Updates)
    configuration = read_configuration(chosen.facts, {})
    made, seconds = Lists.empty(len(replay.problem.test.now)), []
    with tempfile.TemporaryDirectory() as folder:
        earlier: Artifact | None = None
        for number, (start, places) in enumerate(replay.steps()):
            if earlier is None or updated:
                training = Training(seed, moment=start, line=lambda text: print(text, file=sys.stderr))
                data = replay.train(start)
                began = time.process_time()
                model = (
                    chosen.fit(data, configuration, training)
                    if earlier is None
                    else chosen.update(data, configuration, training, earlier.earlier)
                )
                seconds.append(round(time.process_time() - began, 1))
                kept = Path(folder) / str(number)
                kept.mkdir()
                write_artifact(
                    kept, model=model, recipe=chosen, data=data,
                    selection=EventSelection(), position=0,
                )  # fmt: skip
                earlier = Artifact.open(kept)
                assert isinstance(model, FusedModel)
            asking = Asking(replay.problem, model, data.sequences, start)
            asking.answer(places, made)
    return made, seconds


class Asking:
    """Asks one model, which follows what happens as a server lets it."""

    def __init__(self, problem: Problem, model: FusedModel, trained: Sequences, start: int) -> None:
        """`trained`: what it has learned from, which names its items and types. `start`: events from then on
        are news to it."""
        everything = problem.sequences
        self.online = model.online()
        self.problem, self.model = problem, self.online or model
        self.number = trained.items.find_all(everything.items.series()).astype(np.int32)
        self.name = everything.items.find_all(trained.items.series()).astype(np.int32)
        types = {name: place for place, name in enumerate(trained.event_types)}
        # The last is for events without a type, whose number is -1.
        self.type = np.array([*(types.get(one, -1) for one in everything.event_types), -1], dtype=np.int16)
        self.unseen = np.flatnonzero(~model.interacted)
        order = np.argsort(everything.time, kind="stable")
        self.coming = order[np.searchsorted(everything.time[order], start) :]
        self.told = 0

    def answer(self, places: Int64, made: Lists) -> None:
        """Put the lists of some questions, in order of time, in the numbers of everything's items."""
        for k in places.tolist():
            asked, _, _ = held_out_question(self.problem.sequences, self.problem.test, k)
            self._tell(asked.now // FRESH_SECONDS * FRESH_SECONDS)
            item = self.number[asked.item]
            known = item >= 0
            query = Query(
                item[known], asked.time[known], self.type[asked.event[known]], asked.weight[known], asked.now
            )
            kept, excluded = (
                np.array(self.model.scores(replace(query, seen_excluded=x))) for x in (False, True)
            )
            kept[self.unseen] = excluded[self.unseen] = -np.inf
            met = self.number[met_before(self.problem, k)]
            made.put(k, kept, excluded, met[met >= 0])
            for lists in (made.kept, made.excluded):
                lists[k] = np.where(lists[k] >= 0, self.name[lists[k]], -1)

    def _tell(self, moment: int) -> None:
        everything = self.problem.sequences
        end = self.told + int(np.searchsorted(everything.time[self.coming[self.told :]], moment))
        events, self.told = self.coming[self.told : end], end
        item: Int32 = self.number[everything.item[events]]
        known = item >= 0
        if known.any() and self.online is not None:
            weight = np.asarray(everything.weight)[events]
            self.online.observe(item[known], everything.time[events][known], weight[known])


MODELS: dict[str, Callable[[Replay, int], tuple[Lists, list[float]]]] = {
    OURS: lambda replay, seed: ours(replay, seed, True),
    ONCE: lambda replay, seed: ours(replay, seed, False),
    "live": lambda replay, seed: (counted.live(replay.problem)[0], []),
    "popularity": lambda replay, seed: (peer(replay, counted.popularity), []),
    "transitions": lambda replay, seed: (peer(replay, counted.transitions), []),
}


def opened(folder: Path, data: str) -> Replay:
    """Read a data set; a training learns from what had happened, items are those that were met."""
    interactions, items = frame(folder / data, "interactions"), frame(folder / data, "items")
    assert interactions is not None
    rows = interactions[0]

    def train(moment: int) -> TrainingData:
        return data_of(rows.filter(pl.col("TIMESTAMP") < moment), items)

    return replayed(rows, data, PACES[data], train)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--results", type=Path, default=Path("accuracy/replay"))
    parser.add_argument("--data", action="append", default=[], choices=PACES)
    parser.add_argument("--model", action="append", default=[], choices=MODELS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--again", action="store_true", help="measure also what is there")
    parser.add_argument("--table", action="store_true", help="only print what is there")
    given = parser.parse_args()
    cells = Cells(given.results)
    for data in () if given.table else given.data or PACES:
        replay = opened(given.folder, data)
        for model in given.model or MODELS:
            key = Key(data, SPLIT, model, given.seed)
            if key in cells and not given.again:
                continue
            print(f"{key.text} ...", file=sys.stderr, flush=True)
            lists, seconds = MODELS[model](replay, given.seed)
            facts = {"seconds": seconds, "finished": True, "code": code()}
            cells.put(Cell(key, ndcg(lists, replay.problem), facts))
    print(table(cells.all()))


if __name__ == "__main__":
    main()
