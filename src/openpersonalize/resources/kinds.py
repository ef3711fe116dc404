"""The kinds of resources, one `Kind` each: all that the control plane knows of a kind stands in `KINDS`.

A new kind of resource is a row here; its operations are `operations`' business, its work a workflow's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .internals import (
    CampaignInternal,
    DataDeletionInternal,
    DataJobInternal,
    DatasetInternal,
    FilterInternal,
    ImportJobInternal,
    Internal,
    MetricAttributionInternal,
    RecommenderInternal,
    SolutionInternal,
    VersionInternal,
)
from .lifecycle import (
    CREATION,
    DELETION,
    ERASURE,
    MENDING,
    START_STOP,
    STOPPED_DELETION,
    STOPPING,
    UPDATE,
    Graph,
    joined,
)


@dataclass(frozen=True)
class Quota:
    """How many resources of a kind there may be.

    Attributes:
        setting: the `Settings` member that says so.
        per_group: counted in each dataset group, not in the region.
        at_work: only those that are being made are counted.
    """

    setting: str
    per_group: bool = False
    at_work: bool = False


@dataclass(frozen=True)
class Kind:
    """One kind of resource.

    Attributes:
        name: as it stands in ARNs, e.g. "dataset-group"; of a solution's versions "solution-version".
        transitions: which states may follow a state; empty for a kind without a status.
        internal: what is kept with it and never shown.
        taggable: whether it can have tags.
        quota: how many there may be; None: no limit.
        listed_under: the member of the List answer.
        listed_by: the member of the List request that narrows the list, None: there is none. It names the
            dataset group if it is ``datasetGroupArn``, else the parent.
    """

    name: str
    listed_under: str
    listed_by: str | None = None
    transitions: Graph = field(default_factory=dict)
    internal: type[Internal] = Internal
    taggable: bool = True
    quota: Quota | None = None

    @property
    def arn_member(self) -> str:
        """The member that carries its ARN: ``datasetGroupArn`` for ``dataset-group``."""
        first, *rest = self.name.split("-")
        return first + "".join(word.capitalize() for word in rest) + "Arn"

    @property
    def words(self) -> str:
        """Its name in a sentence: "dataset group"."""
        return self.name.replace("-", " ")

    @property
    def statuses(self) -> frozenset[str]:
        """Every status that one can have."""
        return frozenset(self.transitions).union(*self.transitions.values())

    def may_follow(self, before: str | None, after: str | None) -> bool:
        """Whether one may go from `before` to `after`; staying is always allowed."""
        return before == after or after in self.transitions.get(before or "", frozenset())


_USUAL = joined(CREATION, DELETION)
_GROUP = "datasetGroupArn"
_VERSION = "solutionVersionArn"

KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "dataset-group",
            "datasetGroups",
            transitions=_USUAL,
            quota=Quota("quota_dataset_groups"),
        ),
        Kind("schema", "schemas", taggable=False, quota=Quota("quota_schemas")),
        Kind(
            "dataset",
            "datasets",
            _GROUP,
            joined(CREATION, DELETION, UPDATE),
            internal=DatasetInternal,
        ),
        Kind(
            "dataset-import-job",
            "datasetImportJobs",
            "datasetArn",
            _USUAL,
            internal=ImportJobInternal,
            quota=Quota("quota_import_jobs", at_work=True),
        ),
        Kind(
            "dataset-export-job",
            "datasetExportJobs",
            "datasetArn",
            _USUAL,
            internal=DataJobInternal,
            quota=Quota("quota_export_jobs", at_work=True),
        ),
        Kind(
            "data-deletion-job",
            "dataDeletionJobs",
            _GROUP,
            joined(ERASURE),
            internal=DataDeletionInternal,
            quota=Quota("quota_data_deletion_jobs", per_group=True, at_work=True),
        ),
        Kind("event-tracker", "eventTrackers", _GROUP, _USUAL),
        Kind(
            "filter",
            "Filters",  # with a capital letter, on the wire
            _GROUP,
            _USUAL,
            internal=FilterInternal,
            quota=Quota("quota_filters", per_group=True),
        ),
        Kind(
            "solution",
            "solutions",
            _GROUP,
            _USUAL,
            internal=SolutionInternal,
            quota=Quota("quota_solutions", per_group=True),
        ),
        Kind(
            "solution-version",
            "solutionVersions",
            "solutionArn",
            joined(CREATION, DELETION, STOPPING, STOPPED_DELETION),
            internal=VersionInternal,
            quota=Quota("quota_solution_versions", at_work=True),
        ),
        Kind(
            "campaign",
            "campaigns",
            "solutionArn",
            joined(CREATION, DELETION, MENDING),
            internal=CampaignInternal,
            quota=Quota("quota_campaigns", per_group=True),
        ),
        Kind(
            "recommender",
            "recommenders",
            _GROUP,
            joined(CREATION, DELETION, START_STOP),
            internal=RecommenderInternal,
            quota=Quota("quota_recommenders", per_group=True),
        ),
        Kind(
            "batch-inference-job",
            "batchInferenceJobs",
            _VERSION,
            _USUAL,
            internal=DataJobInternal,
            quota=Quota("quota_batch_inference_jobs", at_work=True),
        ),
        Kind(
            "batch-segment-job",
            "batchSegmentJobs",
            _VERSION,
            _USUAL,
            internal=DataJobInternal,
            quota=Quota("quota_batch_segment_jobs", at_work=True),
        ),
        Kind(
            "metric-attribution",
            "metricAttributions",
            _GROUP,
            _USUAL,
            internal=MetricAttributionInternal,
            taggable=False,
        ),
    )
}
"""By name, all kinds of resources that are rows. Recipes, algorithms and feature transformations are none."""
