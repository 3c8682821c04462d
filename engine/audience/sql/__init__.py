"""What conditions say SQL with. Each name is imported when it is first used: who only reads files needs none of it, and
SQLAlchemy takes longer to import than they take to read.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement as ColumnElement
    from sqlalchemy import Select as Select
    from sqlalchemy import and_ as and_
    from sqlalchemy import case as case
    from sqlalchemy import cast as cast
    from sqlalchemy import false as false
    from sqlalchemy import func as func
    from sqlalchemy import literal as literal
    from sqlalchemy import literal_column as literal_column
    from sqlalchemy import not_ as not_
    from sqlalchemy import null as null
    from sqlalchemy import or_ as or_
    from sqlalchemy import select as select
    from sqlalchemy.dialects.postgresql import JSONB as JSONB

    from engine import tables as tables
    from engine.audience.sql.demand import meets as meets
    from engine.audience.sql.event_match import matching as matching
    from engine.audience.sql.scope import Clock as Clock
    from engine.audience.sql.scope import Scope as Scope
    from engine.audience.sql.scope import Verdict as Verdict
    from engine.audience.sql.scope import Zones as Zones
    from engine.audience.sql.tally import Tally as Tally
    from engine.audience.sql.tally import count_up_to as count_up_to
    from engine.audience.sql.tally import of_everybody as of_everybody
    from engine.audience.sql.tally import of_one as of_one
    from engine.audience.sql.tally import rows_of_one as rows_of_one
    from engine.audience.sql.value import Json as Json
    from engine.audience.sql.value import Known as Known
    from engine.audience.sql.value import Loose as Loose
    from engine.audience.sql.value import Spread as Spread
    from engine.audience.sql.value import Subject as Subject
    from engine.audience.sql.value import at as at
    from engine.audience.sql.value import text_at as text_at

_OURS: Final = {
    "engine": ("tables",),
    "engine.audience.sql.demand": ("meets",),
    "engine.audience.sql.event_match": ("matching",),
    "engine.audience.sql.scope": ("Clock", "Scope", "Verdict", "Zones"),
    "engine.audience.sql.tally": ("Tally", "count_up_to", "of_everybody", "of_one", "rows_of_one"),
    "engine.audience.sql.value": ("Json", "Known", "Loose", "Spread", "Subject", "at", "text_at"),
    "sqlalchemy.dialects.postgresql": ("JSONB",),
}
_HOMES: Final = {name: home for home, names in _OURS.items() for name in names}


def __getattr__(name: str) -> Any:
    """Everything not named in `_OURS` is SQLAlchemy's own."""
    if name.startswith("_"):
        raise AttributeError(name)
    home = _HOMES.get(name, "sqlalchemy")
    return import_module("engine.tables") if name == "tables" else getattr(import_module(home), name)
