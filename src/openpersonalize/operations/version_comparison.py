"""Comparison of solution versions: what ``/v1/versions/compare`` answers, `compared`. Not one of Amazon's
operations; GetSolutionMetrics stays as Amazon has it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from ..errors import InvalidInput, JobFailed
from ..evaluation import bootstrap
from ..evaluation.version_comparison import LEAST_QUESTIONS, Estimate, beside_best_sellers, paired
from ..installation import Installation
from ..recipes.artifact import Artifact
from ..recipes.facts import Task
from ..recipes.question_values import QuestionValues
from ..recipes.registry import facts_of
from ..resources.arns import kind_of, parse_arn
from ..resources.internals import VersionInternal
from ..resources.store import Resource, Scope
from .states import require_active

MOST = 2
_HEADING = "normalized_discounted_cumulative_gain_at_25"
_NO_QUESTIONS = (
    "No questions were kept with this version: its recipe is measured otherwise, or a release before this one"
    " trained it. Train a new version."
)


def compared(
    installation: Installation, scope_of: Callable[[str], Scope], arns: Sequence[str]
) -> dict[str, Any]:
    """One version beside the best sellers, or two beside one another; the second is compared with the first.

    Args:
        scope_of: the scope of a region. arns: of the versions.

    Raises:
        InvalidInput: not one or two ARNs of versions, or a version that is not ACTIVE.
        ResourceNotFound: there is no such version.
    """
    if not 1 <= len(arns) <= MOST:
        raise InvalidInput("Name one or two solution versions: ?version=ARN&version=ARN.")
    versions = [_version(scope_of, arn) for arn in arns]
    questions = [_questions(installation, version) for version in versions]
    answer: dict[str, Any] = {
        "versions": [_described(*one) for one in zip(versions, questions, strict=True)],
        "confidence": bootstrap.CONFIDENCE,
        "resamples": bootstrap.RESAMPLES,
    }
    if len(versions) == MOST:
        answer["comparison"] = _of_other_tasks(*versions) or _comparison(*questions)
    return answer


def _version(scope_of: Callable[[str], Scope], arn: str) -> Resource:
    named = parse_arn(arn)
    if named is None or kind_of(arn) != "solution-version":
        raise InvalidInput(f"{arn[:300]!r} is not the ARN of a solution version.")
    with scope_of(named.region).read() as tx:
        return require_active(tx.require(arn, "solution-version"))


def _questions(installation: Installation, version: Resource) -> QuestionValues | str:
    """What was kept with a version, or why there is nothing."""
    key = VersionInternal.of(version).artifact
    try:
        if key is not None:
            kept = Artifact.open(installation.objects.fetch(key)).questions
            return _NO_QUESTIONS if kept is None else kept
    except FileNotFoundError:
        pass
    except JobFailed as error:
        return error.message
    return (
        "The model of this version was removed, and its questions with it: the setting kept_models says how"
        " many are kept."
    )


def _described(version: Resource, questions: QuestionValues | str) -> dict[str, Any]:
    said: dict[str, Any] = {
        "solutionVersionArn": version.arn,
        "recipeArn": version.attributes.get("recipeArn"),
        "created": version.created_at,
        "questions": 0 if isinstance(questions, str) else len(questions),
    }
    figures = {} if isinstance(questions, str) else beside_best_sellers(questions)
    if isinstance(questions, str):
        said["reason"] = questions
    metrics: dict[str, Any] = {}
    for name, value in (VersionInternal.of(version).metrics or {}).items():
        metrics[name] = {"value": value}
        if name in figures:
            one = figures[name]
            metrics[name] |= {
                "low": one.value.low,
                "high": one.value.high,
                "bestSellers": asdict(one.best_sellers),
                "difference": _difference(one.difference, len(questions)),
            }
    return {**said, "metrics": metrics}


def _of_other_tasks(first: Resource, second: Resource) -> dict[str, Any] | None:
    """No verdict on versions that answer different kinds of questions; None where both answer the same kind,
    or one lists popular items, the same to whatever question."""
    names = [str(one.attributes.get("recipeArn")) for one in (first, second)]
    tasks = [None if (facts := facts_of(name)) is None else facts.task for name in names]
    if tasks[0] == tasks[1] or None in tasks or Task.POPULAR in tasks:
        return None
    one, other = (f"{name.rpartition('/')[2]} ({task})" for name, task in zip(names, tasks, strict=True))
    reason = (
        f"{one} and {other} answer different kinds of questions, so what they score says nothing of which is"
        " better: compare each with the best sellers, and with versions of its own kind."
    )
    return {"questions": 0, "verdict": "unclear", "reason": reason, "metrics": {}}


def _comparison(first: QuestionValues | str, second: QuestionValues | str) -> dict[str, Any]:
    if isinstance(first, str) or isinstance(second, str):
        return {
            "questions": 0,
            "verdict": "unclear",
            "reason": "Not both versions have questions.",
            "metrics": {},
        }
    found = paired(first, second)
    if not found.difference:
        return {
            "questions": found.questions,
            "verdict": "unclear",
            "reason": _nothing_shared(found.questions, min(len(first), len(second))),
            "metrics": {},
        }
    metrics = {
        name: {
            "first": asdict(found.first[name]),
            "second": asdict(found.second[name]),
            "difference": _difference(difference, found.questions),
        }
        for name, difference in found.difference.items()
    }
    heading = _HEADING if _HEADING in metrics else next(iter(metrics))
    return {
        "questions": found.questions,
        "decidedBy": heading,
        "verdict": found.difference[heading].verdict,
        "metrics": metrics,
    }


def _nothing_shared(shared: int, asked: int) -> str:
    """Why two versions cannot be compared."""
    if asked < LEAST_QUESTIONS:
        return (
            f"A version was asked {asked} questions; below {LEAST_QUESTIONS} nothing can be said. There is a"
            " question for one user in ten with two interactions or more."
        )
    return (
        f"The versions share {shared} questions; {LEAST_QUESTIONS} are the least. They were trained on"
        " different data, or answer different kinds of questions: compare each with the best sellers."
    )


def _difference(one: Estimate, questions: int) -> dict[str, Any]:
    return {**asdict(one), "verdict": one.verdict if questions >= LEAST_QUESTIONS else "unclear"}
