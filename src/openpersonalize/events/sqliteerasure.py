"""Erasure on SQLite: users are taken out of a stream's rows and segments (`Erasure`)."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from itertools import chain

import polars as pl

from .segments import digests_of
from .sqlitesegments import SQL, SqliteSegments, run_statement


class Erasure:
    """Removes users from one log. Safe in any thread."""

    def __init__(self, segments: SqliteSegments) -> None:
        self._segments = segments

    def remove(
        self,
        number: int,
        subjects: Sequence[str],
        tell: Callable[[sqlite3.Connection, list[str]], object],
    ) -> int:
        """Take users out of a stream: their events with what their sessions did anonymously, their records.

        Args:
            number: the stream. subjects: the users.
            tell: called in the transaction for each user of whom something is removed, with the user and
                their sessions.

        Returns:
            How many events and records were removed.
        """
        with self._segments.alone():
            with closing(self._segments.reader()) as reader:
                pending = reader.execute(SQL["removals"]).fetchall()
            if pending:  # of somebody who could not end it
                self.rewrite(pending)
            # What was done anonymously in a session of that very name is under the id, too.
            whole = {subject: [subject, *self._sessions(number, subject)] for subject in subjects}
            chosen = [(subject, 0) for subject in whole]
            chosen += [(session, 1) for session in dict.fromkeys(chain.from_iterable(whole.values()))]
            sealed = self._known(number, [subject for subject, _ in chosen])

            def begin(connection: sqlite3.Connection) -> int:
                """Remove rows, and write down what is still to be taken out of segments."""
                total = 0
                for subject, sessions in whole.items():
                    removed = sum(
                        _forget(connection, number, *one)
                        for one in [(subject, 0), *((session, 1) for session in sessions)]
                    )
                    removed += connection.execute(SQL["forget_records"], (number, subject)).rowcount
                    if removed or not sealed.isdisjoint(sessions):
                        tell(connection, list(dict.fromkeys(sessions)))
                    total += removed
                if sealed:
                    connection.executemany(SQL["add_removal"], [(number, *one) for one in chosen])
                return total

            removed = self._segments.do(begin)
            removed += self.rewrite([(number, *one) for one in chosen]) if sealed else 0
            self._sweep(number)
            return removed

    def rewrite(self, removals: Sequence[tuple[int, str, int]]) -> int:
        """Write the segments anew that hold events of those to be removed; how many events those were."""
        removed = 0
        for number in dict.fromkeys(stream for stream, _, _ in removals):
            gone = pl.DataFrame(
                [(subject, bool(anonymous)) for stream, subject, anonymous in removals if stream == number],
                schema={"USER_ID": pl.String, "#ANONYMOUS": pl.Boolean},
                orient="row",
            )
            subjects = gone["USER_ID"].to_list()
            for one in self._segments.listing(number):
                segment = self._segments.open(one.key)
                if not any(map(segment.knows, subjects)):
                    continue
                on = ["USER_ID", "#ANONYMOUS"]
                theirs = segment.scan().join(gone.lazy(), on=on, how="semi").collect(engine="streaming")
                if not len(theirs):
                    continue
                contents, ids = digests_of(theirs, self._segments.salt)
                self._segments.publish(
                    number,
                    (one.first, one.last, one.level),
                    segment.scan().join(gone.lazy(), on=on, how="anti", maintain_order="left"),
                    segment.contents.without(contents),
                    segment.ids.without(ids),
                    instead_of=[one.key],
                )
                self._segments.sweep([one.key])
                removed += len(theirs)
            self._segments.do(partial(run_statement, SQL["end_removal"], (number,)))
        return removed

    def _sweep(self, number: int) -> None:
        """Remove the segments of a stream that were replaced before: no grace for what may hold users."""
        with closing(self._segments.reader()) as reader:
            keys = [key for (key,) in reader.execute(SQL["unreferenced"], (math.inf,))]
        self._segments.sweep([key for key in keys if key.startswith(f"segments/{number}/")])

    def _sessions(self, number: int, user: str) -> list[str]:
        """The sessions in which a user was seen, in rows and segments."""
        with closing(self._segments.reader()) as reader:
            found = {session: None for (session,) in reader.execute(SQL["sessions_of"], (number, user))}
        for one in self._segments.listing(number):
            segment = self._segments.open(one.key)
            if segment.knows(user):
                theirs = segment.scan().filter((pl.col("USER_ID") == user) & ~pl.col("#ANONYMOUS"))
                sessions = theirs.select(pl.col("#SESSION").unique()).collect(engine="streaming")
                found.update(dict.fromkeys(sessions["#SESSION"].to_list()))
        return list(found)

    def _known(self, number: int, subjects: Sequence[str]) -> set[str]:
        """Those of whom a segment holds something."""
        segments = [self._segments.open(one.key) for one in self._segments.listing(number)]
        return {subject for subject in subjects if any(segment.knows(subject) for segment in segments)}


def _forget(connection: sqlite3.Connection, number: int, subject: str, anonymous: int) -> int:
    """Delete the rows of a user or session; how many of them no segment has."""
    which = (number, subject, anonymous)
    (unsealed,) = connection.execute(SQL["count_unsealed"], which).fetchone()
    connection.execute(SQL["forget_events"], which)
    return int(unsealed)
