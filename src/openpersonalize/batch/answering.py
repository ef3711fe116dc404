"""The run of a batch job over its files, whatever the lines ask: `answer_files`, from lines in a bucket to
answers in files beside them, with a journal from which a run after a crash goes on.

Memory: that of what answers, a block of lines, and what is written of them at a time.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, Protocol

from ..engine.task import Task
from ..errors import InvalidInput, JobFailed
from ..installation import Installation
from ..storage.buckets import AccessDenied, Buckets, ObjectInfo, Unreachable
from ..storage.workfolder import work_folder
from .files import MOST_LINES, input_files, output_location
from .journal import OutputJournal
from .lines import LineReader

NO_ACCESS = "Insufficient privileges for accessing data in Amazon S3."
_NAMED = 10


class LineAnswers(Protocol):
    """Answers the lines of a job, a block at a time."""

    @property
    def together(self) -> int:
        """Lines of a block."""

    def answered(self, texts: Sequence[bytes]) -> tuple[bytes | Iterable[bytes], int]:
        """The output lines of a block of input lines, in one piece or several, and how many of them are
        answers."""


def answer_files(
    task: Task,
    installation: Installation,
    source: str,
    destination: str,
    opened: Callable[[], AbstractContextManager[LineAnswers]],
    *,
    most_lines: int = MOST_LINES,
    most_in_all: int | None = None,
) -> dict[str, Any]:
    """Answer the lines of the files at `source`.

    Args:
        task, installation: of the step. source, destination: locations of the input, and of the folder of
            the output.
        opened: opens what answers; only called where something is left to do.
        most_lines: of a file. most_in_all: of the job; None: any.

    Returns:
        files, lines, answers: how many.

    Raises:
        JobFailed: with the sentence for `failureReason`.
        JobStopped: on request.
    """
    with ExitStack() as stack:
        buckets = installation.buckets
        with _told():
            files = input_files(buckets, source)
        journal = OutputJournal(work_folder(task.settings, task.job_id), files)
        stack.callback(journal.close)
        if journal.at.done or journal.at.read:
            task.line(f"goes on after {journal.at.all_lines + journal.at.lines} lines")
        if journal.at.done < len(files):
            answers = stack.enter_context(opened())
            stack.enter_context(spared_by_collection())
            for file in files[journal.at.done :]:
                with _told():
                    _answer(task, buckets, file, journal, answers, most_lines, most_in_all)
                    with journal.output.open("rb") as output:
                        buckets.write(output_location(destination, file), output)
                journal.finish_file()
        at = journal.at
    task.line(f"{at.all_lines} lines of {len(files)} files, {at.all_answers} answered")
    if at.unanswered:
        names = ", ".join(files[number].name for number in at.unanswered[:_NAMED])
        raise JobFailed(f"No line could be answered of {names}; the .out files in {destination} say why.")
    return {"files": len(files), "lines": at.all_lines, "answers": at.all_answers}


@contextmanager
def spared_by_collection() -> Iterator[None]:
    """What is loaded when this begins stays to its end, and Python's garbage collector does not look at it
    again and again (a tenth of the time of short lines)."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def _told() -> Iterator[None]:
    """Failures of the bucket as failures of the job."""
    try:
        yield
    except AccessDenied as error:
        raise JobFailed(NO_ACCESS) from error
    except Unreachable as error:
        raise JobFailed(f"Amazon S3 does not answer as it should: {error}") from error
    except FileNotFoundError as error:
        raise JobFailed(f"Invalid S3 path: {error}.") from error
    except InvalidInput as error:
        raise JobFailed(f"Invalid S3 output path: {error.message}") from error


def _answer(
    task: Task,
    buckets: Buckets,
    file: ObjectInfo,
    journal: OutputJournal,
    answers: LineAnswers,
    most_lines: int,
    most_in_all: int | None,
) -> None:
    """Read a file from where the journal is to its end."""
    total = sum(size for _, size in journal.at.files)
    before = sum(size for _, size in journal.at.files[: journal.at.done])
    with buckets.open(file.location) as stream:
        reader = LineReader(stream, journal.at.read)
        for block in reader.blocks(answers.together):
            task.check()
            if journal.at.lines + len(block) > most_lines:
                raise JobFailed(f"{file.name} has more than {most_lines} lines; part it into several files.")
            lines = journal.at.all_lines + journal.at.lines + len(block)
            if most_in_all is not None and lines > most_in_all:
                raise JobFailed(
                    f"The input has more than {most_in_all} lines; such a job may have at most as many. "
                    "Use several jobs."
                )
            found, count = answers.answered(block)
            for piece in (found,) if isinstance(found, bytes) else found:
                journal.write(piece)
            journal.reached(reader.position, len(block), count)
            task.progress("infer", min(before + reader.position, total), total, "bytes")
    journal.save()
