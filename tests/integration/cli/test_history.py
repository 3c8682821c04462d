"""`alur history`: who applied what and why, and an earlier text back in the workspace."""

from __future__ import annotations

import json

from tests.integration.cli.desk import VIP, WELCOME, Desk


def applied(desk: Desk, wait: str, note: str) -> None:
    desk.write("journeys/welcome.yaml", WELCOME.replace("1d", wait))
    assert desk.alur("apply", "--yes", "--note", note).code == 0


def test_every_apply_is_there_with_its_note_the_latest_first(desk: Desk) -> None:
    applied(desk, "1d", "the first")
    desk.write("segments/vip.yaml", VIP.replace("100", "200"))
    applied(desk, "2d", "slower")
    title, second, changed, first, new = desk.alur("history").out.splitlines()
    assert title == "What was applied, the latest first (times in Asia/Jakarta)"
    assert (second.endswith("  slower"), first.endswith("  the first")) == (True, True)
    assert (changed, new) == ("   changed welcome, vip", "   new welcome, vip")
    found = json.loads(desk.alur("history", "--output", "json").out)
    newest, oldest = (entry["changes"][0] for entry in found)
    assert (newest["before"], oldest["before"]) == (oldest["after"], None)
    assert desk.alur("history", "welcome").out.splitlines()[2].startswith("   changed; version ")


def test_a_journey_that_was_never_applied_is_told(desk: Desk) -> None:
    applied(desk, "1d", "x")
    assert "did you mean 'welcome'?" in desk.alur("history", "welcom").err


def test_an_earlier_version_comes_back_as_text_and_runs_when_it_is_applied(desk: Desk) -> None:
    applied(desk, "1d", "the first")
    first = (desk.root / "journeys/welcome.yaml").read_text()
    applied(desk, "2d", "slower")
    number = json.loads(desk.alur("history", "--output", "json").out)[-1]["id"]
    done = desk.alur("history", "welcome", "--restore", str(number))
    assert done.code == 0
    assert (desk.root / "journeys/welcome.yaml").read_text() == first
    assert "wait: 2d -> 1d" in desk.alur("plan").out
    assert desk.alur("apply", "--yes").code == 0
    assert desk.alur("plan").err == "nothing to apply: what runs is what the files say\n"


def test_segments_come_back_too_and_nothing_is_deleted(desk: Desk) -> None:
    applied(desk, "1d", "the first")
    desk.write("segments/vip.yaml", VIP.replace("100", "200"))
    desk.write("journeys/second.yaml", WELCOME.replace("journey: welcome", "journey: second"))
    applied(desk, "2d", "more")
    number = json.loads(desk.alur("history", "--output", "json").out)[-1]["id"]
    assert desk.alur("history", "--restore", str(number)).code == 0
    assert "gte: 100" in (desk.root / "segments/vip.yaml").read_text()
    assert (desk.root / "journeys/second.yaml").exists()


def test_an_edit_that_was_never_applied_is_not_lost(desk: Desk) -> None:
    applied(desk, "1d", "the first")
    applied(desk, "2d", "slower")
    number = json.loads(desk.alur("history", "--output", "json").out)[-1]["id"]
    desk.write("journeys/welcome.yaml", WELCOME.replace("1d", "9d"))
    done = desk.alur("history", "--restore", str(number))
    assert done.code == 1
    assert "journeys/welcome.yaml: edits that were never applied would be lost" in done.err
    assert "9d" in (desk.root / "journeys/welcome.yaml").read_text()
    assert desk.alur("history", "--restore", str(number), "--force").code == 0
    assert "no apply has the number 99" in desk.alur("history", "--restore", "99").err


def test_a_comment_is_no_change_and_comes_back_with_its_version(desk: Desk) -> None:
    applied(desk, "1d", "the first")
    source = "# for autumn\n" + (desk.root / "journeys/welcome.yaml").read_text()
    desk.write("journeys/welcome.yaml", source)
    assert desk.alur("apply").err == "nothing to apply: what runs is what the files say\n"
    applied(desk, "2d", "slower")
    number = json.loads(desk.alur("history", "--output", "json").out)[-1]["id"]
    desk.alur("history", "--restore", str(number))
    assert (desk.root / "journeys/welcome.yaml").read_text() == source
