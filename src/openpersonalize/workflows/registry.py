"""All workflows by the kind of job they do: a new kind of long work is one more line here."""

from __future__ import annotations

from ..engine.workflow import Workflow
from .batch_jobs import BatchJob
from .data_deletions import DataDeletion
from .deletions import (
    CampaignDeletion,
    DatasetDeletion,
    DatasetGroupDeletion,
    Deletion,
    RecommenderDeletion,
    SolutionDeletion,
)
from .deployments import Deploy, UpdateCampaign
from .exports import Export
from .groups import CreateDatasetGroup
from .imports import Import
from .recommenders import (
    CreateRecommender,
    RetrainRecommender,
    StartRecommender,
    StopRecommender,
    UpdateRecommender,
)
from .retention import RemoveArtifact, RemoveSnapshot, RetireModels
from .trainings import Train
from .updates import UpdateDataset, UpdateSolution

ALL: tuple[Workflow, ...] = (
    CreateDatasetGroup(),
    Import(),
    UpdateDataset(),
    UpdateSolution(),
    Train(),
    DataDeletion(),
    Deploy(),
    UpdateCampaign(),
    CreateRecommender(),
    UpdateRecommender(),
    RetrainRecommender(),
    StopRecommender(),
    StartRecommender(),
    Deletion("event-tracker"),
    Deletion("filter"),
    Deletion("metric-attribution"),
    CampaignDeletion(),
    SolutionDeletion(),
    RecommenderDeletion(),
    DatasetDeletion(),
    DatasetGroupDeletion(),
    RemoveSnapshot(),
    RetireModels(),
    BatchJob("batch-inference", "openpersonalize.batch.step:run"),
    BatchJob("batch-segment", "openpersonalize.batch.segment_step:run"),
    Export(),
    RemoveArtifact(),
)
WORKFLOWS: dict[str, Workflow] = {workflow.kind: workflow for workflow in ALL}
