"""What people got, one of each kind: the first message of every template in every language; only reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Row, text

from engine.demo.stage import Stage
from engine.journey.machine import Machine

_LANGUAGES: Final = {"id": "Indonesian", "en": "English"}

_FIRSTS = text("""
SELECT DISTINCT ON (s.journey, s.template, s.channel, c.locale)
    s.id, s.journey, s.template, s.channel, c.locale
FROM send s JOIN contact c ON c.id = s.contact_id
WHERE s.state = 'accepted' AND s.channel IN ('email', 'sms')
ORDER BY s.journey, s.template, s.channel, c.locale, s.ended_at, c.user_id
""")


@dataclass(frozen=True)
class Specimen:
    """One message that was really sent. `body` is the mail's HTML, or the text of an SMS, which has no subject."""

    journey: str
    template: str
    channel: str
    locale: str
    subject: str
    body: str

    @property
    def language(self) -> str:
        return _LANGUAGES.get(self.locale, self.locale)


def read_specimens(conn: Connection, stage: Stage, machines: Mapping[str, Machine]) -> list[Specimen]:
    """In the order of the journeys' files: by journey, step, channel, and Indonesian before English."""
    found = [_read(row, stage) for row in conn.execute(_FIRSTS)]
    order = {name: _templates(machine) for name, machine in machines.items()}
    languages = list(_LANGUAGES)
    return sorted(
        found,
        key=lambda s: (s.journey, order[s.journey].index(s.template), s.channel != "sms", languages.index(s.locale)),
    )


def _templates(machine: Machine) -> Sequence[str]:
    return [str(getattr(state, "template", "")) for state in machine.states.values()]


def _read(row: Row[Any], stage: Stage) -> Specimen:
    if row.channel == "email":
        subject, body = _open(stage.mails / f"{row.id:05d}.eml")
    else:
        file = next((stage.app.root / ".alur" / "mailbox").glob(f"{row.id:08d}-*.txt"))
        subject, body = "", file.read_text(encoding="utf-8").partition("\n\n")[2].strip()
    return Specimen(row.journey, row.template, row.channel, row.locale or "", subject, body)


def _open(file: Path) -> tuple[str, str]:
    mail = BytesParser(policy=default).parsebytes(file.read_bytes())
    assert isinstance(mail, EmailMessage)
    html = mail.get_body(("html",))
    assert html is not None
    return str(mail["Subject"]), str(html.get_content())
