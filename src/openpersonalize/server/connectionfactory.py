"""Where the connections of a process come from: `ConnectionFactory`, for uvicorn's option `http`."""

from __future__ import annotations

import asyncio
from typing import Any

from .connection import Connection
from .connections import Connections, Limits


class ConnectionFactory:
    """Makes the connections of one process. Pickled, it starts anew elsewhere."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._connections = Connections(limits)

    def __call__(
        self,
        config: Any,
        server_state: Any,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> Connection:
        return Connection(config.loaded_app, server_state, app_state, self._connections)

    def __reduce__(self) -> tuple[type[ConnectionFactory], tuple[Limits]]:
        return ConnectionFactory, (self._limits,)
