"""Delivering in tests: a town whose sends go out over scripted channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import insert, select, text

from channels.base import Adapter
from engine.config import Config, Organisation, Web
from engine.run import outbox
from engine.run.compose import TemplateComposer
from engine.run.deliver import GROUP, Counts, Courier, Post
from engine.run.settings import Standing
from engine.run.throttle import Gate
from engine.store import workers
from engine.store.sends import Claimed
from engine.tables import consent, send
from engine.templates import Templates
from tests.integration.run.town import ZONE, Town

CONFIG = Config(
    organisation=Organisation("Toko Nada", "Jl. Sabang 1, Jakarta", ZONE, "id", "ID"),
    channels={},
    web=Web(public_url="https://nada.example.com", secret_keys=("a key of thirty-two characters..",)),
)


HELLO = """
    journey: hello
    topic: offers
    trigger: {event: signed_up}
    exit: [{event: left_us}]
    steps:
      - {send: hello, via: [sms]}
      - wait: 1h
"""
"""One message, then a wait; whoever does `left_us` leaves."""


@dataclass
class PostOffice:
    """`texts` are SMS templates by name; every one of them reads well in plain text."""

    town: Town
    root: Path
    adapters: Mapping[str, Adapter]
    texts: Mapping[str, str] = field(default_factory=dict)
    gates: Mapping[str, Gate] = field(default_factory=dict)
    standing: Standing = field(default_factory=lambda: Standing(CONFIG, "the hash of config.yaml"))

    def __post_init__(self) -> None:
        folder = self.root / "templates" / "sms"
        folder.mkdir(parents=True, exist_ok=True)
        for name, body in {"hello": "Halo {{ contact.first_name }}", **self.texts}.items():
            (folder / f"{name}.txt").write_text(body)
        with self.town.engine.begin() as conn:
            self.worker = workers.register(conn, self.town.now)
        composer = TemplateComposer(lambda: self.standing, Templates(self.root, "id"), self.town.machines, {})
        self.post = Post(
            self.town.engine,
            self.adapters,
            self.gates,
            composer,
            self.town.machines,
            lambda: self.town.now,
            self.worker,
            lambda: self.standing,
        )
        self.courier = Courier(self.post)

    def consents(self, person: int, *topics: str, channel: str = "sms", given: bool = True) -> None:
        with self.town.engine.begin() as conn:
            for topic in topics:
                row = {
                    "contact_id": person,
                    "topic": topic,
                    "channel": channel,
                    "given": given,
                    "at": self.town.now,
                    "source": "test",
                }
                conn.execute(insert(consent).values(row))

    def claim(self, most: int = GROUP) -> list[Claimed]:
        with self.town.engine.begin() as conn:
            return outbox.claim(conn, self.post, None, most).claimed

    def deliver(self) -> Counts:
        """Deliver all that is due, group by group."""
        total = Counts()
        while group := self.claim():
            counts = self.courier.deliver(group)
            total = total.plus(counts)
            if not counts.total:
                break
        return total

    def states(self) -> list[tuple[str, str | None]]:
        with self.town.engine.connect() as conn:
            return [
                (row.state, row.reason) for row in conn.execute(select(send.c.state, send.c.reason).order_by(send.c.id))
            ]

    def lapse_leases(self) -> None:
        """As if a minute of the database's clock had passed."""
        with self.town.engine.begin() as conn:
            conn.execute(
                text(
                    "UPDATE send SET lease_until = clock_timestamp() - interval '1 second' WHERE lease_until IS NOT NULL"
                )
            )


def sign_up(office: PostOffice, count: int = 1) -> list[int]:
    """People who may be written to and have just signed up; their journeys have begun."""
    people = []
    for number in range(count):
        person = office.town.person(f"p{number}", phone=f"+628120000{number:04d}", first_name=f"Ani{number}")
        office.consents(person, "offers")
        office.town.does(person, "signed_up")
        people.append(person)
    office.town.settle()
    return people
