"""The filters a template may use, each with what its arguments must be; bounded in time and size."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from jinja2 import Undefined, pass_context
from jinja2.runtime import Context

from engine.message.formats import DATE_STYLES, Formats

RUN = "_run"
"""Where a rendering keeps its `Run` among the values; a name that no template can say."""

MOST_ROUNDS = 20_000  # expressions evaluated inside loops in one rendering
_IN_LINKS = re.compile(r"[A-Za-z0-9!#$%&'()*+,/:;=?@\[\]~._-]*")
_SCHEMES = ("https://", "http://", "mailto:", "tel:", "sms:")


@dataclass
class Run:
    """What one rendering needs besides its values: how to write them, and how much it may still do."""

    formats: Formats
    rounds: int = MOST_ROUNDS


@dataclass(frozen=True)
class Filter:
    """`fault` judges written-out arguments (`...` stands for a variable) when a template is compiled."""

    apply: Callable[..., Any]
    example: str
    fault: Callable[[list[Any]], str | None]


def _text(value: Any) -> str:
    """Text or a number as text; raises for anything else, as printing it would."""
    if isinstance(value, str):
        return value
    if isinstance(value, Undefined):
        return str(value)  # raises: the value is missing
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"{_kind(value)} is not a text")


def _list(value: Any) -> list[Any]:
    if isinstance(value, Undefined):
        str(value)  # raises: the value is missing
    if not isinstance(value, list | tuple):
        raise ValueError(f"{_kind(value)} is not a list")
    return list(value)


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    return {dict: "a mapping", list: "a list", tuple: "a list", type(None): "nothing"}.get(type(value), "the value")


@pass_context
def _present(context: Context, value: Any) -> Any:
    """Null counts as missing, here as everywhere."""
    return context.environment.undefined(name="an item of the list") if value is None else value


def default(value: Any, other: Any) -> Any:
    """The value, or the other one where it is missing or blank."""
    blank = isinstance(value, Undefined) or value is None or (isinstance(value, str) and not value.strip())
    return other if blank else value


_WORD_STARTS = re.compile(r"(?<![^\s\-(\[{<])\w|(?<=\b\w')\w")


def title(value: Any) -> str:
    """The first letter of each word in capitals; `ANI` becomes `Ani`, `O'Brien` and `McKay` stay as they are."""
    text = _text(value)
    return _WORD_STARTS.sub(lambda found: found[0].upper(), text.lower() if text.isupper() else text)


def capitalize(value: Any) -> str:
    text = _text(value)
    return text[:1].upper() + text[1:]


def truncate(value: Any, length: int) -> str:
    """At most `length` characters, cut between words where there is one to cut at, with an ellipsis."""
    text = _text(value)
    if len(text) <= length:
        return text
    cut = text[: length - 1]
    words = cut.rsplit(None, 1)[0] if " " in cut and not text[length - 1].isspace() else cut
    return words.rstrip(" ,.;:") + "…"


def join(value: Any, separator: str = ", ") -> str:
    return separator.join(_text(item) for item in _list(value))


@pass_context
def first(context: Context, value: Any) -> Any:
    items = _list(value)
    return _present(context, items[0] if items else None)


@pass_context
def last(context: Context, value: Any) -> Any:
    items = _list(value)
    return _present(context, items[-1] if items else None)


def length(value: Any) -> int:
    return len(value) if isinstance(value, str | dict) else len(_list(value))


def rounded(value: Any, digits: int = 0) -> float | int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{_kind(value)} is not a number")
    return round(value, digits) if digits else round(value)


def urlencode(value: Any) -> str:
    """For a value inside a link, such as `?name={{ contact.name | urlencode }}`."""
    return quote(_text(value), safe="")


def link(value: Any) -> str:
    """A whole link from the data: only of a scheme that opens a page, a mail or a call, so never `javascript:`."""
    text = _text(value).strip()
    if not text.lower().startswith(_SCHEMES):
        raise ValueError("the value is not a link: it must begin with https://")
    return link_part(text)


def link_part(value: Any) -> str:
    """A piece of a link: what can't stand in one is percent-encoded, what has a meaning in one keeps it."""
    text = _text(value)
    return text if _IN_LINKS.fullmatch(text) else quote(text, safe="!#$%&'()*+,/:;=?@[]~-._")


@pass_context
def each(context: Context, value: Any, weight: int) -> list[Any]:
    """The items of a loop, charged to what the rendering may still do."""
    items = _list(value)
    run: Run = context[RUN]
    run.rounds -= len(items) * weight
    if run.rounds < 0:
        raise ValueError(f"the loops of this template do too much (over {MOST_ROUNDS:,} expressions)")
    return [_present(context, item) for item in items]


@pass_context
def money(context: Context, value: Any, currency: Any = None) -> str:
    return _formats(context).money(_there(value), None if currency is None else _there(currency))


@pass_context
def number(context: Context, value: Any, digits: int | None = None) -> str:
    return _formats(context).number(_there(value), digits)


@pass_context
def date(context: Context, value: Any, style: Any = "long") -> str:
    return _formats(context).date(_there(value), style)


@pass_context
def time(context: Context, value: Any) -> str:
    return _formats(context).time(_there(value))


def _formats(context: Context) -> Formats:
    run: Run = context[RUN]
    return run.formats


def _there(value: Any) -> Any:
    if isinstance(value, Undefined):
        str(value)  # raises: the value is missing
    return value


def _none(arguments: list[Any]) -> str | None:
    return "takes no argument" if arguments else None


def _one_value(arguments: list[Any]) -> str | None:
    return None if len(arguments) == 1 else "takes one argument"


def _optional_digits(arguments: list[Any]) -> str | None:
    good = not arguments or (len(arguments) == 1 and type(arguments[0]) is int and 0 <= arguments[0] <= 6)
    return None if good else "takes a number of digits from 0 to 6"


def _length(arguments: list[Any]) -> str | None:
    good = len(arguments) == 1 and type(arguments[0]) is int and 1 <= arguments[0] <= 1_000
    return None if good else "takes a number of characters from 1 to 1000"


def _separator(arguments: list[Any]) -> str | None:
    good = not arguments or (len(arguments) == 1 and isinstance(arguments[0], str) and len(arguments[0]) <= 20)
    return None if good else "takes a written-out text of at most 20 characters"


def _style(arguments: list[Any]) -> str | None:
    good = not arguments or (len(arguments) == 1 and arguments[0] in DATE_STYLES)
    return None if good else f"takes one of {', '.join(DATE_STYLES)}"


def _currency(arguments: list[Any]) -> str | None:
    if not arguments or arguments == [...]:
        return None
    good = len(arguments) == 1 and isinstance(arguments[0], str) and re.fullmatch(r"[A-Za-z]{3}", arguments[0])
    return None if good else "takes a currency code"


FILTERS: Mapping[str, Filter] = {
    "default": Filter(default, "contact.first_name | default('friend')", _one_value),
    "upper": Filter(lambda value: _text(value).upper(), "contact.city | upper", _none),
    "lower": Filter(lambda value: _text(value).lower(), "contact.city | lower", _none),
    "title": Filter(title, "contact.city | title", _none),
    "capitalize": Filter(capitalize, "contact.city | capitalize", _none),
    "trim": Filter(lambda value: _text(value).strip(), "contact.city | trim", _none),
    "truncate": Filter(truncate, "event.name | truncate(40)", _length),
    "join": Filter(join, "contact.tags | join(', ')", _separator),
    "first": Filter(first, "event.items | first", _none),
    "last": Filter(last, "event.items | last", _none),
    "length": Filter(length, "event.items | length", _none),
    "round": Filter(rounded, "event.score | round(1)", _optional_digits),
    "money": Filter(money, "event.total | money('IDR')", _currency),
    "number": Filter(number, "event.points | number", _optional_digits),
    "date": Filter(date, "event.at | date('long')", _style),
    "time": Filter(time, "event.at | time", _none),
    "urlencode": Filter(urlencode, "contact.city | urlencode", _none),
    "link": Filter(link, "event.url | link", _none),
}

INTERNAL: Mapping[str, Callable[..., Any]] = {"_each": each, "_link_part": link_part}
"""Put into the tree by the compiler; no template can name them."""
