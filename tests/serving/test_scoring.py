"""The online scorer keeps the scorers' contract, with and without an index."""

import pytest

from contract.scorer import ScorerContract
from openpersonalize.recipes.user_personalization import UserPersonalization

from .making import CATALOGUE, Made

V1, V2, POPULAR = "aws-user-personalization", "aws-user-personalization-v2", "aws-popularity-count"


@pytest.fixture(
    scope="module",
    params=[(V1, False), (V2, False), (POPULAR, False), (V1, True), (V2, True)],
    ids=lambda case: case[0] + (" indexed" if case[1] else ""),
)
def made(request, tmp_path_factory):
    recipe, is_indexed = request.param
    with pytest.MonkeyPatch.context() as patch:
        if is_indexed:
            patch.setattr(UserPersonalization, "index_above", 0)
        one = Made(tmp_path_factory.mktemp("made"), recipe, top_rows=8, narrow=4)
    assert one.loaded.model.indexed == is_indexed
    one.event("newcomer", CATALOGUE[7])
    one.event("user-14", CATALOGUE[2], kind="purchase")
    one.event("user-14", "unheard-of")
    one.deployment.follow()
    yield one
    one.close()


class TestOnlineScorer(ScorerContract):
    @pytest.fixture
    def asked(self, made):
        return made.deployment.scorer, made.loaded
