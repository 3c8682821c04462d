"""`alur validate`: every problem of every file at once, at its line and column, and no secret in any of them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.integration.cli.desk import Desk, call

NOBODY = "postgresql://nobody@localhost:1/none"  # validate asks no database


@pytest.fixture
def files(tmp_path: Path) -> Desk:
    return Desk.at(tmp_path, NOBODY)


def test_a_good_workspace_says_so_and_exits_0(files: Desk) -> None:
    done = files.alur("validate")
    assert (done.code, done.out, done.err) == (0, "", "no problems (1 journey, 1 segment, 1 template file)\n")


def test_every_problem_of_every_file_is_listed_in_one_go(files: Desk) -> None:
    files.write(
        "journeys/welcome.yaml", "journey: welcome\ntopic: offers\ntrigger: {event: a}\nstepps: []\nkind: marketingg\n"
    )
    files.write(
        "journeys/second.yaml",
        "journey: other\ntopic: oofers\ntrigger: {event: a}\nsteps:\n  - {send: helo, via: sms}\n",
    )
    files.write("segments/vip.yaml", "segment: vip\nwhere: {in_segment: wip}\n")
    files.write("templates/sms/hello.txt", "{{ contact.__class__ }}")
    done = files.alur("validate")
    assert done.code == 1
    told = [line.split(": ", 1)[0] for line in done.out.splitlines()]
    assert told == sorted(told)
    assert {line.split(":")[0] for line in told} == {
        "journeys/second.yaml",
        "journeys/welcome.yaml",
        "segments/vip.yaml",
        "templates/sms/hello.txt",
    }
    assert "journeys/welcome.yaml:4:1: unknown key 'stepps' in a journey (did you mean 'steps'?)" in done.out
    assert "(did you mean 'vip'?)" in done.out
    assert done.err == f"{len(told)} problems in 4 files (2 journeys, 1 segment, 1 template file)\n"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("on: true", "2:1: unknown key 'on' in a journey"),
        ("topic: tips", "3:1: key 'topic' stands twice (first on line 2)"),
        ("entry: {reentry: NO}", "2:18: unknown reentry 'NO'"),
        (
            'steps: [{wait: {until: "10:00"}}, {wait: 1.10}]',
            "2:42: expected a duration such as 90m, 24h, 1d, 2w or 3mo, found '1.10'",
        ),
        ("trigger: {event: +6281234567890}", "found '+6281234567890'"),
    ],
)
def test_words_that_yaml_would_twist_are_read_as_written_or_refused_at_their_place(
    files: Desk, line: str, problem: str
) -> None:
    """S1."""
    rest = {
        "topic": "topic: offers",
        "trigger": "trigger: {event: a}",
        "steps": "steps:\n  - {send: hello, via: sms}",
    }
    kept = [text for key, text in rest.items() if key == "topic" or not line.startswith(f"{key}:")]
    files.write("journeys/welcome.yaml", "\n".join(["journey: welcome", line, *kept]))
    done = files.alur("validate")
    assert done.code == 1
    assert problem in done.out
    assert done.out.startswith("journeys/welcome.yaml:")


def test_a_secret_typed_in_is_refused_and_never_shown(files: Desk) -> None:
    """S31."""
    config = (files.root / "config.yaml").read_text()
    channels = "channels: {email: {adapter: smtp, host: mail.example.com, username: me, password: hunter2-hunter2}}"
    typed = config.replace("channels: {sms: {adapter: file}}", channels).replace(
        '"${SHOP_KEY}"', "typed-in-key-0123456789"
    )
    files.write("config.yaml", typed)
    for command in (
        ("validate",),
        ("validate", "--output", "json"),
        ("config", "show"),
        ("status",),
        ("apply", "--yes"),
    ):
        done = files.alur(*command)
        assert done.code == 1
        assert "a secret is typed in here: use an environment reference such as ${PASSWORD}" in done.out + done.err
        assert "a secret is typed in here: use an environment reference such as ${SHOP_KEY}" in done.out + done.err
        assert "hunter2" not in done.out + done.err
        assert "typed-in-key" not in done.out + done.err


def test_a_broken_config_does_not_hide_what_is_wrong_in_the_other_files(files: Desk) -> None:
    files.write("config.yaml", "organisation: {name: A, timezone: WIB}\nchannels: {}\n")
    files.write("journeys/welcome.yaml", "journey: welcome\n")
    files.write("templates/sms/hello.txt", "{% if %}")
    done = files.alur("validate")
    assert done.code == 1
    assert {line.split(":")[0] for line in done.out.splitlines()} == {
        "config.yaml",
        "journeys/welcome.yaml",
        "templates/sms/hello.txt",
    }
    assert "config.yaml:1:35: " in done.out


def test_an_option_that_the_adapter_refuses_is_told_at_its_line(files: Desk) -> None:
    config = (files.root / "config.yaml").read_text().replace("{adapter: file}", "{adapter: flie}")
    files.write("config.yaml", config + "\n")
    done = files.alur("validate")
    assert done.code == 1
    assert done.out.startswith("config.yaml:6:27: unknown adapter 'flie' (did you mean 'file'?)")


def test_an_installed_adapter_that_can_not_be_loaded_is_a_warning_until_it_is_named(
    files: Desk, tmp_path: Path
) -> None:
    package = tmp_path / "site" / "pigeon-1.0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: pigeon\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[alur.channels]\npigeon = no_such_module:kind\n")
    done = files.process("validate", PYTHONPATH=str(package.parent))
    assert (done.code, done.out) == (0, "")
    assert done.err.startswith("warning: adapter 'pigeon' (no_such_module:kind) can't be used: ModuleNotFoundError")


@pytest.mark.parametrize("name", ["journeys/second", "segments/rich"])
def test_a_file_that_is_not_read_because_of_its_name_is_told(files: Desk, name: str) -> None:
    files.write(f"{name}.yml", "anything")
    done = files.alur("validate")
    assert done.code == 1
    assert done.out == f"{name}.yml:1:1: this file is not read: call it {name.rpartition('/')[2]}.yaml\n"


def test_programs_get_the_problems_as_json_and_csv(files: Desk) -> None:
    assert files.alur("validate", "--output", "json").json == []
    files.write("journeys/welcome.yaml", "journey: welcome\n")
    done = files.alur("validate", "--output", "json")
    assert done.code == 1
    first = json.loads(done.out)[0]
    assert (first["file"], first["line"], first["column"]) == ("journeys/welcome.yaml", 1, 1)
    header, row, *_ = csv.reader(files.alur("validate", "--output", "csv").out.splitlines())
    assert header == ["file", "line", "column", "message"]
    assert row == [str(value) for value in first.values()]


def test_a_folder_that_is_no_workspace_says_what_to_do(tmp_path: Path) -> None:
    done = call("validate", "--workspace", str(tmp_path))
    assert done.code == 1
    assert "alur init DIR" in done.out
    assert done.out.count("\n") == 1


def test_it_leaves_no_trace(files: Desk) -> None:
    files.alur("validate")
    assert not (files.root / ".alur").exists()
