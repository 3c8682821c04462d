"""What every test may ask for: a PostgreSQL server, an empty database with our tables, and what the machine lacks."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, make_url, text

from engine.store.database import connect, create_database, create_from_template, drop, upgrade
from engine.store.embedded import start_embedded

REQUIRE_ALL = os.environ.get("ALUR_REQUIRE_ALL") == "1"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a PostgreSQL server: the one in ALUR_TEST_DATABASE_URL, else an embedded one that all workers share."""
    url = os.environ.get("ALUR_TEST_DATABASE_URL")
    if url:
        yield url
        return
    base = tmp_path_factory.getbasetemp()
    embedded = start_embedded((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "postgres")
    engine = connect(embedded.url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ALTER SYSTEM SET fsync = off"))  # nobody needs these files after a crash
        connection.execute(text("SELECT pg_reload_conf()"))
    engine.dispose()
    yield embedded.url
    embedded.stop()


@pytest.fixture(scope="session")
def template(server: str) -> Iterator[str]:
    """Name of a database with our schema and no rows; nobody stays connected to it."""
    name = f"alur_template_{os.getpid()}"
    create_database(server, name)
    engine = connect(make_url(server).set(database=name))
    upgrade(engine)
    engine.dispose()
    yield name
    drop(server, name)


@pytest.fixture
def database(server: str, template: str) -> Iterator[Engine]:
    """A database of this test's own, with our tables and no rows."""
    name = f"alur_test_{os.getpid()}_{next(_numbers)}"
    engine = create_from_template(server, template, name)
    yield engine
    engine.dispose()
    drop(server, name)


@pytest.fixture
def conn(database: Engine) -> Iterator[Connection]:
    """A connection to `database`; what is not committed is rolled back at the end."""
    with database.connect() as connection:
        yield connection


@pytest.fixture(scope="session")
def program() -> Callable[[str], Path]:
    """`program("smtp-sink")`: where a program of the machine is. Without it the test skips and says what is missing."""

    def find(name: str) -> Path:
        found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/sbin")
        if found is None:
            reason = f"this test needs the program '{name}', which is not installed here"
            if REQUIRE_ALL:
                pytest.fail(reason)
            pytest.skip(reason)
        return Path(found)

    return find
