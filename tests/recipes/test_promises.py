"""Every recipe of the catalogue has a file that holds its promises."""

from __future__ import annotations

from pathlib import Path

import promises
from openpersonalize.recipes.catalogue import CATALOGUE


def test_no_recipe_of_the_catalogue_is_left_out() -> None:
    assert promises.HELD_BY.keys() == {facts.name for facts in CATALOGUE}
    for recipe, file in promises.HELD_BY.items():
        text = (Path(__file__).parents[1] / file).read_text()
        assert "promises.metrics_of" in text, f"{file} says nothing of the metrics of {recipe}"
        personal = next(facts.task.personal for facts in CATALOGUE if facts.name == recipe)
        assert (recipe in promises.AT_ONCE) == personal
