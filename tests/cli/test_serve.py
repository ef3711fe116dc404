"""The start of a server, and its end, as an operator sees them: real processes."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from live import Server, free_port
from openpersonalize.access.keys import KeyRing
from openpersonalize.cli.serve import is_loopback

PROGRAM = [sys.executable, "-m", "openpersonalize"]


def refused(*words: str, environment: dict[str, str] | None = None) -> str:
    """What a server that must not start says: one sentence on standard error, exit code 2, no traceback."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "OPENPERSONALIZE_"))}
    done = subprocess.run(
        [*PROGRAM, "serve", *words],
        capture_output=True,
        text=True,
        timeout=60,
        env={**clean, **(environment or {})},
    )
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    [sentence] = done.stderr.strip().splitlines()
    assert sentence.startswith("openpersonalize: ")
    return sentence


# ------------------------------------------------------------------------------------------ refusals


def test_a_taken_port(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"Port {port} of 127.0.0.1 is taken" in refused(
            "--port", str(port), "--data-dir", str(tmp_path)
        )


def test_a_data_folder_that_is_a_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    assert "cannot be written" in refused("--port", "0", "--data-dir", str(file))


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no read-only file system at hand")
def test_a_data_folder_that_cannot_be_written() -> None:
    assert "cannot be written" in refused("--port", "0", "--data-dir", "/proc/openpersonalize")


def test_a_damaged_metadata_database(tmp_path: Path) -> None:
    (tmp_path / "metadata.db").write_bytes(b"this is no database" * 100)
    assert "metadata.db" in refused("--port", "0", "--data-dir", str(tmp_path))
    assert "metadata.db" in refused("--port", "0", "--data-dir", str(tmp_path), "--workers", "2")


def test_damaged_access_keys(tmp_path: Path) -> None:
    (tmp_path / "access-keys.json").write_text("{")
    assert "access-keys.json" in refused("--port", "0", "--data-dir", str(tmp_path))


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_other_machines_need_keys(tmp_path: Path, host: str) -> None:
    assert "key create" in refused("--host", host, "--port", "0", "--data-dir", str(tmp_path))


def test_keys_that_were_all_revoked_do_not_open_the_server(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    ring.revoke(ring.create("admin")[0].id)
    assert "key create" in refused("--host", "0.0.0.0", "--port", "0", "--data-dir", str(tmp_path))


def test_an_address_of_another_machine(tmp_path: Path) -> None:
    KeyRing(tmp_path).create("admin")
    assert "--host" in refused("--host", "192.0.2.1", "--port", "0", "--data-dir", str(tmp_path))


def test_a_malformed_environment_variable(tmp_path: Path) -> None:
    sentence = refused("--data-dir", str(tmp_path), environment={"OPENPERSONALIZE_JOB_SLOTS": "many"})
    assert "OPENPERSONALIZE_JOB_SLOTS" in sentence


def test_a_malformed_option() -> None:
    done = subprocess.run([*PROGRAM, "serve", "--port", "x"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "--port" in done.stderr


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("localhost", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        ("192.0.2.1", False),
        ("no-such-host.invalid", False),
    ],
)
def test_what_counts_as_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


# ------------------------------------------------------------------------------------------ life


@pytest.fixture(scope="module", params=[1, 2], ids=["one process", "two workers"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("serve") / "data"
    server = Server(data, ("--workers", str(request.param))).start()
    yield server
    server.stop()


def test_a_database_outside_its_folder_is_its_own(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    server = Server(tmp_path / "one", ("--database-url", url)).start()
    try:
        words = ("--port", "0", "--data-dir", str(tmp_path / "other"), "--database-url", url)
        assert "shared.db is in use by another server" in refused(*words)
    finally:
        server.stop()


def personalize(server: Server, region: str = "us-east-1") -> Any:
    session = boto3.Session("a", "b", region_name=region)
    return session.client("personalize", endpoint_url=server.endpoint)


def test_it_serves_and_says_where(running: Server) -> None:
    assert personalize(running).list_schemas()["schemas"] == []
    banner = running.log.read_text()
    for fact in (running.endpoint, "000000000000", "us-east-1", str(running.port), str(running.data)):
        assert fact in banner
    assert f"AWS_ENDPOINT_URL_PERSONALIZE_RUNTIME={running.endpoint}" in banner


def test_its_data_folder_is_its_own(running: Server) -> None:
    assert "in use by another server" in refused("--port", "0", "--data-dir", str(running.data))


def test_metrics_of_all_workers(running: Server) -> None:
    client = personalize(running)
    for _ in range(20):
        with urllib.request.urlopen(f"{running.endpoint}/health", timeout=5):
            pass
        client.list_event_trackers()
    end = time.monotonic() + 20
    while (now := counted(running)) < 20:  # each worker makes its page once a second
        assert time.monotonic() < end, f"{now} of 20 requests are counted"
        time.sleep(0.1)
    assert now == 20


def counted(server: Server) -> float:
    """The calls of an operation that no other test here calls: a page of before may be a second old."""
    with urllib.request.urlopen(f"{server.endpoint}/metrics", timeout=5) as page:
        lines = page.read().decode().splitlines()
    start = 'openpersonalize_requests_total{code="OK",operation="ListEventTrackers"} '
    return sum(float(line.removeprefix(start)) for line in lines if line.startswith(start))


def unsigned_code(server: Server) -> str:
    """The error code that an unsigned call receives, or nothing."""
    headers = {"X-Amz-Target": "AmazonPersonalize.ListSchemas"}
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("POST", "/", b"{}", headers)
    code: str = json.load(connection.getresponse()).get("__type", "")
    connection.close()
    return code


def test_a_key_takes_effect_on_a_running_server(running: Server) -> None:
    made = subprocess.run(
        [*PROGRAM, "key", "create", "--role", "admin", "--data-dir", str(running.data)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    values = dict(line.split("=", 1) for line in made.splitlines())
    end = time.monotonic() + 15
    refused = 0
    while refused < 12:  # in a row: by every worker
        refused = refused + 1 if unsigned_code(running) == "MissingAuthenticationToken" else 0
        assert time.monotonic() < end, "the key took no effect within 15 seconds"
        time.sleep(0.05)
    session = boto3.Session(
        values["AWS_ACCESS_KEY_ID"], values["AWS_SECRET_ACCESS_KEY"], region_name="us-east-1"
    )
    for _ in range(4):
        session.client("personalize", endpoint_url=running.endpoint).list_schemas()


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_it_ends_cleanly_when_told_to_and_starts_again(tmp_path: Path) -> None:
    port = free_port()
    for workers in ("1", "2"):
        for number in (signal.SIGTERM, signal.SIGINT):
            server = Server(tmp_path / "data", ("--workers", workers), port=port).start()
            assert server.process is not None
            server.process.send_signal(number)
            assert server.process.wait(30) == 0, (workers, number)
            assert "Traceback" not in server.log.read_text(), (workers, number)
    Server(tmp_path / "data", port=port).start().stop()


@pytest.mark.skipif(os.name != "posix", reason="closes descriptors the POSIX way")
def test_closed_standard_streams_do_not_become_its_files(tmp_path: Path) -> None:
    """As a daemon is started that closes what it inherited."""
    port, data = free_port(), tmp_path / "data"
    words = [*PROGRAM, "serve", "--port", str(port), "--data-dir", str(data)]
    server = subprocess.Popen(["sh", "-c", 'exec "$@" 0<&- 1>&- 2>&-', "sh", *words])
    try:
        end = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
                    break
            except OSError:
                assert server.poll() is None
                assert time.monotonic() < end
                time.sleep(0.05)
        if sys.platform == "linux":
            for descriptor in range(3):
                assert os.readlink(f"/proc/{server.pid}/fd/{descriptor}") == os.devnull
        server.terminate()
        assert server.wait(30) == 0
    finally:
        server.kill()
        server.wait()
