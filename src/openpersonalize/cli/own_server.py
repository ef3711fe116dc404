"""A server that a command starts for itself and ends with itself: `own_server`."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..errors import StartError
from ..settings import Settings

_PATIENCE = 60.0


@contextmanager
def own_server(folder: Path, options: Sequence[str] = (), port: int = 0) -> Iterator[str]:
    """A server on a data folder that exists, on a free port unless `port` names one; yields its address. What
    it says goes to ``server.log`` in the folder."""
    if not port:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
    log = folder / "server.log"
    command = [sys.executable, "-P", "-m", "openpersonalize", "serve", "--port", str(port)]
    with log.open("wb") as sink:
        process = subprocess.Popen([*command, "--data-dir", str(folder), *options], stdout=sink, stderr=sink)
    endpoint = f"http://127.0.0.1:{port}"
    try:
        _until_healthy(endpoint, process, log)
        yield endpoint
    finally:
        process.terminate()
        process.wait(30)


def serve_command(folder: Path, port: int, small: bool) -> str:
    """How somebody starts a server on such a folder again, for so little data that Amazon takes none where
    that is so; on the same port, which other commands are told."""
    named = "" if port == Settings().port else f" --port {port}"
    return f"openpersonalize serve --data-dir {folder}{named}{' --minimum-data off' if small else ''}"


def _until_healthy(endpoint: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{endpoint}/health", timeout=2):  # noqa: S310 (our own address)
                return
        except OSError:
            time.sleep(0.1)
    raise StartError(f"The server did not start; the last lines of {log}:\n{log.read_text()[-800:]}")
