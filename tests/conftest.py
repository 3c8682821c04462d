"""What every test may ask for: a PostgreSQL server, an empty database with our tables, and what the machine lacks."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Connection, Engine, make_url, text

from engine.store.database import connect, create_database, create_from_template, drop, upgrade
from engine.store.embedded import start_embedded

REQUIRE_ALL = os.environ.get("ALUR_REQUIRE_ALL") == "1"
Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """URL of a PostgreSQL server: the one in ALUR_TEST_DATABASE_URL, else an embedded one that all workers share."""
    url = os.environ.get("ALUR_TEST_DATABASE_URL")
    if url:
        yield url
        return
    folder = _embedded_folder()
    embedded = start_embedded(folder / "postgres")
    engine = connect(embedded.url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ALTER SYSTEM SET fsync = off"))  # nobody needs these files after a crash
        connection.execute(text("SELECT pg_reload_conf()"))
    engine.dispose()
    yield embedded.url
    embedded.stop()
    if not (folder / "postgres" / "postmaster.pid").exists():  # we were the last one out
        shutil.rmtree(folder, ignore_errors=True)


def _embedded_folder() -> Path:
    """Not in pytest's own temporary folder: another pytest on this machine would clear that away under us."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    return Path(tempfile.gettempdir()) / f"alur-tests-{run}"


@pytest.fixture(scope="session")
def alur_folder(server: str) -> Path:
    """What a workspace's `.alur` may point to, so that its rehearsals need no server of their own."""
    return _embedded_folder()


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
            pytest.skip(f"this test needs the program '{name}', which is not installed here")
        return Path(found)

    return find


def _refuse_skip(report: Report) -> Report:
    """Under ALUR_REQUIRE_ALL=1 nothing may be skipped, so that CI can't pass by leaving tests out."""
    if REQUIRE_ALL and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, although ALUR_REQUIRE_ALL=1: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _refuse_skip((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _refuse_skip((yield))
