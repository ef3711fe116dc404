"""Personal presets beside the recipe they stand on, through the API: NDCG@10 of what people took next.

    python -m bench.presets DATA_FOLDER [--data NAME ...] [--asked 1000] [--seed 0] [--threads 1]

Everything is imported, trained and asked on a server of its own, as its users would. Of online-retail the
purchases before the newest tenth train, and who buys in that tenth is asked; of movielens-latest-small, where
27 people would be left so, all but the newest tenth of everybody's ratings. The past is moved to where it
ends now. aws-user-personalization is asked without a filter and with the automatic one of the use case
(bought or watched items left out), each without exploration and with what a campaign has by itself. Rankings
are given the hundred best of the recipe they stand on, in the order of their ids. A difference is that to
the line that is named, over the same people, with its 95 % interval by bootstrap of the people; *same* says
how many of them got the same ten.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import polars as pl

from openpersonalize.evaluation.bootstrap import interval, resampled_means
from openpersonalize.evaluation.metrics import Float64, ideal_gains, ndcg
from openpersonalize.testing.live import LiveServer

from .serving import wait

CUT, CANDIDATES, LONGEST = 10, 100, 500
PERSONAL, RANKING = "aws-user-personalization", "aws-personalized-ranking"
RECIPE = "arn:aws:personalize:::recipe/"
NAMESPACE = "com.amazonaws.personalize.schema"
Lists: TypeAlias = dict[str, list[list[str]]]
"""Label of a line -> what each of the people got."""


@dataclass(frozen=True)
class Case:
    """A data set: its domain, the event that counts and its name there, and the preset."""

    data: str
    domain: str
    kept: str
    event: str
    preset: str
    by_user: bool
    """Whether everybody's newest tenth is asked for, and not the newest tenth of all."""


CASES = {
    one.data: one
    for one in (
        Case("online-retail", "ECOMMERCE", "purchase", "Purchase", "aws-ecomm-recommended-for-you", False),
        Case("movielens-latest-small", "VIDEO_ON_DEMAND", "rating", "Watch", "aws-vod-top-picks", True),
    )
}


@dataclass(frozen=True)
class Question:
    """A person, what was known of, and what came next."""

    user: str
    before: frozenset[str]
    truth: frozenset[str]


def divided(case: Case, folder: Path, asked: int) -> tuple[dict[str, pl.DataFrame], list[Question]]:
    """The tables to import, and whom to ask."""
    rows = pl.read_csv(folder / case.data / "interactions.csv.gz", infer_schema=False)
    rows = rows.filter(pl.col("EVENT_TYPE") == case.kept)
    rows = rows.select("USER_ID", "ITEM_ID", pl.col("TIMESTAMP").cast(pl.Int64)).unique(maintain_order=True)
    rows = rows.sort("USER_ID", "TIMESTAMP", maintain_order=True)
    if case.by_user:
        place, size = pl.int_range(pl.len()).over("USER_ID"), pl.len().over("USER_ID")
        later = place >= size - (size / 10).ceil()
    else:
        later = pl.col("TIMESTAMP") >= pl.col("TIMESTAMP").quantile(0.9, "higher")
    rows = rows.with_columns(later.alias("later"))
    known, next_ones = rows.filter(~pl.col("later")), rows.filter("later")
    newest = int(known.select(pl.col("TIMESTAMP").max()).item())
    moved = int(time.time()) - 60 - newest
    tables = {
        "Interactions": known.select(
            "USER_ID", "ITEM_ID", pl.col("TIMESTAMP") + moved, pl.lit(case.event).alias("EVENT_TYPE")
        )
    }
    if case.domain == "VIDEO_ON_DEMAND":
        first = known.group_by("ITEM_ID").agg(pl.col("TIMESTAMP").min().alias("CREATION_TIMESTAMP"))
        items = pl.read_csv(folder / case.data / "items.csv.gz", infer_schema=False)
        tables["Items"] = items.join(first, on="ITEM_ID").select(
            "ITEM_ID", "GENRES", pl.col("CREATION_TIMESTAMP") + moved
        )
    before = {user: frozenset(items) for user, items in _by_user(known)}
    questions = [
        Question(user, before[user], frozenset(items))
        for user, items in _by_user(next_ones)
        if user in before
    ]
    some = np.random.default_rng(0).permutation(len(questions))[:asked]
    return tables, [questions[k] for k in some.tolist()]


def _by_user(rows: pl.DataFrame) -> list[tuple[str, list[str]]]:
    return list(rows.group_by("USER_ID", maintain_order=True).agg("ITEM_ID").iter_rows())


class Group:
    """A dataset group with the tables imported, `domain` None: a custom one."""

    def __init__(
        self, server: LiveServer, name: str, tables: Mapping[str, pl.DataFrame], domain: str | None
    ) -> None:
        self.api, self.name = server.client("personalize"), name
        own = {} if domain is None else {"domain": domain}
        self.arn = self.api.create_dataset_group(name=name, **own)["datasetGroupArn"]
        wait(self.api.describe_dataset_group, "datasetGroup", datasetGroupArn=self.arn)
        for kind, table in tables.items():
            path = server.data / "buckets" / name / f"{kind}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            table.write_csv(path)
            schema = self.api.create_schema(name=f"{name}-{kind}", schema=_avro(kind, table), **own)
            dataset = self.api.create_dataset(
                name=kind, datasetGroupArn=self.arn, datasetType=kind, schemaArn=schema["schemaArn"]
            )["datasetArn"]
            wait(self.api.describe_dataset, "dataset", datasetArn=dataset)
            job = self.api.create_dataset_import_job(
                jobName=f"{name}-{kind}",
                datasetArn=dataset,
                dataSource={"dataLocation": f"s3://{name}/{kind}.csv"},
            )["datasetImportJobArn"]
            wait(self.api.describe_dataset_import_job, "datasetImportJob", datasetImportJobArn=job)

    def trained(self, recipe: str) -> str:
        """A solution version."""
        solution = self.api.create_solution(
            name=recipe, datasetGroupArn=self.arn, recipeArn=RECIPE + recipe, performAutoTraining=False
        )["solutionArn"]
        wait(self.api.describe_solution, "solution", solutionArn=solution)
        version = self.api.create_solution_version(solutionArn=solution)["solutionVersionArn"]
        wait(self.api.describe_solution_version, "solutionVersion", 3600, solutionVersionArn=version)
        return str(version)

    def campaign(self, name: str, version: str, weight: str | None = None) -> str:
        """A campaign; `weight`: of exploration, None: what it has by itself."""
        config = {} if weight is None else {"itemExplorationConfig": {"explorationWeight": weight}}
        arn = self.api.create_campaign(name=name, solutionVersionArn=version, campaignConfig=config)
        wait(self.api.describe_campaign, "campaign", campaignArn=arn["campaignArn"])
        return str(arn["campaignArn"])

    def filter(self, event: str) -> str:
        """The automatic filter of a use case, as one of ours."""
        arn = self.api.create_filter(
            name="left-out",
            datasetGroupArn=self.arn,
            filterExpression=f'EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("{event}")',
        )["filterArn"]
        wait(self.api.describe_filter, "filter", filterArn=arn)
        return str(arn)


def _avro(kind: str, table: pl.DataFrame) -> str:
    fields = [
        {"name": name, "type": "long" if name.endswith("TIMESTAMP") else "string"}
        | ({"categorical": True} if name == "GENRES" else {})
        for name in table.columns
    ]
    described = {"type": "record", "name": kind, "namespace": NAMESPACE, "fields": fields, "version": "1.0"}
    return json.dumps(described)


def answers(server: LiveServer, case: Case, folder: Path, asked: int) -> tuple[Lists, list[Question]]:
    """Import, train and ask everything."""
    tables, questions = divided(case, folder, asked)
    runtime = server.client("personalize-runtime")
    lists: Lists = {}

    def ask(label: str, request: Mapping[str, str], count: int = CUT) -> list[list[str]]:
        found = []
        for who in questions:
            answer = runtime.get_recommendations(userId=who.user, numResults=count, **request)
            found.append([one["itemId"] for one in answer["itemList"]])
        lists[label] = [one[:CUT] for one in found]
        return found

    def rank(label: str, given: Sequence[Sequence[str]], request: Mapping[str, str]) -> None:
        lists[label] = []
        for who, some in zip(questions, given, strict=True):
            answer = runtime.get_personalized_ranking(userId=who.user, inputList=sorted(some), **request)
            lists[label].append([one["itemId"] for one in answer["personalizedRanking"][:CUT]])

    custom = Group(server, f"{case.data}-custom", tables, None)
    preset = Group(server, f"{case.data}-domain", tables, case.domain)
    left_out = {"filterArn": custom.filter(case.event)}
    for suffix, version in (("", "v1"), ("-v2", "v2")):
        model, ranking = custom.trained(PERSONAL + suffix), custom.trained(RANKING + suffix)
        plain = {"campaignArn": custom.campaign(version, model, "0")}
        usual = {"campaignArn": custom.campaign(f"{version}-explores", model)}
        ranked = {"campaignArn": custom.campaign(f"{version}-ranking", ranking)}
        long = ask(version, plain, LONGEST)
        filtered = ask(f"{version}, filter", plain | left_out, CANDIDATES)
        ask(f"{version}, explores", usual)
        ask(f"{version}, filter, explores", usual | left_out)
        rank(f"{version} ranking", [one[:CANDIDATES] for one in long], ranked)
        rank(f"{version} ranking, filter", filtered, ranked | left_out)
        lists[f"{version}, taken out afterwards"] = [
            [item for item in one if item not in who.before][:CUT]
            for who, one in zip(questions, long, strict=True)
        ]
    arn = preset.api.create_recommender(
        name="preset", datasetGroupArn=preset.arn, recipeArn=RECIPE + case.preset
    )["recommenderArn"]
    wait(preset.api.describe_recommender, "recommender", 3600, recommenderArn=arn)
    ask("preset, explores", {"recommenderArn": arn})
    preset.api.update_recommender(
        recommenderArn=arn, recommenderConfig={"itemExplorationConfig": {"explorationWeight": "0"}}
    )
    _updated(preset.api, arn)
    ask("preset", {"recommenderArn": arn})
    return lists, questions


def _updated(api: Any, arn: str) -> None:
    """Wait until the newest configuration answers."""
    while True:
        found = api.describe_recommender(recommenderArn=arn)["recommender"]
        if found["latestRecommenderUpdate"]["status"] == "ACTIVE":
            return
        time.sleep(0.1)


LINES: tuple[tuple[str, str | None], ...] = (
    ("v1", None),
    ("v1, explores", "v1"),
    ("v2", "v1"),
    ("v2, explores", "v2"),
    ("v1 ranking", "v1"),
    ("v2 ranking", "v2"),
    ("v1, filter", None),
    ("v1, taken out afterwards", "v1, filter"),
    ("v1, filter, explores", "v1, filter"),
    ("v2, filter", "v1, filter"),
    ("v2, filter, explores", "v2, filter"),
    ("v1 ranking, filter", "v1, filter"),
    ("v2 ranking, filter", "v2, filter"),
    ("preset", "v1, filter"),
    ("preset, explores", "preset"),
)
"""Label, and what it is compared with."""


def values(lists: Sequence[Sequence[str]], truths: Sequence[frozenset[str]]) -> Float64:
    """float64[Q], NDCG@10; NaN where nothing is right."""
    hits = np.zeros((len(lists), CUT))
    for k, (listed, truth) in enumerate(zip(lists, truths, strict=True)):
        hits[k, : len(listed)] = [item in truth for item in listed]
    sizes = np.array([len(one) for one in truths])
    found = ndcg(hits, ideal_gains(sizes, CUT), CUT)
    return np.where(sizes > 0, found, np.nan)


def table(lists: Lists, questions: Sequence[Question]) -> str:
    """The lines, with all that came next as the truth, and with what was new of it."""
    views: dict[str, Callable[[Question], frozenset[str]]] = {
        "all that came next": lambda who: who.truth,
        "what was new of it": lambda who: who.truth - who.before,
    }
    head = ["", *(f"{view} | difference" for view in views), "same"]
    text = [f"| {' | '.join(head)} |", "|---" * (2 * len(views) + 2) + "|"]
    for label, against in LINES:
        cells = []
        for truth in views.values():
            truths = [truth(who) for who in questions]
            own = values(lists[label], truths)
            told = ~np.isnan(own)
            cell, compared = f"{own[told].mean():.4f}", "-"
            if against is not None:
                step = (own - values(lists[against], truths))[told]
                low, high = interval(resampled_means(step[:, None], 0))[:, 0]
                compared = f"{step.mean():+.4f} ({low:+.4f} to {high:+.4f})"
            cells += [cell, compared]
        same = "-"
        if against is not None:
            alike = sum(a == b for a, b in zip(lists[label], lists[against], strict=True))
            same = f"{alike} of {len(questions)} ({against})"
        text.append(f"| {label} | {' | '.join(cells)} | {same} |")
    return "\n".join(text)


def main() -> None:
    """Print a table for each data set."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--asked", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    settings = ("--training-seed", str(options.seed), "--threads", str(options.threads))
    for data in options.data:
        with (
            tempfile.TemporaryDirectory(prefix="openpersonalize-bench-") as folder,
            LiveServer(Path(folder), "--quota-campaigns", "20", *settings) as server,
        ):
            lists, questions = answers(server, CASES[data], options.folder, options.asked)
        new = sum(bool(who.truth - who.before) for who in questions)
        print(f"\n{data}: {len(questions)} people asked, {new} of them met something new\n")
        print(table(lists, questions), flush=True)


if __name__ == "__main__":
    main()
