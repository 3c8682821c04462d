"""In a rehearsal a webhook is recorded and counts as answered; nothing leaves."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select

from channels.webhook import RecordingCaller, WebhookRequest
from engine.app import open_rehearsal
from engine.catalog import load
from engine.run.apply import apply
from engine.run.drain import Drain
from engine.run.incoming import Incoming
from engine.run.ingest import ingest
from engine.run.settle import settle
from engine.tables import call, enrollment

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
JOURNEY = """\
journey: j
topic: offers
trigger: {event: began}
steps:
  - webhook: {url: https://crm.example.com, body: {who: "{{ contact.user_id }}"}}
  - emit: told
  - exit: called
"""


def test_a_rehearsed_webhook_is_recorded_and_the_journey_goes_on(tmp_path: Path) -> None:
    (tmp_path / "journeys").mkdir()
    (tmp_path / "journeys" / "j.yaml").write_text(JOURNEY)
    (tmp_path / "config.yaml").write_text("organisation: {name: T}\nchannels: {}\ntopics: [offers]\n")
    kept: list[WebhookRequest] = []
    with open_rehearsal(tmp_path, NOW) as rehearsal:
        app = replace(rehearsal.app, caller=RecordingCaller(kept.append))
        apply(app.engine, load(tmp_path).definitions, app.zone, NOW, by="test")
        ingest(app.engine, app.config, [Incoming({"type": "track", "event": "began", "userId": "ani"}, "shop")], NOW)
        with app.post() as post, Drain(post, 1).opened() as run:
            settle(app, run)
        with app.engine.connect() as conn:
            states = (conn.scalar(select(call.c.state)), conn.scalar(select(enrollment.c.reason)))
    assert states == ("answered", "called")
    assert [(request.url, request.body) for request in kept] == [("https://crm.example.com", b'{"who":"ani"}')]
