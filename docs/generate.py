"""Writes what stands in these pages and follows from the code: the picture of a journey, capabilities, settings, the
language's reference.

    python docs/generate.py

The parts lie between `<!-- made by docs/generate.py -->` and `<!-- end -->`. A test compares them with the code.
"""

# ruff: noqa: INP001  a script among pages, no package

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import time, timedelta
from itertools import groupby
from pathlib import Path
from textwrap import indent
from typing import Any, Final

from channels.base import Adapter, AdapterKind, SearchableAdapter
from channels.registry import kinds
from engine.audience.conditions import KINDS as CONDITIONS
from engine.audience.operators import OPERATORS
from engine.audience.segment import SEGMENT
from engine.config import CONFIG, DELIVERY
from engine.config.types import ChannelType, MapOf
from engine.document import word_value
from engine.draw import svg
from engine.grammar import Declared, Field, Later, Shape, Type
from engine.journey.in_flight import InFlight
from engine.journey.journey import JOURNEY
from engine.journey.machine import compile_journey
from engine.journey.rules import ENTRY, EXIT_RULES, GOAL, Reentry
from engine.journey.steps import KINDS as STEPS
from engine.journey.trial_reading import EXPECT, GIVEN, trial_shape
from engine.journey.trial_words import CONTACT
from engine.journey.triggers import KINDS as TRIGGERS
from engine.moments import Window
from engine.run.machines import read_source

ROOT: Final = Path(__file__).parents[1]
START: Final = "<!-- made by docs/generate.py -->\n"
END: Final = "<!-- end -->"
DRAWN: Final = "cart_abandonment"
PICTURE: Final = ROOT / "docs" / "images" / f"{DRAWN}.svg"

# What an adapter can't do without, so that one can be built and asked.
_LEAST: Final[dict[str, dict[str, Any]]] = {"smtp": {"host": "smtp.example.com", "from": "halo@toko.example.com"}}


def generated() -> dict[Path, str]:
    """Each file with the text that it should have."""
    files = {page(kind): between(page(kind), capabilities(kind)) for kind in kinds().values()}
    settings_page = ROOT / "docs" / "settings.md"
    files[settings_page] = between(settings_page, settings_table())
    language_page = ROOT / "docs" / "language.md"
    files[language_page] = between(language_page, reference())
    files[PICTURE] = picture()
    return files


def page(kind: AdapterKind) -> Path:
    """The page of an adapter."""
    return ROOT / "docs" / "channels" / f"{kind.name}.md"


def between(file: Path, made: str) -> str:
    """The file's text with the made part in its place."""
    before, _, rest = file.read_text(encoding="utf-8").partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}{made}{END}{after}"


def picture() -> str:
    """What `alur draw` makes of the journey on the first page."""
    source = (ROOT / "journeys" / f"{DRAWN}.yaml").read_text(encoding="utf-8")
    return svg(compile_journey(read_source(DRAWN, source, Declared())))


def capabilities(kind: AdapterKind) -> str:
    """What the adapter can do, as it says itself."""
    medium = min(kind.media)
    adapter: Adapter = kind.build(kind.options.model_validate(_LEAST.get(kind.name, {})), medium, ROOT / ".alur")
    can = adapter.capabilities
    asked = can.searchable and isinstance(adapter, SearchableAdapter)
    rows = (
        ("channels", ", ".join(sorted(kind.media))),
        ("connections worth opening at once", str(can.connections)),
        ("messages in one call", str(can.batch)),
        ("can be asked what became of a send", "yes: a send whose end is unknown is settled" if asked else "no"),
        ("drops a repeated message by itself", "yes" if can.idempotent else "no"),
    )
    return _table(("capability", f"`{kind.name}`"), rows)


def settings_table() -> str:
    """Every key of config.yaml."""
    return _table(("setting", "what stands there", "what it is", "default"), settings())


def settings() -> Iterator[tuple[str, str, str, str]]:
    """Name, what is expected, meaning and default of every key, in the order of the shape."""
    yield from _of_shape("", CONFIG)


def _of_shape(prefix: str, shape: Shape) -> Iterator[tuple[str, str, str, str]]:
    for name, field in shape.fields.items():
        yield from _of_field(f"{prefix}{name}", field)


def _of_field(name: str, field: Field) -> Iterator[tuple[str, str, str, str]]:
    inner: Type = field.type
    path = name
    while isinstance(inner, MapOf):
        path, inner = f"{path}.NAME", inner.value
    match inner:
        case Shape():
            yield from _of_shape(f"{path}.", inner)
        case ChannelType():
            yield (
                f"{path}.adapter",
                "an adapter's name",
                f"{field.about}; its own options stand beside it",
                "required where the channel is",
            )
            yield f"{path}.throttle", "a rate such as 50/s, 500/m or 10000/h", "how fast, for each process", "none"
        case Later():
            yield path, "not supported yet", field.about, ""
        case _:
            yield path, inner.expected, field.about, _default(field)


_SHOWN: Final[dict[type, Callable[[Any], str]]] = {
    str: str,
    int: str,
    float: "{:g}".format,
    bool: lambda flag: "true" if flag else "false",
    tuple: ", ".join,
    time: "{:%H:%M}".format,
    timedelta: lambda span: f"{span / timedelta(hours=1):g}h",
    Window: lambda window: window.text,
    Reentry: lambda reentry: reentry.rule,
    InFlight: lambda in_flight: in_flight.rule,
}


def _default(field: Field) -> str:
    if field.required:
        return "required"
    show = _SHOWN.get(type(field.default))
    said = show(field.default) if show is not None else ""
    return f"`{said}`" if said else "none"


def _table(head: tuple[str, ...], rows: Any) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for first, *rest in rows:
        named = f"`{first}`" if head[0] == "setting" else first
        lines.append(f"| {' | '.join([named, *(cell.replace('|', chr(92) + '|') for cell in rest)])} |")
    return "\n".join(lines) + "\n"


# --- the reference of the language ------------------------------------------------------------------------------------

BASE: Final[dict[str, Any]] = {
    "journey": "example",
    "topic": "offers",
    "trigger": {"event": "cart_updated", "key": "event.cart_id"},
    "exit": [{"event": "order_completed", "reason": "bought"}],
    "steps": [{"id": "reminder", "send": "cart_reminder", "via": "email"}, {"id": "new_step", "wait": "1h"}],
}
"""The journey around an example that is only a part of one."""

_TEST: Final[dict[str, Any]] = {
    "name": "an example",
    "contact": {"user_id": "ani"},
    "from": "2026-03-01T20:00:00+07:00",
    "expect": [{"entries": 0}],
}


_ABOUT_EXIT: Final = {
    "event": "the person did something since the trigger's own time",
    "leaves": "a membership that held at or after entry has ended",
    "when": "a condition holds",
}
_ABOUT_GIVEN: Final = {
    "event": "the person does something",
    "identify": "an app says what it knows of them",
    "consent": "the person says yes or no to topics, on every channel",
    "suppress": "their address on this channel must not be used any more",
    "message": "something becomes of the newest message of a step",
    "enroll": "somebody enrolls them by hand",
}
_ABOUT_EXPECT: Final = {
    "send": "a message goes out; each line needs one of its own",
    "withheld": "a message is withheld",
    "exit": "a passage ends so",
    "goal": "so many passages reach the goal",
    "sends": "so many messages go out",
    "entries": "so many passages begin",
}


@dataclass(frozen=True)
class Element:
    """One thing that a journey may say: `example` as an author writes it, `whole` a journey that has it."""

    section: str
    name: str
    about: str
    example: str
    whole: str
    rows: tuple[tuple[str, str, str, str], ...] = ()


def elements() -> Iterator[Element]:
    """Everything that the language has, in the order of the page."""
    for name, field in JOURNEY.fields.items():
        yield _key("Keys of a journey", name, field, lambda part: part)
    for word, trigger in TRIGGERS.items():
        whole = "\n".join(f"{key}: {flow(value)}" for key, value in BASE.items() if key != "trigger")
        whole += f"\ntrigger: {trigger.example}\n"
        yield Element("Triggers", word, trigger.about, trigger.example, whole, _rows(trigger.shape))
    for name, field in ENTRY.fields.items():
        yield _key("Keys of `entry`", name, field, lambda part: {"trigger": {"enters": "vips"}, "entry": part})
    for word, rule in EXIT_RULES.items():
        example = flow(rule.example or {})
        yield Element(
            "Rules of `exit`", word, _ABOUT_EXIT[word], example, journey({"exit": [rule.example]}), _rows(rule)
        )
    for name, field in GOAL.fields.items():
        yield _key("Keys of `goal`", name, field, lambda part: {"goal": {"event": "order_completed", **part}})
    for name, field in DELIVERY.fields.items():
        yield _key("Delivery rules", name, field, lambda part: {"delivery": part})
    for verb, kind in STEPS.items():
        example = kind.example.strip("\n")
        whole = journey({}, leave_out=("steps",)) + "steps:\n" + indent(example, "  ") + "\n"
        yield Element("Steps", verb, kind.about, example, whole, _rows(kind.shape))
    for kind_of in CONDITIONS:
        for word, told in kind_of.told.items():
            name = f"{word}FIELD" if word == "contact." else f"{word}PATH" if word.endswith(".") else word
            yield Element("Conditions", name, told.about, told.example, _asking(told.example))
    for word, operator in OPERATORS.items():
        yield Element("Operators", word, operator.about, operator.example, _asking(operator.example))
    yield from _of_tests()
    for name, field in SEGMENT.fields.items():
        example = {name: field.example}
        whole = "".join(
            f"{key}: {flow(value)}\n"
            for key, value in ({"segment": "loyal", "where": {"contact.tier": "gold"}} | example).items()
        )
        yield Element(
            "Keys of a segment", name, field.about, f"{name}: {flow(field.example)}", whole, (_row(name, field),)
        )


def _of_tests() -> Iterator[Element]:
    def tests(part: Any) -> dict[str, Any]:
        return {"tests": [_TEST | part]}

    for name, field in trial_shape().fields.items():
        if name in ("name", "contact", "from", "until"):
            yield _key("Keys of a test", name, field, tests)
    for name, field in CONTACT.items():
        yield _key("`contact` of a test", name, field, lambda part: tests({"contact": part}))
    for word, shape in GIVEN.items():
        example = shape.example or {}
        yield Element(
            "`given` of a test",
            word,
            _ABOUT_GIVEN[word],
            f"- {flow(example)}",
            journey(tests({"given": [example]})),
            _rows(shape),
        )
    for word, shape in EXPECT.items():
        example = shape.example or {}
        yield Element(
            "`expect` of a test",
            word,
            _ABOUT_EXPECT[word],
            f"- {flow(example)}",
            journey(tests({"expect": [example]})),
            _rows(shape),
        )
    of_contact = {"contact.tier": "gold"}
    about = "what holds of the contact at the end; operators as in a condition"
    yield Element(
        "`expect` of a test", "contact.FIELD", about, f"- {flow(of_contact)}", journey(tests({"expect": [of_contact]}))
    )


def _key(section: str, name: str, field: Field, place: Callable[[dict[str, Any]], dict[str, Any]]) -> Element:
    example = {name: field.example}
    return Element(
        section, name, field.about, f"{name}: {flow(field.example)}", journey(place(example)), (_row(name, field),)
    )


def journey(part: dict[str, Any], leave_out: tuple[str, ...] = ()) -> str:
    """The text of a journey that has this part."""
    return "".join(f"{key}: {flow(value)}\n" for key, value in (BASE | part).items() if key not in leave_out)


def _asking(condition: str) -> str:
    """A journey that asks this where every word of a condition has a meaning: behind a message and a `wait_for`."""
    asking = f"- branch:\n    - when: {condition}\n      do: []\n    - otherwise: []\n"
    before = (
        "  - {id: reminder, send: cart_reminder, via: email}\n  - wait_for: {event: order_completed, timeout: 1d}\n"
    )
    return journey({}, leave_out=("steps",)) + f"steps:\n{before}{indent(asking, '  ')}"


def flow(value: Any) -> str:
    """A value on one line, as an author would write it."""
    match value:
        case dict():
            return f"{{{', '.join(f'{key}: {flow(inner)}' for key, inner in value.items())}}}"
        case list() | tuple():
            return f"[{', '.join(map(flow, value))}]"
        case str() if re.fullmatch(r"[A-Za-z0-9_][\w .%/@-]*(:[^\s,\[\]{}]+)?", value) and word_value(value) == value:
            return f'"{value}"' if re.match(r"\d\d:|\d{4}-", value) else value
        case _:
            return json.dumps(value, ensure_ascii=False)


def _rows(shape: Shape) -> tuple[tuple[str, str, str, str], ...]:
    return tuple(_row(name, field) for name, field in shape.fields.items() if not isinstance(field.type, Later))


def _row(name: str, field: Field) -> tuple[str, str, str, str]:
    return name, field.type.expected, field.about, _default(field)


def reference() -> str:
    """Every element with what it is, what may stand there, and an example."""
    parts: list[str] = []
    for section, found in groupby(elements(), key=lambda element: element.section):
        parts.append(f"### {section}\n")
        some = list(found)
        if any(element.rows[1:] or "\n" in element.example for element in some):
            parts += [_block(element) for element in some]
        else:
            head = ("", "what it is", *(("what stands there", "default") if some[0].rows else ()), "example")
            parts.append(_table(head, [_cells(element) for element in some]))
    return "\n".join(parts)


def _block(element: Element) -> str:
    head = ("key", "what stands there", "what it is", "default")
    keys = f"\n{_table(head, [(f'`{row[0]}`', *row[1:]) for row in element.rows])}" if element.rows else ""
    return f"`{element.name}`: {element.about}.\n{keys}\n```yaml\n{element.example}\n```\n"


def _cells(element: Element) -> tuple[str, ...]:
    return f"`{element.name}`", element.about, *(element.rows[0][1::2] if element.rows else ()), f"`{element.example}`"


if __name__ == "__main__":
    for file, text in generated().items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
