"""What every capability of a model must keep: the part `CapabilityContract` of the suite."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from ..datasets.sequences import Sequences
from ..recipes.facts import Task
from ..recipes.model import (
    ColdStarts,
    Describes,
    Explains,
    Inductive,
    Model,
    Online,
    OnlineModel,
    RanksNewItems,
    Resumes,
    Retrieves,
    Segments,
    UsesFeatures,
)
from ..recipes.query import Query
from ..recipes.training import TrainingData
from ..storage.idtable import IdTable
from .contract_world import ContractWorld
from .worlds import nobody

LATE = 10 * 86_400
"""Seconds after the end of the data."""


class CapabilityContract(ContractWorld):
    """A test of a capability that the trained model does not have is skipped."""

    def test_an_index_is_asked_the_same_way(self, trained: Model, sequences: Sequences) -> None:
        retriever = _having(trained, Retrieves).retriever()
        if retriever is None:
            pytest.skip("it has no index of so few items")
        query = self.asked(sequences, 0)
        rows = np.arange(5)
        assert np.allclose(retriever.scores_at(query, rows), trained.scores(query)[rows], atol=1e-4)

    def test_cold_starts_are_answered(self, trained: Model, sequences: Sequences) -> None:
        scores = _having(trained, ColdStarts).cold_scores(nobody(sequences))
        assert scores.shape == (len(sequences.items),)
        assert np.isfinite(scores).all()

    def test_items_without_a_vector_are_behind_everything(self, trained: Model, sequences: Sequences) -> None:
        query = self.asked(sequences, 0)
        found = _having(trained, Inductive).scores_of(query, np.zeros((2, 8), np.float32))
        assert (found < trained.scores(query).min()).all()

    def test_items_with_interactions_need_no_description(self, trained: Model, sequences: Sequences) -> None:
        rows = np.flatnonzero(np.bincount(sequences.item, minlength=len(sequences.items)))
        found = _having(trained, Describes).described(self.asked(sequences, 0), rows)
        assert found.tolist() == [False] * len(rows)

    def test_a_new_item_of_which_nothing_is_known_is_no_answer(
        self, loaded: Model, sequences: Sequences
    ) -> None:
        following = (loaded.online() or loaded) if isinstance(loaded, Online) else loaded
        ranks = _having(following, RanksNewItems)
        found = ranks.new_item_scores(self.asked(sequences, 0), None, np.array([0, 5, -1]))
        assert found.tolist() == [-np.inf] * 3

    def test_newcomers_that_were_not_observed_gain_nothing(self, loaded: Model, sequences: Sequences) -> None:
        gained = _followed(loaded).online_bonus(self.asked(sequences, 0), np.array([0, 5, -1]))
        assert gained.tolist() == [0.0, 0.0, 0.0]

    def test_what_it_observes_leaves_the_trained_model_alone(
        self, loaded: Model, sequences: Sequences
    ) -> None:
        online = _followed(loaded)
        late = replace(self.asked(sequences, 0), now=int(sequences.time.max()) + LATE)
        before = loaded.scores(late)
        _observed(online, late.now)
        assert np.array_equal(loaded.scores(late), before)
        assert not np.array_equal(online.scores(late), before)

    def test_what_was_observed_is_saved_and_goes_on(
        self, loaded: Model, sequences: Sequences, tmp_path: Path
    ) -> None:
        first, second = _followed(loaded), _followed(loaded)
        late = replace(self.asked(sequences, 0), now=int(sequences.time.max()) + LATE)
        _observed(first, late.now - 3600)
        first.save_online(tmp_path)
        second.load_online(tmp_path)
        for _ in range(2):
            assert np.array_equal(first.scores(late), second.scores(late))
            new = np.arange(-1, 3)
            assert np.array_equal(first.online_bonus(late, new), second.online_bonus(late, new))
            for one in (first, second):
                _observed(one, late.now)

    def test_a_resumed_question_has_the_same_answer(self, trained: Model, sequences: Sequences) -> None:
        resumes = _having(trained, Resumes)
        state = None
        for newest in (1, 2, 3):
            user = slice(0, newest)
            whole = self.asked(sequences, 0)
            query = replace(
                whole,
                item=whole.item[user],
                time=whole.time[user],
                event=whole.event[user],
                weight=whole.weight[user],
            )
            resumed, state = resumes.resume(query, state)
            assert np.allclose(trained.scores(resumed), trained.scores(query), atol=1e-4)
            assert state.nbytes >= 0

    def test_what_is_unknown_is_not_used(self, trained: Model) -> None:
        assert _having(trained, UsesFeatures).used_features({"NOT_A_COLUMN": "x"}, {"NEITHER": 1.0}) == (
            {},
            {},
        )

    def test_parts_add_up_to_the_difference_of_scores(self, trained: Model, sequences: Sequences) -> None:
        explains, query = _having(trained, Explains), self.asked(sequences, 0)
        scores = trained.scores(query)
        sums = [sum(explains.explain(query, row).values()) for row in (0, 1)]
        assert sums[1] - sums[0] == pytest.approx(float(scores[1] - scores[0]), abs=2e-2)

    def test_what_ranks_users_is_segments(self, trained: Model) -> None:
        assert isinstance(trained, Segments) or self.recipe.facts.task is not Task.SEGMENT

    def test_users_are_drawn_to_items_alone_and_together(self, trained: Model, sequences: Sequences) -> None:
        segments = _having(trained, Segments)
        one = segments.affinity(np.array([3]))
        assert np.allclose(one, trained.scores(Query.of_nobody(1, anchor=3)), atol=1e-5)
        several = segments.affinity(np.arange(5))
        assert several.dtype == one.dtype == np.float32
        assert several.shape == one.shape == (len(sequences.users),)
        assert np.isfinite(several).all()

    def test_users_are_forgotten_and_the_others_stay(
        self, trained: Model, data: TrainingData, tmp_path: Path
    ) -> None:
        kept = np.arange(len(data.ranked.ids)) % 3 != 0
        less = _having(trained, Segments).without_users(kept)
        less.save(tmp_path)
        ids = IdTable.from_series(data.ranked.ids.series().filter(pl.Series(kept)))
        opened = self.recipe.load(tmp_path, ids, data.counts.without(kept))
        assert isinstance(opened, Segments)
        for item in range(5):
            before = _having(trained, Segments).affinity(np.array([item]))[kept]
            after = opened.affinity(np.array([item]))
            assert after.shape == (int(kept.sum()),)
            assert np.corrcoef(before, after)[0, 1] > 0.9


def _followed(model: Model) -> OnlineModel:
    """The model as one that follows; skips the test if it does not."""
    online: OnlineModel | None = _having(model, Online).online()
    if online is None:
        pytest.skip("nothing it learned changes with the clock")
    return online


def _observed(online: OnlineModel, now: int) -> None:
    """A thousand events about the first item, the minute before."""
    count = 1000
    online.observe(np.zeros(count, np.int32), np.full(count, now - 60, np.int64), np.ones(count, np.float32))


def _having(model: Model, capability: Any) -> Any:
    """The model as one with a capability; skips the test if it has not got it."""
    if not isinstance(model, capability):
        pytest.skip(f"it is no {capability.__name__}")
    return model
