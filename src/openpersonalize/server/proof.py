"""The proof of a request's signature, for an `Exchange` that may have come through a proxy: `Proof`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from ..access.public_address import PublicAddress
from ..access.signature import Head, prove
from ..errors import InvalidSignature, SignatureMismatch
from .exchange import Exchange

Found = TypeVar("Found")
_TOLD = 100


class Proof:
    """Tries a request as it arrived, then as clients may have sent it to the server's public address."""

    def __init__(self, public_url: str) -> None:
        """Args:
        public_url: the setting of that name.
        """
        self._address = PublicAddress.of(public_url)

    def of(self, exchange: Exchange, head: Head, body: bytes) -> None:
        """Return when the request was signed as its head says.

        Raises:
            InvalidSignature
        """

        def attempt(path: bytes, headers: Mapping[bytes, bytes]) -> None:
            prove(
                head,
                method=exchange.method,
                raw_path=path,
                query=exchange.query,
                headers=headers,
                body=body,
            )

        self.first(exchange, attempt)

    def first(self, exchange: Exchange, attempt: Callable[[bytes, Mapping[bytes, bytes]], Found]) -> Found:
        """What `attempt` returns for the first path and headers with which the signature is right.

        Raises:
            InvalidSignature: with none; of a signature that does not match, the message says which host and
                path the server saw.
        """
        headers = exchange.joined_headers()
        try:
            return attempt(exchange.received_path, headers)
        except SignatureMismatch as mismatch:
            if self._address is not None:
                for path, changed in self._address.as_signed(exchange.received_path, headers):
                    try:
                        return attempt(path, changed)
                    except SignatureMismatch:
                        continue
            raise InvalidSignature(f"{mismatch.message} {_seen(exchange)}") from None


def _seen(exchange: Exchange) -> str:
    host = exchange.headers.get(b"host", b"").decode("latin-1")[:_TOLD]
    path = exchange.received_path.decode("latin-1")[:_TOLD]
    return (
        f"This server saw the host {host!r} and the path {path!r}; where a proxy changes them, its setting"
        " public_url must be the address that clients use."
    )
