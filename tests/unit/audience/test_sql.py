"""Whatever can be read can be asked: every operator has its SQL, as every kind of condition must."""

from __future__ import annotations

from engine.audience.operators import OPERATORS
from engine.audience.sql.operators import ASKS


def test_every_operator_has_its_sql() -> None:
    assert list(ASKS) == list(OPERATORS)
