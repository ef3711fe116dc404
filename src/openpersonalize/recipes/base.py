"""What a recipe is: the whole contract, for the built-in recipes and for anybody's own.

A recipe has facts (its name, what it needs, what it can do), trains a `Model` on `TrainingData`, and opens a
saved one again. A model answers one question: *scores for this query over these items*. Histories, filters,
exploration, promotions, metadata and reasons are serving's work, written once for all recipes.

A package announces a recipe of its own by an entry point in the group ``openpersonalize.recipes`` whose value
is a `Recipe` instance or a class that makes one without arguments. `registry.py` finds it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from ..algorithms.ranker import RankerStates
from ..datasets.schemas import MAX_TIMESTAMP
from ..errors import CannotUpdate

if TYPE_CHECKING:
    import polars as pl

    from ..datasets.sequences import Sequences
    from ..storage.idtable import IdTable
    from .incremental import Earlier

Int32: TypeAlias = npt.NDArray[np.int32]
Int64: TypeAlias = npt.NDArray[np.int64]
Int16: TypeAlias = npt.NDArray[np.int16]
Float32: TypeAlias = npt.NDArray[np.float32]
Float64: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]
Value: TypeAlias = bool | int | float | str

ARN_PREFIX = "arn:aws:personalize:::"


@dataclass(frozen=True)
class Hyperparameter:
    """One row of a recipe's table.

    Attributes:
        place: ``algorithm`` travels in ``algorithmHyperParameters``, ``feature`` in
            ``featureTransformationParameters``, ``search`` only in the ranges of ``hpoConfig``.
        low, high: inclusive bounds of a number; `values` are the allowed ones of a boolean or a string.
        tunable: may appear in ``hpoConfig.algorithmHyperParameterRanges``.
        aliases: other spellings of a string value -> the value.
    """

    name: str
    place: Literal["algorithm", "feature", "search"]
    type: Literal["integer", "float", "boolean", "string"]
    default: Value
    low: float | None = None
    high: float | None = None
    values: tuple[str, ...] = ()
    tunable: bool = False
    aliases: Mapping[str, str] = field(default_factory=dict)

    @property
    def default_text(self) -> str:
        """The default as it travels: ``149``, ``true``, ``0.99``."""
        return str(self.default).lower() if isinstance(self.default, bool) else str(self.default)


@dataclass(frozen=True)
class Features:
    """What a recipe can do, one yes or no each.

    Attributes:
        real_time: a new event changes its user's next answer.
        exploration: serving mixes in new items; `exploration_settings`: a campaign may set how much.
        auto_update: new items join every refresh without retraining.
        update_mode: a version may be trained with ``trainingMode`` UPDATE.
        context, impressions: used when the data has them.
        objective, events_config, hpo: takes ``optimizationObjective``, ``eventsConfig``, ``performHPO``.
        scores, reasons: answers carry them. promotions: requests may carry promotions.
        metadata_always: answers may carry metadata without enabling it in the campaign.
        incremental_update: takes ``performIncrementalUpdate``. ranking_influence: takes ``rankingInfluence``.
        batch: batch inference jobs; segments: batch segment jobs; themes: themed batch jobs.
        campaign: versions can be deployed in a campaign.
        user_required, item_required, ranks_input: what a runtime request must bring: ids, an input list.
    """

    real_time: bool = False
    exploration: bool = False
    exploration_settings: bool = False
    auto_update: bool = False
    update_mode: bool = False
    context: bool = False
    impressions: bool = False
    objective: bool = False
    events_config: bool = False
    hpo: bool = False
    scores: bool = False
    promotions: bool = False
    reasons: bool = False
    metadata_always: bool = False
    incremental_update: bool = False
    ranking_influence: bool = False
    batch: bool = False
    segments: bool = False
    themes: bool = False
    campaign: bool = True
    user_required: bool = False
    item_required: bool = False
    ranks_input: bool = False


@dataclass(frozen=True)
class Objective:
    """``optimizationObjective``: a numeric Items column and how much it weighs against relevance."""

    attribute: str
    sensitivity: Literal["OFF", "LOW", "MEDIUM", "HIGH"]

    @property
    def weight(self) -> float:
        """Share of the objective in the final score (our choice: 0, 1/4, 1/2, 3/4)."""
        return {"OFF": 0.0, "LOW": 0.25, "MEDIUM": 0.5, "HIGH": 0.75}[self.sensitivity]


@dataclass(frozen=True)
class Configuration:
    """The solution's settings as a recipe reads them: every hyperparameter has its checked, typed value."""

    parameters: Mapping[str, Value]
    objective: Objective | None = None


@dataclass(frozen=True)
class TrainingData:
    """What a recipe learns from.

    Attributes:
        sequences: the selected interactions, by user, oldest first, with what is known about their users.
        items: metadata aligned with ``sequences.items`` (row k describes number k; nulls where a row is
            missing), only the columns that may train; None without such a dataset.
        textual: columns of `items` that hold prose; its other strings are categories, joined by ``|``.
    """

    sequences: Sequences
    items: pl.DataFrame | None = None
    textual: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Training:
    """How to train: the same record for every recipe, so that none invents its own seed or thread option.

    Attributes:
        seed: the source of every random choice; one seed and one data set give one model, bit for bit.
        threads: threads to use; 1 or more.
        progress: called as ``progress(step, done, total, unit)``, often.
        check: call it between pieces of work; it raises when the training was stopped.
        moment: seconds, when the training began; an event of a client whose clock is wrong may claim more.
        prior: what `Model.settled` of an earlier fit of the same recipe on nearly the same data returned (the
            fit that was measured): choices that need not be made again. Empty for a first fit.
        earlier: the model of that fit, to go on from; None for a first fit, or when it is not at hand.
        line: told what is worth a line in the job's log.
        budget_seconds: about how long the learned part of one fit may take; None: as long as it needs.
        memory_bytes: how much memory it may take; None: what is free.
    """

    seed: int = 0
    threads: int = 1
    progress: Callable[[str, float, float, str], None] = lambda step, done, total, unit: None
    check: Callable[[], None] = lambda: None
    moment: int = MAX_TIMESTAMP
    prior: Mapping[str, Any] = field(default_factory=dict)
    earlier: Model | None = None
    line: Callable[[str], None] = lambda text: None
    budget_seconds: float | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True)
class Query:
    """One question: who asks (the events so far, what is known of the user), when and in what situation.

    Attributes:
        item: int32[k] numbers of the events' items in the model's table, oldest first; no unknown items.
        time: int64[k] seconds; event: int16[k] numbers of event types, -1 unknown; weight: float32[k].
        now: seconds; the moment of the request.
        seen_excluded: the answer will leave out the items the user has met.
        profile: values of Users columns, as they were at training. context: values of Interactions columns
            in the situation of the request. Strings of several values have ``|`` between them.
        session: where a model may keep what the user's next question can go on from; None: nowhere.
    """

    item: Int32
    time: Int64
    event: Int16
    weight: Float32
    now: int
    seen_excluded: bool = False
    profile: Mapping[str, str | float] = field(default_factory=dict)
    context: Mapping[str, str | float] = field(default_factory=dict)
    session: RankerStates | None = None


class Shortlist(NamedTuple):
    """What `Model.candidates` found.

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


class Model(ABC):
    """A trained recipe. Immutable but for `observe`, and safe to ask from several threads.

    Attributes:
        items: the catalogue, in order of numbers.
        scored: bool[n], True for items that had interactions at training.
        popularity: float32[n], distinct users that interacted with the item at training.
        popular: int32[n], all items, most popular first; ties by interactions, then by id.
    """

    items: IdTable
    scored: Bools
    popularity: Float32
    popular: Int32

    @abstractmethod
    def scores(self, query: Query) -> Float32:
        """A new float32[n], finite, unnormalised logarithms: their softmax is the score of an answer."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write what `Recipe.load` needs into the existing `folder`: safetensors, npy, JSON, Parquet."""

    def many(self, queries: Sequence[Query]) -> Float32:
        """float32[len(queries), n]: the scores of several queries. Ask in chunks: the answer is dense."""
        return np.stack([self.scores(query) for query in queries])

    @property
    def indexed(self) -> bool:
        """Whether `candidates` and `scores_at` take much less than `scores`: serving then asks them."""
        return False

    def candidates(self, query: Query, n: int, scored_only: bool = False) -> Shortlist:
        """The best `n` items, or nearly so: where a model looks at a part of its catalogue only, some of the
        last of them may be others than the best. Each has the score that `scores` gives it, but for rounding.
        Fewer than `n` only where there are not more. By default all items are scored.

        Args:
            scored_only: leave out the items without interactions at training.
        """
        scores = self.scores(query)
        rows = np.flatnonzero(self.scored) if scored_only else np.arange(len(scores))
        scores = scores[rows]
        if not len(rows):
            return Shortlist(rows, scores, 0.0, 0.0)
        bound = np.partition(scores, -n)[-n] if n < len(scores) else scores.min()
        best = np.flatnonzero(scores >= bound)
        best = best[np.argsort(-scores[best], kind="stable")[:n]]
        most = scores[best[0]]
        log_total = float(most) + float(np.log(np.exp(scores - most).sum(dtype=np.float64)))
        return Shortlist(rows[best], scores[best], log_total, float(scores.mean() - scores.std()))

    def scores_at(self, query: Query, rows: Int64) -> Float32:
        """float32[len(rows)], of these different items what `scores` gives, but for rounding; those of which
        nothing is known are behind the others of them."""
        return self.scores(query)[rows]

    def newcomers(self, records: pl.DataFrame) -> Float32 | None:
        """float32[m, d], vectors of m items that came after training, from their records in the Items dataset
        (its columns, or some of them); None where the model knows items by their interactions only."""
        return None

    def scores_of(self, query: Query, vectors: Float32) -> Float32:
        """float32[m], on the scale of `scores`: of items outside the catalogue with these vectors, see
        `newcomers`; those without a vector (all 0) are behind everything."""
        return np.full(len(vectors), self.scores(query).min() - 1, dtype=np.float32)

    @property
    def follows(self) -> bool:
        """Whether `observe` is to be told what everybody does after training."""
        return False

    def observe(self, item: Int32, time: Int64, weight: Float32) -> None:  # noqa: B027 - most models ignore it
        """Selected events of any users that came after training, oldest first; each is told once to a loaded
        model, from another thread than the one that asks. Numbers from n on are items that came after
        training, too: newcomer k has the number n + k."""

    def gained(self, query: Query, newcomers: Int64) -> Float32:
        """float32[m], what was observed of newcomers adds to their scores (see `scores_of`), which are those
        of items that nobody met. Of a newcomer -1, or one that was not observed, nothing."""
        return np.zeros(len(newcomers), dtype=np.float32)

    def settled(self) -> Mapping[str, Any]:
        """JSON: choices made on validation, for `Training.prior` of the refit and for the manifest."""
        return {}

    def recognised(
        self, profile: Mapping[str, str | float], context: Mapping[str, str | float]
    ) -> tuple[dict[str, str | float], dict[str, str | float]]:
        """What of a user's metadata and of a request's context has a say in answers, under the names of their
        columns: only this travels in a `Query`, and answers are kept by it. Nothing, by default."""
        return {}, {}

    def explain(self, query: Query, item: int) -> Mapping[str, float]:
        """What each part of the model adds to the score of `item`; empty when the model has no parts."""
        return {}


@dataclass(frozen=True)
class Recipe:
    """A recipe: the facts here, `fit` and `load` in a subclass.

    Attributes:
        recipe_type: as DescribeRecipe returns it. created: ISO date. domain: None for custom dataset groups.
        needs: dataset types without which it cannot train.
        most_items, most_interactions: so many of its data a training considers, the newest; None: all.
        algorithm, feature_transformation: names inside their ARNs; the recipe's own name when empty.
        listed: False for legacy names that can be described but not used any more.
    """

    name: str
    recipe_type: str
    description: str
    created: str = "2019-06-10"
    domain: Literal["ECOMMERCE", "VIDEO_ON_DEMAND"] | None = None
    hyperparameters: tuple[Hyperparameter, ...] = ()
    features: Features = Features()
    needs: tuple[str, ...] = ("INTERACTIONS",)
    most_items: int | None = None
    most_interactions: int | None = None
    algorithm: str = ""
    feature_transformation: str = ""
    listed: bool = True

    @property
    def arn(self) -> str:
        """``arn:aws:personalize:::recipe/<name>``"""
        return f"{ARN_PREFIX}recipe/{self.name}"

    @property
    def algorithm_arn(self) -> str:
        """``arn:aws:personalize:::algorithm/<algorithm>``"""
        return f"{ARN_PREFIX}algorithm/{self.algorithm or self.name}"

    @property
    def feature_transformation_arn(self) -> str:
        """``arn:aws:personalize:::feature-transformation/<name>``"""
        return f"{ARN_PREFIX}feature-transformation/{self.feature_transformation or self.name}"

    @property
    def trainable(self) -> bool:
        """Whether this release can train it."""
        return type(self).fit is not Recipe.fit

    def problems(self, configuration: Configuration) -> list[str]:
        """What is wrong with a configuration beyond single values; sentences for the caller."""
        return []

    def fit(self, data: TrainingData, configuration: Configuration, training: Training) -> Model:
        """Train.

        Raises:
            JobFailed: the data cannot train this recipe; the sentence becomes the failureReason.
            JobStopped: `training.check` raised it.
        """
        raise NotImplementedError(f"{self.name} trains in a later release")

    def update(
        self, data: TrainingData, configuration: Configuration, training: Training, earlier: Earlier
    ) -> Model:
        """Bring a trained model up to date: what was learned stays, what came since is learned in addition.
        For recipes with `Features.update_mode`.

        Args:
            data: all of it, as for `fit`; items may have other numbers than in the earlier model.
            configuration, training: as for `fit`.
            earlier: what is brought up to date, of this recipe and the same selection of events.

        Raises:
            CannotUpdate: the earlier model does not fit the data; `fit` can.
            JobFailed, JobStopped: as `fit`.
        """
        raise CannotUpdate(f"{self.name} always learns everything anew")

    def load(self, folder: Path, items: IdTable) -> Model:
        """Open what `Model.save` wrote: memory-mapped, without torch. `items` is the artifact's table."""
        raise NotImplementedError(f"{self.name} trains in a later release")
