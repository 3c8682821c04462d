"""Writes the page to look at: one file without scripts or anything from elsewhere, in light and dark."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from engine.demo.figures import Figures, JourneyFigures
from engine.demo.specimens import Specimen, read_specimens
from engine.demo.stage import Stage
from engine.demo.tale import tell_tale
from engine.draw import svg
from engine.journey.machine import Machine, compile_journey
from engine.run.why import because

if TYPE_CHECKING:
    from engine.demo.play import Played

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
"""Nothing runs and nothing is fetched, whatever a name or a mail holds (S24)."""

_HEAD = re.compile(r"<head[^>]*>", re.IGNORECASE)
_COLOURS: Final = (
    ("#be123c", "#fb7185"), ("#b45309", "#fbbf24"), ("#0e7490", "#22d3ee"), ("#4f46e5", "#818cf8"), ("#047857", "#34d399"),
    ("#a21caf", "#e879f9"), ("#475569", "#94a3b8"),
)  # fmt: skip
"""By day and in the dark."""


@dataclass(frozen=True)
class Chapter:
    """One journey: what it is, what came of it, and what it sent. `glow` is its colour in the dark."""

    name: str
    title: str
    description: str
    colour: str
    glow: str
    figures: JourneyFigures
    picture: Markup
    source: str
    specimens: Sequence[Specimen]

    @property
    def lines(self) -> int:
        return len(self.source.splitlines())


@dataclass(frozen=True)
class Bar:
    """One week: the day it begins and its messages by journey."""

    first: date
    parts: Sequence[tuple[str, int]]

    @property
    def total(self) -> int:
        return sum(number for _, number in self.parts)


def write_page(stage: Stage, played: Played, commands: Sequence[tuple[str, str]], flow_runs: int | None) -> Path:
    """Write `index.html` into the workspace's folder, and each mail on it as a page of its own; gives its path."""
    root, zone = stage.app.root, ZoneInfo(stage.app.zone)
    chapters = _chapters(stage, played)
    shown = [specimen for chapter in chapters for specimen in chapter.specimens if specimen.channel == "email"]
    _write_mails(root / "look", shown)
    first = played.start.astimezone(zone).date()
    values = {
        "policy": POLICY,
        "organisation": stage.app.config.organisation.name,
        "played": played,
        "figures": played.figures,
        "first": first,
        "last": (played.end - timedelta(seconds=1)).astimezone(zone).date(),
        "chapters": chapters,
        "covers": _covers(shown),
        "bars": _bars(first, played.figures, [chapter.name for chapter in chapters]),
        "flow_runs": flow_runs,
        "tale": tell_tale(stage, played),
        "commands": commands,
    }
    page = root / "index.html"
    page.write_text(_environment().get_template("index.html").render(values), encoding="utf-8")
    return page


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("engine.demo", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"day": _day, "short": _short, "because": because}
    return environment


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def _short(day: date) -> str:
    return f"{day.day} {day:%b}"


def _write_mails(folder: Path, mails: Sequence[Specimen]) -> None:
    """Each mail as it was sent, with the policy of the page: a mail program would run nothing either."""
    folder.mkdir(exist_ok=True)
    policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    for mail in mails:
        guarded = _HEAD.sub(lambda head: head[0] + policy, mail.body, count=1)
        (folder / f"{mail.template}.{mail.locale}.html").write_text(guarded, encoding="utf-8")


# --- what stands on it ------------------------------------------------------------------------------------------------


def _chapters(stage: Stage, played: Played) -> list[Chapter]:
    """The journeys by name, with everything about each."""
    files = stage.definitions.journeys
    machines = {name: compile_journey(file.journey) for name, file in sorted(files.items())}
    with stage.app.engine.connect() as conn:
        specimens = read_specimens(conn, stage, machines)
    numbers = {figures.journey: figures for figures in played.figures.journeys}
    return [
        Chapter(
            name=name,
            title=name.replace("_", " ").capitalize(),
            description=files[name].journey.description or "",
            colour=_COLOURS[place % len(_COLOURS)][0],
            glow=_COLOURS[place % len(_COLOURS)][1],
            figures=numbers.get(name, JourneyFigures(name, 0, 0, 0.0, {}, {}, {}, {}, {})),
            picture=_picture(machine, numbers.get(name)),
            source=files[name].source,
            specimens=[specimen for specimen in specimens if specimen.journey == name],
        )
        for place, (name, machine) in enumerate(machines.items())
    ]


def _picture(machine: Machine, figures: JourneyFigures | None) -> Markup:
    """The drawing is ours and escapes what it shows."""
    if figures is None:
        return Markup(svg(machine))  # noqa: S704
    people = svg(machine, figures.standing, entered=figures.entered, ended=figures.ended, converted=figures.converted)
    return Markup(people)  # noqa: S704


def _covers(mails: Sequence[Specimen]) -> list[Specimen]:
    """Three mails for the top of the page: of different journeys, in both languages."""
    covers: list[Specimen] = []
    for locale in ("id", "en", "id"):
        taken = {specimen.journey for specimen in covers}
        fitting = (s for s in mails if s.locale == locale and s.journey not in taken)
        cover = next(fitting, None)
        if cover is not None:
            covers.append(cover)
    return covers


def _bars(first: date, figures: Figures, journeys: Sequence[str]) -> list[Bar]:
    return [
        Bar(first + timedelta(weeks=week), [(name, sent.get(name, 0)) for name in journeys])
        for week, sent in enumerate(figures.by_run)
    ]
