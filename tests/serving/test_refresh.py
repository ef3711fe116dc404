"""What an answer needs is ready before it: no catalogue is scored on the event loop that is large."""

import asyncio
import threading
from dataclasses import replace

import pytest

from openpersonalize.serving.answer import Question, answer, subject
from openpersonalize.serving.refresh import Readiness

from .making import CATALOGUE, Made

EXCLUDING = "EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN (*)"
CHEAP = "INCLUDE ItemID WHERE Items.PRICE < 20"
QUESTIONS = {
    "aws-similar-items": [
        {"item": "item-04"},
        {"item": "item-05", "user": "user-01", "chosen": EXCLUDING},
        {"item": "item-06", "chosen": CHEAP},
        {"item": "unknown"},
    ],
    "aws-user-personalization": [
        {"user": "user-01"},
        {"user": "user-01", "chosen": EXCLUDING},
        {"user": "nobody"},
        {"user": None},
    ],
}


class Noting:
    """The threads in which a model scores everything."""

    def __init__(self, made):
        self.threads = []
        self.model = made.loaded.model
        scores = self.model.scores

        def noted(query):
            self.threads.append(threading.current_thread())
            return scores(query)

        self.model.scores = noted


async def asked(made, readiness, question):
    """As GetRecommendations does it."""
    about = subject(made.deployment, question)
    await readiness.ready(made.deployment, about, {}, question.item, records=True, chosen=question.chosen)
    return [entry.item_id for entry in answer(made.deployment, question)]


def questions(made, recipe):
    for one in QUESTIONS[recipe]:
        chosen = made.filter(one["chosen"]) if "chosen" in one else None
        yield Question(**{"user": None, **one, "chosen": chosen, "count": 5})


@pytest.mark.parametrize("recipe", list(QUESTIONS))
def test_a_large_catalogue_is_scored_in_a_thread_and_the_answers_are_the_same(tmp_path, recipe):
    found = {}
    for large in (False, True):
        folder = tmp_path / str(large)
        folder.mkdir()
        made = Made(folder, recipe, scored_at_once=5 if large else 1_000)
        noting = Noting(made)

        async def journey(made=made):
            readiness = Readiness(made.consumer)
            try:
                return [await asked(made, readiness, one) for one in questions(made, recipe)]
            finally:
                readiness.close()

        found[large] = asyncio.run(journey())
        assert noting.threads
        here = threading.current_thread()
        assert {one is here for one in noting.threads} == {not large}
        made.close()
    assert found[True] == found[False]
    assert all(len(one) == 5 for one in found[True])


def test_what_many_ask_at_once_is_scored_once_and_kept(tmp_path):
    made = Made(tmp_path, "aws-similar-items", scored_at_once=5)
    noting = Noting(made)
    question = Question(None, 5, item=CATALOGUE[4])

    async def journey():
        readiness = Readiness(made.consumer)
        answers = await asyncio.gather(*(asked(made, readiness, question) for _ in range(8)))
        assert all(one == answers[0] for one in answers)
        assert await asked(made, readiness, question) == answers[0]
        assert len(noting.threads) == 1
        await asked(made, readiness, replace(question, item=CATALOGUE[7]))
        assert len(noting.threads) == 2
        readiness.close()

    asyncio.run(journey())
    made.close()
