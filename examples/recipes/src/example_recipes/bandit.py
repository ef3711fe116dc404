"""A bandit: what people take to now, and what too little is known of, by Bayes-UCB over discounted counts."""

import json
from pathlib import Path
from typing import Any, Self

import numpy as np

from openpersonalize import recipe_api as op

DAY = 86_400.0


class BanditModel:
    """Each item is an arm: a rate of events a day with a gamma posterior (Kaufmann et al. 2012; counts fade
    by half-lives). A score is the logarithm of a rate that is still plausible, so that what has hardly been
    on offer is tried. The state is replaced whole: one thread tells, another asks."""

    def __init__(self, rule: dict[str, float], won: Any, offered: Any, now: float, n: int) -> None:
        """`won`, `offered`: float64[m >= n], fading events and days of each item, as of `now` seconds."""
        self.rule, self.state, self.n = rule, (won, offered, now), n

    def observe(self, item: op.Int32, time: op.Int64, weight: op.Float32, user: Any = None) -> None:
        won, offered, before = self.state
        items = max(len(won), int(item.max(initial=-1)) + 1)
        now, span = max(before, float(time.max(initial=0))), self.rule["half_life"] * DAY
        fade = 0.5 ** ((now - before) / span)
        offered = offered * fade + (1 - fade) * self.rule["half_life"] / np.log(2)
        won, offered = (np.pad(one, (0, items - len(one))) for one in (won * fade, offered))
        np.add.at(won, item, weight * 0.5 ** ((now - np.minimum(time, now)) / span))
        self.state = (won, offered, now)

    def _plausible(self) -> Any:
        """float64[m]; -inf of what nobody met."""
        won, offered, _ = self.state
        events, days = won + max(won.sum(), 1.0) / max(offered.sum(), 1.0), offered + 1.0  # a usual day more
        rate = (events + self.rule["confidence"] * np.sqrt(events)) / days
        return np.where(won > 0, np.log(rate), -np.inf)

    def scores(self, query: op.Query) -> op.Float32:
        found = self._plausible()[: self.n].astype(np.float32)
        return np.maximum(found, found.min(where=found > -np.inf, initial=0.0) - 1)

    def new_item_scores(self, query: op.Query, vectors: Any, numbers: op.Int64) -> op.Float32:
        known = (numbers >= 0) & (numbers + self.n < len(self.state[0]))
        return np.append(self._plausible(), -np.inf).astype(np.float32)[np.where(known, numbers + self.n, -1)]

    def online_bonus(self, query: op.Query, newcomers: op.Int64) -> op.Float32:
        return np.zeros(len(newcomers), np.float32)  # their scores have it already

    def online(self) -> Self:
        return type(self)(self.rule, *self.state, self.n)

    def save(self, folder: Path) -> None:
        won, offered, now = self.state
        np.save(folder / "arms.npy", np.stack((won, offered)))
        (folder / "bandit.json").write_text(json.dumps({"rule": self.rule, "now": now, "n": self.n}))

    save_online = save

    @classmethod
    def load(cls, folder: Path) -> Self:
        told = json.loads((folder / "bandit.json").read_text())
        return cls(told["rule"], *np.load(folder / "arms.npy"), told["now"], told["n"])

    def load_online(self, folder: Path) -> None:
        self.state = self.load(folder).state


class Bandit(op.Recipe):
    api = 1
    facts = op.Facts(
        "example-bandit",
        op.Task.POPULAR,
        "What people take to at the moment, and what too little is known of: the same for everybody.",
        offers=frozenset({op.Offer.PROMOTIONS, op.Offer.BATCH, op.Offer.HPO}),
        hyperparameters=(
            op.Hyperparameter("half_life", "algorithm", "float", 7.0, low=0.05, high=60.0, tunable=True),
            op.Hyperparameter("confidence", "algorithm", "float", 1.0, low=0.0, high=4.0, tunable=True),
        ),
    )

    def fit(
        self, data: op.TrainingData, configuration: op.Configuration, training: op.Training
    ) -> BanditModel:
        training.check()
        events, n = data.sequences, len(data.ranked.ids)
        rule = {name: float(value) for name, value in configuration.parameters.items()}
        now = float(events.time.max(initial=0))
        first = np.full(n, now)
        np.minimum.at(first, events.item, events.time)
        offered = (1 - 0.5 ** ((now - first) / (rule["half_life"] * DAY))) * rule["half_life"] / np.log(2)
        model = BanditModel(rule, np.zeros(n), offered, now, n)
        model.observe(events.item, events.time, events.weight)
        training.progress("count", 1, 1, "passes")
        return model

    def load(self, folder: Path, ids: op.IdTable, counts: op.ItemCounts) -> BanditModel:
        return BanditModel.load(folder)
