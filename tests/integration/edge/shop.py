"""A shop for tests: a configuration, a clock moved by hand, a database, and what stands in it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, text

from engine.config import Config, read_config
from engine.run.incoming import Incoming
from engine.run.ingest import IngestResult, ingest
from engine.run.settings import Standing

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SERVER_KEY = "server-key-0123456789"
BROWSER_KEY = "browser-key-0123456789"
CRM_KEY, READER_KEY = "crm-key-0123456789", "reader-key-0123456789"
SECRETS = {
    "NEW_SECRET": "n" * 40, "OLD_SECRET": "o" * 40, "SHOP_KEY": SERVER_KEY, "SITE_KEY": BROWSER_KEY,
    "CRM_KEY": CRM_KEY, "READER_KEY": READER_KEY,
}  # fmt: skip
_SOURCE = """
organisation: {name: Toko <Alur>, postal_address: "Jl. Kopi 1, Jakarta", timezone: Asia/Jakarta, locale: id, country: ID}
web:
  public_url: https://toko.example
  secret_keys: [${NEW_SECRET}, ${OLD_SECRET}]
  write_keys: {shop: {key: ${SHOP_KEY}, scope: server}, site: {key: ${SITE_KEY}, scope: browser}}
  api_keys: {crm: {key: ${CRM_KEY}, scope: enroll}, reader: {key: ${READER_KEY}, scope: [read]}}
channels: {email: {adapter: file}}
topics: {offers: {title: {id: Penawaran & promo, en: Offers & deals}}, news: {title: {id: Kabar, en: News}}}
contacts: {fields: {points: number, vip: boolean, birthday: date, seen_at: datetime, likes: list}}
"""


def shop_config() -> Config:
    config, problems = read_config(_SOURCE.encode(), "config.yaml", SECRETS)
    assert config is not None, problems
    return config


@dataclass
class Shop:
    """`now` is the clock of everything; it stands still unless a test moves it."""

    engine: Engine
    config: Config = field(default_factory=shop_config)
    now: datetime = NOON
    edited: Config | None = None  # config.yaml as it stands since the process began
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def clock(self) -> datetime:
        return self.now

    def settings(self) -> Standing:
        return Standing(self.edited or self.config, "")

    def later(self, **span: float) -> None:
        self.now += timedelta(**span)

    def take(self, *payloads: Any, source: str = "shop", **how: Any) -> IngestResult:
        return ingest(self.engine, self.config, [Incoming(payload, source, **how) for payload in payloads], self.now)

    def message(self, kind: str, **more: Any) -> dict[str, Any]:
        return {"type": kind, "messageId": f"m{next(self._ids)}", **more}

    def track(self, name: str, user_id: str = "ani", **more: Any) -> dict[str, Any]:
        return self.message("track", userId=user_id, event=name, **more)

    def identify(self, user_id: str = "ani", **traits: Any) -> dict[str, Any]:
        return self.message("identify", userId=user_id, traits=traits)

    def rows(self, query: str, **values: Any) -> list[Any]:
        with self.engine.connect() as conn:
            return list(conn.execute(text(query), values))

    def value(self, query: str, **values: Any) -> Any:
        (row,) = self.rows(query, **values)
        return row[0]

    def contact(self, user_id: str = "ani") -> Any:
        (row,) = self.rows("SELECT * FROM contact WHERE user_id = :user_id", user_id=user_id)
        return row

    def holding(self) -> dict[tuple[str, str], bool]:
        """What each topic and channel says now, of everybody."""
        rows = self.rows(
            "SELECT DISTINCT ON (topic, channel) topic, channel, given FROM consent ORDER BY topic, channel, id DESC"
        )
        return {(row.topic, row.channel): row.given for row in rows}

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Meanwhile the database can be reached and takes nothing, as with a full disk or a standby."""
        self._let_writes("SET default_transaction_read_only = on")
        try:
            yield
        finally:
            self._let_writes("RESET default_transaction_read_only")

    def _let_writes(self, setting: str) -> None:
        name = self.value("SELECT current_database()")
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            conn.execute(text("SET default_transaction_read_only = off"))
            conn.execute(text(f'ALTER DATABASE "{name}" {setting}'))
        self.engine.dispose()  # connections keep what they were told when they began

    def execute(self, statement: str, **values: Any) -> None:
        with self.engine.begin() as conn:
            conn.execute(text(statement), values)
