"""The pages beside the AWS operations, as plain JSON: health, metrics, jobs.

``GET /``                              for people with a browser, see `frontpage`
``GET /health``                        200 ``{"status": "ready", "checks": {...}}``; ``degraded`` where a
                                       check fails, with the sentence that says what to do; 503 while
                                       starting or stopping. Made at most once a second
``GET /health/live``                   200 as long as the process answers
``GET /metrics``                       Prometheus' text format, made at most once a second
``GET /v1/jobs``                       the newest 1,000 of each region, newest first; ``?region=`` for one.
                                       Beside them, under ``scheduled``, the automatic trainings to come
``GET /v1/jobs/{arn}``                 the newest job of a resource: state, progress, ETA, log lines
``GET /v1/jobs/{arn}/problems``        what was wrong with the data, row by row
``POST /v1/jobs/{arn}/retrain``        of a data deletion job: trains every solution anew of which a
                                       version saw the data of those users; ``{"versions": [arn]}``
``GET /v1/versions/compare``            ``?version=ARN`` once or twice: what versions scored, with intervals,
                                       beside the best sellers and one another
``POST /v1/explain``                   why an answer of GetRecommendations or GetPersonalizedRanking is as it
                                       is, see `operations.runtime.explain`

The page of a data deletion job says which ``versions`` those are.

Where there are keys, all but the first three want one of the roles of `PAGE_ROLES`, ``retrain`` that of
CreateSolutionVersion, and ``explain`` one of `EXPLAIN_ROLES`. An ARN may be percent-encoded
or carry its slashes as they are. Errors are ``{"error": {"code": ..., "message": ...}}``.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, unquote

import msgspec

from ..access.roles import EXPLAIN_PAGE
from ..engine.report import job_list, job_problems, job_report
from ..errors import InvalidInput, ResourceNotFound, ServiceError
from ..operations.version_comparison import compared
from ..resources.store import Scope
from ..workflows.data_deletions import deletion_report, retrain
from ..workflows.schedule import scheduled_trainings
from .exchange import Exchange
from .frontpage import FRONT
from .services import Services

JSON = b"application/json"
HEALTH, LIVE, METRICS, PREFIX = "/health", "/health/live", "/metrics", "/v1/"
LIVING, NOT_READY = b'{"status":"live"}', b'{"status":"not ready"}'
COMPARE = "versions/compare"
JOBS, RETRAIN, EXPLAIN = "/v1/jobs/", "/retrain", EXPLAIN_PAGE
_encode = msgspec.json.Encoder(enc_hook=str).encode


def page_of(method: str, path: str) -> str | None:
    """The page that a request asks for, as the metrics name it; None where it is for no page."""
    if path in (HEALTH, LIVE, METRICS):
        return path
    if path == FRONT:
        return FRONT if method in ("GET", "HEAD") else None
    return PREFIX if path.startswith(PREFIX) else None


def is_change(exchange: Exchange) -> bool:
    """Whether a request to a page changes something, so that who may call CreateSolutionVersion may send it.

    Raises:
        InvalidInput: the page is not for such requests.
    """
    if exchange.path == EXPLAIN:
        if exchange.method != "POST":
            raise InvalidInput(f"{EXPLAIN} takes POST requests only.")
        return False
    if exchange.method in ("GET", "HEAD"):
        return False
    if exchange.method != "POST" or not exchange.path.startswith(JOBS) or not exchange.path.endswith(RETRAIN):
        raise InvalidInput(f"{exchange.path} takes GET requests only.")
    if int(exchange.headers.get(b"content-length", b"0")) or b"transfer-encoding" in exchange.headers:
        raise InvalidInput(f"{exchange.path} takes no body.")
    return True


def page(exchange: Exchange, services: Services) -> bytes:
    """The body of a page under ``/v1/``.

    Raises:
        ResourceNotFound: no such page, or no job of that resource.
    """
    raw = exchange.raw_path.decode("latin-1").removeprefix(PREFIX).rstrip("/")
    if raw == "jobs":
        return _encode(_jobs(exchange, services))
    if raw == COMPARE:
        arns = parse_qs(exchange.query.decode("latin-1")).get("version", [])
        return _encode(compared(services.installation, services.scope, arns))
    if exchange.method == "POST":
        return _encode(_retrained(unquote(raw.removeprefix("jobs/")).removesuffix(RETRAIN), services))
    if raw.startswith("jobs/"):
        return _encode(_job(raw.removeprefix("jobs/"), services))
    raise ResourceNotFound(f"There is no page {exchange.path}; see /v1/jobs.")


def error_page(error: ServiceError) -> tuple[int, bytes]:
    """(status, body) of an error on these pages."""
    message = error.message.encode("utf-8", "replace").decode()
    return error.rest_status, _encode({"error": {"code": error.code, "message": message}})


def _jobs(exchange: Exchange, services: Services) -> dict[str, list[dict[str, Any]]]:
    regions = parse_qs(exchange.query.decode("latin-1")).get("region")
    scopes = [services.scope(regions[0])] if regions else services.installation.metadata.scopes()
    jobs = [job for scope in scopes for job in job_list(scope)]
    now = services.installation.clock.now()
    scheduled = [one for scope in scopes for one in scheduled_trainings(scope, now)]
    return {
        "jobs": sorted(jobs, key=lambda job: job["created"], reverse=True),
        "scheduled": sorted(scheduled, key=lambda one: one["due"]),
    }


def _job(rest: str, services: Services) -> Any:
    """The page of a job; `rest` is what follows ``jobs/`` in the path as it was sent."""
    whole = unquote(rest)
    scope = _scope_of(whole, services)
    report = job_report(scope, whole)
    if report is not None:
        return {**report, **(deletion_report(scope, whole) or {})}
    if rest.endswith("/problems"):  # asked second: a solution version may bear that very name
        arn = unquote(rest.removesuffix("/problems"))
        scope = _scope_of(arn, services)
        if job_report(scope, arn) is not None:
            return {"arn": arn, "problems": job_problems(scope, arn)}
        whole = arn
    raise ResourceNotFound(f"There is no job of {whole}.")


def _retrained(arn: str, services: Services) -> dict[str, list[str]]:
    return {"versions": retrain(_scope_of(arn, services), services.installation.settings, arn)}


def _scope_of(arn: str, services: Services) -> Scope:
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn" or parts[4] != services.installation.settings.account:
        raise ResourceNotFound(f"There is no job of {arn}.")
    return services.scope(parts[3])
