"""All 79 operations of Amazon Personalize: the ones built, and the ones that this version refuses by name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from . import (
    campaigns,
    dataset_groups,
    datasets,
    events,
    filters,
    imports,
    recipes,
    runtime,
    schemas,
    solution_versions,
    solutions,
    tags,
    trackers,
)
from .context import Answer, Context, Request

Handler: TypeAlias = Callable[[Context, Request], Answer | bytes | Awaitable[Answer | bytes]]
"""A plain function runs in a thread; a coroutine function runs in the event loop and must not block it."""

OPERATIONS: dict[str, Handler] = {
    "CreateCampaign": campaigns.create_campaign,
    "CreateDataset": datasets.create_dataset,
    "CreateDatasetGroup": dataset_groups.create_dataset_group,
    "CreateDatasetImportJob": imports.create_dataset_import_job,
    "CreateEventTracker": trackers.create_event_tracker,
    "CreateFilter": filters.create_filter,
    "CreateSchema": schemas.create_schema,
    "CreateSolution": solutions.create_solution,
    "CreateSolutionVersion": solution_versions.create_solution_version,
    "DeleteCampaign": campaigns.delete_campaign,
    "DeleteDataset": datasets.delete_dataset,
    "DeleteDatasetGroup": dataset_groups.delete_dataset_group,
    "DeleteEventTracker": trackers.delete_event_tracker,
    "DeleteFilter": filters.delete_filter,
    "DeleteSchema": schemas.delete_schema,
    "DeleteSolution": solutions.delete_solution,
    "DescribeAlgorithm": recipes.describe_algorithm,
    "DescribeCampaign": campaigns.describe_campaign,
    "DescribeDataset": datasets.describe_dataset,
    "DescribeDatasetGroup": dataset_groups.describe_dataset_group,
    "DescribeDatasetImportJob": imports.describe_dataset_import_job,
    "DescribeEventTracker": trackers.describe_event_tracker,
    "DescribeFeatureTransformation": recipes.describe_feature_transformation,
    "DescribeFilter": filters.describe_filter,
    "DescribeRecipe": recipes.describe_recipe,
    "DescribeSchema": schemas.describe_schema,
    "DescribeSolution": solutions.describe_solution,
    "DescribeSolutionVersion": solution_versions.describe_solution_version,
    "GetPersonalizedRanking": runtime.get_personalized_ranking,
    "GetRecommendations": runtime.get_recommendations,
    "GetSolutionMetrics": solution_versions.get_solution_metrics,
    "ListCampaigns": campaigns.list_campaigns,
    "ListDatasetGroups": dataset_groups.list_dataset_groups,
    "ListDatasetImportJobs": imports.list_dataset_import_jobs,
    "ListDatasets": datasets.list_datasets,
    "ListEventTrackers": trackers.list_event_trackers,
    "ListFilters": filters.list_filters,
    "ListRecipes": recipes.list_recipes,
    "ListSchemas": schemas.list_schemas,
    "ListSolutions": solutions.list_solutions,
    "ListSolutionVersions": solution_versions.list_solution_versions,
    "ListTagsForResource": tags.list_tags_for_resource,
    "PutEvents": events.put_events,
    "PutItems": events.put_items,
    "PutUsers": events.put_users,
    "StopSolutionVersionCreation": solution_versions.stop_solution_version_creation,
    "TagResource": tags.tag_resource,
    "UntagResource": tags.untag_resource,
    "UpdateCampaign": campaigns.update_campaign,
    "UpdateDataset": datasets.update_dataset,
    "UpdateSolution": solutions.update_solution,
}

NOT_AVAILABLE: frozenset[str] = frozenset(
    {
        "CreateBatchInferenceJob",
        "CreateBatchSegmentJob",
        "CreateDataDeletionJob",
        "CreateDatasetExportJob",
        "CreateMetricAttribution",
        "CreateRecommender",
        "DeleteMetricAttribution",
        "DeleteRecommender",
        "DescribeBatchInferenceJob",
        "DescribeBatchSegmentJob",
        "DescribeDataDeletionJob",
        "DescribeDatasetExportJob",
        "DescribeMetricAttribution",
        "DescribeRecommender",
        "GetActionRecommendations",
        "ListBatchInferenceJobs",
        "ListBatchSegmentJobs",
        "ListDataDeletionJobs",
        "ListDatasetExportJobs",
        "ListMetricAttributionMetrics",
        "ListMetricAttributions",
        "ListRecommenders",
        "PutActionInteractions",
        "PutActions",
        "StartRecommender",
        "StopRecommender",
        "UpdateMetricAttribution",
        "UpdateRecommender",
    }
)
"""Operations that this version knows and refuses, so that nobody mistakes silence for success."""
