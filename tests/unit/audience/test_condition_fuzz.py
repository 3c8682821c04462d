"""Whatever stands where a condition should: problems with their place, or a condition that tells itself; never a traceback."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql

from engine.audience.conditions import KINDS
from engine.audience.operators import OPERATORS
from engine.document import read_document
from engine.grammar import Declared, FieldType, Invalid, Reader
from engine.store.verdicts import _statement
from tests.conditions import FILE, condition, read_condition

FIELDS: dict[str, FieldType] = {"age": "number", "since": "date", "at": "datetime", "pets": "list", "member": "boolean"}
KEYS = [word + "x" if word.endswith(".") else word for kind in KINDS for word in kind.words]
KEYS += [
    "contact.age",
    "contact.since",
    "contact.at",
    "contact.tags",
    "contact.pets.*.name",
    "event.items.*.sku",
    "evnt.x",
]
KEYS += [
    *OPERATORS,
    "event",
    "where",
    "within",
    "count",
    "sum",
    "avg",
    "step",
    "template",
    "was",
    "topic",
    "via",
    "total",
]
WORDS = [
    "",
    "x",
    "30d",
    "3mo",
    "2026-03-01",
    "2026-02-30",
    "2026-03-01T09:00:00Z",
    "mon",
    "today",
    "clicked",
    "email",
    "sent",
]
WORDS += ["1e3", "49.90", "order_completed", "*", "a..b", "null", "\u0663", "NaN"]
scalars = st.none() | st.booleans() | st.integers(-5, 10**19) | st.floats(allow_nan=False, allow_infinity=False)
scalars |= st.sampled_from(WORDS) | st.text(max_size=5)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=10,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), anything, min_size=1, max_size=3), st.booleans())
def test_any_mapping_is_a_condition_or_a_list_of_problems(written: dict[str, Any], tested: bool) -> None:
    node, faults = read_document(json.dumps(written, ensure_ascii=True).encode(), FILE)
    if node is None or faults:
        return
    reader = Reader(FILE, Declared(FIELDS))
    found = read_condition(node, reader, tested=tested)
    assert isinstance(found, Invalid) == bool(reader.problems)
    assert all(problem.line >= 1 and problem.column >= 1 and problem.message for problem in reader.problems)
    if not isinstance(found, Invalid):
        hash(found)
        assert found.label()
        assert condition(json.dumps(found.plain()), FIELDS, tested=tested).plain() == found.plain()
        _statement.__wrapped__((found,)).compile(dialect=postgresql.dialect())
