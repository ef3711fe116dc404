"""The recipes of a machine: what the command lists, and a broken package that stops the start."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from cli.test_serve import refused
from openpersonalize.cli.main import main
from openpersonalize.recipes.registry import registry


def test_every_recipe_with_its_package_and_the_version_of_its_contract() -> None:
    done = CliRunner().invoke(main, ["recipes"])
    assert done.exit_code == 0
    head, *lines = done.output.splitlines()
    assert head.split() == ["RECIPE", "TYPE", "TRAINS", "PACKAGE", "API"]
    assert [line.split()[0] for line in lines] == [one.facts.name for one in registry().all()]
    line = next(one for one in lines if one.startswith("aws-popularity-count"))
    assert line.split()[1:4] == ["USER_PERSONALIZATION", "yes", "openpersonalize"]
    assert line.split()[-1] == "1"


def announced(folder: Path, point: str, code: str) -> dict[str, str]:
    """The environment of a machine on which a package of this one module is installed."""
    info = folder / "broken-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[openpersonalize.recipes]\nmine = {point}\n")
    (folder / "broken.py").write_text(code)
    return {"PYTHONPATH": f"{Path(__file__).parents[2] / 'src'}:{folder}"}


def test_a_package_that_cannot_be_loaded_stops_the_start(tmp_path: Path) -> None:
    environment = announced(tmp_path / "site", "nothing_here:recipe", "")
    sentence = refused("--port", "0", "--data-dir", str(tmp_path / "data"), environment=environment)
    for part in ("package broken", "recipe mine", "No module named 'nothing_here'", "remove it"):
        assert part in sentence
    assert not (tmp_path / "data").exists()


def test_a_recipe_of_another_contract_stops_the_start(tmp_path: Path) -> None:
    code = """
from openpersonalize.recipes.facts import Facts, Task
from openpersonalize.recipes.recipe import Recipe


class Mine(Recipe):
    api = 2
    facts = Facts("mine", Task.PERSONALISE, "Mine.")

    def fit(self, data, configuration, training):
        raise AssertionError

    def load(self, folder, ids, counts):
        raise AssertionError
"""
    environment = announced(tmp_path / "site", "broken:Mine", code)
    sentence = refused("--port", "0", "--data-dir", str(tmp_path / "data"), environment=environment)
    assert "states version 2 of the recipe contract; this release takes 1" in sentence
