"""Recipe facts, `Facts`: what DescribeRecipe tells of a recipe and what every check reads. Data only.

What a recipe does follows from its `Task`; what it can do beside that is a set of `Offer`. Nothing outside
the catalogue compares the name of a recipe.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, TypeAlias

Value: TypeAlias = bool | int | float | str

Counted: TypeAlias = Literal["users", "events"]
"""What popularity counts: distinct users, or every event, less the more often one user repeats it."""

ARN_PREFIX = "arn:aws:personalize:::"


class Task(StrEnum):
    """What a recipe answers; the value is ``recipeType`` on the wire."""

    PERSONALISE = "USER_PERSONALIZATION"
    """A user's history -> items."""
    RERANK = "PERSONALIZED_RANKING"
    """A user's history and a list of items -> the list in order."""
    RELATED = "RELATED_ITEMS"
    """An item, the anchor -> items."""
    POPULAR = "POPULAR_ITEMS"
    """Nothing -> items, the same for everybody."""
    ACTIONS = "PERSONALIZED_ACTIONS"
    """A user's history -> actions with probabilities."""
    SEGMENT = "USER_SEGMENTATION"
    """An item or an attribute -> users."""

    @property
    def personal(self) -> bool:
        """Whether answers depend on who asks: a user's new event changes that user's next answer."""
        return self in (Task.PERSONALISE, Task.RERANK, Task.ACTIONS)

    @property
    def lists_items(self) -> bool:
        """Whether answers are items of the catalogue that nobody named."""
        return self in (Task.PERSONALISE, Task.RELATED, Task.POPULAR)

    @property
    def records(self) -> str:
        """The type of the dataset whose records describe what is ranked."""
        return "ACTIONS" if self is Task.ACTIONS else "ITEMS"

    @property
    def events(self) -> str:
        """The type of the dataset of what users did with what is ranked."""
        return "ACTION_INTERACTIONS" if self is Task.ACTIONS else "INTERACTIONS"

    @property
    def anchored(self) -> bool:
        """Whether a question is about an item."""
        return self in (Task.RELATED, Task.SEGMENT)


class Offer(StrEnum):
    """What a recipe can do beside its task."""

    AUTO_UPDATE = "new items join every refresh without retraining"
    BATCH = "batch inference jobs"
    EVENTS_CONFIG = "takes eventsConfig"
    EXPLORATION = "serving mixes in new items"
    EXPLORATION_SETTINGS = "a campaign may set how much is explored"
    HPO = "takes performHPO"
    IMPRESSIONS = "uses impressions where the data has them"
    INCREMENTAL_UPDATE = "takes performIncrementalUpdate"
    METADATA = "answers may carry metadata without enabling it in the campaign"
    OBJECTIVE = "takes optimizationObjective"
    PROMOTIONS = "requests may carry promotions"
    RANKING_INFLUENCE = "takes rankingInfluence"
    REASONS = "answers carry reasons"
    SCORES = "answers carry scores"
    THEMES = "themed batch jobs"
    UPDATE_MODE = "versions may be trained with trainingMode UPDATE"


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
class Preset:
    """A domain recipe (use case): another recipe with settings that are its own.

    Attributes:
        of: the recipe that trains it, with its hyperparameters at their defaults, but for `settings`.
        learns_from: event types that train, in any case, and of which there must be a thousand together; none
            named: all.
        hides: event types whose items never come back to the user who has such an event.
        counts: what popularity counts of them: distinct users, or every event.
        settings: hyperparameters that the use case has otherwise.
    """

    of: str
    learns_from: tuple[str, ...] = ()
    hides: tuple[str, ...] = ()
    counts: Counted = "users"
    settings: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class Facts:
    """What is known of a recipe without its code.

    Attributes:
        task: what it answers. shown_as: the task that DescribeRecipe names, where it is another one.
        created: ISO date. domain: None for custom dataset groups; `preset`: how a domain recipe is made.
        offers: what it can do beside its task.
        needs: dataset types without which it cannot train.
        needs_text: whether the Items schema must mark a column as itemName and one as textual; both train.
        needs_attribute: whether an Items column must train that is neither textual nor reserved.
        scored: which items have a score: ``all``, or ``seen``, those with interactions at training; then the
            others fill up short answers in the order of popularity.
        needs_user: whether a request must bring a userId; None: as its task has it.
        most_items, most_interactions: so many of its data a training considers, the newest; None: all. Of a
            recipe for actions, these.
        algorithm, feature_transformation: names inside their ARNs; the recipe's own name when empty.
        listed: False for legacy names that can be described but not used any more.
    """

    name: str
    task: Task
    description: str
    created: str = "2019-06-10"
    domain: Literal["ECOMMERCE", "VIDEO_ON_DEMAND"] | None = None
    hyperparameters: tuple[Hyperparameter, ...] = ()
    offers: frozenset[Offer] = frozenset()
    needs: tuple[str, ...] = ("INTERACTIONS",)
    needs_attribute: bool = False
    needs_text: bool = False
    scored: Literal["all", "seen"] = "all"
    needs_user: bool | None = None
    shown_as: Task | None = None
    preset: Preset | None = None
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
    def type(self) -> Task:
        """``recipeType`` as DescribeRecipe returns it."""
        return self.shown_as or self.task

    @property
    def asks_for_user(self) -> bool:
        """Whether a runtime request must bring a userId."""
        return self.task.personal if self.needs_user is None else self.needs_user

    @property
    def deployable(self) -> bool:
        """Whether its versions can be deployed in a campaign."""
        return self.task is not Task.SEGMENT and self.domain is None
