"""A batch job reads and writes files of any length in bounded memory."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from openpersonalize.batch.answering import answer_files
from openpersonalize.batch.inference import BatchInference, rows_kept
from openpersonalize.batch.scorer import BatchScorer
from openpersonalize.engine.task import Task
from openpersonalize.events.history import LIVE_LENGTH
from openpersonalize.installation import Installation
from openpersonalize.serving.loaded import GroupData
from openpersonalize.serving.source import AnswerSource
from openpersonalize.storage.local_buckets import LocalBuckets
from serving.making import CATALOGUE, STREAM, Made

SHARE, WHOLE = 6_000, 1_000_000
MEGABYTES = 48
"""More that the lines may take after the first block: about the scores, states and texts of one."""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("lines", [SHARE, pytest.param(WHOLE, marks=pytest.mark.soak)])
def test_memory_does_not_grow_with_the_lines(tmp_path: Path, lines: int) -> None:
    made = Made(tmp_path)
    for user in range(40):
        made.event(f"user-{user:02d}", CATALOGUE[user % 30])
    buckets = LocalBuckets(tmp_path / "buckets")
    source = tmp_path / "buckets" / "in" / "q.json"
    source.parent.mkdir(parents=True)
    with source.open("w") as stream:
        stream.writelines(json.dumps({"userId": f"user-{number % 100:02d}", "n": number}) + "\n"
                          for number in range(lines))  # fmt: skip
    measured: list[int] = []

    def check() -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        measured.append(pages * os.sysconf("SC_PAGE_SIZE") >> 20)

    task = Task(made.settings, "job", lambda report: None, lambda: False)
    task.check = check  # type: ignore[method-assign]
    installation = cast(Installation, SimpleNamespace(buckets=buckets))
    found = answer_files(task, installation, "s3://in/", "s3://out/", lambda: opened(made))
    made.close()
    assert found == {"files": 1, "lines": lines, "answers": lines}
    assert len(measured) > lines // 512
    assert max(measured[2:]) - measured[1] < MEGABYTES
    with (tmp_path / "buckets" / "out" / "q.json.out").open() as stream:
        for number, line in enumerate(stream):
            assert f'"n": {number}}}' in line
            assert line.endswith('"error":null}\n')
    assert number == lines - 1


@contextmanager
def opened(made: Made) -> Iterator[BatchInference]:
    tail = made.log.tail()
    scorer = BatchScorer(
        made.loaded,
        made.items,
        histories=lambda users: tail.histories(STREAM, users, LIVE_LENGTH),
        now=made.time,
        top_rows=rows_kept(10, False, False),
    )
    group = GroupData(STREAM, None, cast(Any, []), lambda: None)
    source = AnswerSource(made.loaded, made.items, group, scorer, now=lambda: made.time)
    yield BatchInference(source, scorer, count=10)
    tail.close()
