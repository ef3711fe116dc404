"""The recipe of docs/own-recipe.md is what it says: it passes the suite."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from openpersonalize.testing.contract import RecipeContract

PAGE = Path(__file__).parents[2] / "docs" / "own-recipe.md"


def written() -> dict[str, Any]:
    """What the first block of the page defines."""
    block = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[0]
    space: dict[str, Any] = {}
    exec(compile(block, str(PAGE), "exec"), space)
    return space


class TestThePage(RecipeContract):
    recipe = written()["CoCounts"]()
