"""Who may make an S3 request: signatures of headers, of chunks and of URLs, and the callers' roles."""

from __future__ import annotations

import time
from collections.abc import Mapping

from ...access.keys import Holder, KeyRing
from ...access.local_callers import check_local
from ...access.presigned import prove_presigned
from ...access.presigned_v2 import KEY_ID, prove_presigned_v2
from ...access.refusals import RefusalLog
from ...access.roles import Caller, authorise
from ...access.signature import CONTENT_SHA256, S3, Head, claimed_key_id, prove_head, read_head, signing_key
from ...errors import AccessRefused
from ...settings import Settings
from ..cors import Origins
from ..exchange import Exchange
from ..proof import Proof
from ..routing import requested_scope
from .chunked import ChunkSigner
from .requests import bucket_of_host, read_query


class S3Access:
    """Decides from a request's head, before any of its body is read."""

    def __init__(self, settings: Settings, keys: KeyRing, origins: Origins, refusals: RefusalLog) -> None:
        self._region = settings.region
        self._domain = settings.s3_domain
        self._keys = keys
        self._origins = origins
        self._refusals = refusals
        self._proof = Proof(settings.public_url)

    def __call__(self, exchange: Exchange, action: str) -> tuple[str, ChunkSigner | None]:
        """(region that the request is for, what chunks of its body are signed with), when it may pass.

        Without keys everything that comes from this machine may.

        Raises:
            AccessRefused: it may not.
        """
        try:
            if not self._keys.configured:
                check_local(exchange.headers, self._origins.allows)
                scope = requested_scope(exchange)
                return (scope[0] if scope else "") or self._region, None
            holder, region, signer = self._proven(exchange)
            authorise(Caller(holder.id, holder.role, holder.tracker, region), f"s3:{action}")
        except AccessRefused as error:
            claimed = claimed_key_id(exchange.headers.get(b"authorization", b""))
            self._refusals.tell(exchange.peer, claimed, error.code)
            raise
        return region, signer

    def _proven(self, exchange: Exchange) -> tuple[Holder, str, ChunkSigner]:
        """(key, region, what chunks are signed with) of a request whose signature is right."""
        return self._proof.first(exchange, lambda path, headers: self._attempt(exchange, path, headers))

    def _attempt(
        self, exchange: Exchange, raw_path: bytes, headers: Mapping[bytes, bytes]
    ) -> tuple[Holder, str, ChunkSigner]:
        now = time.time()
        if b"authorization" in headers:
            head = self._proven_header(exchange, raw_path, headers, now)
        else:
            parameters = read_query(exchange.query)
            if KEY_ID in parameters:
                path = raw_path.decode("latin-1")
                bucket = bucket_of_host(headers.get(b"host", b""), self._domain)
                holder = prove_presigned_v2(
                    method=exchange.method,
                    resource=f"/{bucket}{path}" if bucket else path,
                    parameters=parameters,
                    headers=headers,
                    find=self._keys.find,
                    now=now,
                )
                return holder, self._region, ChunkSigner(b"", "", "", "")
            head = prove_presigned(
                method=exchange.method,
                raw_path=raw_path,
                query=exchange.query,
                parameters=parameters,
                headers=headers,
                find=self._keys.find,
                now=now,
            )
        claim = head.claim
        key = signing_key(head.holder.secret, claim.date, claim.region, S3)
        return head.holder, claim.region, ChunkSigner(key, head.stamp, claim.scope, claim.signature)

    def _proven_header(
        self, exchange: Exchange, raw_path: bytes, headers: Mapping[bytes, bytes], now: float
    ) -> Head:
        head = read_head(headers, self._keys.find, now, S3)
        prove_head(
            head,
            method=exchange.method,
            raw_path=raw_path,
            query=exchange.query,
            headers=headers,
            payload=headers.get(CONTENT_SHA256, b"UNSIGNED-PAYLOAD"),
        )
        return head
