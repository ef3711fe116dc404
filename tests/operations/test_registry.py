"""Every operation of the three services is either built or refused by name."""

from __future__ import annotations

from openpersonalize.operations.registry import NOT_AVAILABLE, OPERATIONS
from shapes import SERVICES, model


def published() -> set[str]:
    return {name for service in SERVICES for name in model(service).operation_names}


def test_the_two_together_are_exactly_the_published_ones() -> None:
    assert len(published()) == 79
    assert OPERATIONS.keys() | NOT_AVAILABLE == published()


def test_no_operation_is_both() -> None:
    assert not OPERATIONS.keys() & NOT_AVAILABLE


def test_every_handler_says_what_it_does() -> None:
    assert [name for name, handler in OPERATIONS.items() if not handler.__doc__] == []
