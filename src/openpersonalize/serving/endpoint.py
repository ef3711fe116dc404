"""What answers runtime requests under an ARN: `Endpoint`, and the compiled filters that requests name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..exploration.config import Exploration
from ..filters.compiler import CompiledFilter
from ..recipes.facts import Facts
from .deployment import Deployment
from .metadata_reads import CampaignEntry


@dataclass(frozen=True)
class Endpoint:
    """A campaign that can answer.

    Attributes:
        version: the metadata store's `resources_version` that this is true of.
        config: the campaignConfig in force; exploration: what it says of exploration, None: nothing.
        artifact: key of the model. upcoming: what an update on its way will deploy.
    """

    arn: str
    version: int
    group: str
    config: Mapping[str, Any]
    exploration: Exploration | None
    recipe: Facts
    artifact: str
    deployment: Deployment
    upcoming: CampaignEntry | None


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
