"""A journey or segment file of any bytes is read or refused, never a traceback, and every problem lies inside it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.catalog import load
from engine.journey.machine import compile_journey
from engine.journey.steps import KINDS as STEPS
from engine.journey.triggers import KINDS as TRIGGERS

ROOT = Path(__file__).parents[2]
CONFIG = """\
organisation: {name: Toko Nada, postal_address: "Jl. Sabang 1, Jakarta", timezone: Asia/Jakarta, locale: id}
topics: [offers, tips]
channels: {sms: {adapter: console}, email: {adapter: file}}
events: {cart_updated: {properties: {cart_id: text, total: number, items: list}}}
"""
_STEPS = "".join(kind.example.strip("\n") + "\n" for kind in STEPS.values())
WHOLE = [
    *(file.read_text() for file in sorted((ROOT / "journeys").glob("*.yaml"))),
    *(
        f"journey: fuzzed\ntopic: offers\ntrigger: {kind.example}\ndelivery: {{cap: {{max: 3, per: 7d}}, holdout: 10%}}\n"
        "goal: {event: order_completed, within: 7d}\nentry: {reentry: always}\n"
        f"steps:\n{re.sub('^', '  ', _STEPS, flags=re.MULTILINE)}"
        for kind in TRIGGERS.values()
    ),
]
_WORDS = sorted({word for text in WHOLE for word in re.findall(r"[A-Za-z0-9_.$-]+|\S", text)})
_ODD = [
    "", "null", "true", "0", "-1", "1e999", "9" * 400, "99999999mo", "24:00", "٠١:٠٠", "١d", "2026-02-30", "0001-01-01", "9999-12-31T23:59:59+14:00",
    "\\U0011ffff", "\x00", "\ud7ff", "{{", "{{ x", "{% for a in b %}", "{{ event.a }}", "${A}", "${", "[", "]", "{", "}", ":", ",", "\n", "  ", '"', "'", "#",
    "* * * * *", "0 0 31 2 *", "99 * * * *", "*/0 * * * *", "contact.", "event.items.*.*", "event..a", "contact.a.b.c.d.e.f", "@", "&a", "*a", "!!str", "-", "1d1h", "0s", "100%", "101%", "0/s",
]  # fmt: skip


@st.composite
def _mutated(draw: st.DrawFn) -> str:
    """A good file with a few of its words exchanged, doubled or taken away."""
    parts = re.findall(r"[A-Za-z0-9_.$-]+|\s+|\S", draw(st.sampled_from(WHOLE)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(parts) - 1))
        word = draw(st.sampled_from(_ODD) | st.sampled_from(_WORDS))
        how = draw(st.sampled_from(("exchange", "insert", "remove", "move")))
        if how == "exchange":
            parts[at] = word
        elif how == "insert":
            parts.insert(at, word)
        elif how == "remove" and len(parts) > 1:
            del parts[at]
        else:
            parts.insert(draw(st.integers(0, len(parts) - 1)), parts[at])
    return "".join(parts)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("workspace")
    for folder in ("journeys", "segments", "templates/sms"):
        (root / folder).mkdir(parents=True)
    (root / "config.yaml").write_text(CONFIG)
    (root / "templates/sms/cart_nudge.txt").write_text("Halo {{ event.total | default(0) }}")
    return root


FILES = st.binary(max_size=200) | _mutated().map(lambda text: text.encode("utf-8", "surrogatepass"))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=FILES, folder=st.sampled_from(("journeys", "journeys", "journeys", "segments")))
def test_any_file_gives_problems_inside_it_or_a_journey_that_compiles(root: Path, data: bytes, folder: str) -> None:
    file = root / folder / "fuzzed.yaml"
    file.write_bytes(data)
    try:
        catalog = load(root)
    finally:
        file.unlink()
    for item in catalog.definitions.journeys.values():
        compile_journey(item.journey)
    lines = data.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for problem in catalog.problems:
        assert problem.file == f"{folder}/fuzzed.yaml"
        assert problem.message
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
    assert catalog.problems or catalog.definitions.journeys or catalog.definitions.segments
