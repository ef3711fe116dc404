"""The other AWS services of a sandbox, played by moto in a process of their own: `moto_endpoints`, and what
runs there, ``python -m openpersonalize.cli.moto_endpoints PORT``.

That process ends when its standard input does: with the command that started it, whatever ends that.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import StartError

HOST = "127.0.0.1"
"""Nobody else may reach it: moto lets everybody do everything."""


@contextmanager
def moto_endpoints(port: int, account: str) -> Iterator[str]:
    """Play the services as `account` on a port of loopback, on a free one if it is 0; yields the address.

    Raises:
        StartError: moto is not installed, or cannot start there.
    """
    if importlib.util.find_spec("moto") is None:
        raise StartError("A sandbox needs moto: pip install 'openpersonalize[sandbox]'.")
    environment = {**os.environ, "MOTO_ACCOUNT_ID": account, "MOTO_IAM_LOAD_MANAGED_POLICIES": "true"}
    with subprocess.Popen(
        [sys.executable, "-P", "-m", __name__, str(port)],
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


def main(port: int) -> None:
    """Serve until standard input ends."""
    from moto.server import ThreadedMotoServer

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # meant for the command that waits for this process
    try:
        socket.create_server((HOST, port)).close()  # moto would tell nobody that it is taken
    except OSError:
        sys.exit(1)
    moto = ThreadedMotoServer(ip_address=HOST, port=port, verbose=False)
    moto.start()
    print(f"http://{HOST}:{moto.get_host_and_port()[1]}", flush=True)  # noqa: T201 (what the other side reads)
    sys.stdin.read()
    moto.stop()


if __name__ == "__main__":
    main(int(sys.argv[1]))
