"""Dead letters: messages that could not be taken, kept with the reason until somebody mends and replays them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, text

_WRITE = text("""
INSERT INTO dead_letter (source, message_id, reason, payload, received_at)
SELECT source, message_id, reason, payload::jsonb, :now
FROM unnest(CAST(:sources AS text[]), CAST(:messages AS text[]), CAST(:reasons AS text[]), CAST(:payloads AS text[]))
AS v(source, message_id, reason, payload)
""")


def write(conn: Connection, letters: Sequence[tuple[str, str | None, str, str]], now: datetime) -> None:
    """Append (source, message id, reason that names the field, payload as JSON text)."""
    if letters:
        sources, messages, reasons, payloads = (list(column) for column in zip(*letters, strict=True))
        columns = {"sources": sources, "messages": messages, "reasons": reasons, "payloads": payloads}
        conn.execute(_WRITE, {**columns, "now": now})


def reasons(conn: Connection) -> list[str]:
    """Why each was buried, oldest first."""
    return list(conn.scalars(text("SELECT reason FROM dead_letter ORDER BY id")))
