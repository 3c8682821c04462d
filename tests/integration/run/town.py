"""A small town for tests: contacts, events and applied journeys in a real database, moved by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from textwrap import dedent
from typing import Any

from sqlalchemy import Engine, insert, select, text

from engine.audience.segment import Segment, read_segment
from engine.catalog import Definitions, JourneyFile, SegmentFile
from engine.document import Scalar, read_document
from engine.grammar import Declared, Invalid, Reader
from engine.run.advance import Advanced, advance
from engine.run.apply import apply
from engine.run.machines import Machines, read_source
from engine.store.signals import NewSignal, put
from engine.tables import contact, enrollment, event, identity, send, trace

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ZONE = "Asia/Jakarta"
NOWHERE = Scalar("", "", False, 1, 1)


def segment_of(source: str) -> Segment:
    node, problems = read_document(dedent(source).encode(), "segments/s.yaml")
    assert node is not None, problems
    reader = Reader("segments/s.yaml")
    segment = read_segment(node, reader)
    assert not isinstance(segment, Invalid), reader.problems
    return segment


@dataclass
class Town:
    """`now` is the town's clock; every act happens then unless it says otherwise."""

    engine: Engine
    now: datetime = NOON
    machines: Machines = field(default_factory=Machines)
    _count: int = 0

    def later(self, **span: float) -> None:
        self.now += timedelta(**span)

    def apply(self, *sources: str, segments: tuple[str, ...] = ()) -> None:
        files = {}
        for source in map(dedent, sources):
            name = source.split("journey:", 1)[1].split()[0]
            files[name] = JourneyFile(read_source(name, source, Declared()), source, NOWHERE)
        parts = {}
        for source in map(dedent, segments):
            segment = segment_of(source)
            parts[segment.name] = SegmentFile(segment, source, str(hash(source)))
        apply(self.engine, Definitions(files, parts), ZONE, self.now, by="test")

    def person(self, user_id: str, **traits: Any) -> int:
        columns = {name: traits.pop(name, None) for name in ("email", "phone", "locale", "timezone")}
        with self.engine.begin() as conn:
            values = {"user_id": user_id, "traits": traits, "created_at": self.now, "updated_at": self.now, **columns}
            new = conn.execute(insert(contact).values(values).returning(contact.c.id)).scalar_one()
            conn.execute(insert(identity).values(kind="user_id", value=user_id, contact_id=new))
        return int(new)

    def change(self, person: int, **traits: Any) -> None:
        with self.engine.begin() as conn:
            zone = traits.pop("timezone", None)
            statement = "UPDATE contact SET traits = traits || CAST(:t AS jsonb), timezone = coalesce(:z, timezone) WHERE id = :id"
            import json

            conn.execute(text(statement), {"t": json.dumps(traits), "z": zone, "id": person})
            put(conn, [NewSignal(person, "profile", self.now)])

    def does(self, person: int, name: str, at: datetime | None = None, starts: bool = True, **properties: Any) -> None:
        self._count += 1
        with self.engine.begin() as conn:
            values = {
                "contact_id": person, "source": "test", "message_id": str(self._count), "type": "track", "name": name,
                "properties": properties, "extra": {}, "occurred_at": at or self.now, "received_at": self.now, "starts": starts,
            }  # fmt: skip
            new = conn.execute(insert(event).values(values).returning(event.c.id)).scalar_one()
            put(conn, [NewSignal(person, "event", max(self.now, at or self.now), event_id=new)])

    def advance(self, most: int = 500) -> Advanced:
        return advance(self.engine, self.machines, ZONE, self.now, most)

    def settle(self) -> None:
        while self.advance().contacts:
            pass

    def ends(self, state: str = "accepted") -> None:
        """Every planned send ends at once, as if it had been delivered."""
        with self.engine.begin() as conn:
            for row in conn.execute(select(send).where(send.c.state == "planned")).all():
                conn.execute(send.update().where(send.c.id == row.id).values(state=state, ended_at=self.now))
                data = {"step": row.step, "state": state}
                put(
                    conn,
                    [
                        NewSignal(
                            row.contact_id, "send", self.now, row.enrollment_id, row.journey, row.visit, None, data
                        )
                    ],
                )
        self.settle()

    def sends(self) -> list[tuple[str, str]]:
        with self.engine.connect() as conn:
            return [(row.template, row.state) for row in conn.execute(select(send).order_by(send.c.id))]

    def enrollments(self, *columns: str) -> list[tuple[Any, ...]]:
        with self.engine.connect() as conn:
            wanted = [enrollment.c[name] for name in columns or ("state", "step", "reason")]
            return [tuple(row) for row in conn.execute(select(*wanted).order_by(enrollment.c.id))]

    def results(self) -> list[str]:
        with self.engine.connect() as conn:
            return [
                line["result"]
                for row in conn.execute(select(trace.c.data).order_by(trace.c.id))
                for line in row.data["lines"]
            ]
