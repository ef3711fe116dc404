"""Batch inference jobs of servers that are killed: every line is answered once, in order."""

from __future__ import annotations

import json
import random
import time

from durability.world import STEP, World, children, kill, kills, rounds
from openpersonalize.engine.report import job_report

LINES = 60_000


@rounds
def test_the_server_is_killed_while_it_answers(world: World, chance: random.Random, rounds: int) -> None:
    for _ in range(rounds):
        name = f"batch-{chance.randrange(10**9)}"
        users = [f"user-{chance.randrange(10**6)}" for _ in range(LINES)]
        text = "\n".join(json.dumps({"userId": user}) for user in users)
        arn = world.clients.personalize.create_batch_inference_job(
            jobName=name,
            solutionVersionArn=world.version,
            jobInput={"s3DataSource": {"path": world.server.put(f"s3://batch/{name}.json", text)}},
            jobOutput={"s3DataDestination": {"path": f"s3://batch/{name}/"}},
            roleArn="arn:aws:iam::000000000000:role/any",
        )["batchInferenceJobArn"]
        work = world.server.data / "work"
        while not list(work.glob("*/progress.json")):
            assert world.wait.describe(arn)["status"] != "ACTIVE", "it was done before it could be killed"
            time.sleep(0.02)
        for _ in kills(chance, rounds):
            if chance.random() < 0.5:
                world.restart()
            else:
                [kill(pid) for pid in children(world.server, STEP)]
            time.sleep(chance.uniform(0.0, 0.5))
        world.wait.active(arn, 120)
        out = world.server.data / "buckets" / "batch" / name / f"{name}.json.out"
        found = [json.loads(line) for line in out.read_text().splitlines()]
        assert [line["input"]["userId"] for line in found] == users
        assert all(line["error"] is None for line in found)
        assert not list(work.iterdir())
        with world.opened() as installation:
            scope = installation.metadata.scope("000000000000", world.stock.region)
            lines = [line["text"] for line in (job_report(scope, arn) or {"lines": []})["lines"]]
        assert any(line.startswith("goes on after") for line in lines), lines
        world.server.start()
