"""All workflows by the kind of job they do: a new kind of long work is one more line here."""

from __future__ import annotations

from .workflow import Workflow

WORKFLOWS: dict[str, Workflow] = {}
