"""Exploration on whole deployments: the promises about new items, each averaged over many answers."""

from collections import Counter
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openpersonalize.algorithms.recent_popularity import RecentPopularity
from openpersonalize.exploration.config import MANAGED_SHARE, Exploration
from openpersonalize.recipes.fusion.model import FusedModel
from openpersonalize.recipes.fusion.weights import Weights
from openpersonalize.recipes.item_vocabulary import ItemVocabulary
from openpersonalize.serving.answer import Promotion, Question, answer
from openpersonalize.serving.popularity_feed import PopularityFeed

from .making import CATALOGUE, COLD, GENRES, NOW, Made, encoder_of, handed, items

V1, V2 = "aws-user-personalization", "aws-user-personalization-v2"
CALLS = 1000
NEW = [*CATALOGUE[20:], *COLD]
"""Items one day old; the others are ancient."""
AGES = dict.fromkeys(NEW, 1)


@contextmanager
def made(tmp_path_factory, recipe=V1, **more):
    one = Made(tmp_path_factory.mktemp("made"), recipe, **{"ages": AGES, **more})
    try:
        yield one
    finally:
        one.close()


@pytest.fixture(scope="module")
def v1(tmp_path_factory):
    with made(tmp_path_factory) as one:
        yield one


@pytest.fixture(scope="module")
def v2(tmp_path_factory):
    with made(tmp_path_factory, V2) as one:
        yield one


def ask(one, weight, user="user-01", count=10, cut_off=30.0, share=None, **more):
    return answer(
        one.deployment, Question(user, count, exploration=Exploration(weight, cut_off, share), **more)
    )


def ids(entries):
    return [entry.item_id for entry in entries]


def shares(one, weight, calls=CALLS, count=10, **more):
    """How often each item is in an answer."""
    seen = Counter(item for _ in range(calls) for item in ids(ask(one, weight, count=count, **more)))
    return {item: times / calls for item, times in seen.items()}


def part(found, items):
    return sum(found.get(item, 0.0) for item in items)


# -- the six rules


def test_weight_zero_is_the_pure_ranking(v1):
    pure = answer(v1.deployment, Question("user-01", 10))
    assert all(ask(v1, 0.0) == pure for _ in range(20))


def test_with_a_weight_answers_differ_between_calls(v1):
    assert len({tuple(ids(ask(v1, 0.5))) for _ in range(50)}) > 5


@pytest.mark.parametrize("user", ["user-01", "user-05", "nobody"])
def test_the_share_of_new_items_does_not_fall_with_the_weight(v1, user):
    found = [part(shares(v1, weight, user=user), NEW) for weight in (0.0, 0.1, 0.3, 0.6, 1.0)]
    assert all(after > before - 0.05 for before, after in pairwise(found))
    assert found[-1] > found[0] + 0.15


def test_passed_over_items_are_explored_less(tmp_path_factory):
    untried, tried = COLD
    with made(tmp_path_factory, over={tried: 40}) as one:
        found = shares(one, 1.0)
        assert found[untried] > 2 * found.get(tried, 0.0)
        assert found[untried] > 0.1


def test_the_more_often_an_item_was_met_the_less_it_is_explored(tmp_path_factory):
    with made(tmp_path_factory) as one:
        for number in range(60):
            one.event(f"somebody-{number}", COLD[0])
        one.advance()
        found = shares(one, 1.0)
        assert found[COLD[1]] > 2 * found.get(COLD[0], 0.0)


def test_an_old_item_put_after_training_is_never_explored(tmp_path_factory):
    with made(tmp_path_factory) as one:
        one.put_item("antique", CREATION_TIMESTAMP=NOW - 400 * 86_400)
        one.put_item("novelty", CREATION_TIMESTAMP=NOW)
        ask(one, 1.0)
        one.advance()
        found = shares(one, 1.0)
        assert "antique" not in found
        assert found["novelty"] > 0.1


def test_only_items_within_the_cut_off_are_explored(tmp_path_factory):
    pure = None
    with made(tmp_path_factory, ages={COLD[0]: 5, COLD[1]: 10}) as one:
        pure = set(ids(ask(one, 0.0)))
        assert set(shares(one, 1.0, calls=300)) - pure == set(COLD)
        assert set(shares(one, 1.0, calls=300, cut_off=7.0)) - pure == {COLD[0]}
        assert set(shares(one, 1.0, calls=300, cut_off=1.0)) == pure


@settings(deadline=None, max_examples=200)
@given(
    weight=st.floats(0, 1),
    count=st.integers(1, 60),
    user=st.sampled_from(["user-01", "user-02", "nobody", None]),
    share=st.sampled_from([None, MANAGED_SHARE, 0.5, 1.0]),
    second=st.booleans(),
    cheap=st.booleans(),
)
def test_scores_fall_and_no_item_comes_twice(v1, v2, weight, count, user, share, second, cheap):
    one = v2 if second else v1
    chosen = one.filter("INCLUDE ItemID WHERE Items.PRICE < 24") if cheap else None
    entries = ask(one, weight, user, count, share=share, chosen=chosen)
    assert len(set(ids(entries))) == len(entries) == min(count, 24 if cheap else 32)
    scores = [entry.score for entry in entries if isinstance(entry.score, float)]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


def test_the_scores_of_the_whole_catalogue_still_sum_to_one(v1):
    for _ in range(100):
        assert sum(entry.score for entry in ask(v1, 1.0, count=500)) == pytest.approx(1, abs=1e-4)


def test_of_very_many_eligible_items_some_draw_and_the_best_always(tmp_path_factory):
    everything = dict.fromkeys([*CATALOGUE, *COLD], 1)
    with made(tmp_path_factory, ages=everything, top_rows=10, most_candidates=5) as one:
        drew = set()
        for number in range(60):
            user = f"passer-by-{number}"
            one.event(user, CATALOGUE[number % 30])
            ask(one, 1.0, user=user)
            (explored,) = one.deployment.scorer.state(user).explored.values()
            head = one.deployment.scorer.ranked(one.deployment.scorer.state(user), False).top_rows
            assert set(head.tolist()) <= set(explored.rows.tolist())
            assert len(explored.rows) <= 5 + len(head)
            assert sorted(set(explored.rows.tolist())) == explored.rows.tolist()
            drew |= set(explored.rows.tolist())
        assert len(drew) == len(everything)


# -- how many, where, and with which scores


def brought(one, weight, count, calls=300, **more):
    """The places, from 0, of what exploration brought, of each of many answers."""
    pure = ids(ask(one, 0.0, count=count, **more))
    return [
        [place for place, item in enumerate(ids(ask(one, weight, count=count, **more))) if item not in pure]
        for _ in range(calls)
    ]


@pytest.mark.parametrize("count", [2, 3, 5, 10])
@pytest.mark.parametrize("recipe", [V1, V2])
def test_the_share_is_what_the_weight_promises(v1, v2, recipe, count):
    one = v1 if recipe == V1 else v2
    for weight, least, most in ((0.3, 0.1, 0.2), (0.9, 0.3, 0.6)):
        found = np.mean([len(places) for places in brought(one, weight, count)]) / count
        assert least < found < most


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 10, 25])
@pytest.mark.parametrize("share", [None, 1.0])
def test_the_first_place_is_that_of_the_most_relevant(v1, v2, count, share):
    for one in (v1, v2):
        first = ids(ask(one, 0.0, count=count))[0]
        for weight in (0.3, 1.0):
            assert all(ids(ask(one, weight, count=count, share=share))[0] == first for _ in range(50))


def test_places_are_spread_over_the_list_below_its_beginning(v1):
    found = brought(v1, 0.3, 10, calls=1000)
    each = Counter(place for places in found for place in places)
    assert set(each) == set(range(2, 10))
    assert min(each.values()) > 0.5 * max(each.values())
    halves = {tuple(place >= 6 for place in places) for places in found if len(places) == 2}
    assert halves == {(False, True)}


def test_an_explored_item_has_the_score_of_the_entry_whose_place_it_takes(v1):
    pure = answer(v1.deployment, Question("user-01", 10))
    for _ in range(100):
        entries = ask(v1, 0.3)
        kept = [entry.item_id for entry in entries if entry in pure or entry.item_id in ids(pure)]
        following = 0
        for entry in entries:
            expected = pure[following].score
            # What exploration adds to the total is in all scores.
            assert entry.score == pytest.approx(expected, rel=0.2)
            following += entry.item_id in kept
        assert entries[0].score > entries[-1].score


def test_what_is_well_known_by_now_gives_its_places_back(tmp_path_factory):
    with made(tmp_path_factory, over=dict.fromkeys(NEW, 10_000)) as one:
        assert np.mean([len(places) for places in brought(one, 0.9, 10)]) < 0.3


def test_of_few_eligible_items_none_comes_twice_and_of_none_nothing(tmp_path_factory):
    with made(tmp_path_factory, ages={COLD[0]: 1}) as one:
        found = [ids(ask(one, 1.0, count=10)) for _ in range(200)]
        assert all(len(set(listed)) == 10 for listed in found)
        assert sum(COLD[0] in listed for listed in found) == 200
    with made(tmp_path_factory, ages={}) as one:
        assert ask(one, 1.0) == ask(one, 0.0)


# -- with everything else


def test_filters_bind_explored_items_too(tmp_path_factory):
    with made(tmp_path_factory) as one:
        one.put_item("dear", PRICE=500.0)
        one.put_item("cheap", PRICE=1.0)
        ask(one, 1.0)
        one.advance()
        found = shares(one, 1.0, calls=300, chosen=one.filter("INCLUDE ItemID WHERE Items.PRICE < 25"))
        assert "cheap" in found
        assert not {"dear", *CATALOGUE[25:], *COLD} & set(found)


def test_items_met_stay_out_when_a_filter_says_so(tmp_path_factory):
    chosen = 'EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("click")'
    with made(tmp_path_factory) as one:
        one.put_item("novelty")
        one.event("user-01", "novelty")
        one.event("user-01", COLD[0])
        ask(one, 1.0)
        one.advance()
        mine = shares(one, 1.0, calls=300, chosen=one.filter(chosen))
        others = shares(one, 1.0, calls=300, user="user-02", chosen=one.filter(chosen))
        assert not {"novelty", COLD[0]} & set(mine)
        assert {"novelty", COLD[0]} <= set(others)


def test_promoted_items_and_explored_ones_share_an_answer(v1):
    promotion = Promotion("sale", 50, v1.filter("INCLUDE ItemID WHERE Items.PRICE < 10"))
    for number in range(100):
        entries = ask(v1, 1.0, promotion=promotion, seed=str(number))
        assert len(set(ids(entries))) == 10
        assert sum(entry.promotion_name == "sale" for entry in entries) == 5


@pytest.mark.parametrize("recipe", [V1, V2])
def test_put_items_can_be_promoted(tmp_path_factory, recipe):
    with made(tmp_path_factory, recipe) as one:
        chosen = one.filter("INCLUDE ItemID WHERE Items.PRICE >= 31")  # one cold item of the catalogue
        for number in range(3):
            one.put_item(f"put-{number}", PRICE=100.0 + number)
        ask(one, 0.0)
        one.advance()
        for weight in (0.0, 0.3, 1.0):
            entries = ask(one, weight, promotion=Promotion("sale", 40, chosen), seed="x")
            promoted = [entry for entry in entries if entry.promotion_name == "sale"]
            assert sorted(ids(promoted)) == [COLD[1], "put-0", "put-1", "put-2"]
            assert len(set(ids(entries))) == len(entries) == 10
            scores = [entry.score for entry in promoted if isinstance(entry.score, float)]
            assert scores == sorted(scores, reverse=True)
            assert len(scores) == (4 if recipe == V1 else 0)  # v2 scores the items with interactions alone
        few = ask(one, 1.0, promotion=Promotion("sale", 20, chosen), count=500)
        assert len(set(ids(few))) == len(few) == 35


def test_a_put_item_shows_its_record(tmp_path_factory):
    with made(tmp_path_factory) as one:
        one.put_item("novelty", GENRE="games")
        ask(one, 1.0)
        one.advance()
        found = [
            entry.metadata
            for _ in range(300)
            for entry in ask(one, 1.0, columns=["GENRE"])
            if entry.item_id == "novelty"
        ]
        assert found
        assert all(metadata == {"GENRE": "games"} for metadata in found)


def test_at_most_the_weight_of_an_answer_is_explored(v1):
    pure = set(ids(ask(v1, 0.0, count=20)))
    for weight, most in ((0.05, 1), (0.3, 6)):
        assert max(len(set(ids(ask(v1, weight, count=20))) - pure) for _ in range(300)) <= most


# -- exploration that the recipe decides about


def test_managed_exploration_gives_away_its_share(v2):
    explored = total = 0
    for _ in range(20_000):
        entries = ask(v2, 0.3, count=10, share=MANAGED_SHARE)
        explored += sum(entry.reason == ["Exploration"] for entry in entries)
        total += len(entries)
    assert explored / total == pytest.approx(MANAGED_SHARE, rel=0.5)


def test_explored_items_say_so_and_have_scores(v2):
    pure = set(ids(answer(v2.deployment, Question("user-01", 10))))
    for share, weight in ((None, 1.0), (0.5, 0.3)):
        entries = [entry for _ in range(200) for entry in ask(v2, weight, share=share)]
        said = {entry.item_id for entry in entries if entry.reason == ["Exploration"]}
        assert said
        assert said == {entry.item_id for entry in entries} - pure
        assert said <= set(NEW)
        assert all(isinstance(entry.score, float) for entry in entries)


def test_v1_gives_no_reasons(v1):
    assert not any(isinstance(entry.reason, list) for entry in ask(v1, 1.0))


def test_a_newcomer_that_everybody_meets_takes_the_room_there_is(tmp_path_factory):
    with made(tmp_path_factory) as one:
        old = one.loaded.model.model
        recent = RecentPopularity(3600, len(old.items))
        weights = {"transitions": 0.2, "recent-1h": 1.0}
        members = [recent, *(member for member in old.rankers if member.name == "transitions")]
        model = FusedModel(
            old.items,
            old.counts,
            members,
            Weights.alike(weights, weights, {"": {"recent-1h": 1.0}}),
        )
        one.answer_with(model)
        feed = PopularityFeed(one.loaded, lambda: one.time)
        for number in range(300):
            item = ("hit", CATALOGUE[number % 30], CATALOGUE[0])[number % 3]
            one.event(f"v{number}", item, time=NOW + 10 * number)
        for number in range(60):
            one.put_item(f"nothing-{number}")
        one.time = NOW + 3 * 3600
        handed(one.log, feed)
        ask(one, 1.0)
        one.advance()
        for user in ("user-01", "nobody"):
            assert "hit" not in ids(ask(one, 0.0, user=user))
            # One place of ten, and not by luck: it is relevant, its bonus is spent.
            assert shares(one, 0.1, calls=200, user=user).get("hit", 0.0) > 0.9


@pytest.mark.parametrize("most", [8, 1024])
def test_newcomers_that_lead_draw_however_many_there_are(tmp_path_factory, monkeypatch, most):
    with made(tmp_path_factory, most_candidates=most) as one:
        for number in range(40):
            one.put_item(f"new-{number}")
        told = one.loaded.newcomers.numbered(pl.Series(f"new-{number}" for number in range(40)))
        ask(one, 1.0)
        one.advance()
        members = one.tracker.counts.members
        hit = members.number_of("new-17")
        worth = np.where(told == told[17], 3.0, 0.0).astype(np.float32)
        monkeypatch.setattr(one.loaded.model, "online_bonus", lambda query, numbers: worth[numbers])
        for user in ("user-01", "nobody"):
            drawn = one.deployment.exploration.candidates(
                one.deployment.scorer.state(user), False, one.tracker.counts, 30.0
            )
            assert members.known + hit in drawn.rows.tolist()


def test_newcomers_draw_from_the_relevance_of_their_metadata(tmp_path_factory):
    with made(tmp_path_factory) as one:
        old = one.loaded.model.model
        vocabulary = ItemVocabulary.fit(items().sort("ITEM_ID").select("GENRE"))
        feature = vocabulary.attributes[0]
        values = np.random.default_rng(0).standard_normal((feature.size, 8), dtype=np.float32)
        encoder = encoder_of(values[feature.code], values)
        alone = Weights.alike({"encoder": 1.0}, {"encoder": 1.0})
        model = FusedModel(
            old.items, old.counts, [encoder], alone, vocabulary=vocabulary
        )  # fmt: skip
        one.answer_with(model)
        for genre in GENRES:
            one.put_item(f"new-{genre}", GENRE=genre)
        one.put_item("blank")
        ask(one, 1.0)
        one.advance()
        state, candidates = one.deployment.scorer.state("user-01"), one.tracker.counts
        explored = one.deployment.exploration.candidates(state, False, candidates, 30.0)
        scores = one.deployment.scorer.scores(state, False)
        drawn = dict(zip(explored.rows.tolist(), explored.relevance.tolist(), strict=True))
        for place, genre in enumerate(GENRES):
            row = candidates.members.known + candidates.members.number_of(f"new-{genre}")
            assert drawn[row] == pytest.approx(float(scores[one.loaded.row_of(CATALOGUE[place])]), abs=2e-3)
        blank = candidates.members.known + candidates.members.number_of("blank")
        assert drawn[blank] == pytest.approx(float(scores.mean() - scores.std()), abs=1e-3)
