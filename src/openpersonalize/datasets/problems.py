"""Why an import fails: the sentences for `failureReason`, and the problems of rows behind them.

The sentences are Amazon Personalize's where they are known (developer guide, "Troubleshooting" and error
texts seen by its users), else ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from .minimums import SMALL_DATA
from .schemas import spelled

LISTED = 10_000
"""Problems told one by one; more are only counted."""

IN_REASON = 20
"""Problems that the failure reason itself shows."""

GIVEN_UP = 100_000
"""Problems after which a file's remaining rows are not read: whoever has to mend them reads no further
either."""

LISTED_CHARACTERS = 4_000_000
"""Characters of all listed problems together: an import's problems lie in the database of everybody's
resources."""

_COLUMN, _FILE, _WHAT = 50, 200, 300
"""Characters shown of the names and the words of a problem; a file's author chooses how long they are."""

_IS_NOT = " is not "
"""Between a value and what it should be."""

NOT_CONFORMING = (
    "Input csv has rows that do not conform to the dataset schema. Please ensure all required data fields"
    " are present and that they are of the type specified in the schema."
)
NOT_UTF8 = "Input CSV is not valid UTF-8."
NO_RECORDS = "Input CSV has no records."
_FEW_NEW = (
    "An INCREMENTAL import counts new rows only: send a few events with PutEvents, or import a file of all"
    " rows, old and new, with importMode FULL (openpersonalize import without --add)."
)


def value_too_long(limit: int, column: str) -> str:
    """Some value has more characters than its column may hold."""
    return (
        f"Length cannot be more than {limit} characters for {column}. If no values exceed the character"
        " limit, make sure your data follows the formatting guidelines listed in"
        " https://docs.aws.amazon.com/personalize/latest/dg/data-prep-formatting.html."
    )


def bad_timestamp(column: str) -> str:
    """Some value is no time between 1970 and 2100 in seconds."""
    return f"Invalid timestamp in column {column}."


def no_access(dataset_type: str) -> str:
    """The bucket's owner does not let us read."""
    return (
        f"Failed to create a data import job for {spelled(dataset_type)} dataset. Insufficient privileges for"
        " accessing data in Amazon S3."
    )


def unreachable(why: str) -> str:
    """The service that holds the bucket fails."""
    return (
        f"Amazon S3 cannot be read from now ({why}); check AWS_ENDPOINT_URL_S3 and the network, and import"
        " again."
    )


def missing_columns(dataset_type: str, columns: Iterable[str], places: str = "") -> str:
    """Header rows lack columns of the schema; `places`: in which files, and what they have instead."""
    return (
        f"Failed to create a data import job {spelled(dataset_type)} dataset. Input CSV is missing the"
        f" following columns:[{', '.join(columns)}].{places and f' {places}'}"
    )


def nothing_found(location: str, advice: str) -> str:
    """No file is where the job looked; `advice`: a sentence on how one comes there."""
    return f"Invalid Data location. No objects found at {location}. {advice}"


def duplicate_column(name: str) -> str:
    """A header row names a column twice."""
    return f"Input CSV has duplicate column {name}."


def too_large(limit: str, mode: str) -> str:
    """The files together are larger than the import mode allows."""
    return f"Input data exceeds {limit} for import mode {mode}."


def too_few_interactions(least: int, found: int, again: int, mode: str) -> str:
    """An import of interactions holds fewer rows than a training needs; `again` of them are the same event as
    another row. An INCREMENTAL one needs as many new rows (developer guide, "Incremental imports")."""
    same = f" {again} of them are the same event as another row." if again else ""
    added = f" {_FEW_NEW}" if mode == "INCREMENTAL" else ""
    return f"Interactions import must have at least {least} records; found {found}.{same}{added} {SMALL_DATA}"


@dataclass(frozen=True)
class Problem:
    """One thing wrong with one place of an input file.

    Attributes:
        file, line, column: the place; `column` is empty where the whole row is meant.
        reason: the sentence it would fail a job with.
    """

    file: str
    line: int
    column: str
    what: str
    reason: str = NOT_CONFORMING


def shown(text: str, most: int) -> str:
    """`text` cut to `most` characters, with escapes for those that do not print: what stands in a file is to
    reach no terminal as a command."""
    cut = text if len(text) <= most else f"{text[:most]}..."
    return cut if cut.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in cut)


class Problems:
    """All problems of an import, counted; the first of them listed. Memory: the few that the reason shows."""

    def __init__(self, report: Callable[[str, int, str, str], None]) -> None:
        """Listed problems go to `report` (file, line, column, what) as they come."""
        self.count = 0
        self._characters = 0
        self._report = report
        self._first: list[Problem] = []

    @property
    def room(self) -> int:
        """How many more problems will be listed."""
        return max(0, LISTED - self.count) if self._characters < LISTED_CHARACTERS else 0

    @property
    def given_up(self) -> bool:
        """Whether there are so many that reading on is of no use."""
        return self.count >= GIVEN_UP

    def add(self, problems: Iterable[Problem], unlisted: int = 0) -> None:
        """Add problems in order of their places, and the number of further ones that nobody described."""
        for each in problems:
            problem = replace(
                each,
                file=shown(each.file, _FILE),
                column=shown(each.column, _COLUMN),
                what=shown(each.what, _WHAT),
            )
            if self.room:
                self._report(problem.file, problem.line, problem.column, problem.what)
                self._characters += len(problem.file) + len(problem.column) + len(problem.what)
            if len(self._first) < IN_REASON:
                self._first.append(problem)
            self.count += 1
        self.count += unlisted

    @property
    def places(self) -> str:
        """The first problems, each with its place; those that say the same of another line of a file and
        column are told once, with their number and lines."""
        alike: dict[tuple[str, str, str], list[Problem]] = {}
        for problem in self._first:
            said = problem.what.rpartition(_IS_NOT)[2]  # what stands before it is the value
            alike.setdefault((problem.file, problem.column, said), []).append(problem)
        return "; ".join(_told(problems) for problems in alike.values())

    def reason(self) -> str:
        """The failure reason: the first problem's sentence, the count and the first places."""
        more = f" The rest was not read: more than {GIVEN_UP} problems." if self.given_up else ""
        return f"{self._first[0].reason} {self.count} problems; first {IN_REASON}: {self.places}{more}"


def _told(problems: list[Problem]) -> str:
    first, *others = problems
    lines = ", ".join(str(problem.line) for problem in others)
    more = f" (and {len(others)} more like it: {'line' if len(others) == 1 else 'lines'} {lines})"
    return f"{_place(first)}: {first.what}{more if others else ''}"


def _place(problem: Problem) -> str:
    column = f", column {problem.column}" if problem.column else ""
    return f"file {problem.file}, line {problem.line}{column}"
