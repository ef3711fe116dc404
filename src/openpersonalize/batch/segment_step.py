"""The heavy step of a batch segment job: lines of files in a bucket -> segments of users in files beside
them.

Memory: a version's model, mapped; what its filter reads of the users; about 200 bytes for each user the
version knows. A run after a crash goes on where the one before was some seconds earlier (`journal`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from ..engine.task import Task
from ..errors import InvalidInput, JobFailed
from ..filters.compiler import compile_filter
from ..installation import Installation
from ..recipes.artifact import Artifact
from ..recipes.model import Segments
from ..recipes.registry import facts_of
from ..serving.metadata_reads import EndpointEntry
from .answering import answer_files
from .segment_filter import SegmentFilter
from .segments import BatchSegments
from .step import Moment, read_entry

ITEM_LINES, ATTRIBUTE_LINES = 500, 10
"""Lines of a file that ask about items, and about attributes (developer guide, quotas)."""


def run(
    task: Task,
    *,
    entry: dict[str, Any],
    expression: str | None,
    count: int,
    source: str,
    destination: str,
    position: int,
    moment: float,
) -> dict[str, Any]:
    """Answer the lines of the files at `source`; arguments, result and errors as of `step.run`."""
    with ExitStack() as opened:
        installation = Installation.open(task.settings, Moment(moment))
        opened.callback(installation.close)
        of = read_entry(entry)
        facts = facts_of(of.recipe)
        by_attribute = facts is not None and facts.needs_attribute
        return answer_files(
            task,
            installation,
            source,
            destination,
            lambda: open_segments(installation, of, expression, count, position),
            most_lines=task.settings.quota_segment_queries
            or (ATTRIBUTE_LINES if by_attribute else ITEM_LINES),
        )


@contextmanager
def open_segments(
    installation: Installation, entry: EndpointEntry, expression: str | None, count: int, position: int
) -> Iterator[BatchSegments]:
    """A version, opened to answer lines with.

    Args:
        expression: of the job's filter. count: users of a segment.
        position: place in the live log up to which the filter sees streamed data.

    Raises:
        JobFailed: the recipe, the model, or a column of the filter is gone.
    """
    assert entry.artifact is not None
    try:
        artifact = Artifact.open(installation.objects.fetch(entry.artifact))
        facts, model = artifact.recipe.facts, artifact.model
        if not isinstance(model, Segments):
            raise JobFailed(f"The recipe {facts.name} ranks no users in this release; train it again.")
        chosen = None
        if expression is not None:
            schemas = {kind: dataset.parsed() for kind, dataset in entry.datasets.items()}
            compiled = compile_filter(expression, schemas)
            chosen = SegmentFilter(
                installation, entry.group, entry.datasets, compiled, artifact.ranked, position
            )
        attributes = artifact.attributes if facts.needs_attribute else None
    except InvalidInput as error:
        raise JobFailed(error.message) from error
    except FileNotFoundError as error:
        raise JobFailed(f"The model of {entry.version} or its data is gone.") from error
    yield BatchSegments(
        model, artifact.items, artifact.ranked, count=count, attributes=attributes, chosen=chosen
    )
