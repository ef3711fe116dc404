"""Which implementations keep the live log, the recommendation log and the counts of metric
attributions: those that the settings name."""

from __future__ import annotations

from ..clock import Clock
from ..settings import Settings
from ..storage.objects import open_objects
from .attributions import AttributionCounts
from .livelog import LiveLog
from .recommendations import RecommendationLog
from .sqlitelog import SqliteLiveLog
from .sqliterecommendations import SqliteRecommendationLog
from .sqlitesegments import SealingPlan


def open_live_log(settings: Settings, clock: Clock) -> LiveLog:
    """The live log: a file of its own in the data folder, and segments beside it.

    Raises:
        StartError: the file is damaged, read-only, or written by a newer version of this program.
    """
    return SqliteLiveLog(
        settings.data / "events.db",
        clock,
        objects=open_objects(settings),
        plan=SealingPlan(rows=settings.segment_rows),
    )


def open_attribution_counts(settings: Settings) -> AttributionCounts:
    """What metric attributions have counted: a file of its own in the data folder.

    Raises:
        StartError: the file is damaged, cannot be written, or was written by a newer version of this program.
    """
    return AttributionCounts(settings.data / "attributions.db")


def open_recommendation_log(settings: Settings, clock: Clock) -> RecommendationLog:
    """The recommendation log: a file of its own in the data folder, bounded as the settings say.

    Raises:
        StartError: the file is damaged, cannot be written, or was written by a newer version of this program.
    """
    return SqliteRecommendationLog(
        settings.data / "recommendations.db",
        clock,
        settings.recommendation_log_days,
        settings.recommendation_log_mb,
    )
