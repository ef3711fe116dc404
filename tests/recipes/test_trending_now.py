"""aws-trending-now: growth of users, by the clock, whoever does a thing a thousand times."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from openpersonalize.datasets.sequences import Sequences
from openpersonalize.recipes.hyperparameters import read_configuration
from openpersonalize.recipes.item_counts import ItemCounts
from openpersonalize.recipes.query import Query
from openpersonalize.recipes.registry import recipe
from openpersonalize.recipes.training import Configuration, Training, TrainingData
from openpersonalize.recipes.trending_now import SECONDS, OnlineTrending, TrendingModel, TrendingNow
from openpersonalize.testing.contract import RecipeContract
from openpersonalize.testing.worlds import sequences_of

TRENDING = recipe("aws-trending-now")
assert isinstance(TRENDING, TrendingNow)
HOUR, END = 3_600, 1_000_000


class TestContract(RecipeContract):
    recipe = TRENDING
    learns = False
    own_order = True


def configured(frequency: str = "1 hour") -> Configuration:
    sent = {"featureTransformationParameters": {"trend_discovery_frequency": frequency}}
    return read_configuration(TRENDING.facts, sent)


def users_of(item: str, count: int, time: int, name: str = "") -> list[tuple[str, str, int]]:
    """So many users, each once, in the ten minutes before a moment."""
    return [(f"{name or item}-{k}", item, time - k % 600) for k in range(count)]


def world(*more: tuple[str, str, int]) -> Sequences:
    """In the last hour and the one before: `rising` 3 and 9 users, `steady` 20 and 20, `falling` 12 and 2,
    `classic` none, 40 the day before; `never` nobody."""
    rows = [*users_of("rising", 9, END), *users_of("rising", 3, END - HOUR, "r")]
    rows += [*users_of("steady", 20, END), *users_of("steady", 20, END - HOUR, "s")]
    rows += [*users_of("falling", 2, END), *users_of("falling", 12, END - HOUR, "f")]
    rows += [*users_of("classic", 40, END - 24 * HOUR), *users_of("older", 30, END - 24 * HOUR)]
    return sequences_of([*rows, *more], ["never"])


def trained(frequency: str = "1 hour", *more: tuple[str, str, int]) -> tuple[TrendingModel, list[str]]:
    learnt = world(*more)
    model = TRENDING.fit(TrainingData.of(learnt), configured(frequency), Training())
    assert isinstance(model, TrendingModel)
    return model, learnt.items.strings()


def order(model: TrendingModel | OnlineTrending, names: list[str], now: int = END) -> list[str]:
    return [names[row] for row in np.argsort(-model.scores(Query.of_nobody(now)), kind="stable")]


ORDER = ["rising", "steady", "classic", "older", "falling", "never"]


def test_who_grows_leads_and_who_shrinks_comes_behind_the_popular_items() -> None:
    assert order(*trained()) == ORDER


def test_a_user_with_three_thousand_events_counts_once() -> None:
    bot = [("bot", "falling", END - k % HOUR) for k in range(3_000)]
    assert order(*trained("1 hour", *bot)) == ORDER


def test_the_interval_is_that_of_the_hyperparameter() -> None:
    """Over a day nothing shrinks but what was used the day before."""
    model, names = trained("1 day")
    assert order(model, names)[:3] == ["steady", "falling", "rising"]
    assert {name: trained(name)[0].window for name in SECONDS} == SECONDS


def test_an_event_of_a_clock_that_is_ahead_does_not_end_the_interval() -> None:
    learnt = world(("lost", "falling", END + 400 * 24 * HOUR))
    model = TRENDING.fit(TrainingData.of(learnt), configured(), Training(moment=END + 60))
    assert isinstance(model, TrendingModel)
    assert model.end == END + 60
    assert order(model, learnt.items.strings())[0] == "rising"


class TestByTheClock:
    @pytest.fixture
    def online(self, tmp_path: Path) -> OnlineTrending:
        """As a server has it: saved, opened, and following."""
        learnt = world()
        data = TrainingData.of(learnt)
        TRENDING.fit(data, configured(), Training()).save(tmp_path)
        model = TRENDING.load(tmp_path, learnt.items, ItemCounts.of(learnt))
        assert isinstance(model, TrendingModel)
        return model.online()

    @pytest.fixture
    def names(self) -> list[str]:
        return world().items.strings()

    def stream(self, online: OnlineTrending, item: int, users: int, time: int) -> None:
        user = np.random.default_rng(item).integers(0, 2**64, users, dtype=np.uint64)
        online.observe(
            np.full(users, item, np.int32), np.full(users, time, np.int64), np.ones(users, np.float32), user
        )

    def test_until_something_is_streamed_it_answers_as_trained(
        self, online: OnlineTrending, names: list[str]
    ) -> None:
        assert order(online, names, END + 400 * HOUR) == ORDER

    def test_what_is_streamed_moves_the_order_and_fades_by_the_clock(
        self, online: OnlineTrending, names: list[str]
    ) -> None:
        self.stream(online, names.index("older"), 15, END + 300)
        now = END + 600
        assert order(online, names, now)[0] == "older"
        # An hour later the fifteen are users of the interval before, as the twenty of `steady` are.
        assert order(online, names, now + HOUR)[-3:] == ["older", "steady", "never"]
        # And when nothing was used for two intervals, the popular items.
        popular = ItemCounts.of(world()).order
        assert order(online, names, now + 3 * HOUR) == [names[row] for row in popular]

    def test_the_users_of_training_count_on(self, online: OnlineTrending, names: list[str]) -> None:
        """Ten minutes on, `rising` still has its nine of the last hour."""
        self.stream(online, names.index("never"), 1, END + 300)
        assert order(online, names, END + 600)[:2] == ["rising", "never"]

    def test_items_that_came_after_training_are_ranked(
        self, online: OnlineTrending, names: list[str]
    ) -> None:
        self.stream(online, len(names) + 1, 7, END + 300)
        query = Query.of_nobody(END + 600)
        found = online.new_item_scores(query, None, np.array([0, 1, 2, -1]))
        assert found[[0, 2, 3]].tolist() == [-np.inf] * 3
        assert (found[1] > online.scores(query)).all()

    def test_nobody_can_be_told_from_what_is_saved(
        self, online: OnlineTrending, names: list[str], tmp_path: Path
    ) -> None:
        self.stream(online, 0, 3, END + 300)
        folder = tmp_path / "online"
        folder.mkdir()
        online.save_online(folder)
        with np.load(folder / "observed.npz") as stored:
            assert set(stored) == {"item", "start", "end", "weight"}

    def test_a_state_of_another_model_is_refused(self, online: OnlineTrending, tmp_path: Path) -> None:
        folder = tmp_path / "online"
        folder.mkdir()
        online.save_online(folder)
        other = sequences_of([("u", "i", 1)])
        model = TRENDING.fit(TrainingData.of(other), configured(), Training())
        with pytest.raises(ValueError, match="another model"):
            model.online().load_online(folder)


class TestMetrics:
    def measured(self, learnt: Sequences) -> dict[str, float]:
        data = TrainingData.of(learnt)
        model = TRENDING.fit(data, configured(), Training())
        return dict(TRENDING.measured(model, data, configured(), Training()))

    def test_a_trend_that_goes_on_is_predicted(self) -> None:
        rows = [
            row
            for k in range(40)
            for step, users in enumerate((2, 6, 14) if k < 25 else (9, 7, 5))
            for row in users_of(f"i{k:02}", users, END - HOUR * (2 - step), f"{k}-{step}")
        ]
        assert self.measured(sequences_of(rows)) == {
            "coverage": pytest.approx(25 / 40),
            "trend_prediction_accuracy": pytest.approx(1.0),
        }

    def test_half_of_a_trend_is_half(self) -> None:
        """The hour before says nothing of `late`, which grows by ten as `early` does."""
        rows = [*users_of("early", 1, END - 2 * HOUR, "a"), *users_of("early", 6, END - HOUR, "b")]
        rows += [*users_of("early", 16, END, "c"), *users_of("late", 10, END, "d")]
        rows += [row for k in range(30) for row in users_of(f"x{k}", 2, END - 9 * HOUR, f"x{k}")]
        assert self.measured(sequences_of(rows))["trend_prediction_accuracy"] == pytest.approx(0.5)

    def test_nothing_grows(self) -> None:
        rows = users_of("one", 5, END - HOUR) + users_of("one", 1, END)
        assert self.measured(sequences_of(rows))["trend_prediction_accuracy"] == 0.0

    def test_it_has_these_metrics_and_no_others(self) -> None:
        learnt = replace(world())
        assert set(self.measured(learnt)) == {"coverage", "trend_prediction_accuracy"}
