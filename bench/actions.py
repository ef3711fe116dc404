"""aws-next-best-action on planted worlds whose probabilities are known, beside popularity and logistic
regression.

    python -m bench.actions [--users 6000] [--seeds 3]

In each world users do things with items and are offered actions, which they take with a known probability.
All methods learn from the first seven offers of four fifths of the users and are asked about the eighth of
everybody. Popularity knows the rate of each action; logistic regression has a model for each action (ridge,
its strength chosen on held-out offers) of how often the user met each of the 200 most frequent items, of the
user's record, and of how often the user took and left each action.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from openpersonalize.algorithms.lbfgs import minimised
from openpersonalize.algorithms.response_model import log_loss
from openpersonalize.datasets.action_events import Outcome, outcomes_of
from openpersonalize.datasets.profiles import Profiles
from openpersonalize.datasets.selection import EventSelection
from openpersonalize.datasets.sequences import Sequences, build_sequences
from openpersonalize.evaluation.action_metrics import Asker, area_under_curve
from openpersonalize.recipes.complete import CompleteModel
from openpersonalize.recipes.facts import Task
from openpersonalize.recipes.hyperparameters import read_configuration
from openpersonalize.recipes.registry import recipe
from openpersonalize.recipes.training import Behaviour, Kind, Training, TrainingData

DAY = 86_400
SPACING = 15 * DAY
"""Between two offers of one user: longer than the period, so that each is an occasion of its own."""

ACTIONS, TASTES, ITEMS, KINDS = 24, 6, 80, 4
RIDGES = (1.0, 10.0, 100.0)


@dataclass
class World:
    """The data, and float64[N] the probability that each action interaction was drawn with."""

    data: TrainingData
    truth: np.ndarray
    best: np.ndarray
    """float64[N]: the largest probability of any action for the user at that moment."""
    all_of_them: np.ndarray
    """float64[N, A]."""


def tastes(rng: np.random.Generator, users: int) -> Callable[..., np.ndarray]:
    """A taste that items tell decides."""
    liked = (
        rng.normal(-2.0, 0.5, (TASTES, ACTIONS))
        + rng.normal(0, 1.3, (TASTES, KINDS))[:, np.arange(ACTIONS) % KINDS]
    )
    return lambda taste, newest, member, history: liked[taste]


def moods(rng: np.random.Generator, users: int) -> Callable[..., np.ndarray]:
    """What the user did last decides, whatever the taste."""
    liked = (
        rng.normal(-2.0, 0.5, (TASTES, ACTIONS))
        + rng.normal(0, 1.3, (TASTES, KINDS))[:, np.arange(ACTIONS) % KINDS]
    )
    return lambda taste, newest, member, history: 0.3 * liked[taste] + 0.9 * liked[newest]


def interplay(rng: np.random.Generator, users: int) -> Callable[..., np.ndarray]:
    """Members and others of the same taste want the opposite."""
    liked = rng.normal(0, 1.2, (TASTES, ACTIONS))
    return lambda taste, newest, member, history: -1.5 + liked[taste] * np.where(member, 1.0, -1.0)[:, None]


def habits(rng: np.random.Generator, users: int) -> Callable[..., np.ndarray]:
    """What the user took and left of the same kind decides."""
    base = rng.normal(-1.5, 0.6, ACTIONS)
    return lambda taste, newest, member, history: base + 1.2 * history[:, np.arange(ACTIONS) % KINDS]


WORLDS = {"tastes": tastes, "moods": moods, "interplay": interplay, "habits": habits}


def made(name: str, users: int, seed: int, offers: int = 8) -> World:
    """A world of `users`, each with `offers` action interactions."""
    rng = np.random.default_rng((seed, len(name)))
    logits = WORLDS[name](rng, users)
    taste, member = rng.integers(0, TASTES, users), rng.random(users) < 0.5
    newest, history = taste.copy(), np.zeros((users, KINDS))
    items, shown = [], []
    truth, everything = [], []
    for turn in range(offers):
        begin = turn * SPACING
        newest = rng.integers(0, TASTES, users) if name == "moods" else taste
        for step in range(4):
            of = np.where(
                rng.random(users) < (0.9 if name == "moods" else 0.75), newest, rng.integers(0, TASTES, users)
            )
            item = of * ITEMS + (ITEMS * rng.random(users) ** 1.5).astype(int)
            items.append(np.stack((np.arange(users), item, np.full(users, begin + step * 3600))))
        p = 1 / (1 + np.exp(-logits(taste, newest, member, history)))
        action = rng.integers(0, ACTIONS, users)
        chance = p[np.arange(users), action]
        taken = rng.random(users) < chance
        history[np.arange(users), action % KINDS] += np.where(taken, 1.0, -0.4)
        history = np.clip(history, -1.5, 2.0)
        moment = begin + 5 * 3600 + rng.integers(0, 3600, users)
        shown.append(np.stack((np.arange(users), action, moment, taken)))
        truth.append(chance)
        everything.append(p)
    return _world(items, shown, np.array(truth), np.array(everything), member, users)


def _world(items, shown, truth, everything, member, users) -> World:
    item, offer = np.concatenate(items, axis=1), np.concatenate(shown, axis=1)
    number = pl.Series(offer[0])
    done = pl.DataFrame(
        {"USER_ID": _names("u", item[0]), "ITEM_ID": _names("i", item[1]), "TIMESTAMP": item[2]}
    )
    met = pl.DataFrame(
        {
            "USER_ID": _names("u", number.to_numpy()),
            "ITEM_ID": _names("a", offer[1]),
            "TIMESTAMP": offer[2],
            "EVENT_TYPE": np.where(offer[3] > 0, "taken", "nottaken"),
        }
    )
    people = pl.DataFrame({"USER_ID": _names("u", np.arange(users)), "MEMBER": np.where(member, "yes", "no")})
    profiles = Profiles.of(people, "USER_ID", ["MEMBER"])
    done_by, met_by = (
        build_sequences(one.lazy(), None, EventSelection(), (), profiles) for one in (done, met)
    )
    kinds = [f"k{int(name[1:]) % KINDS}" for name in met_by.items.strings()]
    records = pl.DataFrame({"ACTION_ID": met_by.items.strings(), "KIND": kinds})
    data = TrainingData(
        Kind(met_by.items, records),
        met_by,
        behaviour=Behaviour(Kind(done_by.items), done_by, EventSelection()),
    )
    # In the order of the sequences: by user, then by turn.
    user = np.array([int(name[1:]) for name in met_by.users.strings()])[met_by.user]
    turn = met_by.time // SPACING
    column = [int(name[1:]) for name in met_by.items.strings()]
    return World(
        data, truth[turn, user], everything[turn, user].max(axis=1), everything[turn, user][:, column]
    )


def _names(letter: str, numbers: np.ndarray) -> pl.Series:
    return pl.Series(numbers.astype(np.int64)).cast(pl.String).str.zfill(4).str.replace("^", letter)


def logistic(world: World, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Logits [len(test), A] of a logistic regression for each action."""
    sequences, said = world.data.sequences, _said(world.data.sequences)
    x = _plain_features(world, said)
    mean, deviation = x[train].mean(axis=0), x[train].std(axis=0) + 1e-6
    x = np.concatenate(((x - mean) / deviation, np.ones((len(x), 1))), axis=1)
    y, action = (said == Outcome.TAKEN).astype(float), sequences.item
    half = np.random.default_rng(0).random(len(y)) < 0.8

    def fitted(rows: np.ndarray, ridge: float) -> np.ndarray:
        weights = np.zeros((len(world.data.ranked.ids), x.shape[1]))
        for one in range(len(weights)):
            some = rows[action[rows] == one]
            weights[one] = _ridge(x[some], y[some], ridge)
        return weights

    losses = {}
    for ridge in RIDGES:
        weights = fitted(train[half[train]], ridge)
        held = train[~half[train]]
        losses[ridge] = log_loss((x[held] * weights[action[held]]).sum(axis=1), y[held])
    return x[test] @ fitted(train, min(losses, key=losses.__getitem__)).T


def _ridge(x: np.ndarray, y: np.ndarray, ridge: float) -> np.ndarray:
    held = np.full(x.shape[1], ridge)
    held[-1] = 0.1

    def loss(point: np.ndarray) -> tuple[float, np.ndarray]:
        logit = x @ point
        value = float((np.logaddexp(0, logit) - y * logit).sum() + 0.5 * (held * point * point).sum())
        return value, x.T @ (1 / (1 + np.exp(-logit)) - y) + held * point

    return minimised(loss, np.zeros(x.shape[1]), iterations=60)


def _said(sequences: Sequences) -> np.ndarray:
    return outcomes_of(sequences.event_types)[sequences.event]


def _plain_features(world: World, said: np.ndarray) -> np.ndarray:
    """Per action interaction, before it: counts of frequent items, the record, takes and refusals."""
    sequences = world.data.sequences
    assert world.data.behaviour is not None
    done = world.data.behaviour.interactions
    frequent = np.argsort(-np.bincount(done.item))[:200]
    place = np.full(len(done.items), -1)
    place[frequent] = np.arange(len(frequent))
    n = len(sequences.items)
    found = np.zeros((len(sequences.item), len(frequent) + 1 + 2 * n), dtype=np.float32)
    rows = done.users.find_all(sequences.users.series())
    for user in range(len(sequences.users)):
        before = np.zeros(2 * n)
        start, end = done.ptr[rows[user]], done.ptr[rows[user] + 1]
        member = sequences.profile(user).get("MEMBER") == "yes"
        for event in range(sequences.ptr[user], sequences.ptr[user + 1]):
            stop = start + np.searchsorted(done.time[start:end], sequences.time[event])
            met = place[done.item[start:stop]]
            found[event, : len(frequent)] = np.log1p(np.bincount(met[met >= 0], minlength=len(frequent)))
            found[event, len(frequent)] = member
            found[event, len(frequent) + 1 :] = np.log1p(before)
            before[sequences.item[event] + n * (said[event] != Outcome.TAKEN)] += 1
    return found


def run(name: str, users: int, seed: int) -> tuple[dict[str, dict[str, float]], np.ndarray]:
    """Figures by method, and predicted and observed rates by decile."""
    world = made(name, users, seed)
    data = world.data
    sequences, said = data.sequences, _said(data.sequences)
    moment = np.quantile(sequences.time, 0.875)
    held = (np.random.default_rng(seed).random(len(sequences.users)) < 0.2)[sequences.user]
    train, test = np.flatnonzero((sequences.time < moment) & ~held), np.flatnonzero(sequences.time >= moment)
    keep = np.zeros(len(sequences.item), dtype=bool)
    keep[train] = True
    assert data.behaviour is not None
    done = data.behaviour.interactions
    known = replace(data.behaviour, interactions=done.where(done.time < moment))
    one = recipe("aws-next-best-action")
    assert one is not None
    began = time.perf_counter()
    trained = one.fit(
        replace(data, interactions=sequences.where(keep), behaviour=known),
        read_configuration(one.facts, {}),
        Training(seed=seed, line=print),
    )
    seconds = time.perf_counter() - began
    model, asker = CompleteModel(trained, Task.ACTIONS, data.counts), Asker(data)
    scores = np.stack(
        [model.scores(asker.query(int(sequences.user[k]), k, int(sequences.time[k]))) for k in test.tolist()]
    )
    ours = np.exp(scores.astype(np.float64))
    rates = np.array(
        [((said[train] == Outcome.TAKEN)[sequences.item[train] == a].sum() + 1) for a in range(ACTIONS)]
    ) / (np.bincount(sequences.item[train], minlength=ACTIONS) + 2)
    plain = 1 / (1 + np.exp(-logistic(world, train, test)))
    answers = {
        "aws-next-best-action": ours,
        "logistic regression": plain,
        "popularity": np.broadcast_to(rates, ours.shape),
        "optimum": world.all_of_them[test],
    }
    taken = (said[test] == Outcome.TAKEN).astype(np.float64)
    figures = {}
    for method, p in answers.items():
        own = np.clip(p[np.arange(len(test)), sequences.item[test]], 1e-6, 1 - 1e-6)
        figures[method] = {
            "value": float(world.all_of_them[test][np.arange(len(test)), p.argmax(axis=1)].mean()),
            "log-loss": log_loss(np.log(own / (1 - own)), taken),
            "AUC": area_under_curve(own, taken),
            "error": float(np.abs(p - world.all_of_them[test]).mean()),
        }
    figures["aws-next-best-action"]["seconds"] = seconds
    own = ours[np.arange(len(test)), sequences.item[test]]
    order = np.array_split(np.argsort(own), 10)
    return figures, np.array([[own[part].mean(), taken[part].mean(), len(part)] for part in order])


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--users", type=int, default=6000)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    deciles: list[np.ndarray] = []
    print("| world | method | value of the first action | of the possible | log-loss | AUC | error |")
    print("|---|---|---|---|---|---|---|")
    for name in WORLDS:
        found = [run(name, arguments.users, seed) for seed in range(arguments.seeds)]
        deciles += [part for _, part in found]
        for method in found[0][0]:
            mean = {
                key: np.mean([one[method][key] for one, _ in found])
                for key in ("value", "log-loss", "AUC", "error")
            }
            low, high = (np.mean([one[m]["value"] for one, _ in found]) for m in ("popularity", "optimum"))
            share = (mean["value"] - low) / (high - low)
            print(
                f"| {name} | {method} | {mean['value']:.4f} | {share:.2f} | {mean['log-loss']:.4f}"
                f" | {mean['AUC']:.4f} | {mean['error']:.4f} |"
            )
        seconds = np.mean([one["aws-next-best-action"]["seconds"] for one, _ in found])
        print(f"seconds of training: {seconds:.1f}")
    table = np.array(deciles)
    print("\n| decile | predicted | observed |\n|---|---|---|")
    weights = table[:, :, 2:]
    means = (table[:, :, :2] * weights).sum(axis=0) / weights.sum(axis=0)
    for number, (predicted, observed) in enumerate(means.tolist(), start=1):
        print(f"| {number} | {predicted:.3f} | {observed:.3f} |")


if __name__ == "__main__":
    main()
