"""Plays `alur demo` as people do, in a process of its own, and reads what it leaves."""

from __future__ import annotations

import subprocess
import sys
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path

ALUR = Path(sys.executable).parent / "alur"
LONGEST = 240
"""Seconds for a short demonstration on a busy machine."""


def play(folder: Path, *, weeks: int = 3) -> str:
    """A short demonstration into this folder, without Prefect; returns what it said."""
    command = [ALUR, "demo", "--folder", folder, "--weeks", str(weeks), "--no-prefect"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, check=False, cwd=folder.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def mails(folder: Path) -> dict[str, EmailMessage]:
    """Every mail that it sent, by the name of its file."""
    found = {}
    for path in sorted((folder / "mails").glob("*.eml")):
        mail = BytesParser(policy=default).parsebytes(path.read_bytes())
        assert isinstance(mail, EmailMessage)
        found[path.name] = mail
    return found
