"""The demonstration, played short: the real product on a virtual clock, with the same numbers each time."""

from __future__ import annotations

import os
import pty
import re
import signal
import socket
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest
import requests

from tests.demonstration import ALUR, LONGEST, Demonstration, begin, left_running, play

HERE = "127.0.0.1"


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Demonstration:
    """One with Prefect."""
    return play(tmp_path_factory.mktemp("shown") / "demo-out")


@pytest.fixture(scope="module")
def another(tmp_path_factory: pytest.TempPathFactory) -> Demonstration:
    """One without, under a name that asks for quoting."""
    return play(tmp_path_factory.mktemp("again") / "demo out", "--no-prefect")


def test_every_demonstration_comes_to_the_same_numbers(demonstration: Demonstration, another: Demonstration) -> None:
    assert demonstration.summary == another.summary
    assert Counter(demonstration.summary["languages"]).keys() == {"id", "en"}


def test_it_leaves_nothing_running(demonstration: Demonstration) -> None:
    assert left_running(demonstration.folder) == []
    edge = re.search(r"edge +http://127.0.0.1:(\d+)", demonstration.out)
    assert edge is not None
    with socket.socket() as probe:
        assert probe.connect_ex((HERE, int(edge[1]))) != 0


def test_it_sums_up_each_journey_and_that_nothing_was_lost(demonstration: Demonstration) -> None:
    journeys = {journey["journey"]: journey for journey in demonstration.summary["journeys"]}
    assert journeys.keys() == {"birthday", "cart_abandonment", "drip", "welcome", "win_back"}
    for name, journey in journeys.items():
        assert journey["entered"] > 0
        assert journey["sent"]["email"] > 0
        assert re.search(
            rf"^{name} +{journey['entered']} +{sum(journey['sent'].values())} ", demonstration.out, re.MULTILINE
        )
    assert any(journey["sent"].get("sms") for journey in journeys.values())
    assert any(journey["converted"] and journey["revenue_after_mail"] for journey in journeys.values())
    assert re.search(
        r"Nothing was lost or doubled: [\d,]+ messages decided = [\d,]+ accepted \+ [\d,]+ withheld", demonstration.out
    )
    assert demonstration.summary["dead_letters"] == 0


def test_prefect_shows_a_flow_run_for_each_week(demonstration: Demonstration, another: Demonstration) -> None:
    assert "Prefect shows 2 flow runs for 2 weeks" in demonstration.out
    assert "Prefect" not in another.out.split("workspace", 1)[1]


def test_every_mail_is_whole_and_can_be_unsubscribed_from(demonstration: Demonstration) -> None:
    mails = demonstration.mails()
    assert len(mails) == sum(journey["sent"]["email"] for journey in demonstration.summary["journeys"])
    for name, mail in mails.items():
        assert [part.defects for part in mail.walk() if part.defects] == [], name
        html, plain = mail.get_body(("html",)), mail.get_body(("plain",))
        assert html is not None, name
        assert plain is not None, name
        for text in (mail["Subject"], html.get_content(), plain.get_content()):
            assert "{{" not in text, name
            assert "{%" not in text, name
        assert re.fullmatch(r"<http://127\.0\.0\.1:\d+/u/[\w-]+>", mail["List-Unsubscribe"]), name
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click", name
        assert mail["To"].addresses[0].domain == "example.com", name


def test_one_goodbye_is_followed_from_the_mail_to_the_message_that_is_withheld(demonstration: Demonstration) -> None:
    said = re.search(
        r"opens mails/(\d+\.eml).*\n +GET +200 .*on record (\d+), after it (\d+)\n +POST 200 .*\n(?: +\d+ \w+ +\w+ is due: withheld, no_consent: .*\n)+",
        demonstration.out,
    )
    assert said is not None
    assert said[2] == said[3]
    assert said[1] in demonstration.mails()


def test_the_page_loads_and_runs_nothing_from_anywhere(demonstration: Demonstration) -> None:
    page = demonstration.page
    assert "default-src &#39;none&#39;" in page
    assert "<script" not in page.lower()
    assert not re.search(r"""<(?:link|img|object|embed|base|form)\b""", page, re.IGNORECASE)
    outside = set(re.findall(r"""(?:src|href)="(https?:[^"]+)""", page))
    assert outside == set()
    frames = re.findall(r"<iframe ([^>]*?)srcdoc=", page)
    assert frames
    assert all(re.match(r"sandbox\s", frame) for frame in frames)


def test_the_page_shows_mails_of_both_languages_and_every_journey(demonstration: Demonstration) -> None:
    page = demonstration.page
    for name in ("birthday", "cart_abandonment", "drip", "welcome", "win_back"):
        assert f"Journey {name}</title>" in page
    assert page.count("in Indonesian") > 5
    assert page.count("in English") > 5
    assert re.search(r"entered</text>", page)
    for link in re.findall(r'href="(look/[^"]+)"', page):
        assert "Content-Security-Policy" in (demonstration.folder / link).read_text(encoding="utf-8")


def test_the_next_commands_work_as_printed(another: Demonstration) -> None:
    commands = re.findall(r"^(?:Then:)? +\S*(alur \w+ .*?) +#", another.out, re.MULTILINE)
    assert [command.split()[1] for command in commands] == ["why", "draw", "init"]
    for command in commands:
        done = subprocess.run(
            ["/bin/sh", "-c", command.replace("alur", str(ALUR), 1)],
            cwd=another.folder.parent,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert (another.folder.parent / "cart.svg").read_text().startswith("<svg")


def test_a_folder_that_no_demonstration_has_made_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    process = begin(tmp_path)
    _, err = process.communicate(timeout=LONGEST)
    assert process.returncode == 1
    assert "--folder" in err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ended_in_the_middle_it_leaves_nothing_running(number: signal.Signals, code: int, tmp_path: Path) -> None:
    process = begin(tmp_path / "demo-out")
    assert process.stdout is not None
    for line in process.stdout:
        if "imported" in line:
            break
    process.send_signal(number)
    process.communicate(timeout=LONGEST)
    assert process.returncode == code
    assert left_running(tmp_path) == []


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    ours, theirs = pty.openpty()
    yield ours, theirs
    os.close(ours)


def test_on_a_terminal_everything_stays_until_enter_is_pressed(terminal: tuple[int, int], tmp_path: Path) -> None:
    ours, theirs = terminal
    process = subprocess.Popen(
        [ALUR, "demo", "--folder", tmp_path / "demo-out", "--weeks", "2", "--no-prefect"],
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.STDOUT,
        env={**os.environ, "TERM": "xterm", "NO_COLOR": "1"},
    )
    os.close(theirs)
    said, deadline = "", monotonic() + LONGEST
    while "Press Enter" not in said and monotonic() < deadline:
        said += os.read(ours, 65536).decode("utf-8", "replace")
    assert not re.search(r"\x1b\[[\d;]*(?:3\d|4\d)m", said)  # NO_COLOR holds
    edge = re.search(r"edge +(http://\S+)", said)
    assert edge is not None
    mail = next(iter(Demonstration(tmp_path / "demo-out", said).mails().values()))
    assert requests.get(mail["List-Unsubscribe"].strip("<>"), timeout=10).status_code == 200
    os.write(ours, b"\n")
    assert process.wait(LONGEST) == 0
    assert left_running(tmp_path) == []
