"""The batch scorer keeps the scorers' contract, one by one and in blocks."""

import numpy as np
import pytest

from contract.scorer import USERS, ScorerContract
from openpersonalize.batch.scorer import BatchScorer
from openpersonalize.exploration.candidates import floor_score_of
from openpersonalize.recipes.user_personalization import UserPersonalization
from serving.making import CATALOGUE, STREAM, Made


@pytest.fixture(
    scope="module",
    params=[
        ("aws-user-personalization", False),
        ("aws-popularity-count", False),
        ("aws-user-personalization", True),
    ],
    ids=lambda case: case[0] + (" indexed" if case[1] else ""),
)
def made(request, tmp_path_factory):
    recipe, is_indexed = request.param
    with pytest.MonkeyPatch.context() as patch:
        if is_indexed:
            patch.setattr(UserPersonalization, "index_above", 0)
        one = Made(tmp_path_factory.mktemp("made"), recipe, top_rows=8, narrow=4)
    one.event("newcomer", CATALOGUE[7])
    one.event("user-14", CATALOGUE[2], kind="purchase")
    one.event("user-14", "unheard-of")
    one.deployment.follow()
    yield one
    one.close()


class TestBatchScorer(ScorerContract):
    @pytest.fixture(params=[False, True], ids=["alone", "in a block"])
    def asked(self, made, request):
        tail = made.log.tail()
        scorer = BatchScorer(
            made.loaded,
            made.items,
            histories=lambda users: tail.histories(STREAM, users),
            now=made.time,
            top_rows=8,
            narrow=4,
        )
        if request.param:
            scorer.prepare((scorer.state(user), seen) for user in USERS for seen in (False, True))
        yield scorer, made.loaded
        tail.close()

    def test_it_says_what_the_online_scorer_says(self, made, asked):
        scorer, _ = asked
        online = made.deployment.scorer
        for user in USERS:
            for seen in (False, True):
                mine = scorer.scores(scorer.state(user), seen)
                assert np.allclose(mine, online.scores(online.state(user), seen), atol=1e-4)

    def test_the_order_is_that_of_the_online_scorer(self, made, asked):
        scorer, _ = asked
        online = made.deployment.scorer
        for user in USERS:
            for seen in (False, True):
                mine, theirs = (
                    scorer.ranked(scorer.state(user), seen),
                    online.ranked(online.state(user), seen),
                )
                assert np.allclose(mine.values, theirs.values, atol=1e-4)
                assert np.allclose(mine.probabilities, theirs.probabilities, atol=1e-6)
                assert mine.complete == theirs.complete
                assert mine.log_total == pytest.approx(theirs.log_total, abs=1e-4)

    def test_what_users_of_a_block_did_is_read_at_once(self, asked):
        scorer, _ = asked
        scorer.begin({"user-14", "newcomer", "nobody-knows"})
        assert len(scorer.state("user-14").live) == 2
        assert len(scorer.state("newcomer").live) == 1
        assert len(scorer.state("nobody-knows").live) == 0

    def test_the_low_scores_of_a_block_are_those_of_each_user(self, made):
        if made.loaded.model.indexed:
            pytest.skip("of an indexed model's users no block is scored")
        scorer = BatchScorer(made.loaded, made.items, histories=lambda _: {}, now=made.time, explores=True)
        states = {user: scorer.state(user) for user in USERS}
        scorer.prepare((state, False) for state in states.values())
        low = {user: scorer.ranked(state, False).floor_score for user, state in states.items()}
        known = [user for user in USERS if low[user] is not None]
        assert known or made.loaded.recipe.name == "aws-popularity-count"
        for user in known:
            mine = floor_score_of(scorer.scores(states[user], False))
            assert low[user] == pytest.approx(mine, abs=1e-4)

    def test_nothing_is_kept_of_a_block(self, asked):
        scorer, _ = asked
        first = scorer.state("user-14")
        scorer.begin()
        assert scorer.state("user-14") is not first
