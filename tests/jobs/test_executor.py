from __future__ import annotations

import pytest

from contract.executor import ExecutorContract
from openpersonalize.jobs.executor import Executor, ImmediateExecutor


class TestImmediate(ExecutorContract):
    @pytest.fixture
    def executor(self) -> Executor:
        return ImmediateExecutor()
