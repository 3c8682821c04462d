"""The database opens, upgrades itself once, refuses what it can't work with, and says why."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, make_url, text
from sqlalchemy.exc import DBAPIError

from engine.errors import DatabaseUnavailableError, MigrationNeededError
from engine.store.database import (
    VERSION_TABLE,
    check_schema,
    connect,
    create_database,
    drop,
    known_versions,
    migrations,
    open_database,
    refuse_old,
    schema_version,
    upgrade,
)
from engine.store.embedded import start_embedded
from engine.tables import metadata

DESCRIBE = """
    SELECT 'column', table_name, column_name, concat_ws(' ', data_type, udt_name, is_nullable, column_default, identity_generation)
    FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
    UNION ALL SELECT 'sequence', '', sequencename, start_value::text FROM pg_sequences WHERE schemaname = 'public'
"""


def described(connection: Connection) -> set[tuple[str, ...]]:
    return {tuple(row) for row in connection.execute(text(DESCRIBE)) if row[1] != VERSION_TABLE}


@pytest.fixture
def empty(server: str) -> object:
    name = f"alur_empty_{os.getpid()}"
    create_database(server, name)
    engine = connect(make_url(server).set(database=name))
    yield engine
    engine.dispose()
    drop(server, name)


def test_the_migrations_make_exactly_the_schema_of_the_tables(conn: Connection, empty: Engine) -> None:
    with empty.begin() as other:
        metadata.create_all(other)
        wanted = described(other)
    assert described(conn) == wanted, "run: make migration NUMBER=.. TEXT=.."
    assert compare_metadata(MigrationContext.configure(conn, opts={"version_table": VERSION_TABLE}), metadata) == []


def test_a_migration_is_numbered_in_its_file_name_as_in_itself_and_the_last_one_is_the_head() -> None:
    scripts = ScriptDirectory.from_config(migrations())
    assert [script.revision for script in scripts.walk_revisions()] == known_versions()[::-1]


def test_upgrading_an_upgraded_database_changes_nothing(database: Engine) -> None:
    upgrade(database)
    check_schema(database)


def test_several_upgrades_at_once_make_the_schema_once(empty: Engine) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(upgrade, [empty] * 4))
    check_schema(empty)


def test_a_database_without_our_tables_is_refused_with_the_command_that_mends_it(empty: Engine) -> None:
    with pytest.raises(MigrationNeededError, match="holds no tables of Alur yet.*alur db upgrade"):
        check_schema(empty)


def test_a_database_that_a_newer_version_has_changed_is_left_alone(database: Engine) -> None:
    with database.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    for attempt in (check_schema, upgrade):
        with pytest.raises(MigrationNeededError, match="schema 9999, which a newer Alur has made"):
            attempt(database)


def test_an_old_postgresql_is_refused() -> None:
    refuse_old(15, "it")
    with pytest.raises(DatabaseUnavailableError, match="it is PostgreSQL 14; Alur needs 15 or newer"):
        refuse_old(14, "it")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "postgresql://ani:rahasia@127.0.0.1:1/shop",
            "the database 'shop' at 127.0.0.1 is not available: no connection",
        ),
        ("sqlite:///shop.db", "Alur works with PostgreSQL only"),
        ("shop", "database.url can't be read"),
    ],
)
def test_a_url_that_leads_nowhere_is_an_error_without_the_password(url: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailableError) as refused:
        open_database(url, tmp_path)
    assert expected in str(refused.value)
    assert "rahasia" not in str(refused.value)


def test_a_database_that_does_not_exist_is_named(server: str, tmp_path: Path) -> None:
    url = make_url(server).set(database="nowhere").render_as_string(hide_password=False)
    with pytest.raises(DatabaseUnavailableError, match="'nowhere'.*does not exist"):
        open_database(url, tmp_path)


def test_a_cut_connection_is_one_clear_error_and_the_next_one_works(database: Engine) -> None:
    with database.connect() as connection, database.connect() as other:
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        with pytest.raises(DatabaseUnavailableError, match="is not available"):
            connection.execute(text("SELECT 1"))
    with database.connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar_one() == 1


def test_a_connection_cut_while_it_rests_in_the_pool_is_replaced_unseen(database: Engine) -> None:
    with database.connect() as connection:
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    elsewhere = connect(database.url)
    with elsewhere.connect() as connection:
        connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
    elsewhere.dispose()
    with database.connect() as connection:
        assert connection.execute(text("SELECT pg_backend_pid()")).scalar_one() != pid


def test_a_read_only_database_says_so(database: Engine) -> None:
    with database.connect() as connection:
        connection.execute(text("SET TRANSACTION READ ONLY"))
        with pytest.raises(DatabaseUnavailableError, match="it is read-only"):
            connection.execute(text("CREATE TABLE x (id int)"))


def test_a_wrong_statement_stays_a_database_error(conn: Connection) -> None:
    with pytest.raises(DBAPIError):
        conn.execute(text("SELECT nothing FROM nowhere"))


def test_instants_come_back_as_utc_and_text_folds_by_unicode(conn: Connection) -> None:
    row = conn.execute(text("SELECT '2026-03-01 09:00+07'::timestamptz, lower('ÀÉ'), 'a' < 'B'")).one()
    assert tuple(row) == (datetime(2026, 3, 1, 2, tzinfo=UTC), "àé", False)
    assert row[0].utcoffset().total_seconds() == 0


def test_without_a_url_the_embedded_database_is_ready_for_use_and_keeps_its_rows(tmp_path: Path) -> None:
    folder = tmp_path / "a workspace" / ".alur"
    engine = open_database(None, folder)
    check_schema(engine)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO tick (name, at) VALUES ('x', '2026-01-01T00:00Z')"))
    engine.dispose()
    again = open_database(None, folder)
    with again.connect() as connection:
        assert connection.execute(text("SELECT name FROM tick")).scalars().all() == ["x"]
        assert schema_version(connection) is not None
    again.dispose()
    start_embedded(folder / "postgres").stop()


KEEP_OPEN = """
import sys
from pathlib import Path
from engine.store.embedded import start_embedded
print(start_embedded(Path(sys.argv[1])).process_id, flush=True)
sys.stdin.read()
"""


def test_a_killed_process_leaves_the_server_running_and_is_forgotten(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    with subprocess.Popen(
        [sys.executable, "-c", KEEP_OPEN, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        server_id = int(other.stdout.readline())
        other.send_signal(signal.SIGKILL)
    server = start_embedded(folder)
    assert server.process_id == server_id
    assert json.loads((folder / ".handle_pids.json").read_text()) == [os.getpid()]
    server.stop()
    assert not (folder / "postmaster.pid").exists()


def test_a_server_stops_with_its_last_holder_and_starts_again_for_the_next(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    first, second = start_embedded(folder), start_embedded(folder)
    assert first.process_id == second.process_id
    first.stop()
    first.stop()
    connect(second.url).dispose()
    second.stop()
    assert not (folder / "postmaster.pid").exists()
    third = start_embedded(folder)
    connect(third.url).dispose()
    third.stop()


def test_a_server_that_died_under_its_process_is_started_again(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    first = start_embedded(folder)
    dying = psutil.Process(first.process_id)
    dying.kill()
    psutil.wait_procs([dying], timeout=10)
    second = start_embedded(folder)
    assert second.process_id != first.process_id
    connect(second.url).dispose()
    first.stop()
    second.stop()


def test_the_files_of_another_version_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "PG_VERSION").write_text("16\n")
    with pytest.raises(DatabaseUnavailableError, match="was made by PostgreSQL 16"):
        start_embedded(tmp_path)


def test_a_server_id_left_by_a_lost_machine_is_not_taken_for_the_server(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    start_embedded(folder).stop()
    (folder / "postmaster.pid").write_text(f"{os.getpid()}\n{folder}\n1\n5432\n{folder}\n\n1 1\nready\n")
    server = start_embedded(folder)
    assert server.process_id != os.getpid()
    connect(server.url).dispose()
    server.stop()


def test_a_folder_that_a_shell_would_misread_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailableError, match="Rename the folder"):
        start_embedded(tmp_path / "$(id)")


def test_a_server_that_does_not_start_says_where_its_log_is(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    folder.mkdir()
    (folder / "PG_VERSION").write_text("18\n")
    with pytest.raises(DatabaseUnavailableError, match="did not start: .*postgres/log"):
        start_embedded(folder)
