"""A running Alur in a process of its own, that can be stopped, killed and started again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

import psutil
import requests
from sqlalchemy import Engine, text

from engine.app import system_clock
from engine.catalog import load
from engine.run.apply import apply
from tests.integration.send_runs.ui import eventually

ALUR = Path(sys.executable).parent / "alur"
KEY = "shop-key-0123456789"

CONFIG = """
    organisation: {{name: Toko Alur, postal_address: "Jl. Kopi 1, Jakarta", timezone: Asia/Jakarta, locale: en, country: ID}}
    database: {{url: "${{DATABASE_URL}}"}}
    web:
      port: {port}
      secret_keys: ["${{SECRET_KEY}}"]
      write_keys: {{shop: {{key: "${{SHOP_KEY}}", scope: server}}}}
    channels:
      email: {{adapter: smtp, host: 127.0.0.1, port: {smtp}, security: none, from: halo@toko.example, connections: 4{more}}}
    topics: [offers]
    contacts: {{fields: {{first_name: text}}}}
    prefect: {{enabled: {prefect}}}
    webhooks: {{allow_internal: [127.0.0.1/32]}}
"""
JOURNEY = """
    journey: welcome
    topic: offers
    trigger: {event: signed_up}
    steps:
      - {id: hello, send: hello, via: email}
"""
MAIL = """
    ---
    subject: Hello {{ contact.first_name }}
    ---
    <mjml><mj-head><mj-attributes><mj-all font-family="Arial" /></mj-attributes></mj-head><mj-body><mj-section><mj-column>
    <mj-text>Hello {{ contact.first_name }}. {{ organisation.postal_address }} <a href="{{ unsubscribe_url }}">unsubscribe</a></mj-text>
    </mj-column></mj-section></mj-body></mjml>
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Running:
    """`smtp` is the port of the mail server; `more` further options of the channel."""

    root: Path
    database: Engine
    smtp: int
    more: str = ""
    prefect: bool = False
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[str] | None = None

    def __post_init__(self) -> None:
        url = self.database.url.render_as_string(hide_password=False)
        self.write(".env", f"DATABASE_URL={url}\nSECRET_KEY={'s' * 40}\nSHOP_KEY={KEY}\n")
        self.configure()
        self.write("templates/email/hello.mjml", MAIL)
        self.apply("welcome", JOURNEY)

    def apply(self, name: str, journey: str) -> None:
        """The journey, beside those that are there."""
        self.write(f"journeys/{name}.yaml", journey)
        catalog = load(self.root)
        assert not catalog.problems, catalog.problems
        apply(self.database, catalog.definitions, "Asia/Jakarta", system_clock(), by="test")

    def configure(self) -> None:
        more = f", {self.more}" if self.more else ""
        prefect = str(self.prefect).lower()
        self.write("config.yaml", CONFIG.format(port=self.port, smtp=self.smtp, more=more, prefect=prefect))

    def write(self, name: str, content: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(content).lstrip("\n"))

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command that ends by itself."""
        return subprocess.run(
            [ALUR, *arguments], cwd=self.root, capture_output=True, text=True, timeout=60, check=False
        )

    def start(self, command: str = "run") -> None:
        """Start it, and wait until it is ready."""
        with (self.root / "out").open("w") as out:
            self.process = subprocess.Popen(
                [ALUR, command], cwd=self.root, stdout=out, stderr=subprocess.STDOUT, text=True, start_new_session=True
            )
        if command == "run":
            eventually(self.ready, 40)

    def ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.said()
        try:
            return self._session().get(f"http://127.0.0.1:{self.port}/readyz", timeout=5).ok
        except requests.ConnectionError:
            return False

    def said(self) -> str:
        return (self.root / "out").read_text()

    def tell(self, number: int) -> None:
        """Send it a signal."""
        assert self.process is not None
        os.kill(self.process.pid, number)

    def ended(self, seconds: float = 15.0) -> int:
        """Its exit code, once it has ended."""
        assert self.process is not None
        return self.process.wait(seconds)

    def children(self) -> list[psutil.Process]:
        assert self.process is not None
        return list(psutil.Process(self.process.pid).children(recursive=True))

    def sign_up(self, first: int, count: int) -> None:
        """People who have said yes, and the event that starts the journey for them; in batches, over HTTP."""
        for start in range(first, first + count, 100):
            batch: list[dict[str, Any]] = []
            for number in range(start, min(start + 100, first + count)):
                who, traits = (
                    f"u{number}",
                    {"email": f"u{number}@example.com", "first_name": f"Ani{number}", "consent": ["offers"]},
                )
                batch.append({"type": "identify", "userId": who, "messageId": f"i{number}", "traits": traits})
                batch.append({"type": "track", "userId": who, "messageId": f"t{number}", "event": "signed_up"})
            answer = self._session().post(
                f"http://127.0.0.1:{self.port}/v1/batch", json={"batch": batch}, auth=(KEY, ""), timeout=30
            )
            assert answer.json() == {"success": True}, answer.text

    def _session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        return session

    def states(self) -> dict[str, int]:
        """Sends by state."""
        with self.database.connect() as conn:
            return {row[0]: row[1] for row in conn.execute(text("SELECT state, count(*) FROM send GROUP BY 1"))}

    def settled(self, count: int) -> bool:
        """Whether so many sends have ended."""
        states = self.states()
        return sum(states.values()) == count and not states.keys() & {"planned", "sending"}

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
