"""On a rehearsal's stage nothing is real but the engine: its own database, its own clock, and nothing leaves."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, text

from channels.base import Medium, Message, TextMessage
from engine import catalog
from engine.app import Rehearsal, open_rehearsal
from engine.run.apply import apply
from engine.run.drain import Drain
from engine.run.incoming import Incoming
from engine.run.ingest import ingest
from engine.run.rehearse import Cue, rehearse
from engine.run.settle import settle
from engine.store import scratch
from engine.store.database import connect, create_database, drop
from engine.store.embedded import start_embedded
from tests.integration.cli.desk import Desk, identify, track

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOWHERE = "postgresql://nobody@localhost:1/none"
Names = Callable[[], set[str]]


@pytest.fixture
def files(tmp_path: Path, alur_folder: Path) -> Desk:
    """A workspace whose own database can't even be reached."""
    desk = Desk.at(tmp_path / "shop", NOWHERE)
    (desk.root / ".alur").symlink_to(alur_folder)
    return desk


@pytest.fixture
def names(alur_folder: Path) -> Names:
    """The databases on the embedded server now."""

    def look() -> set[str]:
        server = start_embedded(alur_folder / "postgres")
        engine = connect(server.url)
        with engine.connect() as conn:
            found = set(conn.scalars(text("SELECT datname FROM pg_database")))
        engine.dispose()
        server.stop()
        return found

    return look


def database(engine: Engine) -> str:
    return engine.url.database or ""


def count(conn: Connection, table: str) -> int:
    return int(conn.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def greet(stage: Rehearsal, files: Desk) -> None:
    app = stage.app
    apply(app.engine, catalog.load(files.root).definitions, app.zone, stage.clock(), "test")
    said = [
        identify("ani", phone="+6281200000001", first_name="Ani", consent=["offers"]),
        track("signed_up", "ani", plan="free"),
    ]
    messages = [Incoming({"messageId": str(number), **one}, "test") for number, one in enumerate(said)]
    ingest(app.engine, app.config, messages, stage.clock())
    with app.post() as post:
        drain = Drain(post, 1)
        with drain.opened() as run:
            settle(app, run)
        drain.close()


def test_the_stage_stands_on_the_embedded_server_and_leaves_the_live_database_alone(files: Desk, names: Names) -> None:
    kept: list[tuple[Medium, Message]] = []
    with open_rehearsal(files.root, NOON, keep=lambda medium, message: kept.append((medium, message))) as stage:
        greet(stage, files)
        name = database(stage.app.engine)
        assert name in names()
        with stage.app.engine.connect() as conn:
            assert count(conn, "enrollment") == 1
    ((medium, message),) = kept
    assert medium == "sms"
    assert isinstance(message, TextMessage)
    assert (message.recipient, message.text) == ("+6281200000001", "Halo Ani, selamat datang.")
    assert name not in names()
    assert not (files.root / ".alur" / "mailbox").exists()


def test_a_stage_can_be_emptied_and_played_anew_at_an_earlier_time(files: Desk) -> None:
    with open_rehearsal(files.root, NOON) as stage:
        greet(stage, files)
        earlier = stage.anew(NOON - timedelta(days=30))
        assert earlier.clock() == NOON - timedelta(days=30)
        with earlier.app.engine.connect() as conn:
            assert [count(conn, table) for table in ("contact", "enrollment", "send", "signal", "journey")] == [0] * 5
        greet(earlier, files)
        with earlier.app.engine.connect() as conn:
            assert count(conn, "enrollment") == 1


SUBJECT = """\
journey: subject
topic: offers
trigger: {event: signed_up}
goal: {event: order_completed, within: 2d}
steps:
  - experiment:
      name: line
      variants:
        a: {weight: 50, do: [{id: first, send: hello, via: sms}]}
        b: {weight: 50, do: [{id: second, send: hello, via: sms}]}
      winner: {by: goal, after: 20, confidence: 95%}
"""


def test_a_winner_is_decided_at_the_instant_at_which_enough_windows_have_closed(files: Desk) -> None:
    (files.root / "journeys/subject.yaml").write_text(SUBJECT)
    with open_rehearsal(files.root, NOON) as stage:
        app = stage.app
        apply(app.engine, catalog.load(files.root).definitions, app.zone, NOON, "test")

        def post(who: Iterable[str], name: str) -> None:
            said = [Incoming({"messageId": f"{name} {one}", **track(name, one)}, "test") for one in who]
            ingest(app.engine, app.config, said, stage.clock())

        def having(variant: str) -> list[str]:
            query = (
                "SELECT c.user_id FROM assignment a JOIN contact c ON c.id = a.contact_id WHERE a.variant = :variant"
            )
            with app.engine.begin() as conn:
                return list(conn.scalars(text(query), {"variant": variant}))

        cues = [
            Cue(NOON, lambda: post((f"p{number}" for number in range(60)), "signed_up")),
            Cue(NOON + timedelta(hours=1), lambda: post(having("b"), "order_completed")),
            Cue(NOON + timedelta(days=3), lambda: post((f"new{number}" for number in range(10)), "signed_up")),
        ]
        with app.post() as office:
            drain = Drain(office, 1)
            with drain.opened() as run:
                rehearse(app, stage.clock, run, cues, NOON + timedelta(days=4))
            drain.close()
        with app.engine.connect() as conn:
            ((variant, at),) = conn.execute(text("SELECT variant, at FROM winner")).all()
        assert (variant, at) == ("b", NOON + timedelta(days=2, microseconds=1))
        assert {who for who in having("b") if who.startswith("new")} == {f"new{number}" for number in range(10)}


def test_links_in_rehearsed_messages_open_nothing(files: Desk) -> None:
    with open_rehearsal(files.root, NOON) as stage:
        assert stage.app.config.web.secret_keys != catalog.load_config(files.root).web.secret_keys


def test_stages_opened_at_once_are_made_from_one_template(files: Desk, names: Names) -> None:
    def look(_: int) -> str:
        with open_rehearsal(files.root, NOON) as stage, stage.app.engine.connect() as conn:
            assert count(conn, "contact") == 0
            return database(stage.app.engine)

    with ThreadPoolExecutor(3) as pool:
        found = set(pool.map(look, range(4)))
    assert len(found) == 4
    left = names()
    assert not found & left
    assert len([name for name in left if name.startswith("alur_empty_")]) == 1


def test_what_a_killed_rehearsal_left_behind_is_dropped_by_the_next(files: Desk, names: Names) -> None:
    embedded = start_embedded(files.root / ".alur" / "postgres")
    now = int(NOON.timestamp())
    gone = 2**22 + 1  # above the highest process id that Linux gives
    dead, old, running, foreign = (
        f"alur_scratch_{now}_{gone}_1", f"alur_scratch_{now - 90_000}_{os.getpid()}_99991",
        f"alur_scratch_{now}_{os.getpid()}_99992", "alur_scratch_of_somebody",
    )  # fmt: skip
    for name in (dead, old, running, foreign):
        create_database(embedded.url, name)
    try:
        with scratch.scratch_database(files.root / ".alur", NOON):
            left = names()
        assert left & {dead, old, running, foreign} == {running, foreign}
    finally:
        for name in (running, foreign):
            drop(embedded.url, name)
        embedded.stop()


def test_a_template_that_was_not_finished_is_made_again(files: Desk, names: Names) -> None:
    embedded = start_embedded(files.root / ".alur" / "postgres")
    name = f"alur_unfinished_{os.getpid()}"
    create_database(embedded.url, f"{name}_half")  # somebody was killed in the middle of it
    server = connect(embedded.url)
    with server.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        scratch._make_template(conn, embedded.url, name)
    server.dispose()
    assert {each for each in names() if each.startswith(name)} == {name}
    drop(embedded.url, name)
    embedded.stop()
