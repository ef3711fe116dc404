"""What an operation is given besides its request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from ..installation import Installation
    from ..resources.store import Scope
    from ..serving.registry import EndpointRegistry

Request: TypeAlias = dict[str, Any]
Answer: TypeAlias = dict[str, Any]


def given(request: Request, *members: str) -> dict[str, Any]:
    """Those of `members` that the caller sent, exactly as sent."""
    return {member: request[member] for member in members if member in request}


@dataclass(frozen=True)
class Context:
    """One call's surroundings; made anew for each request.

    Attributes:
        installation: the stores, settings and clock of this process.
        endpoints: what this process serves.
        scope: the caller's account and region; nothing outside it can be seen through it.
        request_id: the identifier that the answer's headers carry.
    """

    installation: Installation
    endpoints: EndpointRegistry
    scope: Scope
    request_id: str

    @property
    def now(self) -> float:
        """Seconds since the epoch by the installation's clock."""
        return self.installation.clock.now()
