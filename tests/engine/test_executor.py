from __future__ import annotations

import pytest

from contract.executor import ExecutorContract
from openpersonalize.engine.executor import Executor, ImmediateExecutor


class TestImmediate(ExecutorContract):
    @pytest.fixture
    def executor(self) -> Executor:
        return ImmediateExecutor()
