"""Wiring: the one place where a workspace's config becomes a database, channels, templates and a clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Lock
from typing import get_args

from sqlalchemy import Engine

from channels.base import Adapter, Medium
from channels.recording import Keep, RecordingAdapter
from channels.webhook import Caller, RecordingCaller
from channels.webhook_http import HttpCaller
from engine import catalog
from engine.adapters import build_channel
from engine.config import ChannelConfig, Config
from engine.config.environment import fill_in
from engine.errors import AlurError
from engine.run.call import CallDesk
from engine.run.compose import TemplateComposer
from engine.run.deliver import Post
from engine.run.machines import Machines
from engine.run.settings import LiveSettings, Settings, fixed
from engine.run.throttle import Gate
from engine.store import scratch, workers
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
    """A workspace, open: what entry points hand to actions. `settings`: the part of `config` that an edit changes at once."""

    root: Path
    config: Config
    engine: Engine
    clock: Clock
    machines: Machines
    templates: Templates
    adapters: Mapping[str, Adapter]
    gates: Mapping[str, Gate]
    settings: Settings
    senders: Mapping[str, str | None] = field(default_factory=dict)
    caller: Caller = field(default_factory=RecordingCaller)  # of webhooks; nothing leaves unless somebody says so

    @property
    def zone(self) -> str:
        """The time zone of people who have none of their own."""
        return self.settings().config.organisation.timezone

    @property
    def connections(self) -> int:
        """How many couriers are worth having: as many lines as the widest channel takes."""
        return max((adapter.capabilities.connections for adapter in self.adapters.values()), default=1)

    @contextmanager
    def post(self) -> Iterator[Post]:
        """What delivering needs, with this process entered as a worker until the end."""
        with self.engine.begin() as conn:
            worker = workers.register(conn, self.clock())
        composer = TemplateComposer(self.settings, self.templates, self.machines, self.senders)
        yield Post(self.engine, self.adapters, self.gates, composer, self.machines, self.clock, worker, self.settings)
        with self.engine.begin() as conn:
            workers.leave(conn, worker, self.clock())

    @property
    def calls(self) -> CallDesk:
        """What calling webhooks needs."""
        return CallDesk(self.engine, self.machines, self.caller, self.clock)

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
    settings = LiveSettings(root, config)
    return App(
        root=root,
        config=config,
        engine=engine,
        clock=clock,
        machines=Machines(config.declared, settings),
        templates=Templates(root, lambda: settings().config.organisation.locale),
        adapters={medium: adapter for medium, (adapter, _) in built.items()},
        gates={medium: Gate(channel.throttle) for medium, channel in config.channels.items()},
        settings=settings,
        senders={medium: sender for medium, (_, sender) in built.items()},
        caller=HttpCaller(partial(fill_in, environment=catalog.environment(root)), config.webhooks.allow_internal),
    )


@dataclass(frozen=True)
class Rehearsal:
    """A stage on which a workspace is played where nothing is real but the engine; see `open_rehearsal`.

    `app` is what the actions of `engine/run` take; its clock is `clock`, which its owner moves.
    """

    app: App
    clock: VirtualClock

    def anew(self, start: datetime) -> Rehearsal:
        """The same stage with nobody on it and nothing applied, its clock at `start`; takes a few ms. The old one is over: its
        `app.post()` must have been left.
        """
        scratch.empty(self.app.engine)
        clock = VirtualClock(start)
        return Rehearsal(replace(self.app, clock=clock), clock)


@contextmanager
def open_rehearsal(
    root: Path,
    start: datetime,
    config: Config | None = None,
    templates: Templates | None = None,
    keep: Keep | None = None,
) -> Iterator[Rehearsal]:
    """The workspace at `root`, on a stage: the real engine in a scratch database, under a clock that stands at `start`.

    - The database is new and empty, on the embedded server of the workspace (`.alur`), also where `database.url` is set;
      the live database is never touched. It is dropped at the end.
    - Nothing leaves: each channel records and accepts whatever it is given, at once and without throttle; `keep` is told.
      So do media that config.yaml does not set up. Webhooks are recorded as answered. Links are signed with a key that opens nothing.
    - All else is as config.yaml says. Nothing is applied yet and nobody is there: apply definitions (from files) with
      `engine.run.apply`, bring contacts and events in through `engine.run`, move `clock`, and let `engine.run.settle` do
      what is due.

    Several may be open at once, in any number of threads and processes; `config` and `templates` that were read before
    can be shared between them. Raises `WorkspaceError` for config.yaml and `DatabaseUnavailableError`.
    """
    config = _nothing_leaves(config or catalog.load_config(root))
    clock = VirtualClock(start)
    with scratch.scratch_database(root / ".alur", system_clock()) as engine:
        app = App(
            root=root,
            config=config,
            engine=engine,
            clock=clock,
            machines=Machines(config.declared, fixed(config)),
            templates=templates or Templates(root, config.organisation.locale),
            adapters={medium: RecordingAdapter(medium, keep) for medium in get_args(Medium)},
            gates={},
            settings=fixed(config),
            senders={medium: _sender(channel) for medium, channel in config.channels.items()},
        )
        yield Rehearsal(app, clock)


def _nothing_leaves(config: Config) -> Config:
    """Links signed with our own key would work at the live edge, if a rehearsed message were shown to anybody."""
    web = replace(config.web, secret_keys=("this key signs the links of rehearsals only",))
    return replace(config, web=web, database_url=None)


def _sender(channel: ChannelConfig) -> str | None:
    """The sender as config.yaml names it; a rehearsal builds no adapter that could say."""
    said = channel.options.get("from")
    return said if isinstance(said, str) else None


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
