"""Answers to requests for the pages beside the operations: `Pages`, one a process.

What the pages say is made in `plain`, `frontpage` and `health`.
"""

from __future__ import annotations

import logging
from typing import Protocol

from .. import telemetry
from ..access.admission import Admission, BodyRoom
from ..access.keys import KeyRing
from ..access.local_callers import check_local
from ..access.roles import Caller, authorise, authorise_page
from ..access.signature import Head
from ..errors import InternalFailure, ServiceError
from ..operations.context import Context
from ..operations.runtime.explain import explain, explain_request
from ..settings import Settings
from .cors import Origins
from .exchange import Disconnected, Exchange
from .frontpage import FRONT, HTML, POLICY, front_page
from .pagepool import PagePool
from .plain import EXPLAIN, HEALTH, JSON, LIVE, LIVING, METRICS, NOT_READY, error_page, is_change, page
from .proof import Proof
from .services import Services

PAGE_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
    POLICY,
)
"""Headers of every page beside the operations: a browser is to keep them from other sites, and not at all."""

_log = logging.getLogger(__name__)


class Door(Protocol):
    """What the pages need of the application."""

    @property
    def services(self) -> Services | None: ...
    @property
    def running(self) -> Services: ...
    def identify(self, exchange: Exchange) -> tuple[Caller, Head | None]: ...
    def log_refusal(self, exchange: Exchange, error: ServiceError) -> None: ...


class Pages:
    """Used from the event loop's thread only; pages that read anything are made in threads of their own."""

    def __init__(self, settings: Settings, keys: KeyRing, admission: Admission, door: Door) -> None:
        """Args:
        door: who identifies callers, and logs whom it turned away.
        """
        self._settings, self._keys, self._admission, self._door = settings, keys, admission, door
        self._origins = Origins(settings.allowed_origins)
        self._proof = Proof(settings.public_url)
        self._pool = PagePool()

    def close(self) -> None:
        """End the threads when their work is done."""
        self._pool.close()

    async def answer(self, exchange: Exchange) -> str:
        """Answer a request for a page; returns the code for the metrics."""
        status, content_type, code = 200, JSON, telemetry.OK
        try:
            changes = is_change(exchange)
            if not self._keys.configured:
                check_local(exchange.headers, self._origins.allows)
            if exchange.path in (FRONT, HEALTH, LIVE):
                status, content_type, body = await self._open(exchange.path)
            elif exchange.path == EXPLAIN:
                body = await self._explained(exchange)
            else:
                body, content_type = await self._guarded(exchange, changes)
        except ServiceError as error:
            self._door.log_refusal(exchange, error)
            (status, body), code = error_page(error), error.code
        except Disconnected:
            raise
        except Exception:  # noqa: BLE001 (the last resort of every request)
            _log.exception("a page failed unexpectedly", extra={"request_id": exchange.request_id})
            (status, body), code = error_page(InternalFailure()), InternalFailure.code
        await exchange.respond(status, content_type, body, *PAGE_HEADERS)
        return code

    async def _open(self, path: str) -> tuple[int, bytes, bytes]:
        """(status, content type, body) of a page that wants no key."""
        services = self._door.services
        if path == LIVE:
            return 200, JSON, LIVING
        if path == FRONT:
            status, body = front_page(services is not None, self._settings.port, self._keys.configured)
            return status, HTML, body
        if services is None:
            return 503, JSON, NOT_READY
        return 200, JSON, await self._pool.kept(HEALTH, services.health.report)

    async def _guarded(self, exchange: Exchange, changes: bool) -> tuple[bytes, bytes]:
        """(body, content type) of a page that wants a role."""
        caller, head = self._door.identify(exchange)
        if changes:
            authorise(caller, "CreateSolutionVersion")
        authorise_page(caller, exchange.path if exchange.path == METRICS else "/v1/")
        if head is not None:
            self._proof.of(exchange, head, b"")
        self._admission.enter()
        try:
            services = self._door.running
            if exchange.path == METRICS:
                return await self._pool.kept(METRICS, services.metrics_page), telemetry.METRICS_TYPE.encode()
            return await self._pool.made(page, exchange, services), JSON
        finally:
            self._admission.leave()

    async def _explained(self, exchange: Exchange) -> bytes:
        """The page that explains an answer: admitted as the call for that answer is."""
        room = BodyRoom(self._admission, exchange.peer)
        try:
            exchange.check_size(self._settings.max_body_bytes)
            caller, head = self._door.identify(exchange)
            authorise_page(caller, EXPLAIN)
            body = await exchange.read_body(self._settings.max_body_bytes, room)
            if head is not None:
                self._proof.of(exchange, head, body)
            self._admission.enter()
            try:
                services = self._door.running
                request = explain_request(body)
                if self._admission.rated:
                    await self._admission.admit("GetRecommendations", request, caller.region)
                scope = services.scope(caller.region)
                context = Context(services.installation, services.endpoints, scope, exchange.request_id)
                return await explain(context, request, self._pool.made)
            finally:
                self._admission.leave()
        finally:
            room.close()
