"""Everything durable that one process works with, opened once."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from .clock import Clock, SystemClock
from .events.attributions import AttributionCounts
from .events.livelog import LiveLog
from .events.recommendations import RecommendationLog
from .events.stores import open_attribution_counts, open_live_log, open_recommendation_log
from .resources.backends import open_metadata_store
from .resources.metadata_cache import MetadataCache
from .resources.store import MetadataStore
from .settings import Settings
from .storage.bucket_service import open_buckets
from .storage.buckets import Buckets
from .storage.objects import ObjectStore, open_objects


@dataclass(frozen=True, eq=False)
class Installation:
    """The stores, settings and clock of one process; safe to share between its threads.

    Attributes:
        settings: fixed for the life of the process.
        clock: tells the time to everything below.
        metadata: resources and jobs.
        objects: snapshots and artifacts.
        buckets: where ``s3://`` locations live.
        log: streamed events and records.
        recommendations: what was shown under which recommendationId.
        attributions: what metric attributions have counted.
        metadata_cache: what operations worked out from the metadata, until it changes.
    """

    settings: Settings
    clock: Clock
    metadata: MetadataStore
    objects: ObjectStore
    buckets: Buckets
    log: LiveLog
    recommendations: RecommendationLog
    attributions: AttributionCounts
    metadata_cache: MetadataCache

    @classmethod
    def open(cls, settings: Settings, clock: Clock | None = None) -> Installation:
        """Open the data folder, making what is missing.

        Raises:
            StartError: a store is damaged, cannot be written, or is newer than this program; one sentence
                says what to do.
        """
        clock = clock or SystemClock()
        with ExitStack() as opened:  # what was opened is closed again when a later store cannot be
            metadata = open_metadata_store(settings, clock)
            opened.callback(metadata.close)
            log = open_live_log(settings, clock)
            opened.callback(log.close)
            recommendations = open_recommendation_log(settings, clock)
            opened.callback(recommendations.close)
            installation = cls(
                settings=settings,
                clock=clock,
                metadata=metadata,
                objects=open_objects(settings),
                buckets=open_buckets(settings),
                log=log,
                recommendations=recommendations,
                attributions=open_attribution_counts(settings),
                metadata_cache=MetadataCache(metadata.resources_version),
            )
            opened.pop_all()
        return installation

    def close(self) -> None:
        """Finish accepted writes and let go of the files."""
        self.metadata_cache.close()
        self.log.close()
        self.recommendations.close()
        self.metadata.close()
