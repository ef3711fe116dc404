"""Every operation of the three services is there."""

from __future__ import annotations

from openpersonalize.operations.registry import OPERATIONS
from shapes import SERVICES, model


def published() -> set[str]:
    return {name for service in SERVICES for name in model(service).operation_names}


def test_they_are_exactly_the_published_ones() -> None:
    assert len(published()) == 79
    assert OPERATIONS.keys() == published()


def test_every_handler_says_what_it_does() -> None:
    assert [name for name, handler in OPERATIONS.items() if not handler.__doc__] == []
