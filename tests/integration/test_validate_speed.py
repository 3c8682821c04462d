"""`alur validate` answers while one still looks at the screen: in CPU seconds, so that a busy machine does not count."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from engine.catalog import load

CONFIG = """\
organisation: {name: Toko Nada, postal_address: "Jl. Sabang 1, Jakarta", timezone: Asia/Jakarta, locale: id}
topics: [offers]
channels: {sms: {adapter: console}}
contacts: {fields: {city: text}}
events: {signed_up: {properties: {total: number}}}
"""
FOUR = """\
  - wait: 1h
  - {{id: s{n}, send: hello, via: sms}}
  - branch:
      - when: {{contact.city: Jakarta, event.total: {{gte: 10}}}}
        do:
          - wait: 1d
      - otherwise: []
"""
HEAVY = (
    "psycopg",
    "prefect",
    "fastapi",
    "uvicorn",
    "apscheduler",
    "mjml",
    "premailer",
    "requests",
    "alembic",
)


def write(root: Path, journeys: int, steps: int) -> None:
    for folder in ("journeys", "templates/sms"):
        (root / folder).mkdir(parents=True)
    (root / "config.yaml").write_text(CONFIG)
    (root / "templates/sms/hello.txt").write_text("Halo {{ contact.city }}")
    body = "".join(FOUR.format(n=n) for n in range(steps // 4))
    for number in range(journeys):
        head = f"journey: j{number}\ntopic: offers\ntrigger: {{event: signed_up}}\nsteps:\n"
        (root / f"journeys/j{number}.yaml").write_text(head + body)


def cpu_seconds(root: Path, journeys: int) -> float:
    began = time.process_time()
    catalog = load(root)
    assert catalog.problems == ()
    assert len(catalog.definitions.journeys) == journeys
    return time.process_time() - began


def test_a_journey_of_a_thousand_steps_is_checked_in_a_fraction_of_a_second(tmp_path: Path) -> None:
    write(tmp_path, journeys=1, steps=1000)
    assert min(cpu_seconds(tmp_path, 1) for _ in range(2)) < 0.7


def test_five_hundred_journeys_are_checked_in_a_few_seconds(tmp_path: Path) -> None:
    write(tmp_path, journeys=500, steps=12)
    assert cpu_seconds(tmp_path, 500) < 4


def test_the_command_loads_nothing_that_checking_files_does_not_need(tmp_path: Path) -> None:
    write(tmp_path, journeys=1, steps=4)
    script = (
        "import sys\nfrom engine.cli.program import run_program\n"
        f"try:\n    run_program(['validate', '-w', {str(tmp_path)!r}])\n"
        "except SystemExit as ended:\n    assert not ended.code\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
