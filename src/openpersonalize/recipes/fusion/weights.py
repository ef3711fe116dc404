"""Validated weights of a linear score fusion, `Weights`: a `WeightSet` for each scenario, and those of users
without events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeAlias

from ...algorithms.popularity import Popularity
from ...algorithms.sessions import in_session
from ...datasets.protocols import ValidationProtocol
from ...datasets.scenarios import Scenario
from ..query import Query

POPULAR = Popularity.kind
"""Names log(users of the item) among the weights of cold users."""

ATTRIBUTES = ("profile", "context")
"""What may be known of a cold user: the fields of a `Query` that naive Bayes looks at."""

PlanKey: TypeAlias = tuple[Scenario, bool]
"""A scenario, and whether the answer leaves out the items interacted with."""

_OLD_PROTOCOLS: Mapping[str, ValidationProtocol] = {"next": "leave_last", "moving": "temporal"}
"""Names of format 1."""


@dataclass(frozen=True)
class WeightSet:
    """What validation found out on the questions of one scenario.

    Attributes:
        kept: a ranker's weight by name, in answers that may repeat the user's items. excluded: in answers
            that leave them out.
        ndcg_kept, ndcg_excluded: NDCG@10 of both; `alone_kept`, `alone_excluded`: of each ranker alone.
        questions: how many were asked.
    """

    kept: Mapping[str, float]
    excluded: Mapping[str, float]
    ndcg_kept: float = 0.0
    ndcg_excluded: float = 0.0
    alone_kept: Mapping[str, float] = field(default_factory=dict)
    alone_excluded: Mapping[str, float] = field(default_factory=dict)
    questions: int = 0

    def of(self, seen_excluded: bool) -> Mapping[str, float]:
        """The weights of one kind of answer."""
        return self.excluded if seen_excluded else self.kept


_OF_A_SET = tuple(one.name for one in fields(WeightSet))


@dataclass(frozen=True)
class Weights:
    """The weights of all scenarios.

    Attributes:
        arriving: for a user whose session is over. in_session: for one who is there; the same where there was
            too little to tell them apart. session_gap: seconds without an event after which a session is
            over.
        protocol: by which questions were found.
        encoder: how it was trained (``passes``) and its shape.
        cold: weights for users without events, by what is known of them (see `known_attributes`).
    """

    arriving: WeightSet
    in_session: WeightSet
    session_gap: int = 0
    protocol: ValidationProtocol = "leave_last"
    encoder: Mapping[str, float] = field(default_factory=dict)
    cold: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @classmethod
    def alike(
        cls,
        kept: Mapping[str, float],
        excluded: Mapping[str, float],
        cold: Mapping[str, Mapping[str, float]] | None = None,
    ) -> Weights:
        """The same weights in both scenarios."""
        one = WeightSet(kept, excluded)
        return cls(one, one, cold=cold or {})

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Weights:
        """From JSON; of releases before there were scenarios, too."""
        values = dict(state)
        if "arriving" not in values:
            one = {name: values.pop(name) for name in _OF_A_SET if name in values}
            values |= {"arriving": one, "in_session": one}
        if "objective" in values:
            protocol = values.pop("objective")
            values["protocol"] = _OLD_PROTOCOLS.get(protocol, protocol)
        arriving, running = (WeightSet(**values.pop(name)) for name in ("arriving", "in_session"))
        return cls(arriving, running, **values)

    def json(self) -> dict[str, Any]:
        """For `of`."""
        return asdict(self)

    def scenario(self, query: Query) -> Scenario:
        """Which weights hold for a query: in session when its newest event is at most `session_gap` seconds
        old, unless the answer is for later."""
        running = not query.arriving and in_session(query.time, query.now, self.session_gap)
        return "in_session" if running else "arriving"

    def sets(self) -> dict[PlanKey, Mapping[str, float]]:
        """The weights of rankers for each kind of question of users with events."""
        both: dict[Scenario, WeightSet] = {"arriving": self.arriving, "in_session": self.in_session}
        return {(name, seen): one.of(seen) for name, one in both.items() for seen in (False, True)}

    def of_scenario(self, scenario: Scenario) -> WeightSet:
        """The set of one scenario."""
        return self.in_session if scenario == "in_session" else self.arriving

    @property
    def refit_protocol(self) -> ValidationProtocol:
        """How rankers are fitted on everything: for a horizon, or for what comes next."""
        return "horizon" if self.protocol == "horizon" else "leave_last"

    def used(self) -> set[str]:
        """Names of the rankers that count in any set."""
        cold = ({**weights, POPULAR: 0.0} for weights in self.cold.values())
        sets = (*self.sets().values(), *cold)
        return {name for weights in sets for name, weight in weights.items() if weight}


def known_attributes(query: Query) -> str:
    """The set of weights that fits what is known of a cold user: ``profile``, ``context``, ``profile
    context`` or ""."""
    return " ".join(name for name in ATTRIBUTES if getattr(query, name))
