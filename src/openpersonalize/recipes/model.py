"""What a trained recipe is, `Model`: it scores and can be saved. All else it can do is a capability.

A capability is a small protocol of its own, found by ``isinstance`` once when the model is loaded
(`complete.py` has the defaults). One that depends on what was trained answers None where it does not apply.
Histories, filters, exploration, promotions, metadata and reasons are serving's work, written once for all
recipes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from ..algorithms.arrays import Bools, Float32, Int32, Int64, UInt64
from ..algorithms.item_attribute import ItemVectors

if TYPE_CHECKING:
    import polars as pl

    from .query import Query


class Shortlist(NamedTuple):
    """The best of a catalogue, see `Retriever.candidates`.

    Attributes:
        rows: int64[m], best first. scores: float32[m], theirs, exactly.
        log_total: the log of the sum of exp of the scores of all items (those with interactions, if only they
            were asked for), or an estimate of it.
        low: the mean of these scores less their standard deviation, or an estimate of it.
    """

    rows: Int64
    scores: Float32
    log_total: float
    low: float

    @classmethod
    def of(cls, rows: Int64, scores: Float32, n: int) -> Shortlist:
        """The best `n` of `rows`, ascending, all of whose `scores` are known."""
        if not len(rows):
            return cls(rows, scores, 0.0, 0.0)
        bound = np.partition(scores, -n)[-n] if n < len(scores) else scores.min()
        best = np.flatnonzero(scores >= bound)
        best = best[np.argsort(-scores[best], kind="stable")[:n]]
        most = scores[best[0]]
        log_total = float(most) + float(np.log(np.exp(scores - most).sum(dtype=np.float64)))
        return cls(rows[best], scores[best], log_total, float(scores.mean() - scores.std()))


class Model(Protocol):
    """A trained recipe. Immutable, and safe to ask from several threads."""

    def scores(self, query: Query) -> Float32:
        """A new float32[n], finite, unnormalised logarithms: their softmax is the score of an answer.

        Asked only what it can answer: a personal task has a history, related items an anchor that training
        knew. For the rest serving has the popular items, unless the model is a `ColdStarts`.
        """

    def save(self, folder: Path) -> None:
        """Write what `Recipe.load` needs into the existing `folder`: safetensors, npy, JSON, Parquet."""


@runtime_checkable
class ColdStarts(Protocol):
    """Answers also who did nothing yet, and about an item that training did not know."""

    def cold_scores(self, query: Query) -> Float32:
        """As `Model.scores`: from the profile and the context, or from ``query.anchor_record``."""


@runtime_checkable
class Batches(Protocol):
    """Answers several queries faster together than one by one."""

    def many(self, queries: Sequence[Query]) -> Float32:
        """float32[len(queries), n]: the `Model.scores` of each, but for rounding (to 1e-4, so that products
        of matrices may take the place of those of vectors). The answer is dense: serving asks in blocks."""


class Retriever(Protocol):
    """Finds the best of a catalogue in much less than the time that scoring all of it takes."""

    def candidates(self, query: Query, n: int, interacted_only: bool) -> Shortlist:
        """The best `n` items, or nearly so: some of the last of them may be others than the best. Each has
        the score that `Model.scores` gives it, but for rounding. Fewer than `n` only where there are not
        more.

        Args:
            interacted_only: leave out the items without interactions at training.
        """

    def scores_at(self, query: Query, rows: Int64) -> Float32:
        """float32[len(rows)], of these different items what `Model.scores` gives, but for rounding; those of
        which nothing is known are behind the others of them."""


@runtime_checkable
class Retrieves(Protocol):
    """Has an index of its catalogue."""

    def retriever(self) -> Retriever | None:
        """The index; None where scoring all is as good."""


@runtime_checkable
class Describes(Protocol):
    """Knows of items that nobody met what their records said at training."""

    def described(self, query: Query, rows: Int64) -> Bools:
        """bool[len(rows)], which of these items it scores by what is known of them beside interactions, for
        this user. Asked about items without interactions only to tell them apart: others are False."""


@runtime_checkable
class Inductive(Protocol):
    """Knows of items that came after training what their records say."""

    def embed(self, records: pl.DataFrame) -> ItemVectors | None:
        """Vectors of m items from their records in the Items dataset (its columns, or some of them),
        float32[m, d] or a kind of `ItemVectors` of its own; None where this model knows items by their
        interactions only."""

    def scores_of(self, query: Query, vectors: Any) -> Float32:
        """float32[m], on the scale of `Model.scores`, of items with these vectors; those without a vector
        (all 0) are behind everything."""


@runtime_checkable
class RanksNewItems(Protocol):
    """Ranks the items that came after training among the others, without exploration."""

    def new_item_scores(self, query: Query, vectors: Any, numbers: Int64) -> Float32:
        """float32[m], on the scale of `Model.scores`; -inf for an item that is no answer.

        Args:
            vectors: what `Inductive.embed` made of their records; None where it makes none.
            numbers: int64[m], what `OnlineModel.observe` calls them, less n; -1: it was told nothing of them.
        """


class OnlineModel(Model, Protocol):
    """A model that follows what everybody does after training. Its own state, one per process."""

    def observe(self, item: Int32, time: Int64, weight: Float32, user: UInt64 | None = None) -> None:
        """Selected events of any users that came after training, oldest first; each is told once, from
        another thread than the one that asks. Numbers from n on are items that came after training, too:
        newcomer k has the number n + k. `user`: uint64[m], an even hash of who it was; None: not known."""

    def online_bonus(self, query: Query, newcomers: Int64) -> Float32:
        """float32[m], what was observed of newcomers adds to their scores (see `Inductive.scores_of`), which
        are those of items that nobody interacted with. Of a newcomer -1, or one not observed, nothing."""

    def save_online(self, folder: Path) -> None:
        """Write what was learned since training into the existing, empty `folder`."""

    def load_online(self, folder: Path) -> None:
        """Go on from what `save_online` of the same trained model wrote, in place of what was learned here.

        Raises:
            ValueError: it is of another model, or of a newer release.
        """


@runtime_checkable
class Online(Protocol):
    """Can follow what everybody does after training."""

    def online(self) -> OnlineModel | None:
        """A model that answers as this one does and follows from there, with every capability of this one;
        None where what it learned does not change with the clock."""


class State(Protocol):
    """What a model keeps of one user between two questions. Belongs to one thread."""

    @property
    def nbytes(self) -> int:
        """Bytes of it; 0: nothing worth keeping."""


@runtime_checkable
class Resumes(Protocol):
    """Goes on from what it kept of a user when the user comes again with one event more."""

    def resume(self, query: Query, state: State | None) -> tuple[Query, State]:
        """The query to ask in place of `query`, anything about it, and what to bring with the user's next
        one.

        Args:
            state: what came out the last time, None the first time. Of another model never.
        """


@runtime_checkable
class UsesFeatures(Protocol):
    """Lets a user's metadata or a request's context have a say."""

    def used_features(
        self, profile: Mapping[str, str | float], context: Mapping[str, str | float]
    ) -> tuple[dict[str, str | float], dict[str, str | float]]:
        """What of them counts, under the names of their columns: only this travels in a `Query`, and answers
        are kept by it."""


@runtime_checkable
class Tunes(Protocol):
    """Makes choices on validation that need not be made again."""

    def tuned_state(self) -> Mapping[str, Any]:
        """JSON: for `Training.warm_state` of the refit, and for the manifest."""


@runtime_checkable
class Explains(Protocol):
    """Its scores are sums of parts."""

    def explain(self, query: Query, row: int) -> Mapping[str, float]:
        """What each part adds to the score of an item, by the name of the part."""


class Source(NamedTuple):
    """One term of a score that is a sum.

    Attributes:
        name: tells it from the others. term: what the literature calls it.
        weight, value: it adds their product. average: of `value` over the catalogue.
        history: float32[k], how much of what it adds is owed to each event of the query; None where events
            are not told apart.
    """

    name: str
    term: str
    weight: float
    value: float
    average: float
    history: Float32 | None = None


@runtime_checkable
class ExplainsSources(Protocol):
    """Says of each term of its sum how it came about."""

    def sources(self, query: Query, row: int) -> list[Source]:
        """The terms of an item's score, which add up to it, but for rounding."""


@runtime_checkable
class Propensities(Protocol):
    """Scores actions (`Task.ACTIONS`): its scores are logarithms of probabilities, each of its own."""

    def propensities(self) -> Bools:
        """bool[n], the actions of which it learned enough to print their probabilities; answers give the
        others 0, behind them."""


@runtime_checkable
class Segments(Protocol):
    """Ranks users for items: every model of a recipe with `Task.SEGMENT`. Its numbers are those of users."""

    def affinity(self, items: Int64) -> Float32:
        """A new float32[users], finite, on the scale of `Model.scores`: how likely each user is to interact
        with any of `items`, different ones in ascending order, one at least."""

    def without_users(self, kept: Bools) -> Model:
        """The model of the users marked True in bool[users] `kept`, who are numbered anew in their order.
        What it saves tells nothing of the others any more: a data deletion job asks for it."""
