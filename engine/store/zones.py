"""Time zones as this database's server knows them; Alur goes by Python's list, which may be newer."""

from __future__ import annotations

import logging
from typing import Any, Final
from zoneinfo import available_timezones

from sqlalchemy import Connection, Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from engine.audience.sql.scope import Zones

log = logging.getLogger(__name__)

ZONES: Final = Zones(bindparam("zone", type_=Text()), bindparam("foreign_zones", type_=ARRAY(Text)))
"""The zones of a statement that is executed with `zone_values` among its parameters."""

_foreign: dict[str, list[str]] = {}  # by server: the list takes 15 ms, and a claim asks for it each time


def zone_values(conn: Connection, default: str) -> dict[str, Any]:
    """The parameters of `ZONES`; `default` is the organisation's zone."""
    server = str(conn.engine.url.set(database=""))
    if server not in _foreign:
        known = set(conn.scalars(text("SELECT name FROM pg_timezone_names")))
        _foreign[server] = sorted(available_timezones() - known)
        if default in _foreign[server]:
            log.warning("the database's server does not know the time zone '%s': dates are compared in UTC", default)
    foreign = _foreign[server]
    return {"zone": "UTC" if default in foreign else default, "foreign_zones": foreign}
