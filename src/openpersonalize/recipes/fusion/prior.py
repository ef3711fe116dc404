"""A prior of the weights of a fusion, `prior_of`, for data on which few users can be asked (shrinkage; James
and Stein, "Estimation with quadratic loss", 1961).

Some forty users answer alike by chance in many ways: two popularities at the moment weighed against each
other made the one item that all of them took last everybody's first. What holds on shops, films and feeds of
thousands is a better guess there, and counts the less, the more users were asked. Only what everybody does is
doubted: what it weighs goes to the rankers that look at the user's own events, as they weigh there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ...algorithms.arrays import Float64
from ...algorithms.encoder import Encoder
from ...algorithms.linear import Linear
from ...algorithms.neighbours import Neighbours
from ...algorithms.repeat_consumption import PersonalFrequency, RepeatConsumption
from ...algorithms.session_linear import SessionLinear
from ...algorithms.session_neighbours import SessionNeighbours
from ...algorithms.taste import Taste
from ...algorithms.transitions import Transitions
from .weights import POPULAR

USERS, STEEPNESS = 60, 8
"""Users asked with whom the prior counts as much as what they say; with n of them ``USERS ** STEEPNESS`` to
``n ** STEEPNESS``: 40 users are hardly believed, and 100 altogether."""

PRIOR: Mapping[str, float] = {
    Encoder.kind: 0.3,
    Transitions.kind: 0.35,
    SessionNeighbours.kind: 0.1,
    SessionLinear.kind: 0.05,
    Linear.kind: 0.15,
    Neighbours.kind: 0.15,
    RepeatConsumption.kind: 0.3,
    PersonalFrequency.kind: 0.05,
}
"""About the mean over the public data sets of docs/accuracy.md of what kept sets weigh, of rankers that look
at the user's own events; nothing for what everybody does, which differs most."""

TASTE = 0.03
"""Of each column."""

COLD: Mapping[str, float] = {POPULAR: 1.0}
"""Of users without events: log(users)."""

COLD_USERS = 25
"""As `USERS`, for the few weights of users without events."""


def prior_of(names: Sequence[str], known: Mapping[str, float] = PRIOR) -> Float64:
    """float64[R], the prior of rankers of these names; no weight where it knows none of them."""
    taste = f"{Taste.kind}-"
    found = [TASTE if name.startswith(taste) else known.get(name, 0.0) for name in names]
    return np.array(found, dtype=np.float64)


def trust(users: int, half: int = USERS) -> float:
    """The share of what so many users say, 0 to 1; with `half` of them it is a half."""
    return float(1 / (1 + (half / max(users, 1)) ** STEEPNESS))
