"""The demonstration, played short: real mails, real numbers, the same in every run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.demonstration import mails, play

HEADERS = ("List-Unsubscribe", "List-Unsubscribe-Post")


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("demo") / "shop"
    return folder, play(folder)


def test_every_mail_parses_without_defects_has_both_parts_and_both_unsubscribe_headers(
    played: tuple[Path, str],
) -> None:
    found = list(mails(played[0]).values())
    assert len(found) > 100
    for mail in found:
        assert not mail.defects
        assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
        assert all(not part.defects and "{{" not in part.get_content() for part in mail.iter_parts())
        assert all(len(mail.get_all(name)) == 1 for name in HEADERS)


def test_nobody_gets_a_mail_twice(played: tuple[Path, str]) -> None:
    ids = [mail["Message-ID"] for mail in mails(played[0]).values()]
    assert len(ids) == len(set(ids))


def test_it_shows_the_unsubscribe_that_holds_and_that_nothing_was_lost(played: tuple[Path, str]) -> None:
    said = played[1]
    assert "POST 200" in said
    assert "withheld, no_consent: the contact has not consented" in said
    assert "Nothing was lost" in said


def test_the_page_fetches_nothing_and_shows_mails_in_both_languages(played: tuple[Path, str]) -> None:
    page = (played[0] / "index.html").read_text()
    assert "Content-Security-Policy" in page
    assert "<svg" in page
    assert "Halo" in page
    assert "Hello" in page


def test_a_second_run_gives_the_same_numbers_and_the_same_mails(played: tuple[Path, str], tmp_path: Path) -> None:
    again = tmp_path / "shop"
    play(again)
    first, second = (json.loads((folder / "summary.json").read_text()) for folder in (played[0], again))
    for summary in (first, second):
        summary.pop("seconds", None)
        for journey in summary.get("journeys", []):
            journey.pop("mails_per_second", None)
    assert _timeless(first) == _timeless(second)
    told = [
        [(mail["To"], mail["Subject"], mail["Date"]) for mail in mails(folder).values()]
        for folder in (played[0], again)
    ]
    assert told[0] == told[1]


def _timeless(value: Any) -> Any:
    """The summary without wall-clock figures and places on this machine."""
    if isinstance(value, dict):
        skipped = ("second", "rate", "folder", "path", "url", "port", "prefect", "token")
        return {key: _timeless(item) for key, item in value.items() if not any(word in key for word in skipped)}
    return [_timeless(item) for item in value] if isinstance(value, list) else value
