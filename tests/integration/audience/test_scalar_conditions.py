"""Operators over JSON of every type: SQL agrees with a few plain lines of Python, and never fails or answers NULL."""

from __future__ import annotations

import json
import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, insert

from engine import tables
from engine.grammar import FieldType
from engine.store.verdicts import Subject, verdicts
from tests.conditions import condition
from tests.integration.audience.people import NOW, ZONE, ask, holds, person

# --- the oracle: what the language says, once more, without SQL --------------------------------------------------------


def typed(value: Any, declared: FieldType | None) -> Any:
    """The value as its declared type, or as it came; None when it is not of that type."""
    match declared:
        case None:
            return None if isinstance(value, list | dict) else value
        case "text":
            came = typed(value, None)
            return json.dumps(came) if isinstance(came, int | float) else came
        case "number":
            if isinstance(value, str):
                return Decimal(value) if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?(e[0-9])?", value) else None
            return value if isinstance(value, int | float) and not isinstance(value, bool) else None
        case "boolean":
            word = value.lower() if isinstance(value, str) else value
            return (
                {"true": True, "false": False, True: True, False: False}.get(word)
                if type(word) in (str, bool)
                else None
            )
        case "date":
            day = value[:10] if isinstance(value, str) and (len(value) == 10 or _instant(value, naive=True)) else ""
            return _date(day)
        case "datetime":
            return _instant(value) if isinstance(value, str) else None
        case "list":
            return typed(value, None)


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _instant(text: str, *, naive: bool = False) -> datetime | None:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return instant if instant.tzinfo or naive else None


def alike(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return isinstance(one, bool) and isinstance(other, bool)
    numbers = (int, float, Decimal)
    return type(one) is type(other) or (isinstance(one, numbers) and isinstance(other, numbers))


def fold(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def matches(item: Any, word: str, operands: list[Any]) -> bool:
    """One value against eq, an order, between, or one of."""
    if item is None:
        return False
    same = [fold(operand) for operand in operands if alike(item, operand)]
    item = fold(item)
    if word in ("eq", "ne", "in", "not_in", "contains", "not_contains", "has_any", "has_all"):
        return item in same
    if word in ("starts_with", "ends_with"):
        return bool(same) and (item.startswith(same[0]) if word == "starts_with" else item.endswith(same[0]))
    if len(same) < len(operands):
        return False
    if word == "between":
        return bool(same[0] <= item <= same[1])
    return bool({"gt": item > same[0], "gte": item >= same[0], "lt": item < same[0], "lte": item <= same[0]}[word])


def expected(value: Any, declared: FieldType | None, word: str, operands: list[Any]) -> bool:
    """`operands` in the type that the author means."""
    is_list = isinstance(value, list) and declared in (None, "list")
    if word == "exists":
        return bool((value is not None) == operands[0])
    if word == "empty":
        return bool((value is None or value in ("", [], {})) == operands[0])
    items = [typed(item, None) for item in value] if is_list else [typed(value, declared)]
    if word == "has_all":
        return all(any(matches(item, word, [operand]) for item in items) for operand in operands)
    if word in ("contains", "not_contains") and not is_list and declared != "list":
        item = items[0]
        some = isinstance(item, str) and isinstance(operands[0], str) and fold(operands[0]) in fold(item)
    else:
        some = value is not None and any(matches(item, word, operands) for item in items)
    return value is not None and not some if word in ("ne", "not_in", "not_contains") else some


# --- what goes in ------------------------------------------------------------------------------------------------------

DAYS = ("2026-02-28", "2024-02-29", "2026-12-31", "0001-01-01", "9999-12-31", "2026-06-30")
BAD_DAYS = ("2026-02-29", "1900-02-29", "2026-13-01", "2026-04-31", "0000-01-01", "2026-6-3", "2026-06-30 or so")
INSTANTS = (
    "2026-06-30T12:00:00Z",
    "2026-06-30T19:00:00+07:00",
    "2026-06-30T12:00:00.001+00:00",
    "0001-01-01T00:00:00Z",
)
BAD_INSTANTS = ("2026-06-30T25:00:00Z", "2026-06-30T12:00:00", "2026-02-30T12:00:00Z", "2026-06-30T12:00:00+25:00")
NUMERIC = ("5", "-3.50", "05", "1e3", "1e99999", "NaN", "infinity", "+", "", "٣", "0x10", "1_000", " 5")

numbers = st.integers(-6, 6) | st.integers(-6, 6).map(lambda half: half + 0.25) | st.just(2**53 + 1)
texts = st.text("aAbBéÉ %_'\\", max_size=3) | st.sampled_from(DAYS + BAD_DAYS + INSTANTS + BAD_INSTANTS + NUMERIC)
texts |= st.sampled_from(("true", "False", "null"))
scalars = st.none() | st.booleans() | numbers | texts
values = scalars | st.lists(scalars, max_size=3) | st.dictionaries(st.sampled_from("ab"), scalars, max_size=1)
words = {
    "eq": 1, "ne": 1, "gt": 1, "gte": 1, "lt": 1, "lte": 1, "between": 2, "in": 9, "not_in": 3, "contains": 1,
    "not_contains": 1, "starts_with": 1, "ends_with": 1, "has_any": 3, "has_all": 2, "exists": 0, "empty": 0,
}  # fmt: skip
LISTS = ("in", "not_in", "between", "has_any", "has_all")
operands_of: dict[FieldType | None, st.SearchStrategy[Any]] = {
    None: numbers | texts | st.booleans(),
    "list": numbers | texts | st.booleans(),
    "text": texts,
    "number": numbers,
    "boolean": st.booleans(),
    "date": st.sampled_from(DAYS),
    "datetime": st.sampled_from(INSTANTS),
}


@st.composite
def questions(draw: st.DrawFn) -> tuple[FieldType | None, str, list[Any]]:
    declared = draw(st.sampled_from(list(operands_of)))
    word = draw(st.sampled_from(list(words)))
    if words[word] == 0:
        return declared, word, [draw(st.booleans())]
    operand = operands_of[declared]
    ordered = word in ("gt", "gte", "lt", "lte", "between")
    if declared == "boolean" and ordered:
        word, ordered = "eq", False
    if word in ("contains", "not_contains", "starts_with", "ends_with") and declared not in (None, "text", "list"):
        word = "in"
    if word in ("has_any", "has_all") and declared not in (None, "list"):
        word = "not_in"
    if word in ("starts_with", "ends_with"):
        operand = texts
    if ordered and declared in (None, "list"):
        operand = draw(st.sampled_from((numbers, texts)))
    found = draw(st.lists(operand, min_size=words[word], max_size=words[word]))
    if word == "between":
        found.sort(key=lambda operand: fold(typed(operand, declared)))
    return declared, word, found


def asked(question: tuple[FieldType | None, str, list[Any]]) -> Any:
    declared, word, operands = question
    written = operands if word in LISTS else operands[0]
    return condition(json.dumps({"contact.v": {word: written}}), {} if declared is None else {"v": declared})


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(values, min_size=1, max_size=10), st.lists(questions(), min_size=1, max_size=8))
def test_every_operator_agrees_with_plain_python_on_any_value(
    conn: Connection, found: list[Any], wanted: list[tuple[FieldType | None, str, list[Any]]]
) -> None:
    with conn.begin_nested() as nothing_stays:
        people = [{"traits": {"v": value}, "created_at": NOW, "updated_at": NOW} for value in found]
        ids = conn.execute(insert(tables.contact).returning(tables.contact.c.id, sort_by_parameter_order=True), people)
        subjects = [Subject(ix, contact_id) for ix, (contact_id,) in enumerate(ids)]
        answers = verdicts(conn, {str(n): asked(question) for n, question in enumerate(wanted)}, subjects, NOW, ZONE)
        nothing_stays.rollback()
    for n, (declared, word, operands) in enumerate(wanted):
        meant = [typed(operand, declared) for operand in operands] if words[word] else operands
        for ix, value in enumerate(found):
            answer, seen = answers[ix, str(n)]
            assert answer is expected(value, declared, word, meant), (value, declared, word, operands)
            assert seen == value


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.fixed_dictionaries({}, optional={"v": scalars}), max_size=4), questions())
def test_a_path_with_a_star_holds_if_any_item_does_and_ne_if_none_does_the_opposite(
    conn: Connection, items: list[dict[str, Any]], question: tuple[FieldType | None, str, list[Any]]
) -> None:
    _, word, operands = question
    written = operands if word in LISTS else operands[0]
    contact_id = person(conn)
    answer, seen = ask(conn, contact_id, json.dumps({"event.items.*.v": {word: written}}), event={"items": items})
    there = [item["v"] for item in items if item.get("v") is not None]
    assert seen == there
    if word == "exists":
        assert answer is (bool(there) == operands[0])
    else:
        assert answer is expected(there, "list", word, operands)


# --- the rules by example ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("traits", [{}, {"city": None}])
def test_a_comparison_with_a_missing_value_is_false_and_not_turns_it(conn: Connection, traits: dict[str, None]) -> None:
    answers = {
        "contact.city: Jakarta": False,
        "contact.city: {ne: Jakarta}": False,
        "contact.city: {not_in: [Jakarta]}": False,
        "contact.city: {lt: Jakarta}": False,
        "contact.city: {contains: a}": False,
        "contact.city: {exists: true}": False,
        "contact.city: {exists: false}": True,
        "contact.city: {empty: true}": True,
        "contact.city: {empty: false}": False,
        "not: {contact.city: Jakarta}": True,
        "not: {contact.city: {ne: Jakarta}}": True,
        "not: {not: {contact.city: Jakarta}}": False,
        "any: [{contact.city: Jakarta}, {not: {contact.city: {gt: a}}}]": True,
    }
    somebody = person(conn, traits)
    assert {question: holds(conn, somebody, question) for question in answers} == answers


def test_what_a_person_is_known_by_comes_from_the_columns_not_from_a_trait_of_that_name(conn: Connection) -> None:
    traits = {"email": "old@example.com", "phone": "+62812", "timezone": "WIB", "locale": "id"}
    somebody = person(conn, traits, user_id="U1", email="Ani@Example.com", timezone="Asia/Jakarta")
    answers = {
        "contact.email: ANI@example.com": True,
        "contact.email: {contains: '@EXAMPLE'}": True,
        "contact.user_id: u1": True,
        "contact.phone: {exists: true}": False,
        "contact.phone: {ne: '+62'}": False,
        "contact.phone: {empty: true}": True,
        "contact.timezone: {in: [asia/jakarta, UTC]}": True,
        "contact.timezone: WIB": False,
        "contact.locale: {exists: false}": True,
    }
    assert {question: holds(conn, somebody, question) for question in answers} == answers


def test_tags_are_a_list_of_texts(conn: Connection) -> None:
    somebody = person(conn, {"tags": ["Vip", 2024]})
    answers = {
        "contact.tags: {contains: VIP}": True,
        "contact.tags: {contains: vi}": False,
        "contact.tags: {contains: 2024}": True,
        "contact.tags: [gold, vip]": True,
        "contact.tags: {not_in: [gold, vip]}": False,
        "contact.tags: {ne: gold}": True,
        "contact.tags.*: vip": True,
        "contact.tags.0: vip": True,
        "contact.tags.1: vip": False,
        "contact.tags: {empty: false}": True,
    }
    assert {question: holds(conn, somebody, question) for question in answers} == answers


def test_an_empty_list_is_empty_but_not_missing(conn: Connection) -> None:
    somebody = person(conn, {"tags": []})
    assert holds(conn, somebody, "contact.tags: {empty: true, exists: true, not_in: [vip]}")


def test_paths_go_into_nested_properties(conn: Connection) -> None:
    items = [{"sku": "A1", "price": 5, "sizes": [38]}, {"sku": "B2", "price": 12, "sizes": [40]}]
    answers = {
        "event.items.0.sku: a1": (True, "A1"),
        "event.items.2.sku: a1": (False, None),
        "event.items.*.sku: b2": (True, ["A1", "B2"]),
        "event.items.*.sku: {ne: b2}": (False, ["A1", "B2"]),
        "event.items.*.sku: {ne: c3}": (True, ["A1", "B2"]),
        "event.items.*.price: {gt: 10}": (True, [5, 12]),
        "event.items.*.price: {gt: 12}": (False, [5, 12]),
        "event.items.*.sizes.*: 38": (True, [38, 40]),
        "event.items.*.color: {ne: red}": (True, []),
        "event.items.*.color: {exists: true}": (False, []),
        "event.items.*.color: {empty: true}": (True, []),
        "event.nothing.*.sku: {ne: a}": (False, None),
        "event.nothing.*.sku: {exists: false}": (True, None),
        "event.shop.*.name: {ne: a}": (False, None),
        "event.shop.name: TOKO": (True, "Toko"),
    }
    event = {"items": items, "shop": {"name": "Toko"}}
    somebody = person(conn)
    assert {question: ask(conn, somebody, question, event=event) for question in answers} == answers


ODD = (
    "a'b",
    'a"b',
    "a\\b",
    "{a,b}",
    "%(x)s",
    ":now",
    "a b",
    "$1",
    "'); drop table contact; --",
    "NULL",
    "ä",
    "*a",
    "?|",
)


def test_odd_names_and_values_are_data_and_nothing_else(conn: Connection) -> None:
    nobody = person(conn, {"other": "x"})
    for name in ODD:
        somebody = person(conn, {name: {name: name}})
        for operation in (name, {"in": [name, "x"]}, {"contains": name}, {"between": [name, name]}):
            question = json.dumps({f"contact.{name}.{name}": operation})
            assert [holds(conn, who, question) for who in (somebody, nobody)] == [True, False]


def test_matched_and_entered_are_their_own_properties(conn: Connection) -> None:
    situation: dict[str, Any] = {"event": {"n": 1}, "matched": {"n": 2}, "entered": {"n": 3}}
    somebody = person(conn)
    assert ask(conn, somebody, "{event.n: 1, matched.n: 2}", **situation) == (True, [1, 2])
    assert ask(conn, somebody, condition("entered.n: 3", tested=True), **situation) == (True, 3)
    assert ask(conn, somebody, "matched.n: {exists: true}", event={"n": 1}) == (False, None)


def test_a_long_list_of_values_is_one_parameter(conn: Connection) -> None:
    somebody = person(conn, {"sku": "S999", "n": 999, "birthday": "2001-01-01"})
    texts, numbers = (", ".join(f"{prefix}{n}" for n in range(1000)) for prefix in ("s", ""))
    days = ", ".join(f"{year}-01-01" for year in range(1990, 2010))
    assert holds(conn, somebody, f"{{contact.sku: [{texts}], contact.n: [{numbers}]}}")
    assert not holds(conn, somebody, f"contact.sku: {{not_in: [{texts}]}}")
    assert holds(conn, somebody, condition(f"contact.birthday: [{days}]", {"birthday": "date"}))
