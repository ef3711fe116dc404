"""A fused model in a folder: ``fused.json``, `Described`, beside the files of its rankers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ...algorithms.encoder import Encoder
from ...algorithms.freshness import Freshness
from ...algorithms.linear import Linear
from ...algorithms.naive_bayes import NaiveBayes
from ...algorithms.neighbours import Neighbours
from ...algorithms.popularity import Popularity
from ...algorithms.ranker import BaseRanker
from ...algorithms.recent_popularity import RecentPopularity
from ...algorithms.repeat_consumption import PersonalFrequency, RepeatConsumption
from ...algorithms.session_linear import SessionLinear
from ...algorithms.session_neighbours import SessionNeighbours
from ...algorithms.taste import Taste
from ...algorithms.transitions import Transitions
from ...errors import JobFailed

FORMAT = 3
"""Raised when an older program could not read the folder any more."""

KINDS = {
    one.kind: one
    for one in (
        Encoder,
        Transitions,
        SessionLinear,
        SessionNeighbours,
        Linear,
        Neighbours,
        Popularity,
        RecentPopularity,
        Freshness,
        RepeatConsumption,
        PersonalFrequency,
        NaiveBayes,
        Taste,
    )
}
"""Rankers by kind."""

_FILE = "fused.json"


@dataclass(frozen=True)
class Described:
    """What the JSON file says.

    Attributes:
        rankers: kind and name of each. weights: see `Weights.of`.
        reward_share: of the objective in the score, whose rewards are in ``reward.npy``; None without one.
        pause, probe_rows: see `FusedModel`. vocabulary: whether one of the items' attributes was saved.
    """

    rankers: list[tuple[str, str]]
    weights: Mapping[str, Any] = field(default_factory=dict)
    reward_share: float | None = None
    pause: int = 0
    vocabulary: bool = False
    probe_rows: int = 0

    def write(self, folder: Path) -> None:
        """Into the existing `folder`."""
        (folder / _FILE).write_text(json.dumps({"format": FORMAT, **asdict(self)}))

    @classmethod
    def read(cls, folder: Path) -> Described:
        """From `folder`, of format 1 (which had no number), too.

        Raises:
            JobFailed: it is of a newer release.
        """
        state = json.loads((folder / _FILE).read_text())
        if state.get("format", 1) > FORMAT:
            raise JobFailed(
                f"The model has format {state['format']}; this program reads formats up to {FORMAT}. "
                "Upgrade openpersonalize, or train a new solution version."
            )
        if "format" not in state:
            return cls(
                state["members"],
                state["weights"],
                state["reward_weight"],
                state.get("pause", 0),
                bool(state.get("vocabulary")),
                state.get("look", 0),
            )
        del state["format"]
        return cls(**state)

    def load_rankers(self, folder: Path) -> list[BaseRanker]:
        """Open what the rankers saved."""
        return [KINDS[kind].load(folder, name) for kind, name in self.rankers]
