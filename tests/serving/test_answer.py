"""Answers of whole deployments: the recipes' promises, filters, promotions, metadata."""

from contextlib import contextmanager

import numpy as np
import pytest

from openpersonalize.recipes.fusion.model import FusedModel
from openpersonalize.recipes.fusion.weights import Weights
from openpersonalize.serving.answer import Promotion, Question, answer
from openpersonalize.serving.ranking import rank
from openpersonalize.serving.states import Memory

from .making import CATALOGUE, COLD, GENRES, NOW, Made, encoder_of

V1, V2, POPULAR = "aws-user-personalization", "aws-user-personalization-v2", "aws-popularity-count"
RANKING = "aws-personalized-ranking"
NOT_BOUGHT = 'EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("purchase")'


@contextmanager
def made(tmp_path_factory, recipe, **more):
    one = Made(tmp_path_factory.mktemp("made"), recipe, **more)
    try:
        yield one
    finally:
        one.close()


@pytest.fixture(scope="module")
def v1(tmp_path_factory):
    with made(tmp_path_factory, V1) as one:
        yield one


@pytest.fixture(scope="module")
def v2(tmp_path_factory):
    with made(tmp_path_factory, V2) as one:
        yield one


@pytest.fixture(scope="module")
def popular(tmp_path_factory):
    with made(tmp_path_factory, POPULAR) as one:
        yield one


@pytest.fixture(scope="module")
def ranking(tmp_path_factory):
    with made(tmp_path_factory, RANKING) as one:
        yield one


def ask(one, user, count=10, **more):
    return answer(one.deployment, Question(user, count, **more))


def ids(entries):
    return [entry.item_id for entry in entries]


def scores(entries):
    return [entry.score for entry in entries]


def genre(item):
    return GENRES[CATALOGUE.index(item) % 3]


# -- the order


def test_a_user_gets_items_of_their_own_genre(v1):
    found = ids(ask(v1, "user-01", 8))
    assert {genre(item) for item in found} == {"games"}


def test_scores_of_the_whole_catalogue_sum_to_one(v1):
    entries = ask(v1, "user-01", 500)
    assert sorted(ids(entries)) == sorted(CATALOGUE + COLD)
    assert sum(scores(entries)) == pytest.approx(1, abs=1e-4)
    assert scores(entries) == sorted(scores(entries), reverse=True)


def test_the_same_question_has_the_same_answer(v1):
    assert ask(v1, "user-05") == ask(v1, "user-05")


def test_unknown_users_get_the_popular_items(v1, popular):
    assert ids(ask(v1, "nobody", 30)) == ids(ask(popular, None, 30))
    assert ids(ask(v1, "nobody", 30)) == ids(ask(v1, "nobody else", 30))


def test_popularity_is_distinct_users_then_interactions_then_id(popular):
    rows = popular.rows
    users = dict(rows.unique(["USER_ID", "ITEM_ID"])["ITEM_ID"].value_counts().iter_rows())
    events = dict(rows["ITEM_ID"].value_counts().iter_rows())
    everything = CATALOGUE + COLD
    expected = sorted(everything, key=lambda item: (-users.get(item, 0), -events.get(item, 0), item))
    entries = ask(popular, "user-01", 500)
    assert ids(entries) == expected
    assert not any(isinstance(entry.score, float) for entry in entries)


def test_an_event_changes_the_next_answer_of_its_user_only(tmp_path_factory):
    with made(tmp_path_factory, V1) as one:
        before, bystander = ask(one, "newcomer", 30), ask(one, "bystander", 30)
        for item in ("item-01", "item-04", "item-07"):
            one.event("newcomer", item)
        after = ids(ask(one, "newcomer", 30))
        games = [place for place, item in enumerate(after) if genre(item) == "games"]
        were = [place for place, item in enumerate(ids(before)) if genre(item) == "games"]
        assert sum(games) < sum(were)
        assert ask(one, "bystander", 30) == bystander == before


def test_an_anonymous_session_is_asked_for_by_its_id(tmp_path_factory):
    with made(tmp_path_factory, V1) as one:
        before = ask(one, "session-1", 30)
        one.event(None, "item-01", session="session-1")
        assert ask(one, "session-1", 30) != before


def test_events_of_unknown_items_change_nothing(tmp_path_factory):
    with made(tmp_path_factory, V1) as one:
        before = ask(one, "user-03", 30)
        one.event("user-03", "never heard of")
        assert ask(one, "user-03", 30) == before


# -- subsets and fill-up


def test_v2_scores_a_subset_and_fills_up_with_popular_items(v2):
    entries = ask(v2, "user-01", 500)
    assert sorted(ids(entries)) == sorted(CATALOGUE + COLD)
    scored, rest = entries[: len(CATALOGUE)], entries[len(CATALOGUE) :]
    assert sum(scores(scored)) == pytest.approx(1, abs=1e-4)
    assert [entry.reason for entry in scored] == [[]] * len(CATALOGUE)
    assert ids(rest) == COLD
    assert [entry.reason for entry in rest] == [["Popular item"]] * 2
    assert not any(isinstance(entry.score, float) for entry in rest)


def test_placeholders_pass_the_filter_too(v2):
    chosen = v2.filter("INCLUDE ItemID WHERE Items.PRICE >= 28")  # items 28, 29 and the two cold ones
    entries = ask(v2, "user-01", 10, chosen=chosen)
    assert sorted(ids(entries)) == ["item-28", "item-29", *COLD]
    assert [bool(entry.reason) for entry in entries] == [False, False, True, True]


# -- filters


def test_a_filter_on_columns(v1):
    entries = ask(v1, "user-01", 500, chosen=v1.filter('INCLUDE ItemID WHERE Items.GENRE IN ("music")'))
    assert set(ids(entries)) == {item for item in CATALOGUE if genre(item) == "music"}


def test_scores_stay_those_of_the_whole_catalogue(v1):
    everything = {entry.item_id: entry.score for entry in ask(v1, "user-01", 500)}
    chosen = v1.filter("INCLUDE ItemID WHERE Items.PRICE < 9")
    assert {e.item_id: e.score for e in ask(v1, "user-01", 500, chosen=chosen)} == {
        item: score for item, score in everything.items() if item in CATALOGUE[:9]
    }


def test_what_was_bought_just_now_goes_at_once(tmp_path_factory):
    with made(tmp_path_factory, POPULAR) as one:
        first = ids(ask(one, "user-01", 5, chosen=one.filter(NOT_BOUGHT)))[0]
        one.event("user-01", first, kind="Purchase")
        after = ids(ask(one, "user-01", 500, chosen=one.filter(NOT_BOUGHT)))
        assert first not in after
        assert len(after) == len(CATALOGUE + COLD) - 1
        assert first in ids(ask(one, "user-02", 500, chosen=one.filter(NOT_BOUGHT)))


def test_a_filter_of_little_seen_leaves_the_weights_of_answers_with_what_was_seen(tmp_path_factory):
    everything = 'EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("*")'
    no_books = 'EXCLUDE ItemID WHERE Items.GENRE IN ("books")'
    with made(tmp_path_factory, V1) as one:
        for place, kind in enumerate(("view", "view", "view", "purchase", "view")):
            one.event("u", CATALOGUE[place], kind=kind)
        filters, user = one.deployment.filters, one.deployment.scorer.state("u")
        assert filters.excludes_seen(one.filter(everything), user)
        assert filters.excludes_seen(one.filter(f"{everything} | {no_books}"), user)
        assert not filters.excludes_seen(one.filter(NOT_BOUGHT), user)
        assert not filters.excludes_seen(one.filter(f"{NOT_BOUGHT} | {no_books}"), user)
        assert not filters.excludes_seen(one.filter(no_books), user)
        assert not filters.excludes_seen(None, user)
        # Whoever bought most of what was seen has hardly anything left of it.
        for place in range(3):
            one.event("u", CATALOGUE[place], kind="purchase")
        ask(one, "u")
        assert filters.excludes_seen(one.filter(NOT_BOUGHT), one.deployment.scorer.state("u"))


def test_only_what_the_user_met(tmp_path_factory):
    with made(tmp_path_factory, V1) as one:
        chosen = one.filter('INCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("like")')
        assert ask(one, "user-01", 10, chosen=chosen) == []
        one.event("user-01", "item-09", kind="like")
        one.event("user-01", "unknown", kind="like")
        assert ids(ask(one, "user-01", 10, chosen=chosen)) == ["item-09"]


def test_old_events_count_without_a_window_and_not_beyond_one(tmp_path_factory):
    expression = 'EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("*")'
    for window, gone in ((0, {"item-00", "item-01"}), (1, {"item-01"})):
        with made(tmp_path_factory, POPULAR, window=window) as one:
            one.event("u", "item-00", time=NOW - 5 * 365 * 86_400)
            one.event("u", "item-01")
            left = ids(ask(one, "u", 500, chosen=one.filter(expression)))
            assert set(CATALOGUE) - set(left) == gone


def test_conditions_on_the_user(tmp_path_factory):
    with made(tmp_path_factory, POPULAR) as one:
        chosen = one.filter('INCLUDE ItemID WHERE Items.GENRE IN ("books") IF CurrentUser.AGE > 18')
        books = {item for item in CATALOGUE if genre(item) == "books"} | {COLD[0]}
        assert set(ids(ask(one, "user-00", 500, chosen=chosen))) == books
        assert len(ask(one, "user-01", 500, chosen=chosen)) == len(CATALOGUE + COLD)
        one.put_user("user-01", AGE=40)
        assert set(ids(ask(one, "user-01", 500, chosen=chosen))) == books
        one.put_user("user-00", AGE=4)
        assert len(ask(one, "user-00", 500, chosen=chosen)) == len(CATALOGUE + COLD)


def test_a_put_item_is_filtered_at_once(tmp_path_factory):
    with made(tmp_path_factory, V1) as one:
        chosen = one.filter('INCLUDE ItemID WHERE Items.GENRE IN ("novelty")')
        assert ask(one, "user-01", chosen=chosen) == []
        one.put_item("item-05", GENRE="novelty|games")
        one.put_item("fresh", GENRE="novelty")
        assert ids(ask(one, "user-01", chosen=chosen)) == ["item-05"]


# -- promotions and metadata


def test_promoted_items_stand_among_the_others(v1):
    promotion = Promotion("sale", 30, v1.filter('INCLUDE ItemID WHERE Items.GENRE IN ("music")'))
    entries = ask(v1, "user-01", 10, promotion=promotion, seed="RID-1")
    promoted = [entry for entry in entries if entry.promotion_name == "sale"]
    others = [entry for entry in entries if entry.promotion_name != "sale"]
    assert len(entries) == len(set(ids(entries))) == 10
    assert len(promoted) == 3
    assert {genre(item) for item in ids(promoted)} == {"music"}
    for part in (promoted, others):
        assert scores(part) == sorted(scores(part), reverse=True)


def test_too_few_items_to_promote_are_made_up_for(v2):
    promotion = Promotion("cold", 50, v2.filter("INCLUDE ItemID WHERE Items.PRICE >= 29"))
    entries = ask(v2, "user-01", 10, promotion=promotion)
    promoted = [entry for entry in entries if entry.promotion_name == "cold"]
    assert ids(promoted) == ["item-29", *COLD]
    assert [entry.reason for entry in promoted] == [["Promoted item"]] * 3
    assert len(entries) == 10


def test_the_request_filter_does_not_touch_promoted_items(v1):
    promotion = Promotion("sale", 100, v1.filter('INCLUDE ItemID WHERE Items.GENRE IN ("music")'))
    chosen = v1.filter('EXCLUDE ItemID WHERE Items.GENRE IN ("music", "games")')
    entries = ask(v1, "user-01", 15, promotion=promotion, chosen=chosen)
    names = {True: set(), False: set()}
    for entry in entries:
        names[entry.promotion_name == "sale"].add(entry.item_id)
    assert len(names[True]) == 10
    assert len(names[False]) == 5
    assert {genre(item) for item in names[False] if item in CATALOGUE} == {"books"}


def test_metadata_is_of_now(tmp_path_factory):
    with made(tmp_path_factory, POPULAR) as one:
        before = {e.item_id: e.metadata for e in ask(one, None, 500, columns=["GENRE", "PRICE"])}
        assert before["item-04"] == {"GENRE": "games", "PRICE": "4"}
        one.put_item("item-04", PRICE=2.5)
        after = {e.item_id: e.metadata for e in ask(one, None, 500, columns=["GENRE", "PRICE"])}
        assert after["item-04"] == {"PRICE": "2.5"}


# -- ranking


def test_ranked_items_come_first_by_score_then_the_others_as_given(ranking):
    given = ["unknown-2", "item-01", COLD[1], "item-06", "item-04", COLD[0], "item-01", "unknown-1"]
    entries = rank(ranking.deployment, "user-01", given)
    assert ids(entries)[3:] == ["unknown-2", COLD[1], COLD[0], "unknown-1"]
    assert ids(entries)[2] == "item-06"
    assert sum(scores(entries[:3])) == pytest.approx(1, abs=1e-5)
    assert not any(isinstance(entry.score, float) for entry in entries[3:])


def test_an_unknown_user_is_ranked_by_popularity(ranking, popular):
    given = sorted(CATALOGUE)
    order = ids(ask(popular, None, 30))
    entries = rank(ranking.deployment, "nobody", given)
    assert ids(entries) == order
    assert sum(scores(entries)) == pytest.approx(1, abs=1e-5)


def test_ranking_filters_items_the_model_does_not_know(tmp_path_factory):
    with made(tmp_path_factory, RANKING) as one:
        one.put_item("fresh-music", GENRE="music")
        one.put_item("fresh-book", GENRE="books")
        given = ["nowhere", "fresh-music", "fresh-book", "item-01", "item-02"]
        chosen = one.filter('INCLUDE ItemID WHERE Items.GENRE IN ("music")')
        assert ids(rank(one.deployment, "user-01", given, chosen)) == ["item-02", "fresh-music"]
        rest = one.filter('EXCLUDE ItemID WHERE Items.GENRE IN ("music")')
        assert ids(rank(one.deployment, "user-01", given, rest)) == ["item-01", "nowhere", "fresh-book"]
        one.event("user-01", "nowhere", kind="purchase")
        left = ids(rank(one.deployment, "user-01", given, one.filter(NOT_BOUGHT)))
        assert "nowhere" not in left
        assert "fresh-book" in left


def test_ranking_scores_are_not_rescaled_by_a_filter(ranking):
    everything = {e.item_id: e.score for e in rank(ranking.deployment, "user-01", CATALOGUE[:6])}
    chosen = ranking.filter("INCLUDE ItemID WHERE Items.PRICE < 3")
    left = {e.item_id: e.score for e in rank(ranking.deployment, "user-01", CATALOGUE[:6], chosen)}
    assert left == {item: everything[item] for item in CATALOGUE[:3]}


def test_ranking_with_metadata(ranking):
    entries = rank(ranking.deployment, "user-01", ["item-01", "unknown"], None, ["GENRE"])
    assert [entry.metadata for entry in entries] == [{"GENRE": "games"}, {}]


# -- what is kept


def test_what_is_kept_stays_within_its_bound(tmp_path_factory):
    with made(tmp_path_factory, V1) as one:
        one.memory = one.deployment.scorer._memory = Memory(60_000)
        for user in range(30):
            ask(one, f"user-{user:02d}", 25, chosen=one.filter(NOT_BOUGHT))
            assert one.memory.states.bytes <= 30_000
            assert one.memory.vectors.bytes <= 15_000


def test_a_model_goes_on_from_what_it_kept_of_the_user(tmp_path_factory):
    with made(tmp_path_factory, V1) as one:
        events = one.loaded.artifact.history("user-01")[0]
        model = one.loaded.model.model
        rng = np.random.default_rng(0)
        encoder = encoder_of(rng.standard_normal((len(model.items), 8), dtype=np.float32))
        weights = Weights.alike({"encoder": 1.0}, {"encoder": 1.0})
        one.answer_with(FusedModel(model.items, model.counts, [encoder], weights))
        before = ids(ask(one, "user-01", 30))
        (kept,) = one.memory.sessions.get((one.deployment.scorer._serial, "user-01")).kept.values()
        assert len(kept.item) == len(events)
        one.event("user-01", "item-05")
        after = ids(ask(one, "user-01", 30))
        (grown,) = one.memory.sessions.get((one.deployment.scorer._serial, "user-01")).kept.values()
        assert len(grown.item) == len(events) + 1
        assert one.memory.sessions.bytes > 0
        one.memory.sessions.clear()
        one.memory.vectors.clear()
        one.memory.states.clear()
        assert ids(ask(one, "user-01", 30)) == after != before


def test_scores_are_worked_out_anew_after_their_span(tmp_path_factory):
    with made(tmp_path_factory, V1) as one:
        one.deployment.follow()
        first = one.deployment.scorer.state("user-01")
        assert one.deployment.scorer.state("user-01") is first
        one.time += 301
        assert one.deployment.scorer.state("user-01") is not first
