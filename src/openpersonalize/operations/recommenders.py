"""Recommenders: a use case of a domain, trained, retrained and deployed by itself."""

from __future__ import annotations

from ..errors import InvalidInput
from ..recipes.configuration import check_recommender
from ..recipes.facts import Facts
from ..resources.endpoints import LATEST_UPDATE
from ..resources.quotas import check_quota
from ..resources.store import Resource
from ..workflows.recommendertraining import UPDATE, train_again
from ..workflows.trainings import remembered_schemas
from .context import Answer, Context, Request, given
from .datasets import require_datasets
from .deleting import begin_deletion
from .describing import described
from .filters import group_schemas
from .listing import listed
from .recipes import named_recipe, require_trainable
from .states import require_active, require_deletable, require_free, require_inactive, require_no_update


def create_recommender(context: Context, request: Request) -> Answer:
    """CreateRecommender: trains a use case on the data of its Domain dataset group and deploys it."""
    config = request.get("recommenderConfig", {})
    arn = context.scope.arn(f"recommender/{request['name']}")
    with context.scope.write() as tx:
        group = tx.require(request["datasetGroupArn"], "dataset-group")
        recipe = named_recipe(request["recipeArn"])
        require_free(tx, arn)
        require_active(group)
        _check_domain(group, recipe)
        require_trainable(recipe)
        require_datasets(tx, group.arn, recipe.needs)
        check_recommender(recipe, config, group_schemas(tx, group.arn))
        check_quota(tx, context.installation.settings, "recommender", group.arn)
        tx.add(
            "recommender",
            arn,
            request["name"],
            group_arn=group.arn,
            status="CREATE PENDING",
            attributes={**given(request, "datasetGroupArn", "recipeArn"), "recommenderConfig": config},
            internal={"schemas": remembered_schemas(tx, group.arn)},
            tags=request.get("tags"),
        )
        tx.enqueue("create-recommender", arn, {}, queue=arn)
    return {"recommenderArn": arn}


def describe_recommender(context: Context, request: Request) -> Answer:
    """DescribeRecommender: with the metrics of the model that answers, and its latest update."""
    return described(context, request, "recommender")


def list_recommenders(context: Context, request: Request) -> Answer:
    """ListRecommenders."""
    return listed(context, request, "ListRecommenders", "recommender")


def update_recommender(context: Context, request: Request) -> Answer:
    """UpdateRecommender: replaces the configuration. The old one answers until the new one is ready, which
    takes a training where it is trained on something else."""
    config = request["recommenderConfig"]
    with context.scope.write() as tx:
        recommender = tx.require(request["recommenderArn"], "recommender")
        require_active(recommender)
        require_no_update(recommender)
        recipe, group = named_recipe(recommender.attributes["recipeArn"]), recommender.group_arn or ""
        check_recommender(recipe, config, group_schemas(tx, group))
        trains = _trained_on(config) != _trained_on(recommender.attributes["recommenderConfig"])
        if trains:
            require_datasets(tx, group, recipe.needs)
        now = context.now
        update = {
            "recommenderConfig": config,
            "status": "CREATE PENDING",
            "creationDateTime": now,
            "lastUpdatedDateTime": now,
        }
        if trains:
            tx.request_cancel(recommender.arn)  # the weekly training, if one is under way
        tx.update(recommender, set={LATEST_UPDATE["recommender"]: update})
        if trains:
            train_again(tx, recommender, UPDATE)
        else:
            tx.enqueue("update-recommender", recommender.arn, {})
    return {"recommenderArn": recommender.arn}


def stop_recommender(context: Context, request: Request) -> Answer:
    """StopRecommender: from now on it does not answer and is not trained again; its model stays."""
    with context.scope.write() as tx:
        recommender = tx.require(request["recommenderArn"], "recommender")
        require_active(recommender)
        require_no_update(recommender)
        tx.request_cancel(recommender.arn)
        tx.update(recommender, status="STOP PENDING")
        tx.enqueue("stop-recommender", recommender.arn, {}, queue=recommender.arn)
    return {"recommenderArn": recommender.arn}


def start_recommender(context: Context, request: Request) -> Answer:
    """StartRecommender: answers again, with the model that it had."""
    with context.scope.write() as tx:
        recommender = tx.require(request["recommenderArn"], "recommender")
        require_inactive(recommender)
        tx.update(recommender, status="START PENDING")
        tx.enqueue("start-recommender", recommender.arn, {}, queue=recommender.arn)
    return {"recommenderArn": recommender.arn}


def delete_recommender(context: Context, request: Request) -> Answer:
    """DeleteRecommender: with its model; a weekly training of it that is under way is stopped."""
    with context.scope.write() as tx:
        recommender = tx.require(request["recommenderArn"], "recommender")
        require_deletable(recommender)
        require_no_update(recommender)
        tx.request_cancel(recommender.arn)
        begin_deletion(tx, recommender, unset=("modelMetrics",), queue=recommender.arn)
    return {}


def _check_domain(group: Resource, recipe: Facts) -> None:
    """Whether the recipe is a use case of the group's domain."""
    domain = group.attributes.get("domain")
    if domain is None:
        raise InvalidInput(
            f"{group.arn} is a Custom dataset group, which cannot hold recommenders; create a dataset group"
            " with a domain, or a solution."
        )
    if recipe.domain is None:
        raise InvalidInput(f"Recipe {recipe.arn} is for solutions, not for recommenders.")
    if recipe.domain != domain:
        raise InvalidInput(
            f"Recipe {recipe.arn} is for {recipe.domain} dataset groups; {group.arn} has the domain {domain}."
        )


def _trained_on(config: Answer) -> Answer:
    """What of a recommenderConfig decides about the model."""
    chosen = config.get("trainingDataConfig") or {}
    return {member: columns for member, columns in chosen.items() if columns}
