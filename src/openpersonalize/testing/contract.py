"""What every recipe must keep, whoever wrote it: the suite `RecipeContract`, for pytest.

    class TestMine(RecipeContract):
        recipe = Mine()

A test of a capability that the trained model does not have is skipped. Where a recipe needs more than
interactions, override the fixture `data`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ..datasets.sequences import Sequences
from ..errors import JobStopped
from ..recipes.complete import CompleteModel, tuned_state
from ..recipes.facts import Offer, Task
from ..recipes.model import (
    Model,
)
from ..recipes.query import ItemHistory, Query
from ..recipes.recipe import Updates
from ..recipes.registry import Registered, Registry
from ..recipes.training import Configuration, Training, TrainingData
from ..storage.idtable import IdTable
from .capabilities import LATE, CapabilityContract
from .worlds import nobody, question, two_clusters


class RecipeContract(CapabilityContract):
    """The suite, see `ContractWorld` for what can be overridden."""

    # -- the recipe

    def test_it_can_be_registered(self) -> None:
        registry = Registry()
        registry.register(Registered(self.recipe.facts, self.recipe, "openpersonalize", "0"))
        assert registry.find(self.recipe.facts.arn) is not None

    def test_its_facts_fit_the_wire(self) -> None:
        facts = self.recipe.facts
        assert facts.description.endswith(".")
        assert len(facts.description) <= 1000
        for row in facts.hyperparameters:
            text = row.default_text
            if row.values:
                assert text in row.values
            else:
                assert float(row.low or 0) <= float(text) <= float(row.high or 0)

    def test_it_says_that_it_updates_if_it_does(self) -> None:
        assert (Offer.UPDATE_MODE not in self.recipe.facts.offers) or isinstance(self.recipe, Updates)

    def test_one_seed_gives_one_model(
        self, data: TrainingData, configuration: Configuration, tmp_path: Path
    ) -> None:
        written = []
        for name in ("one", "two"):
            folder = tmp_path / name
            folder.mkdir()
            self.recipe.fit(data, configuration, Training(seed=7)).save(folder)
            paths = [path for path in folder.rglob("*") if path.is_file()]
            written.append({path.relative_to(folder).as_posix(): path.read_bytes() for path in paths})
        assert written[0] == written[1]

    def test_progress_is_told(self, data: TrainingData, configuration: Configuration) -> None:
        told: list[tuple[str, float, float, str]] = []
        training = Training(progress=lambda *step: told.append(step))
        self.recipe.fit(data, configuration, training)
        assert told
        assert all(0 <= done <= total for _, done, total, _ in told)

    def test_it_stops_when_asked(self, data: TrainingData, configuration: Configuration) -> None:
        def stop() -> None:
            raise JobStopped

        with pytest.raises(JobStopped):
            self.recipe.fit(data, configuration, Training(check=stop))

    def test_what_was_tuned_is_json_and_spares_the_choice(
        self, trained: Model, data: TrainingData, configuration: Configuration, tmp_path: Path
    ) -> None:
        tuned = json.loads(json.dumps(tuned_state(trained)))
        again = self.recipe.fit(data, configuration, Training(seed=3, warm_state=tuned))
        assert tuned_state(again) == tuned
        opened = []
        for name, one in (("one", trained), ("two", again)):
            (tmp_path / name).mkdir()
            one.save(tmp_path / name)
            opened.append(self.opened(tmp_path / name, data))
        query = self.asked(data.sequences, 5)
        assert np.allclose(opened[1].scores(query), opened[0].scores(query), atol=1e-5)

    # -- the model

    def test_scores_are_finite_float32_of_the_whole_catalogue(
        self, model: CompleteModel, data: TrainingData, sequences: Sequences
    ) -> None:
        for query in self.questions(sequences):
            scores = model.scores(query)
            assert scores.dtype == np.float32
            assert scores.shape == (len(data.ranked.ids),)
            assert np.isfinite(scores).all()

    def test_an_answer_belongs_to_the_caller(self, model: CompleteModel, sequences: Sequences) -> None:
        for query in self.questions(sequences):
            first = model.scores(query)
            kept = first.copy()
            first[:] = -np.inf
            assert np.array_equal(model.scores(query), kept)

    def test_saved_and_opened_it_answers_alike(
        self, trained: Model, model: CompleteModel, data: TrainingData, tmp_path: Path
    ) -> None:
        trained.save(tmp_path)
        opened = self.opened(tmp_path, data)
        late = int(data.sequences.time.max()) + LATE
        for query in self.questions(data.sequences):
            asked = replace(query, now=late)
            assert np.array_equal(opened.scores(asked), model.scores(asked))

    def test_what_was_done_with_items_has_a_say_where_actions_are_ranked(
        self, model: CompleteModel, data: TrainingData
    ) -> None:
        if self.recipe.facts.task is not Task.ACTIONS or data.behaviour is None:
            pytest.skip("it ranks no actions, or its data has nothing of items")
        done, unknown = data.behaviour.interactions, nobody(data.sequences)
        answers = []
        for user in (0, 1):
            span = slice(int(done.ptr[user]), int(done.ptr[user + 1]))
            history = ItemHistory(done.item[span], done.time[span])
            answers.append(model.scores(replace(unknown, item_history=history)))
        assert not np.array_equal(answers[0], answers[1])

    def test_it_knows_the_answer(self, model: CompleteModel, sequences: Sequences) -> None:
        """Who interacted with eight items of one half has the other two of it before those of the other."""
        if not self.learns or self.recipe.facts.task is Task.SEGMENT:
            pytest.skip("it is not expected to learn this")
        names = sequences.items.strings()
        right = []
        for user in range(20):
            query = self.asked(sequences, user, seen_excluded=True)
            scores = model.scores(query)
            scores[query.item] = -np.inf
            best = np.argsort(-scores, kind="stable")[:2]
            right += [names[item][0] == names[int(query.item[-1])][0] for item in best.tolist()]
        assert np.mean(right) > 0.75

    def test_it_knows_whose_answer_it_is(
        self, model: CompleteModel, data: TrainingData, sequences: Sequences
    ) -> None:
        """The users of one half come before those of the other for the items of theirs."""
        if not self.learns or self.recipe.facts.task is not Task.SEGMENT:
            pytest.skip("it ranks no users")
        users = data.ranked.ids.strings()
        right = []
        for item, name in enumerate(sequences.items.strings()):
            best = np.argsort(-model.scores(Query.of_nobody(1, anchor=item)), kind="stable")[:20]
            right += ["ab"[int(users[user][1:]) % 2] == name[0] for user in best.tolist()]
        assert np.mean(right) > 0.75

    def test_a_new_event_changes_the_answer_of_a_personal_recipe_and_of_no_other(
        self, model: CompleteModel, sequences: Sequences
    ) -> None:
        anchor = int(sequences.item[0]) if self.recipe.facts.task.anchored else None
        before = model.scores(question(sequences, 0, newest=1, anchor=anchor))
        after = model.scores(question(sequences, 0, newest=3, anchor=anchor))
        assert np.array_equal(before, after) is not self.recipe.facts.task.personal

    def test_another_anchor_has_another_answer(self, model: CompleteModel, sequences: Sequences) -> None:
        if not self.recipe.facts.task.anchored:
            pytest.skip("its questions are about no item")
        one, other = (
            model.scores(Query.of_nobody(1, anchor=int(sequences.items.find(item)))) for item in ("a0", "b0")
        )
        assert not np.array_equal(one, other)

    def test_scores_of_actions_are_logarithms_of_probabilities(
        self, model: CompleteModel, sequences: Sequences
    ) -> None:
        if self.recipe.facts.task is not Task.ACTIONS:
            pytest.skip("it ranks no actions")
        for query in self.questions(sequences):
            assert (model.scores(query) <= 0).all()
        assert model.propensities().shape == (len(sequences.items),)

    def test_of_nobody_the_popular_items_in_order(self, model: CompleteModel, data: TrainingData) -> None:
        if self.own_order:
            pytest.skip("it has an order of its own")
        scores = model.scores(nobody(data.sequences))
        assert np.argsort(-scores, kind="stable").tolist() == data.counts.order.tolist()

    def test_items_nobody_interacted_with_come_last(self, configuration: Configuration) -> None:
        if self.recipe.facts.task.records in self.recipe.facts.needs:
            pytest.skip("it knows items by their records")
        if self.recipe.facts.task is Task.SEGMENT:
            pytest.skip("it ranks users, who all interacted")
        world = two_clusters()
        wider = IdTable.from_series(pl.concat([world.items.series(), pl.Series("id", ["new1", "new2"])]))
        data = TrainingData.of(replace(world, items=wider))
        model = self.completed(self.recipe.fit(data, configuration, Training()), data.counts)
        seen, query = data.counts.interacted, self.asked(world, 0)
        cold = np.flatnonzero(~seen)
        scores = model.scores(query)
        assert len(cold) == 2
        assert scores[cold].max() < scores[seen].min()
        assert not np.isin(cold, model.candidates(query, 1000, interacted_only=True).rows).any()
        some = np.concatenate((cold, np.flatnonzero(seen)[:3]))
        found = model.scores_at(query, some)
        assert found[:2].max() < found[2:].min()

    # -- with and without capabilities

    def test_many_answers_as_one_by_one(self, model: CompleteModel, sequences: Sequences) -> None:
        queries = [self.asked(sequences, user) for user in range(4)]
        together = model.many(queries)
        assert together.dtype == np.float32
        assert np.allclose(together, np.stack([model.scores(query) for query in queries]), atol=1e-4)

    def test_candidates_are_the_best_with_their_scores(
        self, model: CompleteModel, sequences: Sequences
    ) -> None:
        for query in self.questions(sequences):
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
        for query in self.questions(sequences):
            assert np.allclose(model.scores_at(query, rows), model.scores(query)[rows], atol=1e-4)
            assert len(model.scores_at(query, rows[:0])) == 0
