"""The scripted channel itself: what a killed process had posted is still known to the next."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from channels.base import Accepted, Ambiguous, EmailMessage, Receipt, Rejected, Throttled
from tests.scripted_channel import (
    EVERYBODY,
    AmbiguousButTaken,
    Gates,
    Point,
    Provider,
    ScriptedAdapter,
    SearchableScriptedAdapter,
    plugin_path,
)

SENDER = """
import sys
from pathlib import Path
from channels.base import EmailMessage
from channels.registry import installed
kind = installed().find("scripted")
options = kind.options.model_validate({"log": sys.argv[1], "gates": sys.argv[2], "answers": sys.argv[3]})
connection = kind.build(options, "email", Path()).connect()
data = b"Message-ID: <1@example.com>\\r\\n\\r\\nhalo\\r\\n"
for receipt in connection.send([EmailMessage(n, 1, f"b{n}@example.com", "a@example.com", data) for n in (1, 2, 3)]):
    print(type(receipt).__name__, flush=True)
"""


def send(adapter: ScriptedAdapter, *numbers: int) -> list[Receipt]:
    mails = [EmailMessage(number, 1, f"b{number}@example.com", "a@example.com", b"") for number in numbers]
    return list(adapter.connect().send(mails))


def test_answers_come_in_order_and_then_everything_is_accepted(tmp_path: Path) -> None:
    for provider in (Provider(), Provider(tmp_path / "log")):
        provider.answer("b1@example.com", Throttled(7), Rejected("address"))
        provider.answer(2, Ambiguous())
        adapter = ScriptedAdapter(provider)
        assert send(adapter, 1, 2, 1, 1, 2) == [
            Throttled(7),
            Ambiguous(),
            Rejected("address"),
            Accepted("scripted-1-1"),
            Accepted("scripted-2-1"),
        ]
        assert [request.send_id for request in provider.requests()] == [1, 2, 1, 1, 2]
        assert [request.send_id for request in provider.taken()] == [1, 2]


def test_everybody_may_get_the_same_answers() -> None:
    provider = Provider()
    provider.answer(EVERYBODY, Throttled(1), Throttled(2))
    assert send(ScriptedAdapter(provider), 1, 2, 3) == [Throttled(1), Throttled(2), Accepted("scripted-3-1")]


def test_an_ambiguous_end_may_hide_an_acceptance_that_a_search_finds() -> None:
    provider = Provider()
    provider.answer(1, AmbiguousButTaken("cut"))
    provider.answer(2, Ambiguous("cut"))
    adapter = SearchableScriptedAdapter(provider)
    adapter.untold.add(3)
    assert send(adapter, 1, 2) == [Ambiguous("cut"), Ambiguous("cut")]
    assert adapter.search([1, 2, 3]) == {1: Accepted("scripted-1-1"), 2: None}


@pytest.mark.parametrize(("point", "taken"), [("before_post", []), ("after_post", [2])])
def test_a_process_killed_at_a_gate_leaves_a_log_that_tells_how_far_it_came(
    point: Point, taken: list[int], tmp_path: Path
) -> None:
    answers, log, gates = tmp_path / "answers.json", tmp_path / "log", Gates(tmp_path / "gates")
    answers.write_text(json.dumps({"b1@example.com": ["throttled:7"]}))
    command = [sys.executable, "-c", SENDER, str(log), str(tmp_path / "gates"), str(answers)]
    environment = {**os.environ, "PYTHONPATH": plugin_path(tmp_path / "plugin")}
    gates.shut(point, 2)
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert gates.wait_reached(point) == 2
        process.kill()
        output, _ = process.communicate()
    assert output.split() == ["Throttled"]
    assert [request.send_id for request in Provider(log).taken()] == taken
    gates.open(point, 2)
    again = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    assert again.stdout.split() == ["Accepted"] * 3
    assert [request.message_id for request in Provider(log).taken()] == ["<1@example.com>"] * (3 + len(taken))
