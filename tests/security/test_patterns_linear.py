"""No pattern is slower than linear, whatever a caller sends: every pattern of the service models, every
pattern of ours, every terminal of the filter language, on texts made to make it slow."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import botocore.session
import pytest

import openpersonalize
from openpersonalize.filters import language
from openpersonalize.server.patterns import compiled
from openpersonalize.server.protocol import SERVICES

from .adversarial import text_of, texts

LIMIT = 0.005
LENGTHS = (256, 2048)
SKIPPED = ("openpersonalize.cli", "openpersonalize.algorithms")
"""Rooms whose modules take no text of a caller; importing all of them would load a training library."""


def slowest(match: Callable[[Any], object], pattern: re.Pattern[Any]) -> tuple[float, str]:
    """(seconds of this thread, text) of the worst text; each is tried again before it counts as slow."""
    worst, found = 0.0, ""
    binary = isinstance(pattern.pattern, bytes)
    for length in LENGTHS:
        for text in texts(text_of(pattern), length):
            given: Any = text.encode("utf-8", "surrogatepass") if binary else text
            taken = seconds(match, given)
            if taken > LIMIT:
                taken = min(taken, *(seconds(match, given) for _ in range(3)))
            if taken > worst:
                worst, found = taken, text
    return worst, found


def seconds(match: Callable[[Any], object], text: Any) -> float:
    began = time.thread_time()
    match(text)
    return time.thread_time() - began


def model_patterns() -> list[str]:
    session = botocore.session.get_session()
    found = set()
    for service in SERVICES:
        model = session.get_service_model(service)
        found |= {model.shape_for(name).metadata.get("pattern") for name in model.shape_names}
    return sorted(found - {None})


def own_patterns() -> Iterator[tuple[str, re.Pattern[Any], str]]:
    """(name, pattern, source of its module) of every compiled pattern of the package."""
    for found in pkgutil.walk_packages(openpersonalize.__path__, "openpersonalize."):
        if found.name.startswith(SKIPPED):
            continue
        module = importlib.import_module(found.name)
        for name, value in vars(module).items():
            if isinstance(value, re.Pattern):
                yield f"{found.name}.{name}", value, inspect.getsource(module)


@pytest.mark.parametrize("pattern", model_patterns())
def test_the_patterns_of_the_models(pattern: str) -> None:
    rule = compiled(pattern)
    worst, text = slowest(rule.fullmatch, rule)
    assert worst < LIMIT, (pattern, text[:80])


def test_the_patterns_of_ours() -> None:
    seen = 0
    for name, pattern, source in own_patterns():
        seen += 1
        ways = [pattern.fullmatch, pattern.match]
        short = name.rpartition(".")[2]
        if re.search(rf"\b{short}\.(search|sub|findall|finditer|split)\(", source):
            ways.append(pattern.search)
        for way in ways:
            worst, text = slowest(way, pattern)
            assert worst < LIMIT, (name, way.__name__, text[:80])
    assert seen >= 20


def test_the_terminals_of_the_filter_language() -> None:
    terminals = language._grammar().terminals
    assert len(terminals) > 10
    for terminal in terminals:
        pattern = re.compile(terminal.pattern.to_regexp())
        worst, text = slowest(pattern.match, pattern)
        assert worst < LIMIT, (terminal.name, text[:80])


def test_the_proof_sees_a_pattern_that_backtracks() -> None:
    slow = re.compile(r"arn:([a-z\d-]+):personalize:.*:.*:.+")
    assert any(seconds(slow.fullmatch, text) > LIMIT for text in texts(slow.pattern, 256))
