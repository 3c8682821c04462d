"""Opening the database: which one, how its connections behave, and whether its schema is the one we know."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import orjson
import psycopg
from psycopg.types.array import ListBinaryDumper
from sqlalchemy import URL, Connection, Engine, ExceptionContext, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError

from engine.errors import DatabaseUnavailableError, MigrationNeededError
from engine.store.embedded import start_embedded

if TYPE_CHECKING:  # takes a third of a second to import, which only an upgrade should cost
    from alembic.config import Config as AlembicConfig

OLDEST_POSTGRESQL = 15
VERSION_TABLE = "alur_version"
_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_UPGRADE_LOCK = 0x616C7572  # "alur"; advisory locks are per database

# What every session is told. `now` comes from Python, so UTC here only makes timestamps come back as UTC.
# A worker that is stopped inside a transaction must not hold a contact's row for longer than a lease (60 s).
_SESSION: Final[Mapping[str, str]] = {
    "timezone": "UTC",
    "jit": "off",  # compiling costs more than our short statements take
    "lock_timeout": "30s",
    "statement_timeout": "10min",
    "idle_in_transaction_session_timeout": "60s",
}

# Refusals that mean "this database does not work for us now", not "this statement is wrong" (SQLSTATE classes and codes).
_UNAVAILABLE: Final = (
    ("08", "the connection broke"),
    ("28", "the user or password is refused"),
    ("3D", "the database does not exist"),
    ("53100", "its disk is full"),
    ("53", "it is out of connections or memory"),
    ("25006", "it is read-only"),
    ("57P", "it is starting, stopping or restarting"),
    ("58", "it can't read or write its files"),
    ("XX", "its files are damaged or it failed inside"),
)


def open_database(url: str | None, folder: Path) -> Engine:
    """The workspace's database: PostgreSQL at `url`, or without one the embedded server with its data in `folder`/postgres.

    The embedded one is brought to our schema here; one's own only by `upgrade` (`alur db upgrade`), so call
    `check_schema` before using it. Raises `DatabaseUnavailableError` when it can't be reached or is too old.
    """
    if url is not None:
        return connect(url)
    server = start_embedded(folder / "postgres")
    create_database(server.url, "alur")
    engine = connect(make_url(server.url).set(database="alur"))
    upgrade(engine)
    return engine


def connect(url: str | URL, settings: Mapping[str, str] = MappingProxyType({}), *, ping: bool = True) -> Engine:
    """An engine with our session settings, for up to 25 threads; tries one connection at once. `settings` are further ones.
    `ping`: ask each connection whether it still works before it is used again.

    `postgresql://` and `postgres://` are read as psycopg 3. Each failure to connect or to work later on is raised as
    `DatabaseUnavailableError`, here and from every statement; other database errors stay SQLAlchemy's.
    """
    engine = create_engine(
        _psycopg_url(url),
        hide_parameters=True,  # a traceback must not hold what people are called
        pool_size=20,
        max_overflow=5,
        pool_timeout=30,
        pool_use_lifo=True,
        pool_pre_ping=ping,  # a restarted server costs one ping, not one failed send
        json_serializer=lambda value: orjson.dumps(value).decode(),
        json_deserializer=orjson.loads,
        connect_args={
            "connect_timeout": 10,
            "keepalives_idle": 30,
            "application_name": "alur",
            "options": " ".join(f"-c {name}={value}" for name, value in {**_SESSION, **settings}.items()),
        },
    )
    event.listen(engine, "handle_error", _translate)
    event.listen(engine, "connect", _send_arrays_binary)
    with engine.connect() as connection:
        refuse_old(_version(connection), _name(engine.url))
    return engine


def refuse_old(version: int, name: str) -> None:
    """Raise `DatabaseUnavailableError` for a PostgreSQL older than Alur works with."""
    if version < OLDEST_POSTGRESQL:
        raise DatabaseUnavailableError(
            f"{name} is PostgreSQL {version}; Alur needs {OLDEST_POSTGRESQL} or newer. Upgrade the server, "
            "or leave out database.url to use the embedded one."
        )


def upgrade(engine: Engine) -> None:
    """Bring the schema to the newest version; one transaction, so all or nothing.

    Safe to call from several processes at once: the others wait and then find nothing to do. Raises
    `MigrationNeededError` for a database that a newer Alur has already changed.
    """
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADE_LOCK})
        if schema_version(connection) == _newest():
            return
        _refuse_unknown(connection)
        from alembic import command

        config = migrations()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def check_schema(engine: Engine) -> None:
    """Return if the schema is the one this code works with, else raise `MigrationNeededError` saying what to do."""
    with engine.connect() as connection:
        found = schema_version(connection)
        if found == _newest():
            return
        _refuse_unknown(connection)
    state = "holds no tables of Alur yet" if found is None else f"has schema {found}, this Alur works with {_newest()}"
    raise MigrationNeededError(f"{_name(engine.url)} {state}. Make a backup, then run `alur db upgrade`.")


def schema_version(connection: Connection) -> str | None:
    """The last migration that ran here, or None in a database without our tables."""
    if connection.scalar(text("SELECT to_regclass(:name)"), {"name": VERSION_TABLE}) is None:
        return None
    found: str | None = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))
    return found


def migrations() -> AlembicConfig:
    """Alembic's configuration of our migrations; set `attributes['connection']` before running a command with it."""
    from alembic.config import Config as AlembicConfig

    config = AlembicConfig()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def create_database(server: str | URL, name: str, template: str = "template0") -> bool:
    """Make an empty database on the server, or a copy of `template`; False if one of that name was there.

    A new one folds and sorts text the same everywhere, whatever the machine's locale: by Unicode code point.
    """
    engine = connect(server)
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            quoted = connection.dialect.identifier_preparer.quote
            locale = ""
            if template == "template0":
                builtin = "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LC_COLLATE 'C' LC_CTYPE 'C'"
                libc = "LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'"
                locale = "ENCODING 'UTF8' " + (builtin if _version(connection) >= 17 else libc)
            connection.execute(text(f"CREATE DATABASE {quoted(name)} TEMPLATE {quoted(template)} {locale}"))
    except DBAPIError as error:
        # Two at once: the later one finds the name taken, or the row in the catalogue.
        if isinstance(error.orig, psycopg.errors.DuplicateDatabase | psycopg.errors.UniqueViolation):
            return False
        raise
    finally:
        engine.dispose()
    return True


def create_from_template(server: str | URL, template: str, name: str) -> Engine:
    """A copy of the database `template`, which nobody may be connected to; about 30 ms for one of our schema."""
    create_database(server, name, template)
    return connect(make_url(server).set(database=name))


def drop(server: str | URL, name: str) -> None:
    """Remove a database, with everybody who is connected to it; nothing happens if it is not there."""
    engine = connect(server)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        quoted = connection.dialect.identifier_preparer.quote(name)
        connection.execute(text(f"DROP DATABASE IF EXISTS {quoted} WITH (FORCE)"))
    engine.dispose()


def _version(connection: Connection) -> int:
    return int(connection.execute(text("SHOW server_version_num")).scalar_one()) // 10_000


def known_versions() -> list[str]:
    """The versions that our migrations lead to, in order: the number with which each file's name begins."""
    return [path.name.partition("_")[0] for path in migration_files()]


def migration_files() -> list[Path]:
    """Our migrations in their order."""
    return sorted((_MIGRATIONS / "versions").glob("[0-9]*.py"))


def _newest() -> str | None:
    return next(reversed(known_versions()), None)


def _refuse_unknown(connection: Connection) -> None:
    found = schema_version(connection)
    if found is not None and found not in known_versions():
        raise MigrationNeededError(
            f"{_name(connection.engine.url)} has schema {found}, which a newer Alur has made: install that version of Alur."
        )


def _psycopg_url(url: str | URL) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise DatabaseUnavailableError(
            "database.url can't be read; write it as postgresql://user:password@host:5432/database"
        ) from error
    if parsed.drivername in {"postgres", "postgresql", "postgresql+psycopg"}:
        return parsed.set(drivername="postgresql+psycopg")
    raise DatabaseUnavailableError(
        f"database.url names '{parsed.drivername}'; Alur works with PostgreSQL only: postgresql://user:password@host:5432/database"
    )


def _send_arrays_binary(connection: psycopg.Connection[Any], _: object) -> None:
    """Lists go to the server in PostgreSQL's binary form. As text psycopg quotes each item by regular expressions: 30 us
    for a small JSON text instead of 0.7 us, 7 us for an instant instead of 0.4 us (measured).
    """
    connection.adapters.register_dumper(list, ListBinaryDumper)


def _translate(context: ExceptionContext) -> None:
    """The one place where a database that does not work for us becomes `DatabaseUnavailableError`."""
    error = context.original_exception
    if context.is_pre_ping or not isinstance(error, psycopg.Error):
        return
    reason = next((why for code, why in _UNAVAILABLE if (error.sqlstate or "").startswith(code)), None)
    if reason is None and not context.is_disconnect and context.connection is not None:
        return
    engine = context.engine
    where = _name(engine.url) if engine is not None else "the database"
    said = " ".join(str(error).split())
    raise DatabaseUnavailableError(
        f"{where} is not available: {reason or 'no connection'} ({said}). Check that it runs and that database.url is right."
    ) from error


def _name(url: URL) -> str:
    """How messages call the database: never with its password."""
    host: Any = url.host or url.query.get("host") or "localhost"
    return f"the database '{url.database}' at {host}"
