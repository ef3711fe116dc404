"""Validated weights of a linear score fusion, `Weights`: one set for each kind of question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ...algorithms.popularity import Popularity
from ...datasets.protocols import ValidationProtocol
from ..query import Query

POPULAR = Popularity.kind
"""Names log(users of the item) among the weights of cold users."""

ATTRIBUTES = ("profile", "context")
"""What may be known of a cold user: the fields of a `Query` that naive Bayes looks at."""

_OLD_PROTOCOLS: Mapping[str, ValidationProtocol] = {"next": "leave_last", "moving": "temporal"}
"""Names of format 1."""


@dataclass(frozen=True)
class Weights:
    """What validation found out.

    Attributes:
        kept: a ranker's weight by name, in answers that may repeat the user's items. excluded: in answers
        that
            leave them out.
        ndcg_kept, ndcg_excluded: NDCG@10 of both; `alone_kept`, `alone_excluded`: of each ranker alone.
        questions: how many were asked. protocol: by which.
        encoder: how it was trained (``passes``) and its shape.
        cold: weights for users without events, by what is known of them (see `known_attributes`).
    """

    kept: Mapping[str, float]
    excluded: Mapping[str, float]
    ndcg_kept: float = 0.0
    ndcg_excluded: float = 0.0
    alone_kept: Mapping[str, float] = field(default_factory=dict)
    alone_excluded: Mapping[str, float] = field(default_factory=dict)
    questions: int = 0
    protocol: ValidationProtocol = "leave_last"
    encoder: Mapping[str, float] = field(default_factory=dict)
    cold: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Weights:
        """From JSON, of format 1, too."""
        values = dict(state)
        if "objective" in values:
            protocol = values.pop("objective")
            values["protocol"] = _OLD_PROTOCOLS.get(protocol, protocol)
        return cls(**values)

    def json(self) -> dict[str, Any]:
        """For `of`."""
        return asdict(self)

    @property
    def refit_protocol(self) -> ValidationProtocol:
        """How rankers are fitted on everything: for a horizon, or for what comes next."""
        return "horizon" if self.protocol == "horizon" else "leave_last"

    def used(self) -> set[str]:
        """Names of the rankers that count in any set."""
        cold = ({**weights, POPULAR: 0.0} for weights in self.cold.values())
        sets = (self.kept, self.excluded, *cold)
        return {name for weights in sets for name, weight in weights.items() if weight}


def known_attributes(query: Query) -> str:
    """The set of weights that fits what is known of a cold user: ``profile``, ``context``, ``profile
    context`` or ""."""
    return " ".join(name for name in ATTRIBUTES if getattr(query, name))
