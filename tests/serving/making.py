"""A deployment over made-up data, as tests need it: real artifact, live log, follower and columns."""

import json

import numpy as np
import polars as pl

from datasets.bulk import imported
from openpersonalize.algorithms.encoder import GAPS, Encoder, Shape
from openpersonalize.clock import SystemClock
from openpersonalize.datasets.schemas import parse_schema
from openpersonalize.datasets.selection import EventSelection
from openpersonalize.datasets.sequences import build_sequences
from openpersonalize.events.consumer import LogConsumer
from openpersonalize.events.entries import Event, Record
from openpersonalize.events.livelog import stream_of
from openpersonalize.events.members import EVENT_MEMBERS
from openpersonalize.events.sqliterecommendations import SqliteRecommendationLog
from openpersonalize.events.stores import open_live_log
from openpersonalize.exploration.exposure import Exposure
from openpersonalize.exploration.tracker import ExposureTracker
from openpersonalize.filters.compiler import compile_filter
from openpersonalize.recipes.artifact import Artifact, write_artifact
from openpersonalize.recipes.complete import CompleteModel
from openpersonalize.recipes.facts import Offer
from openpersonalize.recipes.registry import recipe as find_recipe
from openpersonalize.recipes.training import Configuration, Training, TrainingData
from openpersonalize.serving.catalogue import Catalogue
from openpersonalize.serving.deployment import Deployment
from openpersonalize.serving.loaded import GroupData, LoadedVersion
from openpersonalize.serving.states import Memory
from openpersonalize.settings import read_settings

GROUP = "arn:aws:personalize:eu-west-1:000000000000:dataset-group/shop"
STREAM = stream_of(GROUP)
ITEMS_ARN, USERS_ARN = (STREAM.replace("INTERACTIONS", kind) for kind in ("ITEMS", "USERS"))
NOW = 1_760_000_000


def schema(name, *fields):
    return json.dumps(
        {
            "type": "record",
            "name": name,
            "namespace": "com.amazonaws.personalize.schema",
            "fields": [{"name": n, "type": t, **more} for n, t, more in fields],
            "version": "1.0",
        }
    )


TEXTS = {
    "INTERACTIONS": schema(
        "Interactions",
        ("USER_ID", "string", {}),
        ("ITEM_ID", "string", {}),
        ("TIMESTAMP", "long", {}),
        ("EVENT_TYPE", "string", {}),
    ),
    "ITEMS": schema(
        "Items",
        ("ITEM_ID", "string", {}),
        ("GENRE", ["null", "string"], {"categorical": True}),
        ("PRICE", ["null", "double"], {}),
        ("CREATION_TIMESTAMP", ["null", "long"], {}),
    ),
    "USERS": schema("Users", ("USER_ID", "string", {}), ("AGE", ["null", "int"], {})),
}
SCHEMAS = {kind: parse_schema(text) for kind, text in TEXTS.items()}
GENRES = ("books", "games", "music")
CATALOGUE = [f"item-{k:02d}" for k in range(30)]
COLD = ["item-cold-1", "item-cold-2"]


def interactions():
    """30 users, each in one genre, meeting its ten items in turn; every fifth event is a purchase."""
    rows = []
    for user in range(30):
        own = [item for number, item in enumerate(CATALOGUE) if number % 3 == user % 3]
        for step in range(12):
            item = own[(user + step) % 10] if step < 11 else own[0]
            kind = "purchase" if step % 5 == 4 else "click"
            rows.append((f"user-{user:02d}", item, NOW - 86_400 + user * 100 + step, kind))
    return pl.DataFrame(rows, schema=["USER_ID", "ITEM_ID", "TIMESTAMP", "EVENT_TYPE"], orient="row")


def items():
    names = CATALOGUE + COLD
    return pl.DataFrame(
        {
            "ITEM_ID": names,
            "GENRE": [GENRES[number % 3] for number in range(len(names))],
            "PRICE": [float(number) for number in range(len(names))],
            "CREATION_TIMESTAMP": [None] * len(names),
        },
        schema_overrides={"CREATION_TIMESTAMP": pl.Int64},
    )


def encoder_of(vectors, values=None):
    """A recurrent encoder with weights at random and these float32[n, 8]; `values`: of one feature."""
    rng = np.random.default_rng(0)
    sizes = {
        "event": (3, 8), "gap": (GAPS, 8), "norm.weight": (8,), "norm.bias": (8,), "block0.back": (8, 16),
        "block0.norm1.weight": (8,), "block0.norm1.bias": (8,), "block0.input.weight": (48, 8),
        "block0.input.bias": (48,), "block0.hidden.weight": (48, 16), "block0.hidden.bias": (48,),
    }  # fmt: skip
    weights = {name: rng.standard_normal(size, dtype=np.float32) for name, size in sizes.items()}
    trained = None if values is None else {"ids": np.zeros_like(vectors), "values.0": values}
    return Encoder(Shape("recurrent", 8, longest=50), {**weights, "items": vectors}, trained)


class Looking(Deployment):
    """Reads what is new before each answer, as a server does in threads."""

    def follow(self):
        self._consumer.look()
        for records, position in self.behind():
            records.catch_up(position)
        super().follow()


def handed(log, handler, stream=STREAM, chunk=4096):
    """Hand a handler what it has not got, as the consumer does."""
    for events in log.interactions(stream, EVENT_MEMBERS, after=handler.position, chunk=chunk):
        if len(events):
            handler.on_events(events.filter(~pl.col("#DUPLICATE")), int(events["#ARRIVAL"][-1]))
    handler.on_level()


class Made:
    """A deployment and the streams behind it."""

    def __init__(
        self, folder, recipe="aws-user-personalization", window=0, now=NOW, ages=None, over=None, **more
    ):
        """`ages`: days since each item came, by id (others are ancient), `over`: times each was passed over;
        with either the deployment explores. `more`: for the deployment."""
        self.time = now
        self.settings = read_settings({"data_dir": str(folder)}, {})
        self.log = open_live_log(self.settings, SystemClock())
        self.consumer = LogConsumer(self.log, 1 << 20)
        self.rows = interactions()
        (folder / "artifact").mkdir()
        explores = ages is not None or over is not None
        write(folder / "artifact", recipe, self.rows, (ages or {}, over or {}) if explores else None)
        self.loaded = LoadedVersion(Artifact.open(folder / "artifact"), find_recipe(recipe).facts)
        bulk = {
            kind: imported(folder / kind, kind, TEXTS[kind], frame)
            for kind, frame in (("ITEMS", items()), ("USERS", [("user-00", 30)]))
        }
        ids = self.loaded.artifact.items
        self.items = Catalogue(self.log, ITEMS_ARN, SCHEMAS["ITEMS"], ids, bulk["ITEMS"])
        self.users = Catalogue(self.log, USERS_ARN, SCHEMAS["USERS"], None, bulk["USERS"])
        self.memory = Memory(16 << 20)
        self.recommendations = SqliteRecommendationLog(folder / "recommendations.db", SystemClock(), 1, 1)
        self.tracker = None
        if explores:
            self.tracker = ExposureTracker(
                self.loaded.artifact,
                self.items,
                embed=lambda records: self.loaded.model.embed(records),
                shown=self.recommendations.shown if Offer.IMPRESSIONS in self.loaded.recipe.offers else None,
                now=lambda: self.time,
                grows=self.loaded.model.ranks_new_items or Offer.AUTO_UPDATE in self.loaded.recipe.offers,
                newcomers=self.loaded.newcomers,
            )
        self.deployment = Looking(
            self.loaded,
            self.items,
            GroupData(STREAM, None, np.empty(0, np.int32), lambda: self.users),
            consumer=self.consumer,
            memory=self.memory,
            now=lambda: self.time,
            window=window,
            tracker=self.tracker,
            **more,
        )

    def answer_with(self, model):
        """Have another model answer in place of the trained one."""
        artifact = self.loaded.artifact
        complete = CompleteModel(model, self.loaded.recipe.task, artifact.counts)
        artifact.__dict__.update(model=model, complete=complete)
        self.loaded.model = complete

    def close(self):
        self.recommendations.close()
        self.consumer.close()
        self.log.close()

    def advance(self):
        """Have the tracker count what was streamed, as the consumer does beside the answers."""
        self.deployment.follow()
        handed(self.log, self.tracker)

    def event(self, user, item, kind="click", time=None, session="s", **more):
        self.log.append(STREAM, [Event(user, session, item, time or self.time, kind, **more)]).result()

    def put_item(self, item, **columns):
        self.log.append(ITEMS_ARN, [Record(item, json.dumps(columns))]).result()

    def put_user(self, user, **columns):
        self.log.append(USERS_ARN, [Record(user, json.dumps(columns))]).result()

    def filter(self, expression, **values):
        return compile_filter(expression, SCHEMAS).bind(values)


def write(folder, name, rows, known=None):
    """Train a recipe on `rows` and write the artifact into the empty `folder`; `known`: see `Made`."""
    recipe = find_recipe(name)
    selection = EventSelection.from_solution(None, None)
    sequences = build_sequences(rows.lazy(), items()["ITEM_ID"], selection)
    parameters = {one.name: one.default for one in recipe.facts.hyperparameters}
    model = recipe.fit(TrainingData.of(sequences), Configuration(parameters), Training(seed=1))
    exposure = None
    if known is not None:
        ages, over = known
        days = np.array([ages.get(item, 1000) for item in sequences.items])
        times = np.array([over.get(item, 0) for item in sequences.items])
        exposure = Exposure.of(sequences, sequences.time.max() - 86_400.0 * days, times)
    write_artifact(
        folder,
        model=model,
        recipe=recipe,
        data=TrainingData.of(sequences),
        selection=selection,
        position=0,
        exposure=exposure,
    )
