"""Whatever is logged, nobody's address and no key gets into the log (bad input S28)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from engine.cli.logs import masked


@pytest.mark.parametrize(
    ("said", "logged"),
    [
        ("550 no such user <ani.lestari@example.com>", "550 no such user <a***@example.com>"),
        ("to 'budi+promo@mail.example.co.id', 2", "to 'b***@mail.example.co.id', 2"),
        ("sms to +6281234567890 failed", "sms to +62***90 failed"),
        ("phone 081234567890", "phone 08***90"),
        ("GET /u/eyJhbGciOi.J9x_y-z 404", "GET /u/*** 404"),
        ("Authorization: Basic c2hvcC1rZXk6", "Authorization: *** ***"),
        ('{"writeKey": "abc123def456"}', '{"writeKey": "***"}'),
        ("postgresql://alur:hunter2@db.example.com/alur", "postgresql://alur:***@db.example.com/alur"),
        (
            "send run 12 ended after 1,990 sends at 2026-03-01T12:00:00Z",
            "send run 12 ended after 1,990 sends at 2026-03-01T12:00:00Z",
        ),
    ],
)
def test_what_is_about_a_person_or_a_key_is_masked_and_nothing_else(said: str, logged: str) -> None:
    assert masked(said) == logged


def test_a_log_line_is_json_with_its_traceback_and_warnings_are_said_in_words(tmp_path: Path) -> None:
    program = f"""
import logging
from pathlib import Path
from engine.cli.logs import start_logging
start_logging(Path({str(tmp_path)!r}))
log = logging.getLogger("engine.test")
log.debug("too small")
log.info("began with %d", 7)
try:
    raise ValueError("refused ani@example.com")
except ValueError:
    log.exception("it went wrong for ani@example.com")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in (tmp_path / "alur.log").read_text().splitlines()]
    assert [(line["level"], line["logger"], line["event"]) for line in lines] == [
        ("info", "engine.test", "began with 7"),
        ("error", "engine.test", "it went wrong for a***@example.com"),
    ]
    assert lines[1]["exception"].endswith("ValueError: refused a***@example.com")
    (said,) = done.stderr.splitlines()
    assert said.endswith("error: it went wrong for a***@example.com")
