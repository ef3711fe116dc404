"""The heavy step of a batch segment job: lines of files in a bucket -> segments of users in files beside
them.

Memory: a version's model, mapped; what its filter reads of the users; about 200 bytes for each user the
version knows. A run after a crash goes on where the one before was some seconds earlier (`journal`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..engine.task import Task
from ..errors import InvalidInput, JobFailed
from ..filters.compiler import compile_filter
from ..installation import Installation
from ..recipes.artifact import Artifact
from ..recipes.model import Segments
from ..recipes.registry import facts_of
from .answering import answer_files
from .arguments import BatchArguments
from .segment_filter import SegmentFilter
from .segments import BatchSegments

ITEM_LINES, ATTRIBUTE_LINES = 500, 10
"""Lines of a file that ask about items, and about attributes (developer guide, quotas)."""


def run(task: Task, **arguments: Any) -> dict[str, Any]:
    """Answer the lines of a job's files; arguments, result and errors as of `step.run`."""
    job = BatchArguments.of(**arguments)
    facts = facts_of(job.entry.recipe)
    by_attribute = facts is not None and facts.needs_attribute
    most_lines = ATTRIBUTE_LINES if by_attribute else ITEM_LINES
    with job.installation(task.settings) as installation:
        return answer_files(
            task,
            installation,
            job.source,
            job.destination,
            lambda: open_segments(installation, job),
            most_lines=task.settings.quota_segment_queries or most_lines,
        )


@contextmanager
def open_segments(installation: Installation, job: BatchArguments) -> Iterator[BatchSegments]:
    """A job's version, opened to answer lines with.

    Raises:
        JobFailed: the recipe, the model, or a column of the filter is gone.
    """
    entry = job.entry
    assert entry.artifact is not None
    try:
        artifact = Artifact.open(installation.objects.fetch(entry.artifact))
        facts, model = artifact.recipe.facts, artifact.model
        if not isinstance(model, Segments):
            raise JobFailed(f"The recipe {facts.name} ranks no users in this release; train it again.")
        chosen = None
        if job.expression is not None:
            schemas = {kind: dataset.parsed() for kind, dataset in entry.datasets.items()}
            compiled = compile_filter(job.expression, schemas)
            chosen = SegmentFilter(
                installation, entry.group, entry.datasets, compiled, artifact.ranked, job.position
            )
        attributes = artifact.attributes if facts.needs_attribute else None
    except InvalidInput as error:
        raise JobFailed(error.message) from error
    except FileNotFoundError as error:
        raise JobFailed(f"The model of {entry.version} or its data is gone.") from error
    yield BatchSegments(
        model, artifact.items, artifact.ranked, count=job.count, attributes=attributes, chosen=chosen
    )
