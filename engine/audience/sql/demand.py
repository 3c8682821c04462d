"""What is asked of one field, in SQL."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_

from engine.audience.demand import Demand
from engine.audience.sql.operators import ASKS
from engine.audience.sql.scope import Clock
from engine.audience.sql.value import Subject


def meets(subject: Subject, demand: Demand, clock: Clock) -> ColumnElement[bool]:
    """Whether the value is as the demand says: all of its comparisons hold."""
    return and_(*(ASKS[each.word](subject, each.operands, clock) for each in demand.comparisons))
