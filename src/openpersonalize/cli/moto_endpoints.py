"""The other AWS services of a sandbox, played by moto in a process of their own: `moto_endpoints`, and what
runs there, ``python -m openpersonalize.cli.moto_endpoints PORT ORIGINS``.

That process ends when its standard input does: with the command that started it, whatever ends that.

moto lets everybody do everything, and tells browsers that any page may. Among what it plays are functions
that run, so it is closed to those that a server without keys is closed to: web pages, and what came through
a proxy.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from ..access.local_callers import check_local
from ..errors import AccessRefused, StartError
from ..server.cors import Origins

HOST = "127.0.0.1"
"""Nobody else may reach it."""
_KEPT_OUT = b"These services answer programs of this machine only, no web pages and no proxies.\n"

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@contextmanager
def moto_endpoints(port: int, account: str, allowed_origins: str = "") -> Iterator[str]:
    """Play the services as `account` on a port of loopback, on a free one if it is 0; yields the address.

    Args:
        allowed_origins: of web pages that may call all the same, as the setting of that name has them.

    Raises:
        StartError: moto is not installed, or cannot start there.
    """
    if importlib.util.find_spec("moto") is None:
        raise StartError("A sandbox needs moto: pip install 'openpersonalize[sandbox]'.")
    environment = {**os.environ, "MOTO_ACCOUNT_ID": account, "MOTO_IAM_LOAD_MANAGED_POLICIES": "true"}
    with subprocess.Popen(
        [sys.executable, "-P", "-m", __name__, str(port), allowed_origins],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        with process.stdin:
            address = process.stdout.readline().decode().strip()
            if not address:
                raise StartError(f"moto could not start on port {port}: choose another --moto-port.")
            yield address


def local_only(application: Wsgi, allowed_origins: str) -> Wsgi:
    """A WSGI application that passes on to `application` what programs of this machine send, and pages of
    the origins that may call."""
    origins = Origins(allowed_origins)

    def guarded(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        headers = {
            name.removeprefix("HTTP_").replace("_", "-").lower().encode("latin-1"): value.encode("latin-1")
            for name, value in environ.items()
            if name.startswith("HTTP_")
        }
        try:
            check_local(headers, origins.allows)
        except AccessRefused:
            start_response("403 Forbidden", [("Content-Type", "text/plain"), ("Connection", "close")])
            return [_KEPT_OUT]
        return application(environ, start_response)

    return guarded


def main(port: int, allowed_origins: str) -> None:
    """Serve until standard input ends."""
    from moto.moto_server.werkzeug_app import (
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # meant for the command that waits for this process
    try:
        socket.create_server((HOST, port)).close()  # werkzeug would tell of a taken port at length
    except OSError:
        sys.exit(1)
    application = local_only(DomainDispatcherApplication(create_backend_app), allowed_origins)
    moto = make_server(HOST, port, application, threaded=True, request_handler=MotoRequestHandler)
    threading.Thread(target=moto.serve_forever, daemon=True).start()
    print(f"http://{HOST}:{moto.port}", flush=True)  # noqa: T201 (what the other side reads)
    sys.stdin.read()
    moto.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
