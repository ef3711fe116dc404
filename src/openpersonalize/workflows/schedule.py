"""Automatic training: which solution is due, and the one transaction that starts its version.

Amazon Personalize developer guide, "Automatic training": the first version starts within an hour after the
solution was created, or automatic training was turned on, unless somebody creates a version in that hour;
later ones every N days from the start of the one before, only when interactions came in since the last
training. A round that finds nothing new, or a version at work, is left out; one that finds the quota full is
tried again at the next look, and one that finds no data yet to train a first version on, an hour later.
Recommenders are trained again every seven days (`recommendertraining`).

The state is a row's: `AutomaticTraining` of a solution says when automatic training was turned on and when to
look next. Several processes may look at once; whoever gets the
write lock first starts the version and moves ``due``.
"""

from __future__ import annotations

import logging
import math
import threading
from typing import TYPE_CHECKING, Any

import msgspec

from ..errors import LimitExceeded
from ..logs import RepeatedErrors
from ..recipes.configuration import training_days
from ..recipes.registry import facts_of
from ..resources.internals import AutomaticTraining, SolutionInternal, VersionInternal
from ..resources.lifecycle import AT_WORK
from ..resources.quotas import check_quota
from ..resources.store import Resource, Scope, Transaction
from ..resources.versions import age_key
from .news import has_news
from .recommendertraining import due_recommenders, retrain, scheduled_retrainings
from .trainings import free_suffix, start_training, training_schemas

if TYPE_CHECKING:
    from ..installation import Installation

log = logging.getLogger(__name__)

HOUR = 3600.0
DAY = 86_400.0
LOOK_SECONDS = 15.0


def begin_schedule(now: float, minutes: int) -> AutomaticTraining:
    """The schedule of a solution whose automatic training begins now.

    Args:
        now: seconds.
        minutes: until the first version starts (`Settings.first_automatic_training`): within an hour, and
            late enough to see whether somebody creates one in that hour.
    """
    return AutomaticTraining(since=now, due=now + 60 * minutes)


def reschedule(tx: Transaction, solution: Resource, was_on: bool, now: float, minutes: int) -> None:
    """After an update of `solution`: begins anew when automatic training was turned on, and else counts the
    days anew from the last automatic training."""
    if not solution.attributes["performAutoTraining"]:
        return
    last = _newest(tx, solution, "AUTOMATIC")
    if not was_on or SolutionInternal.of(solution).automatic is None:
        tx.update(solution, internal={"automatic": begin_schedule(now, minutes)}, touch=False)
    elif last is not None:
        _move(tx, solution, last.created_at + _days(solution))


def scheduled_trainings(scope: Scope, now: float) -> list[dict[str, Any]]:
    """When each automatic training of an account and region is due next, soonest first: {arn (of the
    solution or recommender), due (seconds since 1970), due_in_seconds}. A round that finds nothing new is
    left out then."""
    with scope.read() as tx:
        found = [
            (_due(tx, one), one.arn)
            for one in tx.find("solution", statuses=("ACTIVE",))
            if one.attributes["performAutoTraining"] and SolutionInternal.of(one).automatic is not None
        ]
        found += scheduled_retrainings(tx)
    return [{"arn": arn, "due": due, "due_in_seconds": max(0.0, due - now)} for due, arn in sorted(found)]


class Schedule:
    """Looks for solutions whose automatic training is due. Safe to run in every process."""

    def __init__(self, installation: Installation, look_seconds: float = LOOK_SECONDS) -> None:
        """Looks every `look_seconds`."""
        self._installation = installation
        self._look_seconds = look_seconds
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Look now, for what fell due while no server ran, and from then on regularly, in a thread."""
        self._thread = threading.Thread(target=self._loop, name="training-schedule", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more; what is being started is started."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _loop(self) -> None:
        errors = RepeatedErrors(log, "The schedule of automatic training met an error and goes on")
        while not self._stopping.is_set():
            try:
                self.look()
                errors.well()
            except Exception as error:  # noqa: BLE001 - told, and tried again
                errors.met(error)
            self._stopping.wait(self._look_seconds)

    def look(self) -> list[str]:
        """Start every training that is due; the ARNs of the versions and recommenders that are trained."""
        started = []
        for scope in self._installation.metadata.scopes():
            now = self._installation.clock.now()
            with scope.read() as tx:
                due = [one.arn for one in tx.find("solution", statuses=("ACTIVE",)) if self._is_due(one)]
                again = due_recommenders(tx, now)
            for arn in (*due, *again):
                try:
                    begun = self._round(scope, arn) if arn in due else self._again(scope, arn)
                except Exception:  # one that cannot be looked at keeps no other waiting
                    log.exception("The automatic training of %s could not be looked at", arn)
                    continue
                started += [] if begun is None else [begun.arn]
        return started

    def _again(self, scope: Scope, arn: str) -> Resource | None:
        return retrain(self._installation, scope, arn, self._installation.clock.now())

    def _is_due(self, solution: Resource) -> bool:
        if not solution.attributes["performAutoTraining"]:
            return False
        automatic = SolutionInternal.of(solution).automatic
        return automatic is None or automatic.due <= self._installation.clock.now()

    def _round(self, scope: Scope, arn: str) -> Resource | None:
        """One round of a solution; the version it started."""
        now = self._installation.clock.now()
        has_news = self._has_news(scope, arn)
        with scope.write() as tx:
            solution = tx.get(arn, "solution")
            if solution is None or solution.status != "ACTIVE" or not self._is_due(solution):
                return None
            automatic = SolutionInternal.of(solution).automatic
            if automatic is None:  # of a release that had no schedule
                minutes = self._installation.settings.first_automatic_training
                tx.update(solution, internal={"automatic": begin_schedule(now, minutes)}, touch=False)
                return None
            due = _due(tx, solution)
            if due > now:
                _move(tx, solution, due)
                return None
            # A round is left out: a version is at work, data is missing, or none of it is new.
            at_work = tx.count("solution-version", parent_arn=solution.arn, statuses=AT_WORK)
            if at_work or not has_news:
                versions = tx.count("solution-version", parent_arn=solution.arn)
                period = _days(solution) if versions else HOUR
                _move(tx, solution, automatic.due + period * (1 + (now - automatic.due) // period))
                return None
            try:
                check_quota(tx, self._installation.settings, "solution-version")
            except LimitExceeded:
                return None
            version = start_training(
                tx, solution, free_suffix(tx, solution), training_mode="FULL", training_type="AUTOMATIC"
            )
            _move(tx, solution, now + _days(solution))
        log.info("automatic training of %s: %s", solution.arn, version.arn)
        return version

    def _has_news(self, scope: Scope, arn: str) -> bool:
        """Whether data that the recipe learns from came since the last training began. No transaction is open
        while the live log is read, which may take long."""
        with scope.read() as tx:
            solution = tx.get(arn, "solution")
            if solution is None:
                return False
            group = solution.attributes["datasetGroupArn"]
            schemas = training_schemas(tx, group, SolutionInternal.of(solution).schemas)
            datasets = {one.attributes["datasetType"]: one for one in tx.find("dataset", group_arn=group)}
            versions = tx.find("solution-version", parent_arn=arn)
        trained = [one for one in versions if VersionInternal.of(one).snapshots is not None]
        last = max(trained, key=age_key, default=None)
        seen = VersionInternal() if last is None else VersionInternal.of(last)
        log = self._installation.log
        return has_news(log, datasets, schemas, _needs(solution), seen.snapshots or {}, seen.position)


def _needs(solution: Resource) -> tuple[str, ...]:
    """The dataset types without which a solution cannot train."""
    arn = solution.attributes.get("recipeArn")
    facts = None if arn is None else facts_of(arn)
    return ("INTERACTIONS",) if facts is None else facts.needs


def _due(tx: Transaction, solution: Resource) -> float:
    """When to look next: a version that somebody created in the first hour takes the first one's place."""
    automatic = SolutionInternal.of(solution).automatic
    assert automatic is not None
    since, due = automatic.since, automatic.due
    manual = _newest(tx, solution, "MANUAL", since, since + HOUR)
    if manual is None or _newest(tx, solution, "AUTOMATIC", since) is not None:
        return due
    return max(due, manual.created_at + _days(solution))


def _newest(
    tx: Transaction, solution: Resource, kind: str, since: float = 0.0, until: float = math.inf
) -> Resource | None:
    """The newest version of a trainingType that was created in a span of time."""
    found = [
        one
        for one in tx.find("solution-version", parent_arn=solution.arn)
        if one.attributes.get("trainingType") == kind and since <= one.created_at <= until
    ]
    return max(found, key=age_key, default=None)


def _move(tx: Transaction, solution: Resource, due: float) -> None:
    automatic = SolutionInternal.of(solution).automatic
    assert automatic is not None
    moved = msgspec.structs.replace(automatic, due=due)
    tx.update(solution, internal={"automatic": moved}, touch=False)


def _days(solution: Resource) -> float:
    return training_days(solution.attributes["solutionConfig"]) * DAY
