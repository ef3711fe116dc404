"""The heavy step of a batch inference job: lines of files in a bucket -> answers in files beside them.

Memory: a loaded version with its group's records, as an endpoint has, and a block of lines with their users'
scores (`scorer.SCORE_BYTES`), however many lines there are. A run after a crash goes on where the one before
was some seconds earlier (`journal`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from ..engine.task import Task
from ..errors import InvalidInput, JobFailed
from ..events.consumer import LogConsumer
from ..events.history import History
from ..events.livelog import LiveLog
from ..filters.compiler import compile_filter
from ..installation import Installation
from ..recipes.configuration import exploration_of
from ..serving.catalogue import Catalogue
from ..serving.loader import Loader
from ..serving.refresh import Following
from ..serving.source import AnswerSource
from ..serving.states import Memory
from .answering import LineAnswers, answer_files
from .arguments import BatchArguments
from .inference import BatchInference, rows_kept
from .scorer import BatchScorer
from .themes import BatchThemes

_SMALL = 1 << 20


def run(task: Task, *, item_name: str | None = None, **arguments: Any) -> dict[str, Any]:
    """Answer the lines of a job's files.

    Args:
        arguments: see `BatchArguments.of`.
        item_name: the column with the items' names, of a job with themes; None of others.

    Returns:
        files, lines, answers: how many.

    Raises:
        JobFailed: with the sentence for `failureReason`.
        JobStopped: on request.
    """
    job = BatchArguments.of(**arguments)
    with job.installation(task.settings) as installation:
        return answer_files(
            task,
            installation,
            job.source,
            job.destination,
            lambda: open_inference(installation, job, task.check, item_name),
            most_in_all=None if item_name is None else task.settings.quota_theme_lines,
        )


@contextmanager
def open_inference(
    installation: Installation, job: BatchArguments, check: Callable[[], None], item_name: str | None = None
) -> Iterator[LineAnswers]:
    """A job's version, loaded and level with the live log, to answer lines with.

    Args:
        check: called while it waits; may raise to stop. item_name: see `run`.

    Raises:
        JobFailed: the recipe, the model, or a column of the filter or of the themes is gone.
    """
    entry = job.entry
    with ExitStack() as opened:
        consumer = LogConsumer(installation.log, _SMALL)
        opened.callback(consumer.close)
        users: dict[str, Catalogue] = {}
        loader = Loader(installation, consumer, Memory(_SMALL), users.get)
        try:
            compiled = None
            if job.expression is not None:
                schemas = {kind: dataset.parsed() for kind, dataset in entry.datasets.items()}
                compiled = compile_filter(job.expression, schemas)
                if "USERS" in entry.datasets and any(name.startswith("USERS.") for name in compiled.fields):
                    users[entry.group] = loader.users(entry.datasets["USERS"])
            held = loader.deployment(entry, None)
        except InvalidInput as error:
            raise JobFailed(error.message) from error
        except FileNotFoundError as error:
            raise JobFailed(f"The model of {entry.version} or its data is gone.") from error
        following = Following(held, consumer)
        opened.callback(following.stop)
        while not following.caught_up():
            check()
        following.stop()
        of = held.deployment
        exploration = exploration_of(of.recipe, entry.config)
        scorer = BatchScorer(
            of.loaded,
            of.items,
            histories=opened.enter_context(_histories(installation.log, of.group.stream, job.position)),
            now=installation.clock.now(),
            top_rows=rows_kept(job.count, compiled is not None, exploration is not None),
            explores=exploration is not None and of.tracker is not None,
        )
        scorer.influence = entry.config.get("rankingInfluence") or {}
        source = AnswerSource(
            of.loaded,
            of.items,
            of.group,
            scorer,
            now=installation.clock.now,
            window=installation.settings.filter_window,
            tracker=of.tracker,
        )
        inference = BatchInference(
            source, scorer, count=job.count, compiled=compiled, exploration=exploration
        )
        if item_name is None:
            yield inference
        else:
            schema = entry.datasets["ITEMS"].parsed() if "ITEMS" in entry.datasets else None
            yield BatchThemes(inference, source, schema, item_name, check)


@contextmanager
def _histories(
    log: LiveLog, stream: str, position: int
) -> Iterator[Callable[[Sequence[str]], Mapping[str, History]]]:
    """What reads streamed events of users up to a place in the log."""
    tail = log.tail()

    def histories(users: Sequence[str]) -> Mapping[str, History]:
        found = tail.histories(stream, users)
        return {user: one if one.newest <= position else _until(one, position) for user, one in found.items()}

    try:
        yield histories
    finally:
        tail.close()


def _until(history: History, position: int) -> History:
    """What of a history was there at a place in the log."""
    values = [None if math.isnan(value) else value for value in history.value.tolist()]
    columns = history.position.tolist(), history.item, history.time.tolist(), history.type, values
    return History.of([row for row in zip(*columns, strict=True) if row[0] <= position])
