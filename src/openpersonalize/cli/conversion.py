"""Conversion of a file as people have it to one that an import takes, for the commands that offer it:
`Conversion`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..datasets.adaptation import Adaptation
    from ..datasets.inspection import Inspection

_SMALL = "--minimum-data"


@dataclass(frozen=True)
class Conversion:
    """A file and what it became.

    Attributes:
        adaptation: how the file is understood. path: of the file as an import takes it.
        found: its inspection; that there is less than Amazon's minimum is one of its problems.
    """

    adaptation: Adaptation
    path: Path
    found: Inspection

    @classmethod
    def of(cls, adaptation: Adaptation, folder: Path) -> Conversion:
        """Write the file anew in `folder`, and inspect that.

        Raises:
            InvalidInput: too many of its rows have no id or no time, or it cannot be read.
        """
        from ..datasets.inspection import inspect

        kind = adaptation.dataset_type
        path = folder / f"{kind.lower()}.csv"
        adaptation.write(path)
        return cls(
            adaptation,
            path,
            inspect(lambda: path.open("rb"), adaptation.source.name, kind, now=time.time()),
        )

    @property
    def small(self) -> bool:
        """Whether it is less than Amazon takes."""
        return bool(self.too_small)

    @property
    def too_small(self) -> list[str]:
        """What is less than Amazon takes."""
        return [each.what for each in self.found.problems if _SMALL in each.what]

    @property
    def wrong(self) -> list[str]:
        """What an import would not take, however little data it may be; with the places."""
        return wrong_of(self.found)

    def words(self) -> list[str]:
        """How the file is understood, a sentence a line."""
        one = self.adaptation
        said = one.words()
        if one.unused:
            said.append(f"not used: {', '.join(one.unused)}")
        if one.left_out:
            said.append(f"{one.left_out:,} rows without an id or a time are left out")
        return said


def wrong_of(found: Inspection) -> list[str]:
    """The problems of an inspected file but those of too little data, with their places."""
    return [
        f"{each.file}{f', line {each.line}' if each.line else ''}: {each.what}"
        for each in found.problems
        if _SMALL not in each.what
    ]
