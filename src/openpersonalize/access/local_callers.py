"""Local callers: whether a request comes from a program of this machine, or may come from a web page or
through a proxy (`check_local`). Where there are no access keys, nothing else keeps others out."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from functools import lru_cache

from ..errors import AccessRefused

_REMEMBERED = 200
"""Longer texts of callers are not kept; no loopback name is that long."""
_ELSEWHERE = frozenset((b"forwarded", b"via", b"x-real-ip"))
_ELSEWHERE_TOO = b"x-forwarded-"
_SAME_PAGE = (b"same-origin", b"none")


def check_local(headers: Mapping[bytes, bytes], allows: Callable[[bytes], bool]) -> None:
    """On a server without keys: let pass only what programs on this machine send, no web page and no proxy.

    Args:
        headers: by name in lower case.
        allows: whether pages of an origin may call all the same.

    Raises:
        AccessRefused: the Host is not a loopback name (a page could have bound its own name to this machine's
            address), the request comes from a page (Origin, or Sec-Fetch-Site of another site), or through a
            proxy, which may serve others.
    """
    host = headers.get(b"host", b"")
    if not is_loopback_host(host):
        raise AccessRefused(
            f"Without access keys this server answers only requests to localhost, not to the Host "
            f"{host.decode('latin-1')[:100]!r}. Make keys with `openpersonalize key create` to serve others."
        )
    origin = headers.get(b"origin")
    foreign = origin is not None or headers.get(b"sec-fetch-site", b"none") not in _SAME_PAGE
    if foreign and not (origin is not None and allows(origin)):
        raise AccessRefused(
            "Without access keys this server answers no requests of web pages (Origin or Sec-Fetch-Site)."
        )
    for name in headers:
        if name in _ELSEWHERE or name.startswith(_ELSEWHERE_TOO):
            raise AccessRefused(
                "Without access keys this server answers nothing that came through a proxy "
                f"({name.decode('latin-1')[:100]} header). Make keys with `openpersonalize key create` to"
                " serve others."
            )


def is_loopback_host(host: bytes) -> bool:
    """Whether a Host header, with or without port, names this machine's loopback interface."""
    return len(host) <= _REMEMBERED and _kept_is_loopback(host)


@lru_cache(maxsize=256)
def _kept_is_loopback(host: bytes) -> bool:
    text = host.decode("latin-1").lower()
    name, rest = text, ""
    if text.startswith("["):
        name, closed, rest = text[1:].partition("]")
        if not closed:
            return False
    elif text.count(":") <= 1:
        name, colon, port = text.partition(":")
        rest = colon + port
    if rest and not (rest.startswith(":") and (rest == ":" or rest[1:].isdecimal())):
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
