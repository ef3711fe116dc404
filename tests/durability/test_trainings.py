"""Trainings that are killed and stopped: each ends, truthfully, and leaves nothing behind."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from durability.world import RECIPE, STEP, World, call, children, copy_of, kill, kills, only, rounds
from live import Wait, fails
from openpersonalize.recipes.artifact import Artifact

FINAL = ("ACTIVE", "CREATE FAILED", "CREATE STOPPED")


def start(world: World, solution: str, name: str, mode: str = "FULL") -> str:
    made = world.clients.personalize.create_solution_version(
        solutionArn=solution, name=name, trainingMode=mode
    )
    return str(made["solutionVersionArn"])


def versions_of(world: World, solution: str) -> list[dict[str, Any]]:
    listed = world.clients.personalize.list_solution_versions(solutionArn=solution)
    return list(listed["solutionVersions"])


def check_artifacts(world: World) -> None:
    """ACTIVE versions have a whole model, no other model lies about."""
    with world.opened() as installation:
        with installation.metadata.scope("000000000000", world.stock.region).read() as tx:
            versions = tx.find("solution-version")
        keys = set()
        for version in versions:
            assert version.status in FINAL
            assert ("failureReason" in version.attributes) == (version.status == "CREATE FAILED")
            assert (version.internal.artifact is not None) == (version.status == "ACTIVE")
            if version.status == "ACTIVE":
                keys.add(version.internal.artifact)
                assert Artifact.open(installation.objects.fetch(version.internal.artifact)).verify() == []
        assert {f"artifacts/{path.name}" for path in (world.server.data / "artifacts").iterdir()} == keys
        assert [path for path in (world.server.data / "staging").iterdir() if path.is_dir()] == []


def other_solution(world: World) -> str:
    """A solution whose training takes seconds."""
    try:
        made = world.clients.personalize.create_solution(
            name="personal", datasetGroupArn=world.stock.group, recipeArn=f"{RECIPE}aws-user-personalization"
        )
    except ClientError:
        return world.solution.replace("popular", "personal")
    return str(made["solutionArn"])


def modes_of(world: World, solution: str, personal: str) -> list[str]:
    """How a solution may be trained now."""
    listed = versions_of(world, solution)
    full = any(one["status"] == "ACTIVE" and one["trainingMode"] == "FULL" for one in listed)
    return ["FULL", "UPDATE"] if solution == personal and full else ["FULL"]


@rounds
def test_the_server_is_killed_while_it_trains(world: World, chance: random.Random, rounds: int) -> None:
    personal = other_solution(world)
    for _ in range(rounds):
        run = chance.randrange(10**9)
        solutions = [chance.choice([world.solution, personal]) for _ in range(2 if rounds == 1 else 3)]
        modes = [chance.choice(modes_of(world, s, personal)) for s in solutions]
        versions = [
            start(world, s, f"run-{run}-{n}", mode)
            for n, (s, mode) in enumerate(zip(solutions, modes, strict=True))
        ]
        stopped: dict[str, bool] = {}
        for _ in kills(chance, rounds):
            time.sleep(chance.uniform(0.0, 1.5))
            if chance.random() < 0.7:
                version = chance.choice(versions)
                try:
                    answer = call(
                        world.clients.personalize.stop_solution_version_creation, solutionVersionArn=version
                    )
                    stopped[version] = answer is not None
                except ClientError as error:  # too late, or stopped before
                    only(error, "InvalidInputException", "ResourceInUseException")
            if chance.random() < 0.5:
                time.sleep(chance.uniform(0.0, 0.2))
            world.restart()
        for version in versions:
            status = world.wait.final(version, 120)["status"]
            assert status == ("CREATE STOPPED" if stopped.get(version) else "ACTIVE"), version
            if status == "ACTIVE":
                world.clients.personalize.get_solution_metrics(solutionVersionArn=version)
    check_artifacts(world)


@rounds
def test_the_process_that_trains_is_killed(world: World, chance: random.Random, rounds: int) -> None:
    personalize, wait = world.clients.personalize, Wait(world.clients.personalize)
    for number in range(rounds):
        most = 3 if number % 2 == 0 else 1
        version = start(world, world.solution, f"step-{chance.randrange(10**9)}")
        killed: set[int] = set()
        while len(killed) < most and wait.describe(version)["status"] not in FINAL:
            for pid in children(world.server, STEP):
                if pid not in killed and (most == 3 or time.sleep(chance.uniform(0.0, 0.3)) is None):
                    killed |= {pid} if kill(pid) else set()
        end = wait.final(version, 120)
        assert end["status"] == ("CREATE FAILED" if len(killed) == 3 else "ACTIVE"), end
        assert killed, "it was done before it could be killed"
        if len(killed) == 3:
            assert "died 3 times" in end["failureReason"]
            fails(
                "InvalidInputException",
                personalize.create_campaign,
                name="never",
                solutionVersionArn=version,
            )
        assert len(world.recommend("user-00")) == 50
    check_artifacts(world)


@rounds
def test_automatic_training_survives_kills(
    template: World, tmp_path: Path, chance: random.Random, rounds: int
) -> None:
    """Killed between the schedule's decision and the training's end: one version, not none and not two."""
    world = copy_of(template, tmp_path / "data", "--first-automatic-training", "0")
    try:
        for number in range(rounds):
            world.clients.personalize.create_solution(
                name=f"fresh-{number}",
                datasetGroupArn=world.stock.group,
                recipeArn=f"{RECIPE}aws-popularity-count",
            )
            solution = world.solution.replace("popular", f"fresh-{number}")
            for _ in range(3):
                world.restart()  # a server looks as soon as it starts
                time.sleep(chance.uniform(0.0, 0.8))
            world.wait.until(solution, lambda one: "latestSolutionVersion" in one)
            [version] = versions_of(world, solution)
            assert version["trainingType"] == "AUTOMATIC"
            world.wait.active(version["solutionVersionArn"], 120)
            world.restart()
            time.sleep(0.5)
            assert [one["status"] for one in versions_of(world, solution)] == ["ACTIVE"]
        check_artifacts(world)
    finally:
        world.server.stop()
