"""People copy: some contacts of one database with all that is known of them, streamed into another one."""

from __future__ import annotations

from typing import Final

from psycopg import sql
from sqlalchemy import Connection, text

from engine import tables

# Passages through journeys are not copied: on the other side everybody starts from outside.
_WHOSE: Final = {
    tables.contact: "t.id IN (SELECT id FROM chosen)",
    tables.identity: "t.contact_id IN (SELECT id FROM chosen)",
    tables.consent: "t.contact_id IN (SELECT id FROM chosen)",
    tables.event: "t.contact_id IN (SELECT id FROM chosen)",
    tables.score: "t.contact_id IN (SELECT id FROM chosen)",
    tables.suppression: "t.address IN (SELECT value FROM identity WHERE contact_id IN (SELECT id FROM chosen))",
}


def copy_people(source: Connection, target: Connection, segment: str) -> int:
    """Copy the members of a segment, under the same ids: contacts, identities, consents, events, scores and suppressions.

    Events come as history: they start nothing again. Gives the number of people. Only reads from `source`.
    """
    source.execute(text("CREATE TEMPORARY TABLE chosen (id bigint PRIMARY KEY) ON COMMIT DROP"))
    chosen = text("INSERT INTO chosen SELECT contact_id FROM segment_member WHERE segment = :segment")
    people = source.execute(chosen, {"segment": segment}).rowcount
    reading, writing = source.connection.driver_connection, target.connection.driver_connection
    assert reading is not None
    assert writing is not None
    for table, whose in _WHOSE.items():
        names = sql.SQL(", ").join(sql.Identifier(column.name) for column in table.columns)
        name = sql.Identifier(table.name)
        out = sql.SQL("COPY (SELECT {names} FROM {name} t WHERE {whose}) TO STDOUT (FORMAT binary)")
        into = sql.SQL("COPY {name} ({names}) FROM STDIN (FORMAT binary)")
        with (
            reading.cursor() as reader,
            writing.cursor() as writer,
            reader.copy(out.format(names=names, name=name, whose=sql.SQL(whose))) as rows,
            writer.copy(into.format(names=names, name=name)) as copied,
        ):
            for block in rows:
                copied.write(block)
        if "id" in table.c:
            last = text(
                f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), coalesce(max(id), 1)) FROM {table.name}"
            )
            target.execute(last)
    return people
