"""Which interactions train and count, and how much: a solution's event type, value threshold and event
weights.

Rules (Amazon Personalize developer guide, "Choosing the item interaction data used for training"): without a
choice every row counts alike. ``eventType`` keeps rows of exactly that type, ``eventValueThreshold`` rows
whose EVENT_VALUE is at least that (a missing value fails it). ``eventsConfig`` lists the types to consider,
each with its own threshold and weight; types not listed are left out, and only the ratios of weights matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl


@dataclass(frozen=True)
class EventRule:
    """One line of the choice: rows of type `event_type` (None: any) with at least `threshold` (None: any
    value), compared as 32-bit numbers, which is what event values are: 3.3 reaches 3.3.

    `weight` is relative to the mean of all rules: weights 0.3 and 0.1 are 1.5 and 0.5.
    """

    event_type: str | None = None
    threshold: float | None = None
    weight: float = 1.0


@dataclass(frozen=True)
class EventSelection:
    """The choice of a solution. An interaction counts with the weight of the one rule it fits, or not at
    all."""

    rules: tuple[EventRule, ...] = (EventRule(),)
    weighted: bool = False

    @classmethod
    def from_solution(
        cls, event_type: str | None, solution_config: Mapping[str, Any] | None
    ) -> EventSelection:
        """From a checked solution: its ``eventType`` and ``solutionConfig``."""
        config = solution_config or {}
        listed = (config.get("eventsConfig") or {}).get("eventParametersList")
        if listed:
            weights = [1.0 if entry.get("weight") is None else float(entry["weight"]) for entry in listed]
            mean = sum(weights) / len(weights)
            rules = tuple(
                EventRule(entry["eventType"], entry.get("eventValueThreshold"), weight / mean)
                for entry, weight in zip(listed, weights, strict=True)
            )
            return cls(rules, weighted=True)
        threshold = config.get("eventValueThreshold")
        return cls((EventRule(event_type, None if threshold is None else float(threshold)),))

    @classmethod
    def of_types(cls, event_types: Iterable[str]) -> EventSelection:
        """Rows of exactly these types, which count alike."""
        return cls(tuple(EventRule(one) for one in event_types))

    def json(self) -> dict[str, Any]:
        """JSON for the manifest."""
        return {"rules": [asdict(rule) for rule in self.rules], "weighted": self.weighted}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> EventSelection:
        """The inverse of `json`."""
        return cls(tuple(EventRule(**rule) for rule in data["rules"]), data["weighted"])

    @property
    def named(self) -> tuple[str, ...]:
        """The event types that are chosen; empty when all are."""
        return tuple(rule.event_type for rule in self.rules if rule.event_type is not None)

    def weights(
        self,
        number_of: Callable[[str], int],
        types: npt.NDArray[np.int32],
        values: npt.NDArray[np.float32],
    ) -> npt.NDArray[np.float32]:
        """float32[k], the weight of each event, NaN where it does not count.

        Args:
            number_of: the number of an event type, -1 when no event has it.
            types: int32[k] numbers of the events' types. values: float32[k], NaN where there is none.
        """
        found = np.full(len(types), np.nan, dtype=np.float32)
        for rule in self.rules:
            fits = np.isnan(found)
            if rule.event_type is not None:
                number = number_of(rule.event_type)
                fits &= (types == number) & (number >= 0)
            if rule.threshold is not None:
                fits &= values >= np.float32(rule.threshold)
            found[fits] = rule.weight
        return found

    def expression(self, columns: Iterable[str]) -> pl.Expr:
        """The weight of each row of a frame that has these columns: Float32, null where a row does not count.

        A rule that needs a column the frame lacks fits no row.
        """
        present = set(columns)
        chosen: pl.Expr = pl.lit(None, dtype=pl.Float32)
        for rule in reversed(self.rules):
            fits: pl.Expr = pl.lit(True)
            if rule.event_type is not None:
                fits = (pl.col("EVENT_TYPE") == rule.event_type) if "EVENT_TYPE" in present else pl.lit(False)
            if rule.threshold is not None:
                least = pl.lit(rule.threshold, dtype=pl.Float32)
                valued = "EVENT_VALUE" in present
                reached = (pl.col("EVENT_VALUE").cast(pl.Float32) >= least) if valued else pl.lit(False)
                fits = fits & reached
            chosen = (
                pl.when(fits.fill_null(False)).then(pl.lit(rule.weight, dtype=pl.Float32)).otherwise(chosen)
            )
        return chosen
