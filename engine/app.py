"""Wiring: the one place where a workspace's config becomes a database, channels, templates and a clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from pydantic import ValidationError
from sqlalchemy import Engine

from channels.base import Adapter, AdapterError
from channels.registry import installed
from engine import catalog
from engine.config import ChannelConfig, Config
from engine.errors import AlurError, Problem, WorkspaceError
from engine.run.compose import TemplateComposer
from engine.run.deliver import Post
from engine.run.machines import Machines
from engine.run.throttle import Gate
from engine.store import workers
from engine.store.database import check_schema, open_database
from engine.templates import Templates

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """The machine's time, in UTC. The only place where Alur reads it."""
    return datetime.now(UTC)


class VirtualClock:
    """A clock that stands until it is moved, and only ever forward; for demonstrations and simulations."""

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)
        self._lock = Lock()

    def __call__(self) -> datetime:
        return self._now

    def move_to(self, instant: datetime) -> None:
        """Let it be `instant`, unless it is later already."""
        with self._lock:
            self._now = max(self._now, instant.astimezone(UTC))


@dataclass(frozen=True)
class App:
    """A workspace, open: what entry points hand to actions."""

    root: Path
    config: Config
    engine: Engine
    clock: Clock
    machines: Machines
    templates: Templates
    adapters: Mapping[str, Adapter]
    gates: Mapping[str, Gate]
    senders: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def zone(self) -> str:
        """The time zone of people who have none of their own."""
        return self.config.organisation.timezone

    @property
    def connections(self) -> int:
        """How many couriers are worth having: as many lines as the widest channel takes."""
        return max((adapter.capabilities.connections for adapter in self.adapters.values()), default=1)

    @contextmanager
    def post(self) -> Iterator[Post]:
        """What delivering needs, with this process entered as a worker until the end."""
        with self.engine.begin() as conn:
            worker = workers.register(conn, self.clock())
        composer = TemplateComposer(self.config, self.templates, self.machines, self.senders)
        yield Post(self.engine, self.adapters, self.gates, composer, self.machines, self.clock, worker)
        with self.engine.begin() as conn:
            workers.leave(conn, worker, self.clock())

    def close(self) -> None:
        """Hang up. The embedded database stops with its last user."""
        self.engine.dispose()


def open_app(root: Path, clock: Clock = system_clock, config: Config | None = None) -> App:
    """Open the workspace at `root`: connect, bring the embedded database's schema up to date, build the channels.

    Raises `WorkspaceError` for config.yaml, `DatabaseUnavailableError`, and `MigrationNeededError` for a database of
    one's own whose schema is another version's.
    """
    config = config or catalog.load_config(root)
    built = {medium: build_channel(medium, channel, root) for medium, channel in config.channels.items()}
    engine = open_engine(root, config)
    return App(
        root=root,
        config=config,
        engine=engine,
        clock=clock,
        machines=Machines(config.fields),
        templates=Templates(root, config.organisation.locale),
        adapters={medium: adapter for medium, (adapter, _) in built.items()},
        gates={medium: Gate(channel.throttle) for medium, channel in config.channels.items()},
        senders={medium: sender for medium, (_, sender) in built.items()},
    )


def open_engine(root: Path, config: Config) -> Engine:
    """The workspace's database, ready to work with."""
    engine = open_database(config.database_url, root / ".alur")
    try:
        if config.database_url is not None:  # the embedded one is brought up to date by opening it
            check_schema(engine)
    except AlurError:
        engine.dispose()
        raise
    return engine


def build_channel(medium: str, channel: ChannelConfig, root: Path) -> tuple[Adapter, str | None]:
    """The adapter of one channel and its sender. Raises `WorkspaceError` at the option that is wrong."""
    try:
        kind = installed().find(channel.adapter)
    except AdapterError as error:
        raise WorkspaceError([_problem(channel, "adapter", str(error))]) from error
    if medium not in kind.media:
        carried = ", ".join(sorted(kind.media))
        raise WorkspaceError(
            [_problem(channel, "adapter", f"the adapter '{kind.name}' carries {carried}, not {medium}")]
        )
    try:
        options = kind.options.model_validate(channel.options)
    except ValidationError as error:
        found = [(str(item["loc"][0]) if item["loc"] else "adapter", item) for item in error.errors()]
        raise WorkspaceError(
            [_problem(channel, name, _sentence(medium, name, item["msg"])) for name, item in found]
        ) from error
    try:
        return kind.build(options, medium, root / ".alur"), getattr(options, "sender", None)
    except AdapterError as error:
        raise WorkspaceError([_problem(channel, "adapter", str(error))]) from error


def check_channels(config: Config, root: Path) -> list[Problem]:
    """What is wrong with the options of any channel; touches no network."""
    problems: list[Problem] = []
    for medium, channel in config.channels.items():
        try:
            build_channel(medium, channel, root)
        except WorkspaceError as error:
            problems += error.problems
    return problems


def _problem(channel: ChannelConfig, option: str, message: str) -> Problem:
    at = channel.node.get(option) or channel.node.key(option) or channel.node
    return Problem("config.yaml", at.line, at.column, message)


def _sentence(medium: str, option: str, message: str) -> str:
    said = message[0].lower() + message[1:]
    return f"channels.{medium}.{option}: {said}"
