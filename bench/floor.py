"""The floor: a handler that does nothing, on the HTTP server that OpenPersonalize uses.

As a program: ``python -m bench.floor PORT``.
"""

from __future__ import annotations

import sys
from typing import Any

import uvicorn

from openpersonalize.server.connectionfactory import ConnectionFactory
from openpersonalize.server.connections import Limits

HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"2")]


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Reads the body, answers ``{}``."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": b"{}"})


if __name__ == "__main__":
    uvicorn.run(
        app,
        port=int(sys.argv[1]),
        http=ConnectionFactory(Limits()),  # type: ignore[arg-type]  # it is called like a class
        access_log=False,
        lifespan="off",
        log_level="warning",
    )
