from __future__ import annotations

import pytest

from contract.executor import ExecutorContract
from engine.immediate import ImmediateExecutor
from openpersonalize.engine.executor import Executor


class TestImmediate(ExecutorContract):
    @pytest.fixture
    def executor(self) -> Executor:
        return ImmediateExecutor()
