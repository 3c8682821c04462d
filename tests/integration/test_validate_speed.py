"""`alur validate` answers while one still looks at the screen: in CPU seconds, so that a busy machine does not count."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.integration.cli.desk import ALUR, HEAVY, modules

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


def write(root: Path, journeys: int, steps: int) -> None:
    for folder in ("journeys", "templates/sms"):
        (root / folder).mkdir(parents=True)
    (root / "config.yaml").write_text(CONFIG)
    (root / "templates/sms/hello.txt").write_text("Halo {{ contact.city }}")
    body = "".join(FOUR.format(n=n) for n in range(steps // 4))
    for number in range(journeys):
        head = f"journey: j{number}\ntopic: offers\ntrigger: {{event: signed_up}}\nsteps:\n"
        (root / f"journeys/j{number}.yaml").write_text(head + body)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """An environment in which Python keeps the modules it has compiled, as it does wherever a package is installed."""
    environment = dict(os.environ, PYTHONPYCACHEPREFIX=str(tmp_path_factory.mktemp("compiled")))
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    root = tmp_path_factory.mktemp("least")
    write(root, journeys=1, steps=4)
    cpu_seconds(root, environment)
    return environment


def cpu_seconds(root: Path, environment: Mapping[str, str]) -> float:
    """What the whole command costs, from the start of its process to the end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [str(ALUR), "validate", "-w", str(root)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.stderr.startswith("no problems"), done.stderr
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_a_journey_of_a_thousand_steps_is_checked_within_a_second(tmp_path: Path, compiled: Mapping[str, str]) -> None:
    write(tmp_path, journeys=1, steps=1000)
    assert min(cpu_seconds(tmp_path, compiled) for _ in range(3)) < 1


def test_five_hundred_journeys_are_checked_in_a_few_seconds(tmp_path: Path, compiled: Mapping[str, str]) -> None:
    write(tmp_path, journeys=500, steps=12)
    assert min(cpu_seconds(tmp_path, compiled) for _ in range(2)) < 3


def test_validate_loads_neither_the_database_nor_prefect_nor_the_web_nor_what_only_tables_and_mails_need(
    tmp_path: Path,
) -> None:
    write(tmp_path, journeys=1, steps=4)
    assert (
        modules("validate", "-w", str(tmp_path)) & {*HEAVY, "rich", "babel", "mjml", "premailer", "requests"} == set()
    )
