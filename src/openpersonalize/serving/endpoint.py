"""What answers runtime requests under an ARN: `Endpoint`, and the compiled filters that requests name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..exploration.config import Exploration
from ..filters.compiler import BoundFilter, CompiledFilter, compile_filter
from ..recipes.facts import Facts
from .deployment import Deployment
from .metadata_reads import Datasets, EndpointEntry


@dataclass(frozen=True)
class Endpoint:
    """A campaign or recommender that can answer.

    Attributes:
        version: the metadata store's `resources_version` that this is true of.
        config: the campaignConfig or recommenderConfig in force; exploration: what it says of exploration,
            None: nothing.
        artifact: key of the model. upcoming: what an update on its way will deploy.
        hidden: the use case's own filter, see `hidden`; None: it has none.
    """

    arn: str
    version: int
    group: str
    config: Mapping[str, Any]
    exploration: Exploration | None
    recipe: Facts
    artifact: str
    deployment: Deployment
    upcoming: EndpointEntry | None
    hidden: BoundFilter | None = None

    def filtered(self, chosen: BoundFilter | None) -> BoundFilter | None:
        """The filter of a request, or None, together with the use case's own."""
        if chosen is None or self.hidden is None:
            return chosen if self.hidden is None else self.hidden
        return chosen.without(self.hidden)


@dataclass(frozen=True)
class Filter:
    """A filter of a dataset group, compiled.

    Attributes:
        version: the metadata store's `resources_version` that this is true of.
    """

    arn: str
    version: int
    group: str
    status: str
    compiled: CompiledFilter

    @property
    def reads_users(self) -> bool:
        """Whether it needs the Users records."""
        return any(field.startswith("USERS.") for field in self.compiled.fields)


def hidden(recipe: Facts, datasets: Datasets) -> BoundFilter | None:
    """The filter that a use case applies by itself: without the items of which the user has such an event
    already. None: it hides nothing, or the group has no interactions any more."""
    if recipe.preset is None or not recipe.preset.hides or "INTERACTIONS" not in datasets:
        return None
    types = ", ".join(f'"{one}"' for one in recipe.preset.hides)
    schemas = {"INTERACTIONS": datasets["INTERACTIONS"].parsed()}
    return compile_filter(f"EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ({types})", schemas).bind(None)
