"""Tables of hyperparameters (`Hyperparameter`) that recipes share, and how a row of one is written.

Names, defaults and bounds are those of the developer guide's recipe pages.
"""

from __future__ import annotations

from .facts import Hyperparameter


def number(
    name: str, default: float, low: float, high: float, place: str = "algorithm", tunable: bool = False
) -> Hyperparameter:
    """A number between `low` and `high`; whole where its default is."""
    kind = "integer" if isinstance(default, int) else "float"
    return Hyperparameter(name, place, kind, default, low=low, high=high, tunable=tunable)  # type: ignore[arg-type]


def boolean(name: str, default: bool, tunable: bool = False) -> Hyperparameter:
    """Yes or no."""
    return Hyperparameter(name, "algorithm", "boolean", default, values=("true", "false"), tunable=tunable)


def percentiles(low: float, high: float, what: str = "user_history_length") -> tuple[Hyperparameter, ...]:
    """Of users, or of items, only those whose number of events lies between two percentiles are used."""
    return (
        number(f"min_{what}_percentile", low, 0.0, 1.0, "feature"),
        number(f"max_{what}_percentile", high, 0.0, 1.0, "feature"),
    )


SEQUENCE = (
    number("hidden_dimension", 149, 32, 256, tunable=True),
    number("bptt", 32, 2, 32, tunable=True),
    boolean("recency_mask", True, tunable=True),
    *percentiles(0.0, 0.99),
)
RECENCY_BIAS = (boolean("apply_recency_bias", True),)
AFFINITY = (number("hidden_dimension", 149, 32, 256),)
TREND = (
    Hyperparameter(
        "trend_discovery_frequency",
        "feature",
        "string",
        "2 hours",
        values=("30 minutes", "1 hour", "2 hours", "3 hours", "1 day"),
        aliases={"30 min": "30 minutes", "1h": "1 hour", "2h": "2 hours", "3h": "3 hours"},
    ),
)
