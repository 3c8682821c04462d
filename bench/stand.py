"""A workspace to measure with: one journey, one page of about 40 kB, and people whose timers are due."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text

from engine.app import App, VirtualClock, open_app
from engine.catalog import load
from engine.run.apply import apply

NOW = datetime(2026, 3, 1, 2, tzinfo=UTC)
JOURNEY = """journey: bench
topic: offers
trigger: {event: bench_started}
steps:
  - wait: 1h
  - {send: page, via: email}
"""
SENTENCE = "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore. "


def make_workspace(root: Path, port: int, threads: int) -> Path:
    """A workspace with one journey and one page of about 40 kB."""
    for folder in ("journeys", "segments", "templates/email"):
        (root / folder).mkdir(parents=True)
    (root / ".env").write_text("KEY=a-key-of-thirty-two-characters--\n")
    (root / "config.yaml").write_text(
        "organisation: {name: Bench, postal_address: 'Jl. Sabang 1, Jakarta', timezone: Asia/Jakarta, locale: en}\n"
        "web: {public_url: 'https://bench.example.com', secret_keys: ['${KEY}']}\n"
        "topics: [offers]\n"
        "contacts: {fields: {first_name: text, city: text}}\n"
        "channels:\n"
        f"  email: {{adapter: smtp, host: 127.0.0.1, port: {port}, security: none, from: shop@example.com, connections: {threads}}}\n"
    )
    (root / "journeys" / "bench.yaml").write_text(JOURNEY)
    texts = "".join(f"<mj-text>{SENTENCE * 3}</mj-text>" for _ in range(56))
    (root / "templates" / "email" / "page.mjml").write_text(
        "---\nsubject: 'Hello {{ contact.first_name }}'\npreheader: A page\n---\n"
        "<mjml><mj-head><mj-attributes><mj-all font-family='Arial, sans-serif' /></mj-attributes></mj-head><mj-body>"
        "<mj-section><mj-column><mj-text>Dear {{ contact.first_name }}, {{ contact.city }}</mj-text>"
        f"{texts}<mj-button href='https://bench.example.com/'>Look</mj-button>"
        "<mj-text>{{ organisation.postal_address }} <a href='{{ unsubscribe_url }}'>unsubscribe</a></mj-text>"
        "</mj-column></mj-section></mj-body></mjml>\n"
    )
    (root / "templates" / "email" / "page.txt").write_text("Dear {{ contact.first_name }}\n\n{{ unsubscribe_url }}\n")
    return root


def open_fresh(root: Path, clock: VirtualClock) -> App:
    app = open_app(root, clock)
    with app.engine.begin() as conn:
        tables = "contact, identity, consent, event, enrollment, signal, trace, send, attempt, send_run, journey, journey_version, pace, bucket"
        conn.execute(text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
    app.templates.problems()  # compiled once per template version, not per mail
    catalog = load(root)
    assert not catalog.problems, catalog.problems
    apply(app.engine, catalog.definitions, app.zone, clock(), by="bench")
    return app


def prepare(app: App, people: int) -> None:
    """People with consent who wait on the journey's first step, each with a timer that is due now."""
    with app.engine.begin() as conn:
        given = {"n": people, "now": app.clock()}
        conn.execute(
            text("""INSERT INTO contact (user_id, email, traits, created_at, updated_at)
                    SELECT 'u' || n, 'u' || n || '@example.com', jsonb_build_object('first_name', 'Ani ' || n, 'city', 'Jakarta'), :now, :now
                    FROM generate_series(1, :n) n"""),
            given,
        )
        conn.execute(
            text("""INSERT INTO consent (contact_id, topic, channel, given, at, source)
                    SELECT id, 'offers', 'email', true, :now, 'bench' FROM contact"""),
            given,
        )
        conn.execute(
            text("""INSERT INTO enrollment (journey, version_id, contact_id, state, step, visit, entered_at, enrolled_at, arrived_at, due_at)
                    SELECT 'bench', (SELECT version_id FROM journey), id, 'active', 'steps.0', 1, :now, :now, :now, :now FROM contact"""),
            given,
        )
        conn.execute(
            text("""INSERT INTO signal (contact_id, enrollment_id, journey, kind, at, visit)
                    SELECT contact_id, id, 'bench', 'timer', :now, 1 FROM enrollment"""),
            given,
        )
    with app.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text("VACUUM ANALYZE contact, consent, enrollment, signal, send"))
    write_out(app)


def write_out(app: App) -> None:
    """Have the database write out what it holds in memory, so that nobody else's measurement, nor its own end, has to."""
    with app.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text("CHECKPOINT"))
