"""`alur apply`: lists what is new, changed and removed, asks a person, and keeps what it can't read as it was."""

from __future__ import annotations

import os
import pty
import select
import subprocess
from time import monotonic

import pytest
from sqlalchemy import create_engine, text

from tests.integration.cli.desk import ALUR, VIP, WELCOME, Desk


def _rows(desk: Desk) -> list[tuple[str, str, str]]:
    """What applying would do now."""
    done = desk.alur("apply", "--output", "json")
    return [(row["how"], row["what"], row["name"]) for row in done.json]


def _live(desk: Desk) -> dict[str, str]:
    with desk.app() as app, app.engine.connect() as conn:
        return {row.name: row.state for row in conn.execute(text("SELECT name, state FROM journey"))}


def test_what_is_new_is_listed_applied_and_recorded(desk: Desk) -> None:
    done = desk.alur("apply", "--yes", "--note", "the first")
    assert done.code == 0
    assert [line.split()[:3] for line in done.out.splitlines()[2:]] == [
        ["new", "journey", "welcome"],
        ["new", "segment", "vip"],
    ]
    assert done.err == "applied: 1 new journey, 1 new segment\n"
    assert _live(desk) == {"welcome": "live"}
    with desk.app() as app, app.engine.connect() as conn:
        (recorded,) = conn.execute(text("SELECT note, by, changes FROM applied")).all()
    kinds = [change["what"] for change in recorded.changes]
    assert (recorded.note, kinds) == ("the first", ["journey", "segment", "templates"])
    assert recorded.by


def test_a_second_apply_has_nothing_to_do(desk: Desk) -> None:
    desk.alur("apply", "--yes")
    for arguments in (("apply",), ("apply", "--yes")):
        done = desk.alur(*arguments)
        assert (done.code, done.out) == (0, "")
        assert done.err == "nothing to apply: what runs is what the files say\n"


def test_off_a_terminal_without_yes_it_lists_applies_nothing_and_exits_2(desk: Desk) -> None:
    done = desk.alur("apply")
    assert done.code == 2
    assert "welcome" in done.out
    assert "--yes" in done.err
    assert _live(desk) == {}


def test_changed_and_removed_are_told_apart(desk: Desk) -> None:
    desk.alur("apply", "--yes")
    desk.write("journeys/welcome.yaml", WELCOME.replace("1d", "2d"))
    desk.write("journeys/second.yaml", WELCOME.replace("journey: welcome", "journey: second"))
    (desk.root / "segments/vip.yaml").unlink()
    assert _rows(desk) == [
        ("new", "journey", "second"),
        ("changed", "journey", "welcome"),
        ("removed", "segment", "vip"),
    ]
    assert desk.alur("apply", "--yes").code == 0
    (desk.root / "journeys/second.yaml").unlink()
    assert _rows(desk) == [("removed", "journey", "second")]
    desk.alur("apply", "--yes")
    assert _live(desk) == {"second": "removed", "welcome": "live"}


def test_a_comment_or_description_is_no_change(desk: Desk) -> None:
    desk.alur("apply", "--yes")
    desk.write("journeys/welcome.yaml", "# new comment\n" + WELCOME + "    description: other words\n")
    assert _rows(desk) == []


def test_a_broken_file_is_reported_the_rest_is_applied_and_what_ran_under_its_name_runs_on(desk: Desk) -> None:
    desk.alur("apply", "--yes")
    desk.write("journeys/welcome.yaml", WELCOME.replace("steps:", "stepps:"))
    desk.write("segments/vip.yaml", VIP.replace("100", "200"))
    done = desk.alur("apply", "--yes")
    assert done.code == 1
    assert "journeys/welcome.yaml:7:1: unknown key 'stepps' in a journey (did you mean 'steps'?)" in done.err
    assert "welcome: left as it was" in done.err
    assert "applied: 1 changed segment" in done.err
    assert _live(desk) == {"welcome": "live"}
    again = desk.alur("apply")
    assert (again.code, again.out) == (1, "")


def test_a_journey_renamed_to_yml_by_mistake_runs_on(desk: Desk) -> None:
    desk.alur("apply", "--yes")
    file = desk.root / "journeys/welcome.yaml"
    file.rename(file.with_suffix(".yml"))
    done = desk.alur("apply", "--yes")
    assert done.code == 1
    assert "journeys/welcome.yml:1:1: this file is not read: call it welcome.yaml" in done.err
    assert _live(desk) == {"welcome": "live"}


def test_a_database_of_ones_own_without_our_tables_says_what_to_do(desk: Desk, server: str) -> None:
    name = f"empty_{os.getpid()}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as conn:
        conn.execute(text(f"CREATE DATABASE {name}"))
    try:
        url = admin.url.set(database=name).render_as_string(hide_password=False)
        lines = (desk.root / ".env").read_text().splitlines()
        desk.write(
            ".env", "\n".join(f"DATABASE_URL={url}" if line.startswith("DATABASE_URL") else line for line in lines)
        )
        done = desk.alur("apply", "--yes")
        assert done.code == 1
        assert "holds no tables of Alur yet. Make a backup, then run `alur db upgrade`." in done.err
        assert desk.alur("db", "upgrade").err == "the database is at 0002 now\n"
        assert desk.alur("db", "upgrade").err == "the database is at 0002: nothing to do\n"
        assert desk.alur("apply", "--yes").code == 0
    finally:
        with admin.connect() as conn:
            conn.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        admin.dispose()


@pytest.mark.parametrize(("answer", "code", "live"), [("y\n", 0, {"welcome": "live"}), ("\n", 1, {})])
def test_on_a_terminal_it_asks(desk: Desk, answer: str, code: int, live: dict[str, str]) -> None:
    screen, said = _on_terminal(desk, answer)
    assert "Apply these 2 changes? [y/N]" in said
    assert screen == code
    assert _live(desk) == live


def _on_terminal(desk: Desk, answer: str) -> tuple[int, str]:
    """The installed program at a terminal of its own, with a person who answers its question."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [str(ALUR), "apply", "--workspace", str(desk.root)], stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True
    )
    os.close(theirs)
    said, deadline = "", monotonic() + 60
    while monotonic() < deadline:
        ready, _, _ = select.select([ours], [], [], 1)
        if not ready:
            continue
        try:
            heard = os.read(ours, 4096).decode()
        except OSError:  # the other end is closed
            break
        said += heard
        if "[y/N]" in said and answer:
            os.write(ours, answer.encode())
            answer = ""
    os.close(ours)
    return process.wait(timeout=30), said
