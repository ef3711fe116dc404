"""Everything durable that one process works with, opened once."""

from __future__ import annotations

from dataclasses import dataclass

from .clock import Clock, SystemClock
from .events.livelog import LiveLog, open_live_log
from .events.remembered import Remembered
from .resources.store import MetadataStore
from .settings import Settings
from .storage.buckets import Buckets, open_buckets
from .storage.objects import ObjectStore, open_objects


@dataclass(frozen=True)
class Installation:
    """The stores, settings and clock of one process; safe to share between its threads.

    Attributes:
        settings: fixed for the life of the process.
        clock: tells the time to everything below.
        metadata: resources and jobs.
        objects: snapshots and artifacts.
        buckets: where ``s3://`` locations live.
        log: streamed events and records.
        remembered: what operations worked out from the metadata, until it changes.
    """

    settings: Settings
    clock: Clock
    metadata: MetadataStore
    objects: ObjectStore
    buckets: Buckets
    log: LiveLog
    remembered: Remembered

    @classmethod
    def open(cls, settings: Settings, clock: Clock | None = None) -> Installation:
        """Open the data folder, making what is missing.

        Raises:
            StartError: a store is damaged, cannot be written, or is newer than this program; one sentence
                says what to do.
        """
        clock = clock or SystemClock()
        metadata = MetadataStore.open(settings, clock)
        try:
            return cls(
                settings=settings,
                clock=clock,
                metadata=metadata,
                objects=open_objects(settings),
                buckets=open_buckets(settings),
                log=open_live_log(settings, clock),
                remembered=Remembered(metadata.change_token),
            )
        except BaseException:
            metadata.close()
            raise

    def close(self) -> None:
        """Finish accepted writes and let go of the files."""
        self.log.close()
        self.metadata.close()
