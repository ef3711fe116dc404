"""Weights: useful members get one, useless ones none, and ranks are those of the whole catalogue."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from openpersonalize.algorithms.arrays import Float32, Int32, Int64
from openpersonalize.algorithms.fusion import Fitted, Questions
from openpersonalize.algorithms.lazy_scores import DenseScores, SparseScores


def ndcg(questions: list[tuple[list[Float32], Int32]], weights: tuple[float, ...]) -> float:
    """The mean NDCG@10 of the weighted sums of features, each question with relevant items of gain 1."""
    total = 0.0
    for features, target in questions:
        scores = sum(np.float32(weight) * one for weight, one in zip(weights, features, strict=True))
        order = np.argsort(-scores).tolist()
        places = [order.index(item) for item in target.tolist()]
        ideal = sum(1 / np.log2(2 + rank) for rank in range(min(len(places), 10)))
        total += sum(1 / np.log2(2 + rank) for rank in places if rank < 10) / ideal
    return total / len(questions)


def asked(
    rankers: list[str],
    n: int,
    count: int = 300,
    seed: int = 0,
    met_share: float = 0.0,
    targets: int = 1,
    least: int | None = None,
    told: Callable[[list[Float32], Int32], None] = lambda features, target: None,
    **limits: int,
) -> Questions:
    """Questions whose relevant items `good` members rate highly, `bad` ones at random, `against` ones
    lowly; each has `targets` of them, or from `least` to `targets`. `told` hears of each question."""
    rng = np.random.default_rng(seed)
    popularity = rng.random(n).astype(np.float32)
    signed = [one == "against" for one in rankers]
    questions = Questions(signed, count, popularity, np.random.default_rng(1), **limits)
    for _ in range(count):
        some = targets if least is None else int(rng.integers(least, targets + 1))
        target = rng.choice(n, some, replace=False).astype(np.int32)
        features = []
        for one in rankers:
            feature = rng.normal(size=n).astype(np.float32)
            feature[target] += {"good": 3.0, "bad": 0.0, "against": -3.0}[one]
            features.append(feature)
        met = target[: int(met_share * some)] if rng.random() < 0.5 else np.empty(0, np.int32)
        questions.add(features, target, np.ones(some, np.float32), met)
        told(features, target)
    return questions


@pytest.mark.parametrize("n", [300, 5000])
def test_good_members_beat_the_best_of_them_and_noise_is_left_out(n: int) -> None:
    found = asked(["good", "bad", "good"], n).fit(False)
    assert found.ndcg > max(found.alone) * 1.2
    assert found.weights[0] > 0
    assert found.weights[2] > 0
    assert found.weights[1] <= 0.2 * min(found.weights[0], found.weights[2])


def test_the_lead_member_can_be_left_out() -> None:
    found = asked(["bad", "good"], 400).fit(False)
    assert found.weights[0] <= 0.2 * found.weights[1]


def test_only_free_members_may_count_against() -> None:
    found = asked(["good", "against"], 400).fit(False)
    assert found.weights[1] < 0
    assert min(asked(["good", "good"], 400).fit(False).weights) >= 0


@pytest.mark.parametrize("sharpness", [0.3, 1.0, 8.0])
@pytest.mark.parametrize("n", [60, 3000])
def test_scores_read_as_probabilities(n: int, sharpness: float) -> None:
    """Items are drawn by the softmax of a feature; however sharp it is made, the shares come back."""
    rng = np.random.default_rng(3)
    questions = Questions([False], 400, np.ones(n, np.float32), np.random.default_rng(1))
    for _ in range(400):
        logits = rng.normal(size=n) * 2.0
        share = np.exp(logits) / np.exp(logits).sum()
        target = rng.choice(n, 1, p=share).astype(np.int32)
        questions.add([(logits * sharpness).astype(np.float32)], target, np.ones(1, np.float32), target[:0])
    (weight,) = questions.fit(False).weights
    assert weight * sharpness == pytest.approx(1.0, rel=0.3)


def test_where_popularity_says_it_all_the_lead_still_counts() -> None:
    found = asked(["bad", "bad", "against"], 400).fit(False)
    assert found.weights[0] > 0 or found.weights[1] > 0


@pytest.mark.parametrize(("least", "targets"), [(1, 1), (3, 3), (1, 5)])
def test_the_ndcg_is_that_of_a_full_ranking(least: int, targets: int) -> None:
    asked_for: list[tuple[list[Float32], Int32]] = []
    questions = asked(
        ["good", "bad"], 400, 150, targets=targets, least=least, told=lambda *one: asked_for.append(one)
    )
    found = questions.fit(False)
    assert found.ndcg == pytest.approx(ndcg(asked_for, found.weights), abs=1e-4)


@pytest.mark.parametrize("shuffled_items", [0, 10_000])
def test_a_sampled_catalogue_gives_the_ranks_of_the_whole_one(shuffled_items: int) -> None:
    sampled = asked(["good", "good"], 4000, shuffled_items=shuffled_items).fit(False)
    exact = asked(["good", "good"], 4000, exact_items=4000).fit(False)
    assert sampled.ndcg == pytest.approx(exact.ndcg, rel=0.05)
    assert sampled.alone == pytest.approx(exact.alone, rel=0.1)


def test_a_feature_that_many_questions_share_is_looked_through_once() -> None:
    n, rng = 5000, np.random.default_rng(0)
    shared = rng.random(n).astype(np.float32)
    looked = []

    class Counted(DenseScores):
        def top(self, k: int) -> Int64:
            looked.append(self.values)
            return super().top(k)

    questions = Questions([False, True], 10, np.ones(n, np.float32), np.random.default_rng(0))
    for row in range(10):
        own = rng.random(n).astype(np.float32)
        target = np.array([row], np.int32)
        questions.add([Counted(own), Counted(shared)], target, np.ones(1, np.float32), target[:0])
    assert sum(one is shared for one in looked) == 1
    assert len(looked) == 11


def test_parts_of_features_do_as_well_as_whole_ones() -> None:
    """Features that are 0 but for some items, written out and not."""
    n, rng = 3000, np.random.default_rng(0)
    popularity = rng.random(n).astype(np.float32) + 1
    whole, parts = (
        Questions([False, False], 200, popularity, np.random.default_rng(0), shuffled_items=0)
        for _ in range(2)
    )
    for _ in range(200):
        target = rng.choice(n, 1).astype(np.int32)
        some = []
        for share in (0.5, 0.2):
            columns = np.unique(np.append(rng.choice(n, 400, replace=False), target))
            values = rng.random(len(columns)).astype(np.float32)
            values[columns == target[0]] = 1.0 if rng.random() < share else 0.1
            some.append(SparseScores(columns, values))
        parts.add(some, target, np.ones(1, np.float32), target[:0])
        written = [one.at(np.arange(n)).astype(np.float32) for one in some]
        whole.add(written, target, np.ones(1, np.float32), target[:0])
    one, other = whole.fit(False), parts.fit(False)
    assert one.weights == pytest.approx(other.weights, rel=0.1)
    assert one.ndcg == pytest.approx(other.ndcg, rel=0.05)


def test_met_items_are_neither_candidates_nor_relevant() -> None:
    questions = asked(["good", "bad"], 300, met_share=1.0)
    assert questions.fit(True).ndcg == pytest.approx(questions.fit(False).ndcg, rel=0.3)
    always = Questions([False], 1, np.ones(5, np.float32), np.random.default_rng(0))
    always.add(
        [np.arange(5, dtype=np.float32)],
        np.array([4], np.int32),
        np.ones(1, np.float32),
        np.array([4], np.int32),
    )
    assert always.fit(True) == Fitted((1.0,), 0.0, (0.0,))
    assert always.fit(False).ndcg == pytest.approx(1.0)


def test_without_questions_the_lead_member_answers() -> None:
    nothing = Questions([False, True], 0, np.ones(9, np.float32), np.random.default_rng(0))
    assert nothing.fit(False).weights == (1.0, 0.0)


def test_it_stops_when_asked() -> None:
    def stop() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        asked(["good", "bad"], 100, 20).fit(False, stop)
    with pytest.raises(InterruptedError):
        asked(["good", "bad"], 100, 20).fit(False, stop, threads=3)


@pytest.mark.parametrize("seen_excluded", [False, True])
def test_threads_change_nothing(seen_excluded: bool) -> None:
    questions = asked(["good", "bad", "against"], 400, met_share=0.5, targets=3)
    assert questions.fit(seen_excluded, threads=3) == questions.fit(seen_excluded)


@pytest.mark.parametrize("seen_excluded", [False, True])
@pytest.mark.parametrize(("n", "targets", "leading"), [(700, 3, 100), (4000, 1, 192), (4000, 4, 64)])
def test_steps_judged_beside_leading_items_lead_as_high_as_beside_all(
    n: int, targets: int, leading: int, seen_excluded: bool
) -> None:
    members = ["good", "bad", "against", "good", "bad"]
    told: list[tuple[list[Float32], Int32]] = []
    bounded, unbounded = (
        asked(members, n, 80, met_share=0.5, targets=targets, leading=some) for some in (leading, n)
    )
    one, other = bounded.fit(seen_excluded), unbounded.fit(seen_excluded)
    assert one.ndcg == pytest.approx(other.ndcg, rel=0.02)
    assert one.alone == other.alone
    asked(members, n, 200, seed=5, targets=targets, told=lambda *two: told.append(two))
    assert ndcg(told, one.weights) == pytest.approx(ndcg(told, other.weights), rel=0.03)


def test_an_ascent_goes_on_from_that_of_the_other_rule() -> None:
    """Of rankers that only know the user's own items nothing is left where these are left out."""
    rng = np.random.default_rng(4)
    n = 300
    questions = Questions([False, False], 200, np.ones(n, np.float32), np.random.default_rng(1))
    for _ in range(200):
        met = rng.choice(n, 20, replace=False).astype(np.int32)
        again, new = met[:1], rng.choice(np.setdiff1d(np.arange(n), met), 1).astype(np.int32)
        target = again if rng.random() < 0.7 else new
        own = np.zeros(n, np.float32)
        own[met] = 1.0
        own[again] = 3.0
        known = rng.normal(size=n).astype(np.float32)
        known[target] += 2.0
        questions.add([known, own], target, np.ones(1, np.float32), met)
    kept = questions.fit(False)
    assert kept.weights[1] > 0.1 * sum(kept.weights)
    excluded = questions.fit(True, begin=kept.ends)
    assert excluded.weights[1] == 0.0
    assert excluded.ndcg == pytest.approx(questions.fit(True).ndcg, rel=0.02)


def test_nothing_is_asked_about_items_that_nobody_knows() -> None:
    popularity = np.array([0, 0, 1, 2, 3], np.float32)
    questions = Questions([False], 4, popularity, np.random.default_rng(1))
    gains = np.ones(2, np.float32)
    feature = np.array([9, 8, 1, 0, 0], np.float32)
    questions.add([feature], np.array([0, 1], np.int32), gains, np.empty(0, np.int32))
    assert len(questions) == 0
    questions.add([feature], np.array([1, 2], np.int32), gains, np.empty(0, np.int32))
    assert len(questions) == 1
    assert questions.fit(False).ndcg == pytest.approx(1.0)


def test_what_holds_by_chance_weighs_little() -> None:
    """Ten members of noise beside a good one, and few questions: other questions are answered nearly as
    well as without the noise."""
    rng = np.random.default_rng(7)
    n, noise = 200, 10

    def asking(count: int) -> list[tuple[list[Float32], Int32]]:
        made = []
        for _ in range(count):
            target = rng.choice(n, 1).astype(np.int32)
            features = [rng.normal(size=n).astype(np.float32) for _ in range(noise + 1)]
            features[0][target] += 2.5
            made.append((features, target))
        return made

    questions = Questions([False] + [True] * noise, 80, np.ones(n, np.float32), np.random.default_rng(1))
    for features, target in asking(80):
        questions.add(features, target, np.ones(1, np.float32), target[:0])
    found = questions.fit(False)
    others = asking(1_000)
    assert ndcg(others, found.weights) > 0.93 * ndcg(others, (1.0, *[0.0] * noise))


@pytest.mark.parametrize("n", [300, 5000])
def test_what_a_member_adds(n: int) -> None:
    assert asked(["good", "bad", "good"], n).contribution(0, False) > 0.1
    assert asked(["bad", "good", "good"], n).contribution(0, False) < 0.02
    assert asked(["good"], n).contribution(0, False) > 1.0


def test_what_a_member_adds_differs_by_the_seen_rule() -> None:
    """A member that knows only what was met adds nothing where that is left out."""
    rng = np.random.default_rng(0)
    n = 200
    questions = Questions([False, False], 400, rng.random(n).astype(np.float32), rng)
    for _ in range(400):
        met, other = rng.choice(n, (2, 1), replace=False).astype(np.int32)
        own, weak = np.zeros(n, np.float32), rng.normal(size=n).astype(np.float32)
        own[met] = 5.0
        weak[[met, other]] += 2.0
        questions.add([own, weak], np.concatenate((met, other)), np.ones(2, np.float32), met)
    assert questions.contribution(0, False) > 0.05
    assert questions.contribution(0, True) < 0.005


def test_without_questions_a_member_adds_nothing() -> None:
    empty = Questions([False], 1, np.ones(5, np.float32), np.random.default_rng(0))
    assert empty.contribution(0, False) == 0.0
