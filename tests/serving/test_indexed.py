"""Answers of a model with an index are those of one without, whatever is asked."""

from __future__ import annotations

import numpy as np
import pytest

from openpersonalize.exploration.config import Exploration
from openpersonalize.recipes.user_personalization import UserPersonalization
from openpersonalize.serving.answer import Promotion, Question, answer
from openpersonalize.serving.ranking import rank

from .making import CATALOGUE, COLD, Made

V1, V2, RANKING = "aws-user-personalization", "aws-user-personalization-v2", "aws-personalized-ranking"
USERS = ["user-01", "user-02", "user-14", "unknown", "newcomer", None]


@pytest.fixture(scope="module", params=[V1, V2])
def pair(request, tmp_path_factory):
    """Two deployments of one training, the first with an index, of which a short head is kept."""
    made = []
    with pytest.MonkeyPatch.context() as patch:
        for large in (0, 50_000):
            patch.setattr(UserPersonalization, "index_above", large)
            ages = {CATALOGUE[4]: 1}
            folder = tmp_path_factory.mktemp("made")
            made.append(Made(folder, request.param, ages=ages, top_rows=8, narrow=4))
        for one in made:
            one.event("newcomer", CATALOGUE[7])
            one.event("user-14", CATALOGUE[2], kind="purchase")
        assert [one.loaded.model.indexed for one in made] == [True, False]
        yield made
    for one in made:
        one.close()


def same(pair, count=10, filter=None, **more):
    """Ask both for everybody; gives the indexed answers."""
    found = []
    for user in USERS:
        asked = []
        for one in pair:
            chosen = None if filter is None else one.filter(filter)
            asked.append(answer(one.deployment, Question(user, count, chosen, **more)))
        with_index, without = asked
        assert [entry.item_id for entry in with_index] == [entry.item_id for entry in without]
        for mine, theirs in zip(with_index, without, strict=True):
            assert mine.reason == theirs.reason
            if isinstance(theirs.score, float):
                assert mine.score == pytest.approx(theirs.score, rel=1e-3, abs=2e-6)
        found.append(with_index)
    return found


def test_plain_answers(pair):
    assert [len(found) for found in same(pair, 5)] == [5] * len(USERS)


def test_answers_longer_than_what_is_kept(pair):
    assert {len(found) for found in same(pair, 30)} == {30}
    assert {len(found) for found in same(pair, 100)} == {32}


@pytest.mark.parametrize(
    "expression",
    [
        'INCLUDE ItemID WHERE Items.GENRE IN ("music")',
        "INCLUDE ItemID WHERE Items.PRICE < 3",  # narrow: scored alone
        "INCLUDE ItemID WHERE Items.PRICE > 29",
        "INCLUDE ItemID WHERE Items.PRICE > 1000",
        'EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("*")',
        'EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("purchase")',
        'INCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("click")',
    ],
)
def test_filters(pair, expression):
    same(pair, 6, expression)


def test_promotions(pair):
    for one in pair:
        assert one.filter("INCLUDE ItemID WHERE Items.PRICE > 29") is not None
    for user in USERS[:3]:
        found = []
        for one in pair:
            promotion = Promotion("cold", 40, one.filter("INCLUDE ItemID WHERE Items.PRICE > 27"))
            question = Question(user, 5, promotion=promotion, seed="x")
            found.append([entry.item_id for entry in answer(one.deployment, question)])
        assert found[0] == found[1]
        assert set(found[0]) & {*COLD, *CATALOGUE[28:]}


def test_everybody_draws_from_the_same_scores(pair):
    """What exploration knows of a user: who draws, from which scores, and how likely."""
    shortlists = []
    for one in pair:
        own = one.deployment
        candidates = own.tracker.counts
        for user in ("user-01", "newcomer"):
            state = own.scorer.state(user)
            shortlists.append(own.exploration.candidates(state, False, candidates, 30.0))
            entries = answer(own, Question(user, 5, exploration=Exploration(1.0, 30.0)))
            assert len(entries) == 5
    for mine, theirs in zip(shortlists[:2], shortlists[2:], strict=True):
        assert np.array_equal(mine.rows, theirs.rows)
        assert np.allclose(mine.relevance, theirs.relevance, atol=0.01)
        assert np.allclose(mine.before, theirs.before, atol=0.01)
        assert np.allclose(mine.weight, theirs.weight, rtol=0.05)


def test_a_ranking_scores_what_it_was_given(pair):
    for user in ("user-01", "newcomer", "unknown"):
        given = [*CATALOGUE[3:9], "nobody-knows-it", COLD[0]]
        found = [rank(one.deployment, user, given) for one in pair]
        assert [entry.item_id for entry in found[0]] == [entry.item_id for entry in found[1]]
        for mine, theirs in zip(*found, strict=True):
            if isinstance(theirs.score, float):
                assert mine.score == pytest.approx(theirs.score, abs=2e-6)


def test_no_user_has_the_catalogue_scored_but_for_a_wide_filter(pair, monkeypatch):
    one = pair[0]
    model, passes = one.loaded.model, []
    whole = model.scores
    monkeypatch.setattr(model, "scores", lambda query: passes.append(query) or whole(query))
    one.event("user-20", CATALOGUE[5])
    answer(one.deployment, Question("user-20", 5))
    answer(one.deployment, Question("user-20", 2, one.filter("INCLUDE ItemID WHERE Items.PRICE < 3")))
    rank(one.deployment, "user-20", CATALOGUE[:5])
    assert not passes
    found = answer(
        one.deployment, Question("user-20", 12, one.filter("INCLUDE ItemID WHERE Items.PRICE > 5"))
    )
    assert len(found) == 12
    assert len(passes) == 1
