"""A server that is killed while recommenders are made, changed and stopped: all of it comes to its end."""

from __future__ import annotations

import random
import time
from pathlib import Path

import domains
from durability.world import call
from live import Server, Wait, make_clients
from openpersonalize.installation import Installation
from openpersonalize.resources.jobrows import waiting_jobs
from openpersonalize.settings import read_settings

RECIPE = "arn:aws:personalize:::recipe/aws-ecomm-recommended-for-you"
REGION = "us-east-1"


def test_killed_again_and_again(tmp_path: Path) -> None:
    server = Server(tmp_path / "data").start()
    chance = random.Random(7)
    try:
        group = domains.make_domain(server, REGION, "ECOMMERCE", "store")
        clients = make_clients(server.endpoint, REGION)
        personalize, wait = clients.personalize, Wait(clients.personalize)

        def die() -> None:
            time.sleep(chance.uniform(0.0, 1.0))
            server.kill()
            server.start()

        arn = personalize.create_recommender(name="r", datasetGroupArn=group, recipeArn=RECIPE)[
            "recommenderArn"
        ]
        die()
        die()
        wait.active(arn, 120)
        config = {"trainingDataConfig": {"excludedDatasetColumns": {"ITEMS": ["PRICE"]}}}
        personalize.update_recommender(recommenderArn=arn, recommenderConfig=config)
        die()
        described = wait.updated(arn, "latestRecommenderUpdate", 120)
        assert described["recommenderConfig"] == config
        asked = {"recommenderArn": arn, "userId": "person-04", "numResults": 5}
        assert len(clients.runtime.get_recommendations(**asked)["itemList"]) == 5
        personalize.stop_recommender(recommenderArn=arn)
        server.kill()
        server.start()
        assert wait.final(arn)["status"] == "INACTIVE"
        personalize.start_recommender(recommenderArn=arn)
        server.kill()
        server.start()
        wait.active(arn)
        assert len(clients.runtime.get_recommendations(**asked)["itemList"]) == 5
        call(personalize.delete_recommender, recommenderArn=arn)
        server.kill()
        server.start()
        wait.gone(arn)
    finally:
        server.kill()
    left = {f"artifacts/{path.name}" for path in (tmp_path / "data" / "artifacts").iterdir()}
    installation = Installation.open(read_settings({"data_dir": str(tmp_path / "data")}, {}))
    try:
        with installation.metadata.scope("000000000000", REGION).read() as tx:
            assert left == {
                job.resource_arn
                for job in waiting_jobs(tx.connection, "000000000000", REGION, "remove-artifact")
            }
    finally:
        installation.close()
