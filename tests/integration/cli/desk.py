"""A workspace for tests of the command line: small journeys, a database of its own, a clock moved by hand."""

from __future__ import annotations

import io
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from textwrap import dedent
from typing import Any

from engine.app import App, VirtualClock, open_app, system_clock
from engine.cli.program import run_program
from engine.run.drain import Drain
from engine.run.incoming import Incoming
from engine.run.ingest import ingest
from engine.run.settle import settle

ALUR = Path(sys.executable).parent / "alur"
HEAVY = {"sqlalchemy", "psycopg", "alembic", "fastapi", "uvicorn", "prefect", "apscheduler"}
"""What work on files alone must not load: the database, the web, Prefect."""
CONFIG = """
    organisation: {name: Toko Alur, postal_address: "Jl. Kopi 1, Jakarta", timezone: Asia/Jakarta, locale: id, country: ID}
    database: {url: "${DATABASE_URL}"}
    web:
      secret_keys: ["${SECRET_KEY}"]
      write_keys: {shop: {key: "${SHOP_KEY}", scope: server}}
    channels: {sms: {adapter: file}}
    topics: [offers, tips]
    contacts: {fields: {points: number, first_name: text}}
"""
WELCOME = """
    journey: welcome
    topic: offers
    trigger: {event: signed_up, where: {event.plan: {exists: true}}}
    exit:
      - {event: account_closed, reason: left}
    goal: {event: order_completed, within: 7d}
    steps:
      - {id: hello, send: hello, via: sms}
      - wait: 1d
      - {id: again, send: hello, via: sms}
"""
VIP = """
    segment: vip
    description: Many points.
    where: {contact.points: {gte: 100}}
"""
HELLO = "Halo {{ contact.first_name }}, selamat datang.\n"


@dataclass(frozen=True)
class Done:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.out, self.err
        return json.loads(self.out)


@dataclass
class Desk:
    """Commands run in the process of the test, except by `process`."""

    root: Path
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(system_clock()))  # commands have the real one
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @classmethod
    def at(cls, root: Path, database_url: str) -> Desk:
        """A workspace with one journey and one segment, on this database."""
        desk = cls(root)
        secrets = {"DATABASE_URL": database_url, "SECRET_KEY": "s" * 40, "SHOP_KEY": "shop-key-0123456789"}
        desk.write(".env", "".join(f"{name}={value}\n" for name, value in secrets.items()))
        desk.write("config.yaml", CONFIG)
        desk.write("journeys/welcome.yaml", WELCOME)
        desk.write("segments/vip.yaml", VIP)
        desk.write("templates/sms/hello.txt", HELLO)
        return desk

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip("\n"))
        return path

    def alur(self, *arguments: str) -> Done:
        """The command in this workspace; nobody sits at a terminal."""
        return call(*arguments, "--workspace", str(self.root))

    def process(self, *arguments: str, **environment: str) -> Done:
        """The installed program, in a process of its own."""
        return start(*arguments, "--workspace", str(self.root), **environment)

    # --- the town's life ---

    @contextmanager
    def app(self) -> Iterator[App]:
        app = open_app(self.root, self.clock)
        try:
            yield app
        finally:
            app.close()

    def takes(self, *messages: dict[str, Any]) -> None:
        """Events arrive."""
        with self.app() as app:
            said = [Incoming({"messageId": f"m{next(self._ids)}", **message}, "shop") for message in messages]
            result = ingest(app.engine, app.config, said, self.clock())
            assert (result.stored, result.dead) == (len(messages), 0)

    def settles(self, **later: float) -> None:
        """After this time, everything that is due is decided and sent."""
        self.clock.move_to(self.clock() + timedelta(**later))
        with self.app() as app, app.post() as post:
            drain = Drain(post, 1)
            with drain.opened() as run:
                settle(app, run)
            drain.close()


def identify(user_id: str, **traits: Any) -> dict[str, Any]:
    return {"type": "identify", "userId": user_id, "traits": traits}


def track(event: str, user_id: str, **properties: Any) -> dict[str, Any]:
    return {"type": "track", "userId": user_id, "event": event, "properties": properties}


def call(*arguments: str) -> Done:
    """A command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            run_program(arguments)
        except SystemExit as end:
            code = end.code
    assert isinstance(code, int)
    return Done(code, out.getvalue(), err.getvalue())


def start(*arguments: str, cwd: Path | None = None, **environment: str) -> Done:
    """The installed program, in a process of its own."""
    done = subprocess.run(
        [str(ALUR), *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def modules(*arguments: str) -> set[str]:
    """The modules that a process has loaded once the command has ended well."""
    check = f"""
import sys
from engine.cli.program import run_program
try:
    run_program({arguments!r})
except SystemExit as end:
    assert not end.code, end.code
print()
print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.splitlines()[-1].split())
