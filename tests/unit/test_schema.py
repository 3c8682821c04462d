"""The JSON Schemas: an editor that holds them says the same of a file's structure as `alur validate` does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor

from docs.generate import elements
from engine.audience.segment import read_segment
from engine.cli.schemas import schemas
from engine.config import read_config
from engine.document import read_document
from engine.errors import Problem
from engine.grammar import Reader
from engine.journey.journey import read_journey

ROOT = Path(__file__).parents[2]
SCHEMAS = schemas()
CHECKS = {name: Draft7Validator(schema) for name, schema in SCHEMAS.items()}

JOURNEY = """\
journey: example
description: A journey with most of what a journey may have.
topic: offers
trigger: {event: cart_updated, where: {event.total: {gte: 50000}}, key: event.cart_id}
entry: {reentry: {after: 30d}, again: restart, max_age: 24h, where: {contact.city: {in: [Jakarta, Bandung]}}}
exit:
  - {event: order_completed, key: event.cart_id, reason: bought}
  - {leaves: new_subscribers}
  - {when: {contact.plan: premium}, reason: upgraded}
goal: {event: order_completed, within: 7d, value: event.total}
delivery:
  quiet_hours: {from: "21:00", to: "08:00", channels: [sms], then: wait}
  cap: {max: 3, per: 7d}
  holdout: 10%
  throttle: 500/h
  priority: 50
steps:
  - wait: 1h
  - {send: cart_reminder, via: email, vars: {discount: 10}}
  - wait: {until: "09:00", days: [mon, fri]}
  - id: click
    wait_for: {event: order_completed, where: {event.total: {gte: 10}}, timeout: 23h}
    then:
      - exit: bought
    otherwise:
      - {id: nudge, send: cart_nudge, via: [whatsapp, sms]}
  - branch:
      - when: {all: [{contact.tags: {contains: vip}}, {not: {in_segment: lapsed}}]}
        do:
          - {id: voucher, send: cart_voucher, via: email}
      - otherwise: []
  - repeat: {up_to: 3, every: 7d, while: {did_not: {event: order_completed}}, do: [{send: tip, via: sms}]}
  - experiment:
      name: subject
      variants: {a: {weight: 50, do: []}, b: {weight: 50, do: [{wait: 1d}]}}
      winner: {by: goal, after: 500, confidence: 95%}
  - update: {contact.tier: gold, contact.points: {add: 10}, tags: {add: [vip]}, consent: {offers: out}}
  - {emit: cart_given_up, properties: {cart: "{{ event.cart_id }}"}}
  - {webhook: {url: https://crm.example.com, method: PUT, body: {a: 1}, secret: "${CRM_SECRET}"}, on_failure: exit}
  - start: winback
tests:
  - name: buyer gets no reminder
    contact: {user_id: ani, consent: [offers], city: Jakarta}
    given:
      - {at: "2026-03-01T20:30:00+07:00", event: cart_updated, properties: {cart_id: c1}}
      - {at: "2026-03-01T20:40:00+07:00", consent: {offers: out}}
    expect:
      - {exit: bought, at: "2026-03-01T21:00:00+07:00"}
      - {sends: 0}
      - {contact.tier: gold}
"""
SEGMENT = """\
segment: example
description: Who buys.
where:
  did: {event: order_completed, where: {event.total: {gte: 50000}}, within: 30d, count: {gte: 2}}
  did_not: {event: account_closed}
"""
CONFIG = """\
organisation: {name: Toko Nada, timezone: Asia/Jakarta, locale: id, country: ID}
web: {port: 8080, secret_keys: ["${ALUR_SECRET_KEY}"], write_keys: {shop: {key: "${SHOP_KEY}", scope: server}}}
channels: {email: {adapter: file, throttle: 50/s}}
topics: {offers: {title: {id: Penawaran}}, tips: }
contacts: {fields: {birthday: date}}
events: {signed_up: {properties: {source: text}}}
prefect: {enabled: true}
"""
ENVIRONMENT = {"ALUR_SECRET_KEY": "not_really_a_secret", "SHOP_KEY": "neither_is_this"}


class Words(SafeConstructor):
    """YAML 1.2 knows no dates: an editor hands them to the schema as text."""


Words.add_constructor("tag:yaml.org,2002:timestamp", SafeConstructor.construct_yaml_str)


def seen(source: str) -> Any:
    """What an editor makes of the text: YAML 1.2."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = Words
    return yaml.load(source)


def flaws(kind: str, source: str) -> list[str]:
    return [error.message for error in CHECKS[kind].iter_errors(seen(source))]


def problems(kind: str, source: str) -> list[Problem]:
    """What reading alone finds, without the rest of a workspace."""
    if kind == "config":
        return read_config(source.encode(), "config.yaml", ENVIRONMENT)[1]
    node, found = read_document(source.encode(), "example.yaml")
    reader = Reader("example.yaml")
    if node is not None and kind == "journey":
        read_journey(node, reader, "example")
    elif node is not None:
        read_segment(node, reader)
    return [*found, *reader.problems]


@pytest.mark.parametrize("kind", SCHEMAS)
def test_a_schema_is_a_good_draft_07_schema_that_explains_every_key(kind: str) -> None:
    Draft7Validator.check_schema(SCHEMAS[kind])
    assert [path for path, part in _properties(SCHEMAS[kind]) if not part.get("description")] == []


def _properties(part: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every key that a schema names, at any depth."""
    yield from ((f"{path}/{name}", each) for name, each in part.get("properties", {}).items())
    for word in ("properties", "patternProperties", "definitions"):
        for name, each in part.get(word, {}).items():
            yield from _properties(each, f"{path}/{name}")
    for word in ("items", "additionalProperties"):
        if isinstance(part.get(word), dict):
            yield from _properties(part[word], f"{path}/{word}")
    for word in ("anyOf", "allOf"):
        for number, each in enumerate(part.get(word, ())):
            yield from _properties(each, f"{path}/{number}")


def _shipped() -> list[tuple[str, Path]]:
    kinds = {"journey": "journeys/*.yaml", "segment": "segments/*.yaml", "config": "config.yaml"}
    return [(kind, file) for kind, pattern in kinds.items() for file in sorted(ROOT.glob(pattern))]


@pytest.mark.parametrize(("kind", "file"), _shipped(), ids=lambda value: getattr(value, "stem", value))
def test_every_file_that_ships_fits_its_schema(kind: str, file: Path) -> None:
    assert flaws(kind, file.read_text()) == []


def test_every_example_of_the_reference_fits_its_schema() -> None:
    kinds = {element: "segment" if "segment" in element.section else "journey" for element in elements()}
    assert {
        element.name: flaws(kind, element.whole) for element, kind in kinds.items() if flaws(kind, element.whole)
    } == {}


@pytest.mark.parametrize(("kind", "source"), [("journey", JOURNEY), ("segment", SEGMENT), ("config", CONFIG)])
def test_the_files_that_the_tests_break_are_good_ones(kind: str, source: str) -> None:
    assert (flaws(kind, source), problems(kind, source)) == ([], [])


BROKEN = [
    # unknown keys
    ("journey", "topic: offers", "topic: offers\ncolour: red"),
    ("journey", "wait: 1h", "wiat: 1h"),
    ("journey", "discount: 10}}", "discount: 10}, colour: red}"),
    ("journey", "again: restart", "agian: restart"),
    ("journey", "key: event.cart_id}\nentry", "keey: event.cart_id}\nentry"),
    ("journey", "contact.tags:", "contacts.tags:"),
    ("journey", "{gte: 50000}", "{gtee: 50000}"),
    ("journey", "timeout: 23h}", "timeout: 23h, colour: red}"),
    ("segment", "within: 30d", "whithin: 30d"),
    ("segment", "did_not:", "didnt:"),
    ("config", "timezone: Asia", "time_zone: Asia"),
    # wrong types
    ("journey", "journey: example", "journey: [example]"),
    ("journey", "topic: offers", "topic: {name: offers}"),
    ("journey", "via: email", "via: {first: email}"),
    ("journey", "{discount: 10}", "[discount, 10]"),
    ("journey", "exit:\n  - {event", "exit:\n  - [colour]\n  - {event"),
    ("journey", "{send: cart_reminder,", "{send: 12,"),
    ("journey", "description: A", "description: [A]\npurpose: retention\n#"),
    ("segment", "count: {gte: 2}", "count: {gte: many}"),
    ("segment", "event: account_closed", "event: [account_closed]"),
    ("config", "port: 8080", "port: http"),
    ("config", "enabled: true", "enabled: yes"),
    ("config", "{birthday: date}", "[birthday]"),
    # what is missing
    ("journey", "journey: example\n", ""),
    ("journey", "trigger: {event", "#trigger: {event"),
    ("journey", ", via: email", ""),
    ("journey", ", timeout: 23h", ""),
    ("journey", "      - otherwise: []\n", ""),
    ("journey", "{event: order_completed, within: 7d,", "{within: 7d,"),
    ("segment", "event: order_completed, ", ""),
    ("config", "adapter: file, ", ""),
    ("config", "name: Toko Nada, ", ""),
    # words that are not among those that may stand there
    ("journey", "again: restart", "again: sometimes"),
    ("journey", "via: email", "via: pigeon"),
    ("journey", "[mon, fri]", "[mon, payday]"),
    ("journey", "topic: offers", "topic: offers\nkind: secret"),
    ("config", "birthday: date", "birthday: day"),
    ("config", "scope: server", "scope: everybody"),
    # durations, clock times, names, paths
    ("journey", "wait: 1h", "wait: 1 hour"),
    ("journey", "wait: 1h", "wait: 60"),
    ("journey", "timeout: 23h", "timeout: soon"),
    ("journey", "within: 7d", "within: 1mo"),
    ("journey", '"09:00"', '"25:00"'),
    ("journey", "after: 30d", "after: 30"),
    ("journey", "key: event.cart_id, reason", "key: cart_id, reason"),
    ("journey", "journey: example", "journey: Example"),
    ("config", "throttle: 50/s", "throttle: fast"),
    ("config", "country: ID", "country: Indonesia"),
    ("config", '"${SHOP_KEY}"', "typed_in"),
    # the rest of the language
    ("journey", "max: 3", "max: 0"),
    ("journey", "priority: 50", "priority: 101"),
    ("journey", "throttle: 500/h", "throttle: 500"),
    ("journey", "then: wait", "then: hold"),
    ("journey", "channels: [sms]", "channels: [letter]"),
    ("journey", "up_to: 3, ", ""),
    ("journey", "up_to: 3", "up_to: 0"),
    ("journey", "while: {did_not:", "while: {didnt:"),
    ("journey", "name: subject\n", "title: subject\n"),
    ("journey", "{weight: 50, do: []}", "{weight: 50}"),
    ("journey", "by: goal", "by: luck"),
    ("journey", "contact.points: {add: 10}", "contact.points: {ad: 10}"),
    ("journey", "consent: {offers: out}}", "consent: {offers: in}}"),
    ("journey", "properties: {cart", "props: {cart"),
    ("journey", "method: PUT", "method: PUSH"),
    ("journey", '"${CRM_SECRET}"', "typed_in"),
    ("journey", "start: winback", "start: [winback]"),
    ("journey", "{sends: 0}", "{sends: none}"),
    ("journey", "{exit: bought, at", "{exits: bought, at"),
    ("journey", "    given:", "    givn:"),
    ("journey", "{offers: out}}\n", "{offers: maybe}}\n"),
]


@pytest.mark.parametrize(("kind", "good", "bad"), BROKEN)
def test_what_validate_refuses_for_its_structure_the_schema_flags_too(kind: str, good: str, bad: str) -> None:
    source = {"journey": JOURNEY, "segment": SEGMENT, "config": CONFIG}[kind]
    assert good in source
    broken = source.replace(good, bad, 1)
    assert problems(kind, broken) != []
    assert flaws(kind, broken) != []


# --- any change of a good file ----------------------------------------------------------------------------------------

_FREE = ("vars", "properties", "body", "contact", "headers")  # where an author names the keys
_GOOD = {"journey": seen(JOURNEY), "segment": seen(SEGMENT)}
_VALUES = st.sampled_from(
    [None, True, 7, 1.5, "", "welcome", "1d", "09:00", "event.total", [], {}, ["a"], {"a": 1}, [[]]]
)


@st.composite
def _changed(draw: st.DrawFn, kind: str) -> Any:
    """A good file with one value exchanged, one key taken away or one added."""
    whole = json.loads(json.dumps(_GOOD[kind]))
    places = list(_places(whole))
    holder, key = draw(st.sampled_from(places))
    how = draw(st.sampled_from(("exchange", "remove", "add")))
    if how == "exchange":
        holder[key] = draw(_VALUES)
    elif how == "remove":
        del holder[key]
    elif isinstance(holder, dict):
        holder[draw(st.sampled_from(("colour", "where", "event", "id", "then")))] = draw(_VALUES)
    else:
        holder.insert(key, draw(_VALUES))
    return whole


def _places(part: Any) -> Iterator[tuple[Any, Any]]:
    items: Any = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for key, value in items:
        yield part, key
        yield from _places(value)


@pytest.mark.parametrize("kind", ["journey", "segment"])
@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_the_schema_flags_nothing_that_validate_lets_pass(kind: str, data: st.DataObject) -> None:
    source = json.dumps(data.draw(_changed(kind)))  # JSON is YAML, too
    if not problems(kind, source):
        assert flaws(kind, source) == []


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_a_key_that_nobody_knows_is_flagged_wherever_it_stands(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(("journey", "segment")))
    whole = json.loads(json.dumps(_GOOD[kind]))
    mappings = [
        whole,
        *(holder[key] for holder, key in _places(whole) if isinstance(holder[key], dict) and key not in _FREE),
    ]
    data.draw(st.sampled_from(mappings))["colour"] = data.draw(_VALUES)
    source = json.dumps(whole)
    assert problems(kind, source) != []
    assert flaws(kind, source) != []
