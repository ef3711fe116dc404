"""The server as an ASGI application: what happens to a request, in order.

page or operation       plain.page_of, routing.route
size and form           Exchange.check_size
local callers only      local_callers.check_local     (on a server without keys)
key, date, form         signature.read_head
role                    roles.authorise
body                    Exchange.read_body, BodyRoom
signature               signature.prove
room for the work       Admission.enter
request                 Operation.parse
tracker of the key      roles.authorise_content
call rates              Admission.admit
operation               _perform
answer                  Operation.serialise

Down to the role nothing is needed but the request's head, so nobody takes a place or has a body awaited
before.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .. import __version__, telemetry, tracing
from ..access.admission import Admission, BodyRoom
from ..access.keys import KeyRing
from ..access.local_callers import check_local
from ..access.public_address import PublicAddress
from ..access.refusals import RefusalLog
from ..access.roles import Caller, authorise, authorise_content
from ..access.signature import S3, SERVICE, STS, Head, claimed_key_id, read_head
from ..errors import AccessRefused, InternalFailure, InvalidInput, ServiceError, StartError, Unavailable
from ..logs import ACCESS
from ..operations.context import Context
from ..operations.registry import OPERATIONS, Handler
from ..settings import Settings
from ..storage.bucket_service import are_local, named_endpoint
from . import sts
from .cors import Origins
from .exchange import Disconnected, Exchange, Receive, Scope, Send
from .looplag import LoopLag
from .pages import Pages
from .plain import page_of
from .proof import Proof
from .protocol import Operation
from .routing import credential_scope, error_form, requested_scope, route
from .s3.access import S3Access
from .s3.service import S3Service
from .services import Services, open_services

THREADS = 16
"""Threads for operations that are plain functions: control calls of a millisecond or so."""

_log = logging.getLogger(__name__)
_access = logging.getLogger(ACCESS)


def create_app(
    settings: Settings,
    *,
    operations: Mapping[str, Handler] = OPERATIONS,
    open_services: Callable[[Settings], Services] = open_services,
) -> Application:
    """The ASGI application of one server process.

    Args:
        operations: handler of each operation by name; by default those of this package.
        open_services: called at start-up; what it returns is closed at the end.
    """
    return Application(settings, operations, open_services)


class Application:
    """One process's server.

    Attributes:
        failure: the StartError that kept it from starting, if any.
        on_ready: called when it is ready to answer.
        on_start_failed: called when it cannot start; logs the reason unless somebody else tells it.
    """

    def __init__(
        self,
        settings: Settings,
        operations: Mapping[str, Handler],
        open_services: Callable[[Settings], Services],
    ) -> None:
        self.failure: StartError | None = None
        self.on_ready: Callable[[], None] = lambda: None
        self.on_start_failed: Callable[[StartError], None] = lambda error: _log.error(error.message)
        self._settings = settings
        self._handlers: dict[str, tuple[Any, bool]] = {
            name: (run, inspect.iscoroutinefunction(run)) for name, run in operations.items()
        }
        self._open_services = open_services
        self._services: Services | None = None
        self._keys = KeyRing(settings.data)
        self._admission = Admission(settings, self._provisioned_rate)
        self._refusals = RefusalLog()
        self._address = PublicAddress.of(settings.public_url)
        self._proof = Proof(settings.public_url)
        self._threads = ThreadPoolExecutor(THREADS, "operation")
        self._pages = Pages(settings, self._keys, self._admission, self)
        self._origins = Origins(settings.allowed_origins)
        self._s3: S3Service | None = None
        self._lag = LoopLag(telemetry.LOOP_LAG.set)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self._lag.request()
            await self._answer(Exchange(scope, receive, send, self._address))
        elif scope["type"] == "lifespan":
            await self._live(receive, send)

    # ------------------------------------------------------------------------------------------ life

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()  # lifespan.startup
        try:
            self._services = self._open_services(self._settings)
            if are_local(self._settings, named_endpoint(os.environ)):
                access = S3Access(self._settings, self._keys, self._origins, self._refusals)
                self._s3 = S3Service(self._settings, access)
        except StartError as error:
            self.failure = error
            self.on_start_failed(error)
            await send({"type": "lifespan.startup.failed", "message": ""})
            return
        tracing.start(os.environ, __version__)
        self.on_ready()
        self._lag.start()
        with self._keys.watched():
            await send({"type": "lifespan.startup.complete"})
            await receive()  # lifespan.shutdown, sent when every request is answered
        self._lag.stop()
        services, self._services = self.running, None
        self._threads.shutdown()
        self._pages.close()
        if self._s3 is not None:
            await asyncio.to_thread(self._s3.close)
        await asyncio.to_thread(services.close)
        await asyncio.to_thread(tracing.stop)
        await send({"type": "lifespan.shutdown.complete"})

    @property
    def services(self) -> Services | None:
        """What this process runs; None while it starts or stops."""
        return self._services

    @property
    def running(self) -> Services:
        """The same.

        Raises:
            Unavailable: there is nothing yet, or any more.
        """
        if self._services is None:
            raise Unavailable("The server is starting or stopping; try again.")
        return self._services

    # ------------------------------------------------------------------------------------------ requests

    async def _answer(self, exchange: Exchange) -> None:
        began = time.perf_counter()
        operation, code = "other", telemetry.OK
        try:
            scope = requested_scope(exchange)
            service = scope[1] if scope is not None else SERVICE
            name = page_of(exchange.method, exchange.path) if service == SERVICE else None
            if name is not None:
                operation = name
                code = await self._pages.answer(exchange)
            else:
                operation, code = await self._service(exchange, service)
        except Disconnected:
            code = "Disconnected"
        finally:
            seconds = time.perf_counter() - began
            telemetry.count_request(operation, code, seconds, exchange.size)
            tracing.request(exchange.headers, operation, code, seconds, exchange.request_id)
            if self._settings.access_log:
                _tell_access(exchange, operation, code, seconds)

    async def _service(self, exchange: Exchange, service: str) -> tuple[str, str]:
        """Answer a request to an AWS service, which may come from a web page."""
        exchange.cors = self._origins.headers(exchange)
        allowed = self._origins.preflight(exchange)
        if allowed is not None:
            await exchange.begin(204, allowed)
            await exchange.end()
            return "preflight", telemetry.OK
        if service == S3 and self._s3 is not None:
            return await self._s3.answer(exchange)
        if service == STS:
            return await self._sts(exchange)
        return await self._operation(exchange)

    async def _sts(self, exchange: Exchange) -> tuple[str, str]:
        """Answer a request to AWS STS."""
        room = BodyRoom(self._admission, exchange.peer)
        try:
            exchange.check_size(sts.MAX_BODY)
            if not self._keys.configured:
                check_local(exchange.headers, self._origins.allows)
            caller, head = self.identify(exchange, STS)
            authorise(caller, sts.OPERATION)
            body = await exchange.read_body(sts.MAX_BODY, room)
            if head is not None:
                self._proof.of(exchange, head, body)
            sts.check_action(exchange.query, body)
        except ServiceError as error:
            return await self._refuse(exchange, None, error)
        finally:
            room.close()
        answer = sts.caller_identity(caller, self._settings.account, exchange.request_id)
        await exchange.respond(200, sts.CONTENT_TYPE, answer)
        return sts.OPERATION, telemetry.OK

    async def _operation(self, exchange: Exchange) -> tuple[str, str]:
        """Answer an AWS request; returns the operation's name and the code for the metrics."""
        operation: Operation | None = None
        room = BodyRoom(self._admission, exchange.peer)
        try:
            exchange.check_size(self._settings.max_body_bytes)
            if not self._keys.configured:
                check_local(exchange.headers, self._origins.allows)
            operation = route(exchange)
            caller, head = self.identify(exchange)
            authorise(caller, operation.name)
            body = await exchange.read_body(self._settings.max_body_bytes, room)
            if head is not None:
                self._proof.of(exchange, head, body)
            self._admission.enter()
            try:
                request = operation.parse(body)
                if caller.tracker is not None:
                    await self._check_tracker(caller, request)
                if self._admission.rated:
                    await self._admission.admit(operation.name, request, caller.region)
                answer = operation.serialise(
                    await self._perform(operation, caller, request, exchange.request_id)
                )
            finally:
                self._admission.leave()
        except ServiceError as error:
            return await self._refuse(exchange, operation, error)
        except Disconnected:
            raise
        except Exception:  # noqa: BLE001 (the last resort of every request)
            _log.exception(
                "an operation failed unexpectedly",
                extra={"request_id": exchange.request_id, "operation": operation.name if operation else None},
            )
            return await self._refuse(exchange, operation, InternalFailure())
        finally:
            room.close()
        await exchange.respond(200, operation.content_type, answer)
        return operation.name, telemetry.OK

    async def _refuse(
        self, exchange: Exchange, operation: Operation | None, error: ServiceError
    ) -> tuple[str, str]:
        self.log_refusal(exchange, error)
        status, content_type, body = error_form(exchange, operation, error)
        await exchange.respond(status, content_type, body, (b"x-amzn-errortype", error.code.encode()))
        return operation.name if operation else "unknown", error.code

    def log_refusal(self, exchange: Exchange, error: ServiceError) -> None:
        """Tell the operator who was turned away at the door."""
        if isinstance(error, AccessRefused):
            claimed = claimed_key_id(exchange.headers.get(b"authorization", b""))
            self._refusals.tell(exchange.peer, claimed, error.code)

    def identify(self, exchange: Exchange, service: str = SERVICE) -> tuple[Caller, Head | None]:
        """Who says to have sent the request, and for which region; not proven before `_prove`. Without keys
        everybody is the administrator, and there is nothing to prove."""
        if not self._keys.configured:
            scope = credential_scope(exchange.headers.get(b"authorization", b""))
            return Caller(None, "admin", None, scope[0] if scope else self._settings.region), None
        head = read_head(exchange.joined_headers(), self._keys.find, time.time(), service)
        holder = head.holder
        return Caller(holder.id, holder.role, holder.tracker, head.claim.region), head

    async def _provisioned_rate(self, arn: str) -> int:
        read = self.running.provisioned_rate
        return await asyncio.get_running_loop().run_in_executor(self._threads, read, arn)

    async def _check_tracker(self, caller: Caller, request: Mapping[str, Any]) -> None:
        group = None
        if "trackingId" not in request and caller.tracker is not None:
            group = await self.running.group_of_tracker(caller.region, caller.tracker)
        authorise_content(caller, request, group)

    async def _perform(
        self, operation: Operation, caller: Caller, request: dict[str, Any], request_id: str
    ) -> Any:
        if operation.name not in self._handlers:  # a later botocore knows more operations
            raise InvalidInput(f"{operation.name} is not available in this version.")
        services = self.running
        context = Context(
            services.installation, services.endpoints, services.scope(caller.region), request_id
        )
        handler, is_coroutine = self._handlers[operation.name]
        if is_coroutine:
            return await handler(context, request)
        return await asyncio.get_running_loop().run_in_executor(self._threads, handler, context, request)


def _tell_access(exchange: Exchange, operation: str, code: str, seconds: float) -> None:
    _access.info(
        "request",
        extra={
            "peer": exchange.peer,
            "key_id": claimed_key_id(exchange.headers.get(b"authorization", b""))[:100],
            "operation": operation,
            "code": code,
            "milliseconds": round(seconds * 1000, 2),
            "bytes": exchange.size,
            "request_id": exchange.request_id,
        },
    )
