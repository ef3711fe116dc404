"""What every scorer must keep to. A test class per implementation inherits `ScorerContract`."""

from __future__ import annotations

import numpy as np
import pytest

from openpersonalize.serving.ranked import CandidateMask

USERS = ["user-01", "user-14", "newcomer", "nobody-knows", None]
"""Known to training, known with streamed events, streamed only, unknown, nobody in particular."""

CLOSE = 0.01
"""How near a log-score must be that is worked out alone, of one that is worked out with all others."""


class ScorerContract:
    """Inherit, and define the fixture `asked`: (scorer, loaded version) of a group in which ``user-14`` and
    ``newcomer`` have streamed events since the training."""

    @pytest.fixture
    def asked(self):
        raise NotImplementedError

    @pytest.fixture(params=[False, True], ids=["all", "seen excluded"])
    def seen_excluded(self, request):
        return request.param

    def test_scores_are_the_models_for_the_users_question(self, asked, seen_excluded):
        scorer, loaded = asked
        for user in USERS:
            state = scorer.state(user)
            query = scorer.query(state, seen_excluded)
            if query is None:
                query = scorer.query(scorer.state(None), seen_excluded)
            expected = loaded.model.scores(query).copy()
            if loaded.unscored is not None:
                expected[loaded.unscored] = -np.inf
            found = scorer.scores(state, seen_excluded)
            assert found.dtype == np.float32
            assert np.allclose(found, expected, atol=1e-4), user

    def test_the_same_question_has_the_same_answer(self, asked, seen_excluded):
        scorer, _ = asked
        for user in USERS:
            first = scorer.scores(scorer.state(user), seen_excluded).copy()
            assert np.array_equal(scorer.scores(scorer.state(user), seen_excluded), first)

    def test_whoever_is_not_known_gets_everybodys(self, asked, seen_excluded):
        scorer, _ = asked
        everybody = scorer.scores(scorer.state(None), seen_excluded)
        assert np.array_equal(scorer.scores(scorer.state("nobody-knows"), seen_excluded), everybody)

    def test_the_order_is_that_of_the_scores(self, asked, seen_excluded):
        scorer, _ = asked
        for user in USERS:
            state = scorer.state(user)
            ranked, scores = scorer.ranked(state, seen_excluded), scorer.scores(state, seen_excluded)
            expected = np.argsort(-scores, kind="stable")[: len(ranked.top_rows)]
            assert ranked.top_rows.tolist() == expected.tolist()
            assert np.allclose(ranked.values, scores[expected], atol=1e-4)
            finite = scores[scores > -np.inf].astype(np.float64)
            assert ranked.log_total == pytest.approx(np.log(np.exp(finite).sum()), abs=1e-3)

    def test_scores_of_some_rows_are_those_of_all(self, asked, seen_excluded):
        """Of items with interactions; the others come last, however far behind."""
        scorer, loaded = asked
        rows = np.arange(0, len(loaded.names), 3)
        keep = np.zeros(len(loaded.names), dtype=np.bool_)
        keep[rows] = True
        known = loaded.counts.interacted[rows]
        assert 0 < known.sum() < len(rows)
        for user in USERS:
            state = scorer.state(user)
            scores = scorer.scores(state, seen_excluded)[rows]
            some = scorer.scores_at(state, seen_excluded, rows)
            within = scorer.scores_within(state, seen_excluded, CandidateMask(keep))[rows]
            for found in (some, within):
                assert np.allclose(found[known], scores[known], atol=CLOSE), user
                assert found[~known].max() < found[known].min()

    def test_every_row_has_a_score_behind_what_is_shown(self, asked, seen_excluded):
        scorer, loaded = asked
        rows, known = np.arange(len(loaded.names)), loaded.counts.interacted
        for user in USERS:
            state = scorer.state(user)
            found = scorer.scores_at(state, seen_excluded, rows, unscored=True)
            assert np.isfinite(found).all()
            assert np.allclose(found[known], scorer.scores(state, seen_excluded)[known], atol=CLOSE)

    def test_rows_of_streamed_events_are_those_of_their_items(self, asked):
        scorer, loaded = asked
        for user in ("user-14", "newcomer"):
            state = scorer.state(user)
            expected = [loaded.names.find(item) for item in state.live.items()]
            assert expected
            assert scorer.live_rows(state).tolist() == expected
