"""Items that came after training, ranked among the others by a model that can."""

from __future__ import annotations

import pytest

from openpersonalize.serving.answer import Promotion, Question, answer
from openpersonalize.serving.popularity_feed import PopularityFeed
from openpersonalize.serving.states import FRESH_SECONDS

from .making import CATALOGUE, Made, handed


class Trending(Made):
    """A deployment of aws-trending-now that is told what is streamed."""

    def __init__(self, folder):
        super().__init__(folder, "aws-trending-now", ages={})
        self.feed = PopularityFeed(self.loaded, lambda: self.time)

    def users_of(self, item, count, first=0):
        for user in range(first, first + count):
            self.event(f"fan-{user}", item)

    def told(self):
        """A span of the clock later everything is known."""
        self.time += FRESH_SECONDS
        handed(self.log, self.feed)
        self.advance()

    def ids(self, count=10, user=None, **more):
        if "chosen" in more:
            more["chosen"] = self.filter(more["chosen"])
        return [one.item_id for one in answer(self.deployment, Question(user, count, **more))]


@pytest.fixture(scope="module")
def trending(tmp_path_factory):
    """Nine users of `hit`, a new game, five of `talk`, of which there is no record, three of an old item."""
    one = Trending(tmp_path_factory.mktemp("made"))
    one.put_item("hit", GENRE="games", PRICE=3.0)
    one.put_item("unused", GENRE="games", PRICE=3.0)
    one.users_of("hit", 9)
    one.users_of("talk", 5)
    one.users_of(CATALOGUE[7], 3)
    for _ in range(400):
        one.event("robot", CATALOGUE[8])
    one.told()
    yield one
    one.close()


def test_they_stand_where_their_trend_puts_them(trending):
    assert trending.ids(4) == ["hit", "talk", CATALOGUE[7], CATALOGUE[8]]


def test_an_answer_can_hold_the_whole_catalogue_and_them(trending):
    found = trending.ids(100)
    assert len(found) == len(set(found)) == len(trending.loaded.names) + 3
    assert {"hit", "talk", *trending.loaded.names} == set(found[:-1])
    assert found[-1] == "unused"  # it was put, and nobody used it: it fills up
    assert "unused" not in trending.ids(len(found) - 1)


def test_filters_hold_for_them(trending):
    assert trending.ids(2, chosen='EXCLUDE ItemID WHERE Items.GENRE IN ("games")')[0] == "talk"
    assert trending.ids(1, chosen='INCLUDE ItemID WHERE Items.GENRE IN ("games")') == ["hit"]
    met = 'EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("*")'
    assert trending.ids(1, user="fan-0", chosen=met) == [CATALOGUE[8]]
    assert trending.ids(2, user="fan-7", chosen=met) == ["talk", CATALOGUE[7]]


def test_they_are_promoted_once(trending):
    promotion = Promotion("games", 20, trending.filter('INCLUDE ItemID WHERE Items.GENRE IN ("games")'))
    found = answer(trending.deployment, Question(None, 10, promotion=promotion, seed="s"))
    names = [one.item_id for one in found]
    promoted = [one.item_id for one in found if isinstance(one.promotion_name, str)]
    assert len(set(names)) == 10
    assert "hit" in promoted
    assert len(promoted) == 2


def test_their_time_is_over_by_the_clock(tmp_path):
    one = Trending(tmp_path)
    one.users_of("hit", 9)
    one.told()
    assert one.ids(1) == ["hit"]
    one.time += 5 * 3600
    assert "hit" not in one.ids(100)
    one.users_of("talk", 2, first=20)
    one.told()
    assert one.ids(1) == ["talk"]
    assert "hit" not in one.ids(100)
    one.close()


def test_one_with_a_record_fills_up_when_its_time_is_over(tmp_path):
    one = Trending(tmp_path)
    one.put_item("hit", GENRE="games", PRICE=3.0)
    one.users_of("hit", 9)
    one.users_of("talk", 9)
    one.told()
    assert set(one.ids(2)) == {"hit", "talk"}
    one.time += 5 * 3600
    one.advance()
    assert one.ids(100)[-1] == "hit"
    assert len(one.ids(100)) == len(one.loaded.names) + 1
    assert "hit" not in one.ids(len(one.loaded.names))
    one.close()
