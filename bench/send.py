"""The durable send path against bare smtplib: due enrollments -> decisions -> intents -> mails of 40 kB at an SMTP sink.

    python -m bench.send [--people 20000] [--rounds 3]

Needs `smtp-sink` (Debian: postfix). Everything stays on this machine: embedded PostgreSQL, the sink on 127.0.0.1.
"""

from __future__ import annotations

import argparse
import os
import shutil
import smtplib
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep

import psutil
from sqlalchemy import text

from channels.base import Accepted, Capabilities, EmailMessage, Message, Receipt
from engine.app import App, VirtualClock, open_app
from engine.catalog import load
from engine.run.advance import advance
from engine.run.apply import apply
from engine.run.deliver import Post
from engine.run.drain import Drain, Limits

THREADS = 4
NOW = datetime(2026, 3, 1, 2, tzinfo=UTC)
JOURNEY = """journey: bench
topic: offers
trigger: {event: bench_started}
steps:
  - wait: 1h
  - {send: page, via: email}
"""
SENTENCE = "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore. "


@dataclass(frozen=True)
class Measured:
    """One run: mails, seconds of wall clock, CPU seconds of ourselves, our threads and the database."""

    mails: int
    seconds: float
    cpu: float

    @property
    def rate(self) -> float:
        return self.mails / self.seconds

    @property
    def cpu_per_1000(self) -> float:
        return 1000 * self.cpu / self.mails


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument(
        "--people", type=int, default=20_000, help="due enrollments of the large run (default 20000)"
    )
    arguments.add_argument("--rounds", type=int, default=3, help="turns of each; the best counts (default 3)")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="alur-bench-") as folder, sink() as port:
        workspace = make_workspace(Path(folder) / "workspace", port)
        mail = sample_mail(workspace)
        print(f"one mail: {len(mail):,} bytes; sink on 127.0.0.1:{port}; {THREADS} threads", flush=True)
        small = max(1000, given.people // 10)
        bare: list[Measured] = []
        large: list[Measured] = []
        for turn in range(given.rounds):
            bare.append(run_bare(port, mail, given.people // 2))
            report(f"bare smtplib, turn {turn + 1}", bare[-1])
            large.append(run_alur(workspace, given.people))
            report(f"alur {given.people:,}, turn {turn + 1}", large[-1])
        few = [run_alur(workspace, small) for _ in range(given.rounds)]
        for turn, measured in enumerate(few):
            report(f"alur {small:,}, turn {turn + 1}", measured)
    best_bare, best = max(bare, key=lambda m: m.rate), max(large, key=lambda m: m.rate)
    cpu_few, cpu_many = min(m.cpu_per_1000 for m in few), min(m.cpu_per_1000 for m in large)
    print(
        f"\nratio to bare smtplib: {best.rate / best_bare.rate:.2f} ({best.rate:,.0f} of {best_bare.rate:,.0f} mails/s)"
    )
    print(
        f"CPU s per 1,000 mails: {cpu_few:.2f} at {small:,}, {cpu_many:.2f} at {given.people:,} ({cpu_many / cpu_few - 1:+.0%})"
    )


def report(name: str, measured: Measured) -> None:
    print(f"{name:32} {measured.rate:8,.0f} mails/s {measured.cpu_per_1000:6.2f} CPU s per 1,000", flush=True)


# --- the sink and the baseline ----------------------------------------------------------------------------------------


@contextmanager
def sink() -> Iterator[int]:
    """Postfix's smtp-sink on a free port of this machine, stopped at the end by its own id."""
    program = shutil.which("smtp-sink") or shutil.which("smtp-sink", path="/usr/sbin")
    if program is None:
        sys.exit("bench: smtp-sink is missing (Debian: apt-get install postfix)")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = subprocess.Popen([program, *user, f"127.0.0.1:{port}", "256"], stdout=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait()


def run_bare(port: int, mail: bytes, count: int) -> Measured:
    """The same bytes by smtplib over kept connections, no database."""
    text_ = mail.decode("ascii")

    def send(share: int) -> None:
        with smtplib.SMTP("127.0.0.1", port) as line:
            for _ in range(share):
                line.sendmail("from@example.com", ["to@example.com"], text_)

    with ThreadPoolExecutor(THREADS) as pool, metered() as meter:
        list(pool.map(send, [count // THREADS] * THREADS))
    return meter.measured(count // THREADS * THREADS)


# --- alur -------------------------------------------------------------------------------------------------------------


def make_workspace(root: Path, port: int) -> Path:
    """A workspace with one journey and one page of about 40 kB."""
    for folder in ("journeys", "segments", "templates/email"):
        (root / folder).mkdir(parents=True)
    (root / ".env").write_text("KEY=a-key-of-thirty-two-characters--\n")
    (root / "config.yaml").write_text(
        "organisation: {name: Bench, postal_address: 'Jl. Sabang 1, Jakarta', timezone: Asia/Jakarta, locale: en}\n"
        "web: {public_url: 'https://bench.example.com', secret_keys: ['${KEY}']}\n"
        "topics: [offers]\n"
        "channels:\n"
        f"  email: {{adapter: smtp, host: 127.0.0.1, port: {port}, security: none, from: shop@example.com, connections: {THREADS}}}\n"
    )
    (root / "journeys" / "bench.yaml").write_text(JOURNEY)
    texts = "".join(f"<mj-text>{SENTENCE * 3}</mj-text>" for _ in range(56))
    (root / "templates" / "email" / "page.mjml").write_text(
        "---\nsubject: 'Hello {{ contact.first_name }}'\npreheader: A page\n---\n"
        "<mjml><mj-head><mj-attributes><mj-all font-family='Arial, sans-serif' /></mj-attributes></mj-head><mj-body>"
        "<mj-section><mj-column><mj-text>Dear {{ contact.first_name }}, {{ contact.city }}</mj-text>"
        f"{texts}<mj-button href='https://bench.example.com/'>Look</mj-button>"
        "<mj-text>{{ organisation.postal_address }} <a href='{{ unsubscribe_url }}'>unsubscribe</a></mj-text>"
        "</mj-column></mj-section></mj-body></mjml>\n"
    )
    (root / "templates" / "email" / "page.txt").write_text("Dear {{ contact.first_name }}\n\n{{ unsubscribe_url }}\n")
    return root


class Keeper:
    """A channel that keeps what it is given, to see the bytes of one mail."""

    capabilities = Capabilities(media=frozenset({"email"}), connections=1)

    def __init__(self) -> None:
        self.mails: list[bytes] = []

    def connect(self) -> Keeper:
        return self

    def send(self, messages: Sequence[Message]) -> Iterator[Receipt]:
        for message in messages:
            assert isinstance(message, EmailMessage)
            self.mails.append(message.data)
            yield Accepted("kept")

    def close(self) -> None:
        """Nothing is open."""


def sample_mail(root: Path) -> bytes:
    """The bytes of one mail of the workspace, for the baseline to send; everything is warm afterwards."""
    keeper = Keeper()
    app = replace(open_fresh(root, VirtualClock(NOW)), adapters={"email": keeper})
    try:
        prepare(app, 1)
        with app.post() as post:
            deliver(app, post)
        return keeper.mails[0]
    finally:
        app.close()


def open_fresh(root: Path, clock: VirtualClock) -> App:
    app = open_app(root, clock)
    with app.engine.begin() as conn:
        tables = "contact, identity, consent, event, enrollment, signal, trace, send, attempt, send_run, journey, journey_version"
        conn.execute(text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
    app.templates.problems()  # compiled once per template version, not per mail
    catalog = load(root)
    assert not catalog.problems, catalog.problems
    apply(app.engine, catalog.definitions, app.zone, clock(), by="bench")
    return app


def prepare(app: App, people: int) -> None:
    """People with consent who wait on the journey's first step, each with a timer that is due now."""
    with app.engine.begin() as conn:
        given = {"n": people, "now": app.clock()}
        conn.execute(
            text("""INSERT INTO contact (user_id, email, traits, created_at, updated_at)
                    SELECT 'u' || n, 'u' || n || '@example.com', jsonb_build_object('first_name', 'Ani ' || n, 'city', 'Jakarta'), :now, :now
                    FROM generate_series(1, :n) n"""),
            given,
        )
        conn.execute(
            text("""INSERT INTO consent (contact_id, topic, channel, given, at, source)
                    SELECT id, 'offers', 'email', true, :now, 'bench' FROM contact"""),
            given,
        )
        conn.execute(
            text("""INSERT INTO enrollment (journey, version_id, contact_id, state, step, visit, entered_at, enrolled_at, arrived_at, due_at)
                    SELECT 'bench', (SELECT version_id FROM journey), id, 'active', 'steps.0', 1, :now, :now, :now, :now FROM contact"""),
            given,
        )
        conn.execute(
            text("""INSERT INTO signal (contact_id, enrollment_id, journey, kind, at, visit)
                    SELECT contact_id, id, 'bench', 'timer', :now, 1 FROM enrollment"""),
            given,
        )
    with app.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text("VACUUM ANALYZE contact, consent, enrollment, signal, send"))


def deliver(app: App, post: Post) -> int:
    while advance(app.engine, app.machines, app.zone, app.clock()).contacts:
        pass
    drain = Drain(post, app.connections)
    counts = drain.run(Limits(idle_seconds=0), lambda: False, sleep)
    drain.close()
    while advance(app.engine, app.machines, app.zone, app.clock()).contacts:
        pass
    return counts.by_state.get("accepted", 0)


def run_alur(root: Path, people: int) -> Measured:
    """All that is due: claim, decide, plan, claim, consent, render, MIME, SMTP, record, and on to the journey's end."""
    app = open_fresh(root, VirtualClock(NOW))
    try:
        prepare(app, people)
        with app.post() as post, metered(app.root / ".alur") as meter:
            accepted = deliver(app, post)
        if accepted != people:
            sys.exit(f"bench: {accepted} of {people} mails were accepted")
        return meter.measured(people)
    finally:
        app.close()


# --- measuring --------------------------------------------------------------------------------------------------------


class Meter:
    """Wall clock and CPU of this process and of the database that works for it."""

    def __init__(self, database: Path | None) -> None:
        self._server = _server(database) if database is not None else None
        self._wall, self._cpu = monotonic(), self._now()

    def stop(self) -> None:
        self._seconds, self._spent = monotonic() - self._wall, self._now() - self._cpu

    def measured(self, mails: int) -> Measured:
        return Measured(mails, self._seconds, self._spent)

    def _now(self) -> float:
        own = sum(psutil.Process().cpu_times()[:2])
        if self._server is None:
            return own
        total = 0.0
        for process in [self._server, *self._server.children(recursive=True)]:
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system
        times = self._server.cpu_times()
        return own + total + times.children_user + times.children_system


def _server(folder: Path) -> psutil.Process:
    pid_file = next(folder.rglob("postmaster.pid"))
    return psutil.Process(int(pid_file.read_text().splitlines()[0]))


@contextmanager
def metered(database: Path | None = None) -> Iterator[Meter]:
    meter = Meter(database)
    yield meter
    meter.stop()


if __name__ == "__main__":
    main()
