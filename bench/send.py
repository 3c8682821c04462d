"""The durable send path against bare smtplib: due enrollments -> decisions -> intents -> mails of 40 kB at an SMTP sink.

    python bench/send.py [--people 20000] [--rounds 3]

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
from dataclasses import replace
from pathlib import Path
from time import sleep

from metering import Measured, metered
from stand import NOW, make_workspace, open_fresh, prepare

from channels.base import Accepted, Capabilities, EmailMessage, Message, Receipt
from engine.app import App, VirtualClock
from engine.run.advance import advance
from engine.run.deliver import Post
from engine.run.drain import Drain, Limits

THREADS = 4


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument(
        "--people", type=int, default=20_000, help="due enrollments of the large run (default 20000)"
    )
    arguments.add_argument("--rounds", type=int, default=3, help="turns of each; the best counts (default 3)")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="alur-bench-") as folder, sink() as port:
        workspace = make_workspace(Path(folder) / "workspace", port, THREADS)
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


if __name__ == "__main__":
    main()
