"""The running Alur: all of its parts in one process, started together and stopped in order."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from time import monotonic
from types import FrameType

import typer
from apscheduler.schedulers.background import BackgroundScheduler

from engine.app import App, open_app
from engine.cli.logs import start_logging
from engine.errors import AlurError, DatabaseUnavailableError
from engine.flows.environment import Api, given_api
from engine.flows.send_run import PrefectWindow
from engine.flows.server import PrefectServer, kept_elsewhere
from engine.run.advance import advance
from engine.run.call import call
from engine.run.drain import Drain, Limits
from engine.run.heartbeat import duties
from engine.run.loop import Loop
from engine.store import journeys
from engine.store.embedded import start_embedded
from engine.web import create_web
from engine.web.serving import WebServer

log = logging.getLogger(__name__)

Say = Callable[[str], object]

PATIENCE = 10.0
"""Seconds from the wish to stop until the process is gone, whatever hangs (bad input C26)."""

_REST = 0.05  # seconds between two looks for work that nobody has announced
_REST_OF_CALLS = 0.25  # the same for webhooks, which nobody waits for by the tenth of a second
_LAST_WORDS = 2.0  # seconds of them for showing the last send run in Prefect


class WebFailedError(AlurError):
    """The HTTP edge has stopped by itself; the log tells more."""


def serve_all(root: Path, *, stop: Event | None = None, say: Say = typer.echo) -> None:
    """`alur run`: the HTTP edge, the heartbeat, deciding, sending, calling webhooks, and Prefect's server; until a signal, or `stop`."""
    _serve(root, everything=True, stop=stop, say=say)


def serve_work(root: Path, *, stop: Event | None = None, say: Say = typer.echo) -> None:
    """`alur work`: deciding, sending and calling webhooks only, beside an `alur run` on the same database."""
    _serve(root, everything=False, stop=stop, say=say)


def _serve(root: Path, *, everything: bool, stop: Event | None, say: Say) -> None:
    stop = stop or _on_signals()
    log_file = start_logging(root / ".alur" / "logs", "alur" if everything else "work")
    parts: _Parts | None = None
    with ExitStack() as open_things:
        app = open_app(root)
        open_things.callback(app.close)
        parts = _Parts(app, everything=everything)
        parts.start()
        for line in parts.lines(log_file):
            say(line)
        trouble = parts.watch(stop)
        say("Stopping: what is on the wire is finished first (Ctrl-C again ends at once)")
        if not parts.stop(monotonic() + PATIENCE):
            _end_by_force("Not everything could be finished in time. What hangs is settled by the next start.")
        say("Stopped.")
    if trouble is not None:
        raise trouble


class _Parts:
    """What runs. Everything is a thread or a process of its own; only `watch` waits."""

    def __init__(self, app: App, *, everything: bool) -> None:
        self._app, self._everything = app, everything
        logs = app.root / ".alur" / "logs"
        self._deciding = Loop("deciding", self._decide, _REST)
        self._sending = Loop("sending", self._send, _REST)
        self._calling = Loop("calling", self._call, _REST_OF_CALLS)
        self._database = Loop("database", self._look_after_database, 2.0)
        self._web = self._web_server() if everything else None
        self._duties = duties(app) if everything else ()
        self._scheduler = BackgroundScheduler(timezone="UTC")
        prefect = app.config.prefect
        own = everything and prefect.enabled and prefect.api_url is None
        self._prefect = PrefectServer(app.root / ".alur", logs / "prefect.log") if own else None
        self._given_api: Api | None = None
        if prefect.enabled and prefect.api_url is not None:
            self._given_api = given_api(app.root / ".alur" / "prefect", prefect.api_url)
        self._window: PrefectWindow | None = None
        if prefect.enabled:
            self._window = PrefectWindow(app.engine, app.clock, self._find_prefect, logs / "prefect.log")
        self._post = app.post()
        self._drain = Drain(self._post.__enter__(), app.connections, self._window)

    def _web_server(self) -> WebServer:
        web = self._app.config.web
        return WebServer(create_web(self._app), web.host, web.port, posted=self._deciding.wake)

    def _find_prefect(self) -> Api | None:
        if self._prefect is not None:
            return self._prefect.api
        return self._given_api or kept_elsewhere(self._app.root / ".alur")

    def start(self) -> None:
        if self._prefect is not None:
            self._prefect.start()
        if self._web is not None:
            self._web.start()
        for loop in (self._deciding, self._sending, self._calling, self._database):
            loop.start()
        for duty in self._duties:
            self._scheduler.add_job(duty.beat)  # once now: what a killed process left behind should not wait
            every = duty.beats.total_seconds()
            self._scheduler.add_job(
                duty.beat, "interval", seconds=every, max_instances=1, coalesce=True, misfire_grace_time=None
            )
        self._scheduler.start()

    def lines(self, log_file: Path) -> list[str]:
        """What listens where."""
        config = self._app.config
        with self._app.engine.connect() as conn:
            live = sorted(journey.name for journey in journeys.all_applied(conn) if journey.state == "live")
        what = "runs" if self._everything else "works on"
        lines = [f"Alur {what} {self._app.root}"]
        lines.append(f"  journeys    {', '.join(live) or 'none is applied yet: `alur apply`'}")
        lines.append(f"  channels    {', '.join(f'{medium}: {c.adapter}' for medium, c in config.channels.items())}")
        if self._web is not None:
            lines.append(
                f"  events in   http://{config.web.host}:{self._web.port}/v1  (its pages: /docs, /healthz, /readyz)"
            )
        api = self._find_prefect() if config.prefect.enabled else None
        if api is not None:
            note = "  (comes up in some seconds)" if self._prefect is not None else ""
            lines.append(f"  send runs   {api.url.removesuffix('/api')}{note}")
        lines.append(f"  log         {log_file}")
        lines.append("Ctrl-C stops it.")
        return lines

    # --- the work of the loops ---

    def _decide(self) -> bool:
        app = self._app
        advanced = advance(app.engine, app.machines, app.zone, app.clock())
        if advanced.planned:
            self._sending.wake()
        return advanced.contacts > 0

    def _send(self) -> bool:
        if not self._drain.any_due():
            return False
        counts = self._drain.run(Limits(), self._sending.stopping, self._sending.wait)
        log.info("a send run has ended: %s", dict(counts.by_state))
        return True

    def _call(self) -> bool:
        desk = self._app.calls
        if not desk.any_due():
            return False
        called = call(desk, self._calling.stopping)
        self._deciding.wake()
        return called > 0

    def _look_after_database(self) -> bool:
        """The embedded server is ours to start again, should it die under us."""
        try:
            with self._app.engine.connect():
                return False
        except DatabaseUnavailableError:
            if self._app.config.database_url is None:
                start_embedded(self._app.root / ".alur" / "postgres")
            raise

    # --- the end ---

    def watch(self, stop: Event) -> AlurError | None:
        """Wait for the wish to stop, or for the edge to fail."""
        while not stop.wait(1.0):
            if self._web is not None and not self._web.lives:
                return WebFailedError("the HTTP edge has stopped by itself; see .alur/logs/alur.log")
        return None

    def stop(self, deadline: float) -> bool:
        """Take nothing new, finish what is begun, give back the rest; False when something still hangs at the deadline."""

        def left(keep: float = 0.0) -> float:
            return max(0.0, deadline - keep - monotonic())

        if self._web is not None:
            self._web.stop()
        self._scheduler.shutdown(wait=False)
        for loop in (self._deciding, self._sending, self._calling, self._database):
            loop.stop()
        self._drain.stop()
        done = self._sending.join(left(keep=_LAST_WORDS + 1))
        if done:
            self._drain.close()
        if self._window is not None:
            self._window.close(min(_LAST_WORDS, left(keep=1)))
        if self._prefect is not None:
            self._prefect.stop(min(1.0, left(keep=0.5)))
        done &= self._deciding.join(left()) & self._calling.join(left()) & self._database.join(left())
        if self._web is not None:
            done &= self._web.join(left())
        done &= all(duty.rests(left()) for duty in self._duties)
        if done:
            self._leave()
        return done

    def _leave(self) -> None:
        try:
            self._post.__exit__(None, None, None)
        except DatabaseUnavailableError as error:  # others see by its process that this worker is gone
            log.warning("the end could not be written down: %s", error)


def _on_signals() -> Event:
    """An event that SIGTERM, SIGINT and SIGHUP set; a second one of them ends the process at once."""
    stop = Event()

    def note(number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            _end_by_force("Ended at once. What was on the wire is settled by the next start.", 128 + number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup means it
            signal.signal(number, note)
    return stop


def _end_by_force(message: str, code: int = 1) -> None:
    sys.stderr.write(f"{message}\n")
    logging.shutdown()
    sys.stderr.flush()
    sys.stdout.flush()
    os._exit(code)
