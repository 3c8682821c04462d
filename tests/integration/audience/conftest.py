"""One database for all of these tests: each works in a transaction that is rolled back."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine

from engine.store.database import create_from_template, drop


@pytest.fixture(scope="package")
def shared_database(server: str, template: str) -> Iterator[Engine]:
    name = f"alur_audience_{os.getpid()}"
    engine = create_from_template(server, template, name)
    yield engine
    engine.dispose()
    drop(server, name)


@pytest.fixture
def conn(shared_database: Engine) -> Iterator[Connection]:
    """A connection whose work is rolled back at the end; nothing may be committed."""
    with shared_database.connect() as connection:
        yield connection
