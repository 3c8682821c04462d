"""A shop with one journey, whose sends are drained under a window."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select

from engine.flows.environment import Api
from engine.flows.send_run import PrefectWindow
from engine.run.drain import SLICE_SECONDS, Drain, Limits, Window
from engine.store import holds
from engine.tables import send_run
from tests.integration.run.post_office import PostOffice
from tests.integration.run.town import Town
from tests.scripted_channel import Provider, ScriptedAdapter

ONCE = Limits(idle_seconds=0)
HELLO = """
    journey: hello
    topic: offers
    trigger: {event: signed_up}
    steps:
      - {send: hello, via: [sms]}
"""


@dataclass
class Shop:
    """`provider` has the log of what went out."""

    town: Town
    folder: Path
    provider: Provider = field(default_factory=Provider)
    windows: list[PrefectWindow] = field(default_factory=list)
    drains: list[Drain] = field(default_factory=list)
    people: int = 0
    api: Api | None = None

    def __post_init__(self) -> None:
        self.town.apply(HELLO)
        self.adapter = ScriptedAdapter(self.provider)
        self.office = PostOffice(self.town, self.folder, {"sms": self.adapter})

    def sign_up(self, count: int) -> None:
        """New people, each with one message due."""
        for number in range(self.people, self.people + count):
            person = self.town.person(f"p{number}", phone=f"+62812000{number:05d}", first_name=f"Ani{number}")
            self.office.consents(person, "offers")
            self.town.does(person, "signed_up")
        self.people += count
        self.town.settle()

    def window(self, api: Api | None) -> PrefectWindow:
        """A window on this Prefect, or on the one that `api` is set to later."""
        self.api = api
        new = PrefectWindow(self.town.engine, lambda: self.town.now, lambda: self.api, self.folder / "window.log")
        self.windows.append(new)
        return new

    def drain(self, window: Window | None = None, slice_seconds: float = SLICE_SECONDS) -> Drain:
        self.drains.append(Drain(self.office.post, 2, window, slice_seconds))
        return self.drains[-1]

    def close(self) -> None:
        for drain in self.drains:
            drain.close()
        for open_window in self.windows:
            open_window.close(0)

    def runs(self) -> list[Any]:
        with self.town.engine.connect() as conn:
            return list(conn.execute(select(send_run).order_by(send_run.c.id)))

    def flow_run_id(self, run_id: int) -> str | None:
        """Prefect's id of a send run, once it has one."""
        return next((run.flow_run_id for run in self.runs() if run.id == run_id), None)

    def held(self) -> list[str]:
        """The send runs that are held."""
        with self.town.engine.connect() as conn:
            return [hold.name for hold in holds.standing(conn) if hold.scope == "run"]

    def everybody_once(self) -> bool:
        """Whether everybody has got exactly one message."""
        return sorted(request.send_id for request in self.provider.taken()) == list(range(1, self.people + 1))
