"""Runs `alur demo` as people do, in a process of its own, and looks at what it leaves."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from typing import Any

import orjson
import psutil

ALUR = Path(sys.executable).parent / "alur"
LONGEST = 240
"""Seconds for a short demonstration on a busy machine."""


@dataclass(frozen=True)
class Demonstration:
    """One that has ended."""

    folder: Path
    out: str

    @property
    def page(self) -> str:
        return (self.folder / "index.html").read_text(encoding="utf-8")

    @property
    def summary(self) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads((self.folder / "summary.json").read_bytes())
        return found

    def mails(self) -> dict[str, EmailMessage]:
        """Every mail by the name of its file."""
        found = {}
        for path in sorted((self.folder / "mails").glob("*.eml")):
            mail = BytesParser(policy=default).parsebytes(path.read_bytes())
            assert isinstance(mail, EmailMessage)
            found[path.name] = mail
        return found


def begin(folder: Path, *options: str, **environment: str) -> subprocess.Popen[str]:
    """A demonstration that has just been started."""
    return subprocess.Popen(
        [ALUR, "demo", "--folder", folder, *options],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def play(folder: Path, *options: str, weeks: int = 2) -> Demonstration:
    """A short demonstration, to its end."""
    process = begin(folder, "--weeks", str(weeks), *options)
    out, err = process.communicate(timeout=LONGEST)
    assert process.returncode == 0, f"{out}\n{err}"
    return Demonstration(folder, out)


def left_running(folder: Path) -> list[str]:
    """Processes that have to do with this folder, be it the database, the mailbox or Prefect."""
    found = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        said = " ".join(process.info["cmdline"] or [])
        home = (process.info["environ"] or {}).get("PREFECT_HOME", "")
        if str(folder) in said or home.startswith(str(folder)):
            found.append(said)
    return found
