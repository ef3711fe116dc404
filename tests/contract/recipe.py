"""What every recipe must keep, whoever wrote it. Inherit, and say which recipe and which data.

class TestMine(RecipeContract):
    recipe = MyRecipe()
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from openpersonalize.datasets.sequences import Sequences
from openpersonalize.errors import JobStopped
from openpersonalize.recipes.complete import CompleteModel, tuned_state
from openpersonalize.recipes.hyperparameters import read_configuration
from openpersonalize.recipes.item_counts import ItemCounts
from openpersonalize.recipes.model import Model
from openpersonalize.recipes.query import HISTORY_LENGTH, Query
from openpersonalize.recipes.recipe import Recipe
from openpersonalize.recipes.training import Configuration, Training, TrainingData
from openpersonalize.storage.idtable import IdTable
from recipes.worlds import two_clusters


def question(
    sequences: Sequences, user: int, *, newest: int | None = None, seen_excluded: bool = False
) -> Query:
    """The whole history of a user, asked an hour after its end."""
    end = int(sequences.ptr[user + 1])
    now = int(sequences.time[end - 1]) + 3600
    return Query.at(sequences, user, end, now, newest=newest or HISTORY_LENGTH, seen_excluded=seen_excluded)


def nobody(sequences: Sequences) -> Query:
    """A question without a history."""
    return Query.of_nobody(int(sequences.time.max()) + 60)


class RecipeContract:
    """The suite."""

    recipe: Recipe
    personal = True
    """Whether answers depend on the history."""

    @pytest.fixture(scope="class")
    @classmethod
    def sequences(cls) -> Sequences:
        return two_clusters()

    @pytest.fixture(scope="class")
    @classmethod
    def configuration(cls) -> Configuration:
        return read_configuration(cls.recipe.facts, {})

    @pytest.fixture(scope="class")
    @classmethod
    def trained(cls, sequences: Sequences, configuration: Configuration) -> Model:
        return cls.recipe.fit(TrainingData.of(sequences), configuration, Training(seed=3))

    @pytest.fixture(scope="class")
    @classmethod
    def counts(cls, sequences: Sequences) -> ItemCounts:
        return ItemCounts.of(sequences)

    @pytest.fixture(scope="class")
    @classmethod
    def model(cls, trained: Model, counts: ItemCounts) -> CompleteModel:
        return CompleteModel(trained, cls.recipe.facts.task, counts)

    def opened(self, folder: Path, sequences: Sequences) -> CompleteModel:
        """What was saved in a folder."""
        counts = ItemCounts.of(sequences)
        trained = self.recipe.load(folder, sequences.items, counts)
        return CompleteModel(trained, self.recipe.facts.task, counts)

    def test_scores_are_finite_float32_of_the_whole_catalogue(
        self, model: CompleteModel, sequences: Sequences
    ) -> None:
        scores = model.scores(question(sequences, 0))
        assert scores.dtype == np.float32
        assert scores.shape == (len(sequences.items),)
        assert np.isfinite(scores).all()

    def test_an_answer_belongs_to_the_caller(self, model: CompleteModel, sequences: Sequences) -> None:
        for query in (question(sequences, 0), nobody(sequences)):
            first = model.scores(query)
            kept = first.copy()
            first[:] = -np.inf
            assert np.array_equal(model.scores(query), kept)

    def test_many_answers_as_one_by_one(self, model: CompleteModel, sequences: Sequences) -> None:
        queries = [question(sequences, user) for user in range(4)]
        assert np.array_equal(model.many(queries), np.stack([model.scores(query) for query in queries]))

    def test_candidates_are_the_best_with_their_scores(
        self, model: CompleteModel, sequences: Sequences
    ) -> None:
        for query in (question(sequences, 0), question(sequences, 1, seen_excluded=True), nobody(sequences)):
            scores = model.scores(query).astype(np.float64)
            found = model.candidates(query, 5)
            assert np.allclose(scores[found.rows], np.sort(scores)[::-1][:5], atol=1e-4)
            assert np.allclose(found.scores, scores[found.rows], atol=1e-4)
            assert found.log_total == pytest.approx(np.log(np.exp(scores).sum()), abs=1e-3)
            everything = model.candidates(query, 1000)
            assert sorted(everything.rows.tolist()) == list(range(len(scores)))
            assert (np.diff(everything.scores) <= 0).all()

    def test_scores_of_some_items_are_theirs(self, model: CompleteModel, sequences: Sequences) -> None:
        rows = np.array([4, 0, 7])
        for query in (question(sequences, 0), question(sequences, 1, seen_excluded=True), nobody(sequences)):
            assert np.allclose(model.scores_at(query, rows), model.scores(query)[rows], atol=1e-4)
            assert len(model.scores_at(query, rows[:0])) == 0

    def test_newcomers_of_whom_nobody_told_it_gain_nothing(
        self, model: CompleteModel, sequences: Sequences
    ) -> None:
        for query in (question(sequences, 0), nobody(sequences)):
            assert model.online_bonus(query, np.array([0, 5, -1])).tolist() == [0.0, 0.0, 0.0]

    def test_without_a_history_the_popular_items_in_order(
        self, model: CompleteModel, sequences: Sequences, counts: ItemCounts
    ) -> None:
        scores = model.scores(nobody(sequences))
        assert np.argsort(-scores, kind="stable").tolist() == counts.order.tolist()

    def test_a_new_event_changes_the_answer_of_a_personal_recipe(
        self, model: CompleteModel, sequences: Sequences
    ) -> None:
        before = model.scores(question(sequences, 0, newest=1))
        after = model.scores(question(sequences, 0, newest=3))
        assert np.array_equal(before, after) is not self.personal

    def test_saved_and_opened_it_answers_alike(
        self, trained: Model, model: CompleteModel, sequences: Sequences, tmp_path: Path
    ) -> None:
        trained.save(tmp_path)
        opened = self.opened(tmp_path, sequences)
        for query in (question(sequences, 1), question(sequences, 2, seen_excluded=True), nobody(sequences)):
            late = replace(query, now=int(sequences.time.max()) + 10 * 86_400)
            assert np.array_equal(opened.scores(late), model.scores(late))

    def test_one_seed_gives_one_model(
        self, sequences: Sequences, configuration: Configuration, tmp_path: Path
    ) -> None:
        written = []
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            self.recipe.fit(TrainingData.of(sequences), configuration, Training(seed=7)).save(tmp_path / name)
            written.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
        assert written[0] == written[1]

    def test_what_was_tuned_is_json_and_spares_the_choice(
        self, trained: Model, sequences: Sequences, configuration: Configuration, tmp_path: Path
    ) -> None:
        tuned = json.loads(json.dumps(tuned_state(trained)))
        again = self.recipe.fit(TrainingData.of(sequences), configuration, Training(seed=3, warm_state=tuned))
        assert tuned_state(again) == tuned
        opened = []
        for name, one in (("one", trained), ("two", again)):
            (tmp_path / name).mkdir()
            one.save(tmp_path / name)
            opened.append(self.opened(tmp_path / name, sequences))
        query = question(sequences, 5)
        assert np.allclose(opened[1].scores(query), opened[0].scores(query), atol=1e-5)

    def test_progress_is_told(self, sequences: Sequences, configuration: Configuration) -> None:
        told: list[tuple[str, float, float, str]] = []
        self.recipe.fit(
            TrainingData.of(sequences), configuration, Training(progress=lambda *step: told.append(step))
        )
        assert told
        assert all(0 <= done <= total for _, done, total, _ in told)

    def test_it_stops_when_asked(self, sequences: Sequences, configuration: Configuration) -> None:
        def stop() -> None:
            raise JobStopped

        with pytest.raises(JobStopped):
            self.recipe.fit(TrainingData.of(sequences), configuration, Training(check=stop))

    def test_items_nobody_met_come_last(self, configuration: Configuration) -> None:
        world = two_clusters()
        wider = IdTable.from_series(pl.concat([world.items.series(), pl.Series("id", ["new1", "new2"])]))
        data = TrainingData.of(replace(world, items=wider))
        trained = self.recipe.fit(data, configuration, Training())
        model = CompleteModel(trained, self.recipe.facts.task, data.counts)
        seen = data.counts.interacted
        scores = model.scores(question(world, 0))
        assert (~seen).sum() == 2
        assert scores[~seen].max() < scores[seen].min()
        query, cold = question(world, 0), np.flatnonzero(~seen)
        assert not np.isin(cold, model.candidates(query, 1000, interacted_only=True).rows).any()
        some = np.concatenate((cold, np.flatnonzero(seen)[:3]))
        found = model.scores_at(query, some)
        assert found[:2].max() < found[2:].min()
