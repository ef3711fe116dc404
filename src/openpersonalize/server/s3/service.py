"""The S3 service of one server process, `S3Service`: from a request's head to the last byte of its answer.

What the head tells is checked before a byte of the body is asked for: address, operation, signature, role,
what it says of the body. Bodies go to the disk as they come and answers leave as they are read, in blocks of
`_BLOCK`, all file work in threads of the service's own; `MOST_TRANSFERS` of them at once bound its memory to
some 64 MB. A request beyond that is told to slow down, which every client does. A body that comes slower than
`LEAST_RATE` is given up.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from ... import telemetry
from ...errors import ServiceError
from ...settings import Settings
from ..exchange import Disconnected, Exchange
from .access import S3Access
from .actions import Action, Body, action_of
from .answers import Answer, fault_answer
from .bucket_folder import BucketFolder
from .catalogue import Catalogue
from .chunked import ChunkSigner
from .documents import PROLOGUE
from .faults import Fault, as_fault
from .receiving import Content, Expected, Incoming, read_expected
from .requests import Request, read_address, read_query
from .transfers import Transfers
from .uploads import Uploads

MOST_TRANSFERS = 128
"""Requests in work at once, of one process."""
PATIENCE, KEEP_ALIVE = 60.0, 10.0
LEAST_RATE = 4096
"""Bytes a second that a body must come with, on average, once `PATIENCE` is over."""
_MOST_DOCUMENT = 1 << 21
_BLOCK = 1 << 18
_THREADS, _COPIERS = 16, 4

_OWNER = "x-amz-expected-bucket-owner"

T = TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Call:
    """A request that has passed the checks of its head."""

    action: Action
    request: Request
    expected: Expected
    signer: ChunkSigner | None


class S3Service:
    """S3 over the ``buckets/`` folder of one data folder."""

    def __init__(
        self,
        settings: Settings,
        access: S3Access,
        *,
        patience: float = PATIENCE,
        keep_alive: float = KEEP_ALIVE,
        least_rate: int = LEAST_RATE,
        most: int = MOST_TRANSFERS,
    ) -> None:
        """Open the folder.

        Args:
            patience: seconds in which a client has to send the next piece of a body.
            keep_alive: seconds between signs of life while an object is copied or put together.
            least_rate: bytes a second of a body, on average, once `patience` is over.
            most: requests in work at once.

        Raises:
            StartError: ``buckets.db`` is damaged, cannot be written, or a newer release made it.
        """
        self._settings = settings
        self._access = access
        self._patience = patience
        self._keep_alive = keep_alive
        self._least_rate = least_rate
        self._folder = BucketFolder(settings.data / "buckets", Catalogue(settings.data / "buckets.db"))
        self._uploads = Uploads(self._folder)
        self._threads = ThreadPoolExecutor(_THREADS, "s3")
        self._copiers = ThreadPoolExecutor(_COPIERS, "s3-copy")
        self._transfers = Transfers(most)

    def close(self) -> None:
        """Let what is in work end."""
        self._threads.shutdown()
        self._copiers.shutdown()
        self._folder.catalogue.close()

    async def answer(self, exchange: Exchange) -> tuple[str, str]:
        """Answer a request; returns the operation's name and the code for the metrics."""
        name = "s3"
        try:
            call = self._read_head(exchange)
            name = f"s3:{call.action.name}"
            self._transfers.begin(exchange.peer)
        except Exception as error:  # noqa: BLE001 (the last resort of every request)
            return name, await self._refuse(exchange, error)
        work: asyncio.Future[Answer] | None = None
        try:
            if call.action.slow:
                work = await self._begin_slow(exchange, call)
                return name, await self._await_slow(exchange, work)
            answer = await self._run(exchange, call)
            await self._send(exchange, answer)
            return name, telemetry.OK
        except Disconnected:
            raise
        except Exception as error:  # noqa: BLE001 (the last resort of every request)
            return name, await self._refuse(exchange, error)
        finally:
            if work is None or work.done():
                self._transfers.end(exchange.peer)
            else:  # the client went away; what it asked for is still done
                work.add_done_callback(lambda done: self._forsaken(done, exchange.peer))

    async def _refuse(self, exchange: Exchange, error: Exception) -> str:
        """Answer with an error; returns its code."""
        fault = self._fault(error, exchange)
        await self._send(exchange, self._fault_answer(exchange, fault))
        return fault.code

    def _forsaken(self, work: asyncio.Future[Answer], peer: str) -> None:
        self._transfers.end(peer)
        if not work.cancelled() and (error := work.exception()) is not None:
            _log.info("an S3 copy whose client had gone away failed: %s", error)

    # ------------------------------------------------------------------------------------- the head

    def _read_head(self, exchange: Exchange) -> _Call:
        headers = {
            name.decode("latin-1"): value.decode("latin-1").strip()
            for name, value in exchange.joined_headers().items()
        }
        query = read_query(exchange.query)
        bucket, key = read_address(
            exchange.raw_path, exchange.headers.get(b"host", b""), self._settings.s3_domain
        )
        action = action_of(exchange.method, bucket, key, query, headers)
        region, signer = self._access(exchange, action.name)
        if headers.get(_OWNER, self._settings.account) != self._settings.account:
            raise Fault("AccessDenied", f"The bucket's owner is {self._settings.account}.")
        expected = read_expected(exchange.joined_headers())
        request = Request(
            exchange.method,
            bucket,
            key,
            query,
            headers,
            region,
            self._settings.account,
            exchange.request_id,
        )
        return _Call(action, request, expected, signer)

    # ------------------------------------------------------------------------------------- the work

    async def _run(self, exchange: Exchange, call: _Call) -> Answer:
        action, request = call.action, call.request
        store: Any = self._uploads if action.of_uploads else self._folder
        if action.body is Body.DOCUMENT:
            body = await self._document(exchange, call)
            return await self._in_thread(action.run, store, request, body)
        staged = await self._in_thread(self._staged, call)
        try:
            content = await self._file(exchange, call, staged)
            return await self._in_thread(action.run, store, request, staged, content)
        except FileNotFoundError:  # the upload that it is a part of was given up meanwhile
            await self._in_thread(self._staged, call)
            raise
        except BaseException:
            await asyncio.shield(self._in_thread(_remove, staged))
            raise

    def _staged(self, call: _Call) -> Path:
        """Where the body goes; what can be refused without the body is refused here."""
        request = call.request
        self._folder.require(request.bucket)
        self._folder.path(request.bucket, request.key)
        if not call.action.of_uploads:
            return self._folder.stage()
        return self._uploads.stage(
            self._uploads.require(request.query["uploadId"], request.bucket, request.key)
        )

    async def _document(self, exchange: Exchange, call: _Call) -> bytes:
        sink = BytesIO()
        await self._take(exchange, Incoming(sink, call.expected, call.signer, _MOST_DOCUMENT))
        return sink.getvalue()

    async def _file(self, exchange: Exchange, call: _Call, staged: Path) -> Content:
        sink = await self._in_thread(_create, staged)
        try:
            return await self._take(
                exchange, Incoming(sink, call.expected, call.signer, None, self._folder.room)
            )
        finally:
            await asyncio.shield(self._in_thread(_close, sink))

    async def _take(self, exchange: Exchange, incoming: Incoming) -> Content:
        pieces: list[bytes] = []
        size = 0
        loop = asyncio.get_running_loop()
        overdue = loop.time() + self._patience
        try:
            async for piece in exchange.pieces(self._patience):
                pieces.append(piece)
                size += len(piece)
                if loop.time() > overdue + exchange.size / self._least_rate:
                    raise TimeoutError
                if size >= _BLOCK:
                    await self._in_thread(incoming.take, b"".join(pieces))
                    pieces, size = [], 0
        except TimeoutError:
            raise Fault(
                "RequestTimeout",
                f"The body comes too slowly: for {self._patience:.0f} seconds nothing, or fewer than"
                f" {self._least_rate} bytes a second.",
            ) from None
        if pieces:
            await self._in_thread(incoming.take, b"".join(pieces))
        return await self._in_thread(incoming.finish)

    async def _begin_slow(self, exchange: Exchange, call: _Call) -> asyncio.Future[Answer]:
        """Begin what may take minutes."""
        body = await self._document(exchange, call)
        store = self._uploads if call.action.of_uploads else self._folder
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._copiers, call.action.run, store, call.request, body)

    async def _await_slow(self, exchange: Exchange, work: asyncio.Future[Answer]) -> str:
        """Answer when it is done: after a while the answer begins, and blanks tell that it goes on."""
        begun = False
        while not (await asyncio.wait([work], timeout=self._keep_alive))[0]:
            if not begun:
                begun = True
                await exchange.begin(200, _encoded((("content-type", "application/xml"),), exchange))
                await exchange.write(PROLOGUE.encode())
            await exchange.write(b" ")
        code = telemetry.OK
        try:
            answer = work.result()
        except Exception as error:  # noqa: BLE001 (the last resort of every request)
            fault = self._fault(error, exchange)
            answer, code = self._fault_answer(exchange, fault), fault.code
        if begun:
            await exchange.write(answer.body.removeprefix(PROLOGUE.encode()))
            await exchange.end()
        else:
            await self._send(exchange, answer)
        return code

    def _in_thread(self, run: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._threads, run, *arguments)

    # ------------------------------------------------------------------------------------- the answer

    async def _send(self, exchange: Exchange, answer: Answer) -> None:
        size = answer.size if answer.stream else len(answer.body)
        headers = answer.headers
        if answer.status not in (204, 304):
            headers += (("content-length", str(size)),)
        try:
            await exchange.begin(answer.status, _encoded(headers, exchange))
            if exchange.method != "HEAD":
                if answer.stream:
                    await self._send_stream(exchange, answer.stream, size)
                elif answer.body:
                    await exchange.write(answer.body)
            await exchange.end()
        finally:
            if answer.stream:
                self._threads.submit(answer.stream.close)

    async def _send_stream(self, exchange: Exchange, stream: BinaryIO, size: int) -> None:
        while size:
            block = await self._in_thread(stream.read, min(size, _BLOCK))
            if not block:  # a file that became shorter: the client must not take it for whole
                raise Disconnected
            await exchange.write(block)
            size -= len(block)

    def _fault(self, error: Exception, exchange: Exchange) -> Fault:
        if isinstance(error, Fault):
            return error
        if isinstance(error, ServiceError):
            return as_fault(error)
        _log.error(
            "an S3 request failed unexpectedly", exc_info=error, extra={"request_id": exchange.request_id}
        )
        return Fault("InternalError", "We encountered an internal error. The server's log holds the details.")

    def _fault_answer(self, exchange: Exchange, fault: Fault) -> Answer:
        return fault_answer(fault, exchange.request_id, exchange.path)


def _encoded(headers: tuple[tuple[str, str], ...], exchange: Exchange) -> list[tuple[bytes, bytes]]:
    mine = [(b"x-amz-request-id", exchange.request_id.encode())]
    return mine + [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers]


def _create(path: Path) -> BinaryIO:
    return path.open("xb")


def _close(sink: BinaryIO) -> None:
    with suppress(OSError):  # of a full disk; `Incoming` has told it
        sink.close()


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
