from __future__ import annotations

import pytest

from pipelines.report.data import ReportData
from tests.pipelines.report import example


@pytest.fixture
def report() -> ReportData:
    return example.report()
