"""A training from snapshots and streamed data to a published artifact."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import openpersonalize
import openpersonalize.training.fit as fitting
from openpersonalize.clock import SystemClock
from openpersonalize.datasets.holdout import HoldOut
from openpersonalize.datasets.schemas import parse_schema
from openpersonalize.datasets.sequences import Sequences
from openpersonalize.datasets.snapshot_writer import SnapshotWriter
from openpersonalize.datasets.splits import folds
from openpersonalize.engine.task import Report, Task
from openpersonalize.errors import JobFailed, JobStopped
from openpersonalize.events.entries import Event, Record
from openpersonalize.events.livelog import stream_of
from openpersonalize.events.stores import open_live_log, open_recommendation_log
from openpersonalize.recipes.artifact import Artifact
from openpersonalize.recipes.query import Query
from openpersonalize.recipes.training import Training, TrainingData
from openpersonalize.recipes.user_personalization import UserPersonalization
from openpersonalize.settings import Settings, read_settings
from openpersonalize.storage.objects import open_objects
from openpersonalize.testing.worlds import DAY
from openpersonalize.training import trial
from openpersonalize.training.data import aligned, trained_columns
from openpersonalize.training.inputs import TrainingInputs
from openpersonalize.training.step import run

GROUP = "arn:aws:personalize:us-east-1:000000000000:dataset-group/shop"
V1, V2, SIMS = "aws-user-personalization", "aws-user-personalization-v2", "aws-sims"


def schema(name: str, *fields: tuple[str, Any]) -> str:
    members = [{"name": field, "type": kind} for field, kind in fields]
    return json.dumps({"type": "record", "name": name, "namespace": "n", "fields": members, "version": "1.0"})


INTERACTIONS = schema(
    "Interactions",
    ("USER_ID", "string"),
    ("ITEM_ID", "string"),
    ("TIMESTAMP", "long"),
    ("EVENT_TYPE", "string"),
    ("EVENT_VALUE", ["float", "null"]),
)
ITEMS = schema("Items", ("ITEM_ID", "string"), ("PRICE", "float"))


def rows(users: int = 200, each: int = 8, kinds: tuple[str, ...] = ("view", "buy")) -> pl.DataFrame:
    """Two clusters of items; every user meets one of them."""
    rng = np.random.default_rng(4)
    listed = [
        (
            f"u{user:03}",
            f"{'ab'[user % 2]}{item}",
            user * 977 + 60 * place,
            kinds[place % len(kinds)],
            float(place),
        )
        for user in range(users)
        for place, item in enumerate(rng.permutation(10)[:each].tolist())
    ]
    names = ["USER_ID", "ITEM_ID", "TIMESTAMP", "EVENT_TYPE", "EVENT_VALUE"]
    return pl.DataFrame(listed, schema=names, orient="row")


class House:
    """A data folder with the snapshots and streamed events that a test puts there."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.settings: Settings = read_settings({"data_dir": str(folder), "threads": 1, **settings}, {})
        self.objects = open_objects(self.settings)
        self.reports: list[Report] = []
        self.stopping: Callable[[], bool] = lambda: False

    def snapshot(self, kind: str, text: str, frame: pl.DataFrame, position: int = 0) -> str:
        key = f"snapshots/{kind.lower()}"
        writer = SnapshotWriter(self.objects, key, kind, text, position=position)
        writer.append(frame)
        writer.finish()
        writer.publish()
        return key

    def stream(self, stream: str, entries: list[Any]) -> int:
        log = open_live_log(self.settings, SystemClock())
        try:
            return log.append(stream, entries).result()
        finally:
            log.close()

    def train(self, recipe: str = V2, job: str = "job", **arguments: Any) -> tuple[dict[str, Any], Artifact]:
        """One run of the step; `interactions`, `items` and `users` are keys of snapshots."""
        snapshots = {kind: arguments.pop(kind.lower(), None) for kind in ("INTERACTIONS", "ITEMS", "USERS")}
        task = Task(self.settings, job, self.reports.append, lambda: self.stopping())
        given = {
            "solution": {},
            "schemas": {"INTERACTIONS": INTERACTIONS},
            "snapshots": snapshots,
            "group": GROUP,
            "position": 0,
            "moment": 400 * DAY,
            "seed": 11,
        }
        made = run(task, recipe=recipe, **{**given, **arguments})
        return made, Artifact.open(self.objects.fetch(made["artifact"]))

    def tried(self, recipe: str, **arguments: Any) -> dict[str, Any]:
        """One run of the step of a trial; `interactions` is the key of a snapshot."""
        task = Task(self.settings, "trial", self.reports.append, lambda: False)
        given = {
            "solution": {},
            "schemas": {"INTERACTIONS": INTERACTIONS},
            "snapshots": {"INTERACTIONS": arguments.pop("interactions")},
            "group": GROUP,
            "position": 0,
            "moment": 400 * DAY,
            "seed": 11,
        }
        return trial.run(task, recipe=recipe, **{**given, **arguments})

    def stages(self) -> tuple[list[str], list[str]]:
        """The stages that the last training said it would go through, and those that it went through."""
        last = max(k for k, report in enumerate(self.reports) if "plan" in report)
        steps = [one["progress"]["step"] for one in self.reports[last:] if "progress" in one]
        return [step for step, _ in self.reports[last]["plan"]], [step for step, _ in groupby(steps)]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "data")


@pytest.fixture
def stocked(house: House) -> tuple[House, str]:
    return house, house.snapshot("INTERACTIONS", INTERACTIONS, rows())


@pytest.mark.parametrize("recipe", [V2, V1, "aws-personalized-ranking-v2", "aws-popularity-count"])
def test_from_a_snapshot_to_an_artifact(stocked: tuple[House, str], recipe: str) -> None:
    house, key = stocked
    made, artifact = house.train(f"arn:aws:personalize:::recipe/{recipe}", interactions=key)
    assert artifact.verify() == []
    assert artifact.recipe.name == recipe
    assert len(artifact.users) == 200
    assert made["training_hours"] >= 0
    assert made["tuned"] == {}
    assert len(made["metrics"]) == 8
    assert all(0 <= value <= 1 and value == round(value, 4) for value in made["metrics"].values())
    assert artifact.manifest["metrics"] == made["metrics"]
    if recipe != "aws-popularity-count":
        assert made["metrics"]["normalized_discounted_cumulative_gain_at_10"] > 0.3
    steps = [report["progress"] for report in house.reports if "progress" in report]
    assert {"read", "measure", "publish"} <= {step["step"] for step in steps}
    planned, gone_through = house.stages()
    if recipe != "aws-popularity-count":
        assert gone_through == planned
    else:
        assert planned == ["*", "measure", "*", "publish"]


def test_the_same_seed_makes_the_same_files(stocked: tuple[House, str]) -> None:
    house, key = stocked
    _, first = house.train(interactions=key, job="one")
    _, second = house.train(interactions=key, job="two")
    assert first.manifest["files"] == second.manifest["files"]


def test_another_number_of_threads_makes_nearly_the_same_model(tmp_path: Path) -> None:
    """What threads sum in another order differs in the last digits, docs/training.md."""
    made = []
    for threads in (1, 3):
        house = House(tmp_path / str(threads), threads=threads)
        made.append(house.train(interactions=house.snapshot("INTERACTIONS", INTERACTIONS, rows())))
    (metrics, one), (others, other) = made
    assert metrics["metrics"] == pytest.approx(others["metrics"], abs=0.005)
    for user in ("u000", "u001", "u150"):
        scores, again = (
            artifact.model.scores(Query(*artifact.history(user), now=400 * DAY)) for artifact in (one, other)
        )
        assert np.abs(scores - again).max() < 1e-3 * np.abs(scores).max()


def test_linear_algebra_is_done_by_the_thread_that_asks(stocked: tuple[House, str]) -> None:
    house, key = stocked
    with threadpool_limits(limits=2, user_api="blas"):
        house.train("aws-popularity-count", interactions=key)
        assert {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"} == {1}


def test_run_again_it_publishes_under_the_same_key(stocked: tuple[House, str]) -> None:
    house, key = stocked
    first, _ = house.train("aws-popularity-count", interactions=key)
    assert house.train("aws-popularity-count", interactions=key)[0]["artifact"] == first["artifact"]


def test_streamed_events_up_to_the_position_train(stocked: tuple[House, str]) -> None:
    house, key = stocked
    stream = stream_of(GROUP)
    house.stream(stream, [Event(None, "s1", "a1", 5 * DAY, "view")])
    position = house.stream(
        stream,
        [
            Event("new", "s1", "a2", 5 * DAY + 9, "view", event_id="e"),
            Event("new", "s1", "a3", 5 * DAY + 10, "view", event_id="e"),
        ],
    )
    house.stream(stream, [Event("late", "s2", "a3", 6 * DAY, "view")])
    _, artifact = house.train(interactions=key, position=position)
    assert [artifact.items[item] for item in artifact.history("new")[0]] == ["a1", "a2"]
    assert len(artifact.history("late")[0]) == 0
    assert artifact.position == position
    assert artifact.linked is not None
    assert [artifact.linked.items[number] for number in artifact.linked.of("new")[0]] == ["a1"]
    assert artifact.verify() == []


def test_streamed_events_alone_are_enough(house: House) -> None:
    position = house.stream(
        stream_of(GROUP),
        [Event(user, "s", item, time, kind, value) for user, item, time, kind, value in rows().iter_rows()],
    )
    _, artifact = house.train("aws-popularity-count", position=position)
    assert artifact.manifest["counts"] == {"users": 200, "items": 20, "interactions": 1600}


def test_items_of_the_items_dataset_and_put_ones_are_in_the_catalogue(stocked: tuple[House, str]) -> None:
    house, key = stocked
    items = house.snapshot("ITEMS", ITEMS, pl.DataFrame({"ITEM_ID": ["a1", "x"], "PRICE": [1.0, 2.0]}))
    stream = GROUP.replace("dataset-group", "dataset") + "/ITEMS"
    position = house.stream(stream, [Record("y", '{"PRICE": 3.0}')])
    both = {"INTERACTIONS": INTERACTIONS, "ITEMS": ITEMS}
    _, artifact = house.train(interactions=key, items=items, schemas=both, position=position)
    assert {"x", "y"} <= set(artifact.items.strings())
    assert not artifact.counts.interacted[artifact.items.find("y")]


def test_of_too_many_items_the_newest_train_and_the_log_says_so(tmp_path: Path) -> None:
    house = House(tmp_path, quota_training_items=12)
    frame = rows(users=300)
    old = frame.filter(pl.col("ITEM_ID").str.starts_with("b")).with_columns(TIMESTAMP=pl.lit(5, pl.Int64))
    new = frame.filter(pl.col("ITEM_ID").str.starts_with("a"))
    key = house.snapshot("INTERACTIONS", INTERACTIONS, pl.concat([old, new]))
    text = schema("Items", ("ITEM_ID", "string"), ("CREATION_TIMESTAMP", "long"))
    born = pl.DataFrame({"ITEM_ID": ["fresh", "fresher", "stale"], "CREATION_TIMESTAMP": [400, 500, 3]})
    house.snapshot("ITEMS", text, born)
    _, artifact = house.train(
        interactions=key, items="snapshots/items", schemas={"INTERACTIONS": INTERACTIONS, "ITEMS": text}
    )
    assert list(artifact.items) == [*(f"a{k}" for k in range(10)), "fresh", "fresher"]
    assert artifact.manifest["counts"] == {"users": 150, "items": 12, "interactions": 1200}
    lines = [report["line"] for report in house.reports if "line" in report]
    assert lines[0].startswith("11 of 23 items are left out with 1,200 interactions")
    assert lines[0].endswith("aws-user-personalization-v2 considers 12.")
    assert "1,200 interactions of 150 users with 12 items" in lines
    assert len(artifact.model.scores(Query(*artifact.history("u000"), now=400 * DAY))) == 12


@pytest.mark.parametrize(("settings", "expected"), [({}, None), ({"training_seconds": 90}, 90)])
def test_a_fit_may_be_given_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], expected: int | None
) -> None:
    given = []
    fit = UserPersonalization.fit

    def watched(self: UserPersonalization, data: Any, configuration: Any, training: Training) -> Any:
        given.append(training.budget_seconds)
        return fit(self, data, configuration, training)

    monkeypatch.setattr(UserPersonalization, "fit", watched)
    house = House(tmp_path, **settings)
    house.train(interactions=house.snapshot("INTERACTIONS", INTERACTIONS, rows()))
    assert set(given) == {expected}


def test_of_too_many_interactions_the_newest_train_and_the_log_says_so(tmp_path: Path) -> None:
    house = House(tmp_path, quota_training_interactions=1100)
    key = house.snapshot("INTERACTIONS", INTERACTIONS, rows())
    _, artifact = house.train(interactions=key)
    assert artifact.manifest["counts"]["interactions"] == 1100
    told = "500 interactions are left out, the oldest: aws-user-personalization-v2 considers 1,100."
    assert {"line": told} in house.reports
    assert len(artifact.history("u199")[0]) == 8
    assert len(artifact.history("u000")[0]) == 0


def test_of_one_id_the_newer_of_import_and_put_record_trains(house: House) -> None:
    stream = GROUP.replace("dataset-group", "dataset") + "/ITEMS"
    log = open_live_log(house.settings, SystemClock())
    try:
        before = log.append(stream, [Record(item, '{"PRICE": 2.0}') for item in "abc"]).result()
        frame = pl.DataFrame({"ITEM_ID": ["a", "b"], "PRICE": [3.0, 3.0]})
        key = house.snapshot("ITEMS", ITEMS, frame, position=before)
        position = log.append(stream, [Record("b", '{"PRICE": 4.0}')]).result()
        log.append(stream, [Record("a", '{"PRICE": 5.0}')]).result()
        schemas = {"ITEMS": parse_schema(ITEMS)}
        inputs = TrainingInputs(house.objects, log, schemas, {"ITEMS": key}, GROUP, position)
        read = inputs.records("ITEMS")
        assert read is not None
        assert sorted(read.rows()) == [("a", 3.0), ("b", 4.0), ("c", 2.0)]
        assert inputs.records("USERS") is None
    finally:
        log.close()


def test_an_event_type_chooses_the_rows(stocked: tuple[House, str]) -> None:
    house, key = stocked
    with pytest.raises(JobFailed) as failed:
        house.train(interactions=key, solution={"eventType": "buy"})
    assert failed.value.message == (
        "Dataset has fewer than 1000 interactions after filtering by event type: buy: there are 800."
        " For small data start the server with its option: openpersonalize serve --minimum-data off."
    )


def test_an_event_type_that_none_has_is_told_those_there_are(stocked: tuple[House, str]) -> None:
    house, key = stocked
    with pytest.raises(JobFailed) as failed:
        house.train(interactions=key, solution={"eventType": "Buy"})
    assert failed.value.message == (
        "Dataset has fewer than 1000 interactions after filtering by event type: Buy: there are 0."
        " The event types of the interactions are buy, view."
    )


def test_weights_of_events_add_their_metric(stocked: tuple[House, str]) -> None:
    house, key = stocked
    listed = [{"eventType": "view", "weight": 0.1}, {"eventType": "buy", "weight": 0.3}]
    solution = {"solutionConfig": {"eventsConfig": {"eventParametersList": listed}}}
    made, artifact = house.train(interactions=key, solution=solution)
    assert "normalized_discounted_cumulative_gain_with_event_weights_at_25" in made["metrics"]
    assert set(artifact.history("u000")[3].tolist()) == {0.5, 1.5}


@pytest.mark.parametrize("recipe", [V2, "aws-personalized-ranking-v2"])
def test_items_of_the_event_type_of_larger_weight_rank_higher(house: House, recipe: str) -> None:
    """Everybody views five of a0..a9 and buys five of b0..b9, in any order; only ratios of weights count."""
    rng = np.random.default_rng(2)
    listed = []
    for user in range(120):
        acts = [("view", f"a{k}") for k in rng.permutation(10)[:5]]
        acts += [("buy", f"b{k}") for k in rng.permutation(10)[:5]]
        for place, k in enumerate(rng.permutation(10).tolist()):
            listed.append((f"u{user:03}", acts[k][1], user * 977 + 60 * place, acts[k][0], 1.0))
    names = ["USER_ID", "ITEM_ID", "TIMESTAMP", "EVENT_TYPE", "EVENT_VALUE"]
    key = house.snapshot("INTERACTIONS", INTERACTIONS, pl.DataFrame(listed, schema=names, orient="row"))
    share = {}
    for view, buy in ((0.9, 0.1), (0.1, 0.9)):
        weights = [{"eventType": "view", "weight": view}, {"eventType": "buy", "weight": buy}]
        solution = {"solutionConfig": {"eventsConfig": {"eventParametersList": weights}}}
        _, artifact = house.train(recipe, f"{recipe}-{buy}", interactions=key, solution=solution)
        bought = np.array([name.startswith("b") for name in artifact.items.strings()])
        best = [
            np.argsort(-artifact.model.scores(Query(*artifact.history(f"u{user:03}"), now=400 * DAY)))[:10]
            for user in range(0, 120, 6)
        ]
        share[buy] = float(bought[np.concatenate(best)].mean())
    assert share[0.9] > share[0.1] + 0.1


def test_an_objective_adds_its_metric_and_raises_rewards(stocked: tuple[House, str]) -> None:
    house, key = stocked
    names = sorted({f"{side}{k}" for side in "ab" for k in range(10)})
    frame = pl.DataFrame({"ITEM_ID": names, "PRICE": [float(k) for k in range(20)]})
    items = house.snapshot("ITEMS", ITEMS, frame)
    worth = {}
    for sensitivity in ("OFF", "HIGH"):
        chosen = {"optimizationObjective": {"itemAttribute": "PRICE", "objectiveSensitivity": sensitivity}}
        made, artifact = house.train(
            V1,
            sensitivity,
            interactions=key,
            items=items,
            schemas={"INTERACTIONS": INTERACTIONS, "ITEMS": ITEMS},
            solution={"solutionConfig": chosen},
        )
        assert 0 < made["metrics"]["average_rewards_at_k"] <= 1
        query = Query(*artifact.history("u000"), now=400 * DAY)
        best = np.argsort(-artifact.model.scores(query))[:5]
        worth[sensitivity] = sum(names.index(artifact.items[item]) for item in best)
    assert worth["HIGH"] > worth["OFF"]


def test_a_trial_never_sees_by_whom_the_version_is_measured(
    stocked: tuple[House, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 200 users a tenth measures the version, three tenths of the others are asked by trials."""
    trained: list[Sequences] = []
    asked: list[HoldOut] = []
    fit, measure = UserPersonalization.fit, fitting.measure

    def counted(self: Any, data: TrainingData, *more: Any) -> Any:
        trained.append(data.sequences)
        return fit(self, data, *more)

    def listed(model: Any, sequences: Any, held_out: HoldOut, *more: Any, **named: Any) -> Any:
        asked.append(held_out)
        return measure(model, sequences, held_out, *more, **named)

    monkeypatch.setattr(UserPersonalization, "fit", counted)
    monkeypatch.setattr(fitting, "measure", listed)
    house, key = stocked
    tuned = {"hidden_dimension": "64", "bptt": "8", "recency_mask": "false"}
    whole, third = (house.tried(V1, interactions=key, tuned=tuned, part=part) for part in (1, 3))
    for tried in (whole, third):
        assert tried["events"] == 200 * 8
        assert 0 < tried["value"] <= 1
    tenth = folds(trained[0].users)
    measures = tenth == 0
    assert measures.any()
    for learnt, held_out in zip(trained, asked, strict=True):
        assert not learnt.counts[measures].any()
        assert set(tenth[held_out.user]) == {1, 2, 3}
        assert not learnt.counts[held_out.user].any()
    assert trained[0].counts.astype(bool).sum() == (tenth > 3).sum()
    assert 0.15 < len(trained[1].item) / len(trained[0].item) < 0.5


def test_a_comparison_finds_what_the_version_will_have(stocked: tuple[House, str]) -> None:
    house, key = stocked
    tuned = {"hidden_dimension": "64", "bptt": "8", "recency_mask": "false"}
    compared = house.tried(V1, interactions=key, tuned=tuned, part=None)
    made, artifact = house.train(V1, interactions=key, tuned=tuned)
    assert compared["metrics"] == made["metrics"]
    assert made["tuned"] == artifact.manifest["tuned"] == tuned
    other, _ = house.train(V1, "plain", interactions=key)
    assert other["tuned"] == {}


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (rows(users=124), "Dataset has fewer than 1000 interactions"),
        (
            pl.concat(
                [
                    rows(users=24),
                    rows(users=1200, each=1).with_columns(USER_ID=pl.lit("x") + pl.col("USER_ID")),
                ]
            ),
            "Create failed. Dataset has fewer than 25 users with at least 2 interactions each.",
        ),
        (
            pl.concat(
                [
                    rows(users=26),
                    rows(users=3000, each=1).with_columns(USER_ID=pl.lit("x") + pl.col("USER_ID")),
                ]
            ),
            "Create failed. Less than 1 percent of users have at least 2 interactions each.",
        ),
        (
            rows(kinds=tuple(f"kind{k}" for k in range(8))).with_columns(
                EVENT_TYPE=pl.format("kind{}", pl.int_range(pl.len()) % 9)
            ),
            "Dataset has more than 10 distinct event types and metadata columns.",
        ),
    ],
)
def test_too_little_and_too_many_kinds(house: House, frame: pl.DataFrame, reason: str) -> None:
    key = house.snapshot("INTERACTIONS", INTERACTIONS, frame)
    with pytest.raises(JobFailed) as failed:
        house.train(interactions=key)
    assert failed.value.message.startswith(reason)
    assert failed.value.message.endswith("--minimum-data off.") == ("more than 10" not in reason)


def test_repeated_rows_count_once(house: House) -> None:
    frame = rows(users=125)
    assert len(frame) == 1000
    once = frame.slice(1)
    key = house.snapshot(
        "INTERACTIONS", INTERACTIONS, pl.concat([once, once.head(1).with_columns(EVENT_VALUE=9.0)])
    )
    with pytest.raises(JobFailed, match="fewer than 1000"):
        house.train(interactions=key)


def test_without_minimums_little_is_enough_but_nothing_is_not(tmp_path: Path) -> None:
    house = House(tmp_path / "data", minimum_data=False)
    key = house.snapshot("INTERACTIONS", INTERACTIONS, rows(users=3))
    made, artifact = house.train(interactions=key)
    assert len(made["metrics"]) == 8
    assert np.isfinite(artifact.counts.users).all()
    with pytest.raises(JobFailed, match="fewer than 1000"):
        house.train(interactions=key, solution={"eventType": "none"})


def test_it_stops_when_asked_and_leaves_nothing(stocked: tuple[House, str]) -> None:
    house, key = stocked
    house.stopping = lambda: any(
        "progress" in report and report["progress"]["step"] == "weigh" for report in house.reports
    )
    with pytest.raises(JobStopped):
        house.train(interactions=key)
    assert not house.objects.exists("artifacts/job")


def test_a_recipe_that_cannot_be_trained_says_so(stocked: tuple[House, str]) -> None:
    house, key = stocked
    for name in ("aws-hrnn", "acme"):
        with pytest.raises(JobFailed, match=name):
            house.train(name, interactions=key)


def test_real_purchases_are_recommended_well(house: House) -> None:
    """Online Retail, one series of a hundred products: 18,965 purchases of 2,761 customers."""
    shipped = Path(openpersonalize.__file__).parent / "demo_data" / "interactions.csv.gz"
    frame = pl.read_csv(gzip.decompress(shipped.read_bytes()), infer_schema=False).select(
        "USER_ID",
        "ITEM_ID",
        pl.col("TIMESTAMP").cast(pl.Int64),
        "EVENT_TYPE",
        pl.col("EVENT_VALUE").cast(pl.Float64),
    )
    frame = frame.filter(pl.col("ITEM_ID").str.starts_with("227"))
    key = house.snapshot("INTERACTIONS", INTERACTIONS, frame)
    solution = {"eventType": "purchase"}
    personal, _ = house.train(interactions=key, solution=solution, job="personal")
    popular, _ = house.train("aws-popularity-count", interactions=key, solution=solution, job="popular")
    name = "normalized_discounted_cumulative_gain_at_25"
    assert 0.3 < personal["metrics"][name] < 0.5
    assert personal["metrics"][name] > 1.5 * popular["metrics"][name]
    assert personal["metrics"]["coverage"] > popular["metrics"]["coverage"]


def test_only_columns_that_may_train_are_aligned() -> None:
    fields = [
        {"name": "ITEM_ID", "type": "string"},
        {"name": "NOTE", "type": "string"},
        {"name": "GENRE", "type": "string", "categorical": True},
        {"name": "PLOT", "type": "string", "textual": True},
        {"name": "ADULT", "type": "boolean"},
        {"name": "PRICE", "type": "float"},
        {"name": "YEAR", "type": "int"},
    ]
    parsed = parse_schema(json.dumps({"type": "record", "name": "Items", "fields": fields}))
    row = ("a", "plain", "x|y", "long", True, 1.0, 1999)
    table = pl.DataFrame([row], schema=list(parsed.names), orient="row")
    config = {"trainingDataConfig": {"excludedDatasetColumns": {"ITEMS": ["YEAR"]}}}
    found = aligned(table, trained_columns(parsed, "ITEMS", config), pl.Series(["b", "a"]))
    assert found.columns == ["ITEM_ID", "GENRE", "PLOT", "PRICE"]
    assert found.rows() == [("b", None, None, None), ("a", "x|y", "long", 1.0)]


# -- what exploration goes by

SHOWN = schema(
    "Interactions",
    ("USER_ID", "string"),
    ("ITEM_ID", "string"),
    ("TIMESTAMP", "long"),
    ("EVENT_TYPE", "string"),
    ("EVENT_VALUE", ["float", "null"]),
    ("IMPRESSION", ["string", "null"]),
)
DATED = schema("Items", ("ITEM_ID", "string"), ("CREATION_TIMESTAMP", ["long", "null"]))


def test_ages_and_what_was_passed_over_stay_with_the_model(house: House) -> None:
    bulk = rows().with_columns(IMPRESSION=pl.when(pl.int_range(pl.len()) == 0).then(pl.lit("a0|a1|zz")))
    chosen = bulk["ITEM_ID"][0]
    dates = pl.DataFrame({"ITEM_ID": ["a0", "new"], "CREATION_TIMESTAMP": [77, None]})
    house.stream(
        f"{GROUP.replace('dataset-group', 'dataset')}/ITEMS", [Record("put", '{"CREATION_TIMESTAMP": 88}')]
    )
    recommendations = open_recommendation_log(house.settings, SystemClock())
    recommendations.add("RID-1", "arn", ["b0", "b1", "new"], "u001")
    recommendations.close()
    events = [
        Event("u001", "s", "b1", 5, "view", recommendation_id="RID-1"),
        Event("u001", "s", "b2", 6, "view", recommendation_id="RID-1", impression="b3|b2"),
        Event("u001", "s", "b2", 7, "view", impression="b4", event_id="once"),
        Event("u001", "s", "b2", 8, "view", impression="b4", event_id="once"),
        *(Event("robot", "s", f"b{place % 10}", 9 + place, "view", impression="a7") for place in range(50)),
    ]
    position = house.stream(stream_of(GROUP), events)
    _, artifact = house.train(
        V1,
        schemas={"INTERACTIONS": SHOWN, "ITEMS": DATED},
        interactions=house.snapshot("INTERACTIONS", SHOWN, bulk),
        items=house.snapshot("ITEMS", DATED, dates),
        position=position,
    )
    names, exposure = artifact.items.strings(), artifact.exposure
    created = dict(zip(names, exposure.created.tolist(), strict=True))
    latest = int(bulk["TIMESTAMP"].max())  # type: ignore[arg-type]
    assert exposure.latest == latest
    assert (created["a0"], created["put"], created["new"]) == (77, 88, latest)
    assert created["b1"] == min(5, bulk.filter(pl.col("ITEM_ID") == "b1")["TIMESTAMP"].min())  # type: ignore[type-var]
    over = {name: times for name, times in zip(names, exposure.passed_over.tolist(), strict=True) if times}
    assert over == {name: 1 for name in ("a0", "a1", "b0", "new", "b3", "b4", "a7") if name != chosen}
    met = bulk["ITEM_ID"].value_counts()
    assert exposure.interactions[names.index("a5")] == dict(met.iter_rows())["a5"]


def test_the_second_version_counts_no_impressions(house: House) -> None:
    bulk = rows().with_columns(IMPRESSION=pl.lit("a0|a1"))
    key = house.snapshot("INTERACTIONS", SHOWN, bulk)
    _, artifact = house.train(V2, schemas={"INTERACTIONS": SHOWN}, interactions=key)
    assert not artifact.exposure.passed_over.any()


def news() -> list[Event]:
    """Half of the first cluster meets an item that nobody knew."""
    return [Event(f"u{user:03}", "s", "a-new", 200 * 977 + user, "buy") for user in range(0, 200, 4)]


def test_an_update_learns_what_came_since(stocked: tuple[House, str]) -> None:
    house, key = stocked
    full, before = house.train(V1, "full", interactions=key)
    position = house.stream(stream_of(GROUP), news())
    made, artifact = house.train(
        V1, "update", interactions=key, position=position, base_artifact=full["artifact"]
    )
    assert artifact.verify() == []
    assert made["metrics"] == full["metrics"] == artifact.manifest["metrics"]
    assert artifact.manifest["base_artifact"] == full["artifact"]
    assert artifact.manifest["settled"] == before.manifest["settled"]
    assert len(artifact.items) == len(before.items) + 1
    new = artifact.items.find("a-new")
    assert artifact.counts.interacted[new]
    shares = []
    for user in ("u002", "u001"):
        scores = artifact.model.scores(Query(*artifact.history(user), now=400 * DAY, seen_excluded=True))
        shares.append(float(np.exp(scores[new] - scores.max()) / np.exp(scores - scores.max()).sum()))
    assert shares[0] > 2 * shares[1], "the first cluster meets it, the other does not"
    steps = [report["progress"]["step"] for report in house.reports if "progress" in report]
    assert not {"weigh", "measure"} & set(steps[len(steps) - steps[::-1].index("read") - 1 :])
    again, _ = house.train(V1, "again", interactions=key, position=position, base_artifact=made["artifact"])
    assert again["metrics"] == full["metrics"]


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        ({"base_artifact": "artifacts/none"}, "its model is gone"),
        ({"solution": {"eventType": "view"}, "minimum": False}, "selects events otherwise"),
        ({"recipe": V2}, f"it was trained with {V1}"),
        (
            {"recipe": "aws-popularity-count", "first": "aws-popularity-count"},
            "always learns everything anew",
        ),
    ],
)
def test_what_cannot_be_updated_is_learned_anew(tmp_path: Path, spoil: dict[str, Any], why: str) -> None:
    given = dict(spoil)
    house = House(tmp_path / "data", minimum_data=given.pop("minimum", True))
    key = house.snapshot("INTERACTIONS", INTERACTIONS, rows())
    full, _ = house.train(given.pop("first", V1), "full", interactions=key)
    arguments = {"recipe": V1, "interactions": key, "base_artifact": full["artifact"], **given}
    made, artifact = house.train(job="update", **arguments)
    assert artifact.recipe.name == arguments["recipe"]
    assert artifact.verify() == []
    assert made["artifact"] == "artifacts/update"
    lines = [report["line"] for report in house.reports if "line" in report]
    assert any(why in line and "learned anew" in line for line in lines), lines
