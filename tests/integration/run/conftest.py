from __future__ import annotations

import pytest
from sqlalchemy import Engine

from tests.integration.run.town import Town


@pytest.fixture
def town(database: Engine) -> Town:
    return Town(database)
