"""The installed program as a whole: help that teaches, exit codes, no traceback without --debug, a fast start."""

from __future__ import annotations

import resource
import subprocess
from pathlib import Path

import pytest

from engine.cli.commands import COMMANDS as LISTED
from engine.cli.commands import load_command
from tests.integration.cli.desk import ALUR, HEAVY, Desk, call, modules, start

COMMANDS = [
    (),
    ("init",), ("validate",), ("apply",), ("run",), ("work",), ("demo",), ("draw",), ("status",), ("why",), ("pause",), ("resume",),
    ("cancel",), ("contacts",), ("plan",), ("history",), ("enroll",), ("schema",), ("test",), ("simulate",), ("contacts", "import"), ("contacts", "show"), ("config",), ("config", "show"), ("db",), ("db", "upgrade"),
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(command: tuple[str, ...]) -> None:
    done = call(*command, "--help")
    assert (done.code, done.err) == (0, "")
    single = len(command) == 2 or (command and command[0] not in {"contacts", "config", "db"})
    assert ("Example: alur " + " ".join(command) in " ".join(done.out.split())) is bool(single)


def test_no_command_is_forgotten_here() -> None:
    found = set()
    for listed in LISTED:
        found |= {(listed.name,)} | {
            (listed.name, inner) for inner in getattr(load_command(listed.name), "commands", {})
        }
    assert found == set(COMMANDS) - {()}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("aply",), "No such command 'aply'. Did you mean 'apply'?"),
        (("why",), "Missing argument 'CONTACT'"),
        (("status", "--output", "jsn"), "'jsn' is none of table, json, csv (did you mean 'json'?)"),
        (("schema", "journy"), "'journy' is none of journey, segment, config (did you mean 'journey'?)"),
        (("demo", "--weeks", "1"), "'1' is not a whole number of at least 2"),
        (("history", "--restore", "x"), "'x' is not a whole number of at least 1"),
        (("validate", "--strict"), "No such option"),
    ],
)
def test_a_wrong_call_exits_2_and_says_what_was_wrong(arguments: tuple[str, ...], said: str) -> None:
    done = call(*arguments)
    assert (done.code, done.out) == (2, "")
    assert said in " ".join(done.err.replace("│", " ").split())


def test_the_installed_program_tells_errors_without_a_traceback_and_with_one_on_request(tmp_path: Path) -> None:
    done = start("status", cwd=tmp_path)
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        "config.yaml:1:1: no config.yaml here: this is no workspace (run `alur init DIR`, or use --workspace DIR)\n"
    )
    debug = start("--debug", "status", cwd=tmp_path)
    assert debug.code == 1
    assert "Traceback (most recent call last)" in debug.err
    assert "WorkspaceError" in debug.err


def test_a_whole_life_on_the_embedded_database_in_processes_of_their_own(tmp_path: Path) -> None:
    """What the README's first steps do."""
    shop = tmp_path / "shop"
    assert start("init", "shop", cwd=tmp_path).code == 0
    applied = start("apply", "--yes", cwd=shop)
    assert (applied.code, applied.err) == (0, "applied: 5 new journeys, 3 new segments\n")
    (shop / "people.csv").write_text("user_id,email,consent\nani,ani@example.com,offers\n")
    assert start("contacts", "import", "people.csv", cwd=shop).out == "1 row: 1 new, 0 changed, 0 left out\n"
    status = start("status", "--output", "json", cwd=shop)
    assert [journey["journey"] for journey in status.json["journeys"]] == [
        "birthday",
        "cart_abandonment",
        "drip",
        "welcome",
        "win_back",
    ]
    assert status.json["queue"]["contacts"] == 1
    assert status.err == ""


def test_it_needs_no_colours_and_makes_none_where_nobody_watches(desk: Desk) -> None:
    done = desk.process("config", "show", NO_COLOR="1")
    assert done.code == 0
    assert "\x1b" not in done.out + done.err + desk.alur("config", "show").out


def test_the_workspace_may_come_from_the_environment(desk: Desk) -> None:
    assert start("validate", ALUR_WORKSPACE=str(desk.root)).code == 0


def test_a_reader_that_goes_away_ends_it_quietly(desk: Desk) -> None:
    desk.alur("apply", "--yes")
    command = f"{ALUR} config show -w '{desk.root}' --output json | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, timeout=60)
    assert "Traceback" not in done.stderr


def test_the_list_says_of_each_command_the_first_sentence_of_its_own_help() -> None:
    own = {listed.name: load_command(listed.name).help or "" for listed in LISTED}
    assert {listed.name: listed.summary for listed in LISTED} == {
        name: help_.partition("\n\n")[0] for name, help_ in own.items()
    }


def test_help_takes_well_under_a_second_of_work() -> None:
    """It shows every command and imports none."""
    commands = {listed.at.partition(":")[0] for listed in LISTED}
    assert modules("--help") & (commands | HEAVY) == set()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert start("--help").code == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1


@pytest.mark.parametrize("command", ["schema", "draw", "init"])
def test_work_on_files_alone_loads_neither_the_database_nor_prefect_nor_the_web(desk: Desk, command: str) -> None:
    where = {"schema": [], "init": [str(desk.root / "new")], "draw": ["welcome", "-w", str(desk.root)]}
    assert modules(command, *where.get(command, ["-w", str(desk.root)])) & HEAVY == set()


def test_looking_imports_neither_web_nor_prefect_nor_mjml(desk: Desk) -> None:
    assert modules("status", "-w", str(desk.root)) & {*HEAVY, "mjml", "premailer"} <= {
        "sqlalchemy",
        "psycopg",
        "alembic",
    }
