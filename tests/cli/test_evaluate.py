"""The command on data whose figures can be counted by hand, and on the data folder of a live server."""

from __future__ import annotations

import csv
import gzip
import json
import math
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import shop
from live import Server, Wait, make_clients, make_shop
from openpersonalize.cli.main import main
from openpersonalize.evaluation import plot
from openpersonalize.recipes.registry import registry

POPULAR, PERSONAL = "aws-popularity-count", "aws-user-personalization-v2"
NDCG, MRR = "normalized_discounted_cumulative_gain_at_10", "mean_reciprocal_rank_at_25"


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["evaluate", "--threads", "1", *words])


def found(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "evaluation.json").read_text())
    return told


def of_recipe(told: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in told["results"] if one["name"] == name)


@pytest.fixture
def everybody(tmp_path: Path) -> Path:
    """100 users meet a, then b, then c."""
    path = tmp_path / "interactions.csv"
    rows = [
        f"u{user:03},{item},{60 * user + place}" for user in range(100) for place, item in enumerate("abc")
    ]
    path.write_text("\n".join(["user_id,ITEM_ID,TIMESTAMP", *rows]) + "\n")
    return path


@pytest.fixture
def clusters(tmp_path: Path) -> Path:
    """120 users, half of whom meet a0..a9 only, the others b0..b9; packed."""
    rng = np.random.default_rng(3)
    rows = [
        f"u{user:03},{'ab'[user % 2]}{item},{977 * user + 60 * place}"
        for user in range(120)
        for place, item in enumerate(rng.permutation(10)[:9].tolist())
    ]
    path = tmp_path / "clusters.csv.gz"
    path.write_bytes(gzip.compress("\n".join(["USER_ID,ITEM_ID,TIMESTAMP", *rows]).encode()))
    return path


def test_figures_that_can_be_counted(everybody: Path, tmp_path: Path) -> None:
    # Trained without everybody's last event, c is unknown: popularity lists a, b, c.
    out = tmp_path / "out"
    words = ("--minimum-data", "off", "--recipe", POPULAR, "--split", "last", "--output", str(out))
    result = run("--interactions", str(everybody), *words)
    assert result.exit_code == 0, result.output
    told = found(out)
    assert (told["interactions"], told["training_interactions"]) == (300, 200)
    assert (told["users"], told["items"]) == (100, 3)
    assert told["questions"] == {"kept": 100, "excluded": 100}
    kept, excluded = (of_recipe(told, POPULAR)["figures"][mode] for mode in ("kept", "excluded"))
    rare = math.log2(100)  # c was met by nobody: it counts as met by one of a hundred
    assert {name: kept[name]["mean"] for name in kept} == pytest.approx(
        {
            MRR: 1 / 3,
            "normalized_discounted_cumulative_gain_at_5": 0.5,
            NDCG: 0.5,
            "normalized_discounted_cumulative_gain_at_25": 0.5,
            "precision_at_5": 1 / 5,
            "precision_at_10": 1 / 10,
            "precision_at_25": 1 / 25,
            "recall_at_5": 1.0,
            "recall_at_10": 1.0,
            "recall_at_25": 1.0,
            "novelty_at_10": rare / 3,
            "diversity_at_10": 1 - 1 / 3,  # of three pairs one has the same users, two share nobody
            "popularity_at_10": 0.5,
            "popularity_bias_at_10": 0.5 - 1 / 6,
            "coverage": 1.0,
            "exposure_gini_at_10": 0.0,
        }
    )
    assert (excluded[MRR]["mean"], excluded[NDCG]["mean"]) == (1.0, 1.0)
    assert excluded["novelty_at_10"]["mean"] == pytest.approx(rare)
    assert excluded["popularity_bias_at_10"]["mean"] == pytest.approx(0.0)
    assert excluded["coverage"]["mean"] == pytest.approx(1 / 3)
    assert excluded["exposure_gini_at_10"]["mean"] == pytest.approx(2 / 3)
    assert (kept[NDCG]["low"], kept[NDCG]["high"]) == (0.5, 0.5)  # all users alike
    assert kept["coverage"]["low"] is None


def test_recipes_are_told_apart_and_seeds_averaged(clusters: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ("--recipe", POPULAR, "--recipe", f"arn:aws:personalize:::recipe/{PERSONAL}", "--split", "last")
    seeds = ("--seed", "1", "--seed", "2")
    result = run("--interactions", str(clusters), *words, *seeds, "--output", str(out))
    assert result.exit_code == 0, result.output
    told = found(out)
    assert told["baseline"] == POPULAR
    for mode in ("kept", "excluded"):
        baseline, personal = (of_recipe(told, name)["figures"][mode][NDCG] for name in (POPULAR, PERSONAL))
        assert baseline["difference"] is None
        assert len(personal["by_seed"]) == 2
        assert personal["mean"] == pytest.approx(sum(personal["by_seed"]) / 2)
        assert personal["difference"] == pytest.approx(personal["mean"] - baseline["mean"])
        assert personal["low"] < personal["mean"] < personal["high"]
        assert personal["difference_low"] <= personal["difference"] <= personal["difference_high"]
    assert of_recipe(told, PERSONAL)["figures"]["excluded"][NDCG]["difference_low"] > 0
    assert min(of_recipe(told, PERSONAL)["training_seconds"]) > 0
    rows = list(csv.DictReader((out / "evaluation.csv").open()))
    assert len(rows) == 2 * 2 * 16
    told_so = {(row["recipe"], row["mode"], row["measure"]): row["mean"] for row in rows}
    assert (
        float(told_so[PERSONAL, "kept", NDCG]) == of_recipe(told, PERSONAL)["figures"]["kept"][NDCG]["mean"]
    )
    assert (out / "evaluation.png").read_bytes().startswith(b"\x89PNG")
    lines = result.stdout.splitlines()
    assert sum(line.startswith(PERSONAL) for line in lines) == 5
    assert not any("\x1b" in line for line in lines)


def test_without_matplotlib(everybody: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plot, "available", lambda: False)
    out = tmp_path / "out"
    words = ("--minimum-data", "off", "--recipe", POPULAR, "--output", str(out))
    result = run("--interactions", str(everybody), *words)
    assert result.exit_code == 0, result.output
    assert "openpersonalize[plot]" in result.output
    assert sorted(path.name for path in out.iterdir()) == ["evaluation.csv", "evaluation.json"]


def test_wrong_rows_are_told_with_their_places(tmp_path: Path) -> None:
    path, items = tmp_path / "bad.csv", tmp_path / "items.csv"
    path.write_text("USER_ID,ITEM_ID,TIMESTAMP\nu1,a,1\nu2,,2\nu3,b,soon\n")
    items.write_text("ITEM_ID,PRICE,CREATION_TIMESTAMP\na,1.5,7\nb,2,yesterday\n")
    result = run("--interactions", str(path), "--items", str(items), "--recipe", POPULAR)
    assert result.exit_code == 2
    for place in ("bad.csv, line 3, column ITEM_ID", "bad.csv, line 4, column TIMESTAMP",
                  "items.csv, line 3, column CREATION_TIMESTAMP"):  # fmt: skip
        assert place in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "either --interactions with a CSV file or --dataset-group"),
        (("--interactions", "{file}", "--dataset-group", "shop"), "and not both"),
        (("--dataset-group", "shop", "--users", "{file}"), "leave the files out"),
        (("--dataset-group", "shop", "--data-dir", "{none}"), "is no data folder"),
        (("--interactions", "{file}", "--recipe", "nearest"), "There is no recipe nearest; it trains aws-"),
        (("--interactions", "{file}", "--recipe", "aws-hrnn"), "cannot train aws-hrnn"),
        (("--interactions", "{file}", "--recipe", "aws-item-affinity"), "aws-item-affinity ranks users"),
        (("--interactions", "{file}", "--set", "bptt=3"), "RECIPE.NAME=VALUE"),
        (("--interactions", "{file}", "--recipe", POPULAR, "--set", "aws-user-personalization.bptt=3"),
         "about a recipe that is not compared"),
        (("--interactions", "{file}", "--set", "aws-user-personalization.bptt=900"), "bptt must be between"),
        (("--interactions", "{file}", "--set", f"{POPULAR}.width=9"), "no hyperparameter 'width'"),
        (("--interactions", "{file}", "--event-type", "click"), "no EVENT_TYPE field"),
        (("--interactions", "{file}", "--schema", "{file}"), "not valid JSON"),
        (("--interactions", "{file}", "--schema", "{schema}"), "'Items', not after a file given"),
        (("--interactions", "{file}", "--users", "{file}"), "a Users file has no column ITEM_ID"),
        (("--interactions", "{schema}",), "line 1: a blank stands before the quote"),
        (("--interactions", "{items}"), "the header lacks USER_ID, TIMESTAMP"),
        (("--interactions", "{file}", "--minimum-data", "on"), "fewer than 1000 interactions"),
    ],
)  # fmt: skip
def test_wrong_words(words: tuple[str, ...], told: str, everybody: Path, tmp_path: Path) -> None:
    schema = tmp_path / "items.avsc"
    schema.write_text(shop.SCHEMAS["Items"])
    items = tmp_path / "items.csv"
    items.write_text("ITEM_ID,PRICE\na,1\n")
    places = {"file": everybody, "schema": schema, "items": items, "none": tmp_path / "none"}
    result = run(
        *(["--minimum-data", "off"] if "on" not in words else []), *(w.format(**places) for w in words)
    )
    assert result.exit_code == 2
    assert told in result.output


def test_nobody_to_ask(tmp_path: Path) -> None:
    path = tmp_path / "once.csv"
    path.write_text("USER_ID,ITEM_ID,TIMESTAMP\n" + "".join(f"u{k},a,{k}\n" for k in range(30)))
    result = run("--interactions", str(path), "--recipe", POPULAR, "--minimum-data", "off")
    assert result.exit_code == 2
    assert "leaves nobody to ask" in result.output


def test_a_dataset_group_says_what_get_solution_metrics_says(
    server: Server, region: str, personalize: Any, wait: Wait, tmp_path: Path
) -> None:
    stocked = make_shop(server, region)
    solution = personalize.create_solution(
        name="measured", datasetGroupArn=stocked.group, performAutoTraining=False,
        recipeArn=f"arn:aws:personalize:::recipe/{POPULAR}", eventType="click",
    )["solutionArn"]  # fmt: skip
    version = personalize.create_solution_version(solutionArn=solution)["solutionVersionArn"]
    wait.active(version, 120)
    metrics = personalize.get_solution_metrics(solutionVersionArn=version)["metrics"]
    out = tmp_path / "out"
    words = ("--data-dir", str(server.data), "--recipe", POPULAR, "--event-type", "click")
    result = run("--dataset-group", stocked.group, *words, "--output", str(out))
    assert result.exit_code == 0, result.output
    told = found(out)
    figures = of_recipe(told, POPULAR)["figures"]["kept"]
    assert told["split"] == "user"
    assert {name: round(figures[name]["mean"], 4) for name in metrics} == metrics
    missing = run("--dataset-group", "nowhere", *words)
    assert missing.exit_code == 2
    assert "There is no dataset group nowhere" in missing.output


def test_a_dataset_group_by_its_name(server: Server, region: str) -> None:
    elsewhere = f"{region}x"
    named = f"named-{region}"
    arns = []
    for clients in (make_clients(server.endpoint, region), make_clients(server.endpoint, elsewhere)):
        arns.append(clients.personalize.create_dataset_group(name=named)["datasetGroupArn"])
        result = run("--dataset-group", named, "--data-dir", str(server.data), "--recipe", POPULAR)
        assert result.exit_code == 2
        told = f"The dataset group {named} has no Interactions dataset" if len(arns) == 1 else ", ".join(arns)
        assert told in result.output


THEIRS = """
import numpy as np
from openpersonalize.errors import JobFailed
from openpersonalize.recipes.facts import Facts, Task
from openpersonalize.recipes.item_counts import ItemCounts
from openpersonalize.recipes.popularity_count import PopularityModel
from openpersonalize.recipes.recipe import API, Recipe


class LastFirst(Recipe):
    api = API
    facts = Facts("last-first", Task.PERSONALISE, "the last item of the alphabet")

    def fit(self, data, configuration, training):
        order = np.arange(len(data.ranked.ids), dtype=np.int32)
        return PopularityModel(ItemCounts(order.astype(np.float32), order[::-1].copy()))

    def load(self, folder, ids, counts):
        raise NotImplementedError


class OfShops(LastFirst):
    facts = Facts("of-shops", Task.PERSONALISE, "for shops", domain="ECOMMERCE")


class Wanting(LastFirst):
    facts = Facts("wanting", Task.PERSONALISE, "with items", needs=("INTERACTIONS", "ITEMS"))


class TooLittle(LastFirst):
    facts = Facts("too-little", Task.PERSONALISE, "for larger machines")

    def fit(self, data, configuration, training):
        raise JobFailed("The machine has too little memory.")


class Interrupted(LastFirst):
    facts = Facts("interrupted", Task.PERSONALISE, "somebody presses Ctrl-C")

    def fit(self, data, configuration, training):
        raise KeyboardInterrupt
"""


@pytest.fixture
def installed(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., None]]:
    """Installs a package that announces recipes of `THEIRS`, by the names of their classes."""
    folder = tmp_path_factory.mktemp("packages")

    def install(*names: str) -> None:
        about = folder / "their_recipes-1.0.dist-info"
        about.mkdir()
        (folder / "their_recipes.py").write_text(THEIRS)
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: their-recipes\nVersion: 1.0\n")
        points = "".join(f"{name} = their_recipes:{name}\n" for name in names)
        (about / "entry_points.txt").write_text(f"[openpersonalize.recipes]\n{points}")
        monkeypatch.syspath_prepend(folder)
        registry.cache_clear()

    yield install
    monkeypatch.undo()
    registry.cache_clear()


def test_without_recipes_all_are_compared_an_installed_one_too(
    everybody: Path, tmp_path: Path, installed: Callable[..., None]
) -> None:
    installed("LastFirst", "OfShops", "Wanting")
    out = tmp_path / "out"
    words = ("--minimum-data", "off", "--split", "last", "--output", str(out))
    result = run("--interactions", str(everybody), *words)
    assert result.exit_code == 0, result.output
    told = found(out)
    names = [one["name"] for one in told["results"]]
    assert names[0] == POPULAR
    assert names[-1] == "last-first"
    assert {PERSONAL, "aws-user-personalization", "aws-personalized-ranking"} < set(names)
    assert not {"of-shops", "wanting"} & set(names)
    assert of_recipe(told, "last-first")["figures"]["kept"][MRR]["mean"] == 1.0


def test_a_recipe_that_fails_is_told_and_the_others_compared(
    everybody: Path, tmp_path: Path, installed: Callable[..., None]
) -> None:
    installed("TooLittle")
    out = tmp_path / "out"
    words = ("--minimum-data", "off", "--recipe", "too-little", "--recipe", POPULAR, "--split", "last")
    result = run("--interactions", str(everybody), *words, "--output", str(out))
    assert result.exit_code == 2
    assert result.stdout.rstrip().endswith("too-little: The machine has too little memory.")
    assert result.stderr.rstrip().endswith("Could not be compared: too-little. The report says why.")
    told = found(out)
    assert (told["baseline"], [one["name"] for one in told["results"]]) == (POPULAR, [POPULAR])
    assert told["failures"][0]["name"] == "too-little"


def test_interrupted(
    everybody: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: Callable[..., None]
) -> None:
    installed("Interrupted")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    words = ("--minimum-data", "off", "--recipe", "interrupted", "--output", str(tmp_path / "out"))
    result = run("--interactions", str(everybody), *words)
    assert result.exit_code == 1
    assert "Aborted!" in result.output
    assert [path.name for path in tmp_path.iterdir()] == [everybody.name]  # nothing is left behind
