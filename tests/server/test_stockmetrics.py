from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from openpersonalize.server.services import Services

from .wire import open_metadata_only, settings_for


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    found = open_metadata_only(settings_for(tmp_path))
    yield found
    found.close()


def samples(services: Services, name: str) -> dict[tuple[str, ...], float]:
    """By the values of its labels, the samples of a metric on the page."""
    return {
        tuple(sample.labels.values()): sample.value
        for family in text_string_to_metric_families(services.metrics_page().decode())
        for sample in family.samples
        if sample.name == name
    }


def test_jobs_that_wait(services: Services) -> None:
    for region in ("eu-west-1", "sa-east-1"):
        scope = services.scope(region)
        arn = scope.arn("dataset-import-job/a")
        with scope.write() as tx:
            tx.add("dataset-import-job", arn, "a", status="CREATE PENDING")
            tx.enqueue("import", arn, {})
    assert samples(services, "openpersonalize_jobs") == {("import", "queued"): 2.0}


def test_deployed_versions(services: Services) -> None:
    scope = services.scope("eu-west-1")
    version, campaign = scope.arn("solution/s/1"), scope.arn("campaign/c")
    recommender = scope.arn("recommender/r")
    with scope.write() as tx:
        tx.add(
            "solution-version",
            version,
            "1",
            status="ACTIVE",
            internal={"metrics": {"coverage": 0.5, "precision_at_5": 0.25}},
        )
        tx.add("campaign", campaign, "c", status="ACTIVE", attributes={"solutionVersionArn": version})
        tx.add(
            "recommender",
            recommender,
            "r",
            status="ACTIVE",
            attributes={"modelMetrics": {"coverage": 0.75}},
            internal={"moment": 1_000_000_000},
        )
    metrics = samples(services, "openpersonalize_deployed_version_metric")
    assert metrics == {
        (campaign, "coverage"): 0.5,
        (campaign, "precision_at_5"): 0.25,
        (recommender, "coverage"): 0.75,
    }
    ages = samples(services, "openpersonalize_deployed_version_age_seconds")
    assert 0 <= ages[campaign,] < 60
    assert ages[recommender,] > 500_000_000


def test_the_disk(services: Services) -> None:
    (services.installation.settings.data / "artifacts").mkdir()
    (services.installation.settings.data / "artifacts" / "model").write_bytes(bytes(12345))
    sizes = samples(services, "openpersonalize_stored_bytes")
    assert sizes["artifacts",] == 12345
    assert sizes["metadata.db",] > 0
    assert samples(services, "openpersonalize_disk_free_bytes")[()] > 0


def test_memory_and_caches(services: Services) -> None:
    services._process_metrics.update()
    assert samples(services, "openpersonalize_resident_memory_bytes")[()] > 10_000_000
