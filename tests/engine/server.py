"""A server process with nothing but a job runner, for tests that kill it: ``server.py DATA_FOLDER``."""

from __future__ import annotations

import sys
from pathlib import Path

from engine.toy import Heavy, Publishing, ToyInstallation, ToyWorkflow
from openpersonalize.engine.runner import JobRunner


def main() -> None:
    installation = ToyInstallation.open(Path(sys.argv[1]))
    installation.objects.sweep()
    workflows = [ToyWorkflow("noop"), Heavy("heavy"), Publishing("publish")]
    runner = JobRunner(installation, {w.kind: w for w in workflows})  # type: ignore[arg-type]
    runner.start()
    print("started", flush=True)
    sys.stdin.read()
    runner.stop(drain=True)


if __name__ == "__main__":
    main()
