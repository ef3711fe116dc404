"""Memory of a training: an estimate of its peak, `training_memory`, and what this process may still take,
`free_memory`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..algorithms import (
    cooccurrence,
    freshness,
    ivf_index,
    neighbours,
    recent_popularity,
    return_hazard,
    session_bags,
    session_neighbours,
    taste,
    transitions,
)
from ..algorithms.encoder_plan import LIBRARY, Plan, memory_needed, vectors_kept
from ..algorithms.fusion import questions_memory
from ..algorithms.item_attribute import ItemAttribute, codes_of
from ..algorithms.sparse import PAIRS
from ..datasets.sequences import Sequences
from .indexing import INDEX_ABOVE

_LIMITS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)

MOST_RANKERS = 9 + taste.MOST_COLUMNS + recent_popularity.MOST_HALF_LIVES + len(freshness.AGE_SCALES)
"""Most rankers of a fusion."""
CELL = 8
"""Bytes of a cell of a table."""
COUNTING = 60 * PAIRS
"""Bytes of the pairs that are counted at a time, with what sorts them."""


def training_memory(
    sequences: Sequences,
    plan: Plan | None,
    attributes: Sequence[ItemAttribute],
    questions: int,
    threads: int = 1,
    index_above: int = INDEX_ABOVE,
    tried: int = 0,
) -> int:
    """Bytes that a fit of the personal recipes takes at its peak beyond what is held already when it begins:
    the `sequences`, the items' records and their `attributes`. Tables and streamed events are scanned while
    sequences are built, and held no more. An update takes less, but for up to 60 bytes for each event that is
    not older than what its artifact remembers.

    The most of four moments: while the tables of transitions and neighbours are counted; a step of the
    encoder (`plan`; None: there is none), beside them and `tried` questions of its trial; the questions,
    beside tables and encoder, all of these with the part of the events that is learned from; while a large
    catalogue is indexed. Within a quarter of the truth for the whole process (``python -m bench.growth``
    compares).
    """
    events, n = len(sequences.item), len(sequences.items)
    columns = (sequences.item, sequences.time, sequences.event, sequences.value, sequences.weight)
    learnt = events * (1 + sum(column.itemsize for column in columns if column.strides != (0,)))
    learnt += 4 * events * len(sequences.context)
    table = CELL * min(transitions.TOP * n, transitions.MAX_DISTANCE * events)
    near = CELL * min(neighbours.TOP * n, cooccurrence.MOST_PAIRED * events)
    near += CELL * min(session_neighbours.TOP * n, session_bags.MOST_PAIRED * events)
    counting = max(table // 2 + 16 * events, table + near // 2 + 24 * events) + COUNTING
    classes = 1 if sequences.event.strides == (0,) else return_hazard.MOST_CLASSES
    hazards = 4 * return_hazard.SPANS * classes * n
    timeline = 20 * events + (20 * recent_popularity.MOST_HALF_LIVES + 24) * n + hazards
    rest = learnt + table + near + timeline
    encoder, kept = 0, 0
    if plan is not None:
        values, codes = sum(one.size for one in attributes), sum(map(codes_of, attributes))
        encoder = memory_needed(plan, n, values, codes)
        kept = LIBRARY + vectors_kept(plan, n, values, bool(attributes))
    asking = questions_memory(MOST_RANKERS, questions, n, threads) + 4 * n * MOST_RANKERS
    trying = questions_memory(MOST_RANKERS, tried, n, threads) if tried else 0
    looking = 0 if plan is None or n <= index_above else ivf_index.memory_needed(n, plan.shape.d)
    return max(
        learnt + counting, rest + encoder + trying, rest + kept + asking, rest - learnt + kept + looking
    )


def free_memory() -> int | None:
    """Bytes: what the system has available and the container allows; None where neither can be known."""
    known = [value for value in (_available(), *(_left(*pair) for pair in _LIMITS)) if value is not None]
    return min(known, default=None)


def _available() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _left(limit: str, used: str) -> int | None:
    try:
        most, now = Path(limit).read_text().strip(), Path(used).read_text().strip()
    except OSError:
        return None
    return int(most) - int(now) if most.isdigit() else None
