"""Values that SQL looks at: JSON of any type, read as the type that is asked for and never by a cast that can fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Date,
    Numeric,
    Select,
    Text,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    not_,
    null,
    or_,
    select,
    true,
)
from sqlalchemy import literal_column as constant
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP

from engine.audience.operands import Kind
from engine.audience.sql.scope import Clock
from engine.grammar import FieldType

# PostgreSQL 15 can't ask whether a cast would fail, so a text is cast only after it matched. ASCII digits, bounded.
_NUMBER = r"^[+-]?([0-9]{1,60}(\.[0-9]{0,60})?|\.[0-9]{1,60})([eE][+-]?[0-9]{1,2})?$"
_DAY = (
    r"(?!0000)([0-9]{4}-(0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])"
    r"|[0-9]{4}-(0[469]|11)-(0[1-9]|[12][0-9]|30)"
    r"|[0-9]{4}-02-(0[1-9]|1[0-9]|2[0-8])"
    r"|([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29)"
)
_CLOCK = r"[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?)?"
_OFFSET = r"([Zz]|[+-](0[0-9]|1[0-5]):?[0-5][0-9])"
_DATE = f"^{_DAY}({_CLOCK}{_OFFSET}?)?$"  # of a date with a clock time the date as written
_DATETIME = f"^{_DAY}{_CLOCK}{_OFFSET}$"  # without an offset it is no instant
_LOCAL_DAY = f"^{_DAY}({_CLOCK})?$"  # undeclared: with an offset it is an instant

_MOST_FOUND = 50  # items of a list that a trace keeps


class One(Protocol):
    """One value, offered as the type an operator asks for."""

    def typed(self, kind: Kind) -> ColumnElement[Any]:
        """The value as this type (text in lower case), or NULL when it is of another."""
        ...

    def day(self) -> ColumnElement[Any]:
        """The value as a date, or NULL; an undeclared text that looks like one is one, for operators that ask of dates."""
        ...

    def instant(self) -> ColumnElement[Any]:
        """Likewise as an instant. No value is both."""
        ...


Test = Callable[[One], ColumnElement[Any]]


class Subject(Protocol):
    """What stands to the left of an operator. Every answer is true or false, never NULL."""

    def any(self, test: Test) -> ColumnElement[bool]:
        """The test holds: of a list for at least one item, of a missing value never."""
        ...

    def present(self) -> ColumnElement[bool]:
        """There is a value to compare with, be it of another type."""
        ...

    def exists(self) -> ColumnElement[bool]: ...

    def empty(self) -> ColumnElement[bool]: ...

    def contains(self, kind: Kind, operand: ColumnElement[Any]) -> ColumnElement[bool]:
        """A text holds this text; a list holds an item equal to it."""
        ...

    def found(self) -> ColumnElement[Any]:
        """The value as jsonb, for the trace."""
        ...


Asks = Callable[[Subject, tuple[Any, ...], Clock], ColumnElement[bool]]
"""What an operator asks of a value, with what stands behind it."""


def folded(test: ColumnElement[Any]) -> ColumnElement[bool]:
    """Three-valued logic folded to two: what is unknown does not hold."""
    return test.is_(true())  # not a constant of our own: `not_` would lose its negation


def at(root: ColumnElement[Any], parts: tuple[str, ...]) -> ColumnElement[Any]:
    """The JSON at a path of names and list positions; NULL where there is none."""
    return root.op("#>", return_type=JSONB())(literal(list(parts), ARRAY(Text))) if parts else root


def text_at(root: ColumnElement[Any], parts: tuple[str, ...]) -> ColumnElement[Any]:
    return root.op("#>>", return_type=Text())(literal(list(parts), ARRAY(Text)))


def origin(json: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.jsonb_typeof(json, type_=Text)


def _is(json: ColumnElement[Any], *types: str) -> ColumnElement[Any]:
    return or_(*(origin(json) == constant(f"'{each}'", Text) for each in types))


def _like(text: ColumnElement[Any], pattern: str) -> ColumnElement[Any]:
    return text.op("~", return_type=Boolean())(constant(f"'{pattern}'", Text))


def _within(one: One, kind: Kind, operand: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.strpos(one.typed("text"), operand) > constant("0") if kind == "text" else false()


_NO_DAY, _NO_INSTANT = cast(null(), Date), cast(null(), TIMESTAMP(timezone=True))


@dataclass(frozen=True, eq=False)
class Known:
    """A value whose type the database guarantees: a column of text, a count."""

    kind: Kind
    value: ColumnElement[Any]
    always: bool = False  # never NULL

    def typed(self, kind: Kind) -> ColumnElement[Any]:
        if kind != self.kind:
            return null()
        return func.lower(self.value, type_=Text) if kind == "text" else self.value

    def day(self) -> ColumnElement[Any]:
        return self.value if self.kind == "date" else _NO_DAY

    def instant(self) -> ColumnElement[Any]:
        return self.value if self.kind == "datetime" else _NO_INSTANT

    def any(self, test: Test) -> ColumnElement[bool]:
        return folded(test(self))

    def present(self) -> ColumnElement[bool]:
        return true() if self.always else self.value.is_not(None)

    def exists(self) -> ColumnElement[bool]:
        return self.present()

    def empty(self) -> ColumnElement[bool]:
        return or_(not_(self.present()), folded(self.value == constant("''", Text)))

    def contains(self, kind: Kind, operand: ColumnElement[Any]) -> ColumnElement[bool]:
        return folded(_within(self, kind, operand))

    def found(self) -> ColumnElement[Any]:
        return func.to_jsonb(self.value, type_=JSONB)


@dataclass(frozen=True, eq=False)
class Json:
    """A JSON value that is not taken for a list: compared as its declared type, or (None) as the type it came with."""

    json: ColumnElement[Any]
    text: ColumnElement[Any]
    type: FieldType | None

    def typed(self, kind: Kind) -> ColumnElement[Any]:
        if self.type is None:
            return self._as_it_came(kind)
        match kind:
            case "text":
                return case((_is(self.json, "string", "number", "boolean"), func.lower(self.text, type_=Text)))
            case "number":
                return case(
                    (_is(self.json, "number"), cast(self.json, Numeric)),
                    (and_(_is(self.json, "string"), _like(self.text, _NUMBER)), cast(self.text, Numeric)),
                )
            case "boolean":
                words = _like(func.lower(self.text, type_=Text), "^(true|false)$")
                return case((and_(_is(self.json, "string", "boolean"), words), cast(self.text, Boolean)))
            case "date":
                good = and_(_is(self.json, "string"), _like(self.text, _DATE))
                return case((good, cast(func.left(self.text, constant("10"), type_=Text), Date)))
            case "datetime":
                return self.instant()

    def _as_it_came(self, kind: Kind) -> ColumnElement[Any]:
        match kind:
            case "text":
                return case((_is(self.json, "string"), func.lower(self.text, type_=Text)))
            case "number":
                return case((_is(self.json, "number"), cast(self.json, Numeric)))
            case "boolean":
                return case((_is(self.json, "boolean"), cast(self.json, Boolean)))
            case "date" | "datetime":  # JSON has none: only a declaration makes them
                return null()

    def day(self) -> ColumnElement[Any]:
        if self.type is not None:
            return self.typed("date") if self.type == "date" else _NO_DAY
        good = and_(_is(self.json, "string"), _like(self.text, _LOCAL_DAY))
        return case((good, cast(func.left(self.text, constant("10"), type_=Text), Date)))

    def instant(self) -> ColumnElement[Any]:
        if self.type not in (None, "datetime"):
            return _NO_INSTANT
        good = and_(_is(self.json, "string"), _like(self.text, _DATETIME))
        return case((good, cast(self.text, TIMESTAMP(timezone=True))))

    def any(self, test: Test) -> ColumnElement[bool]:
        return folded(test(self))

    def present(self) -> ColumnElement[bool]:
        return folded(origin(self.json) != constant("'null'", Text))

    def exists(self) -> ColumnElement[bool]:
        return self.present()

    def empty(self) -> ColumnElement[bool]:
        blanks = [constant(f"'{each}'::jsonb", JSONB) for each in ('""', "[]", "{}")]
        return or_(not_(self.present()), folded(self.json.in_(blanks)))

    def contains(self, kind: Kind, operand: ColumnElement[Any]) -> ColumnElement[bool]:
        return folded(_within(self, kind, operand))

    def found(self) -> ColumnElement[Any]:
        return self.json


@dataclass(frozen=True, eq=False)
class Loose(Json):
    """A JSON value that may be a list: undeclared, or declared as one (a bare value is then a list of one).

    `items` is the declared type of a list's items.
    """

    items: FieldType | None = None

    def any(self, test: Test) -> ColumnElement[bool]:
        return folded(case((_is(self.json, "array"), self._any_item(test)), else_=test(self._bare())))

    def contains(self, kind: Kind, operand: ColumnElement[Any]) -> ColumnElement[bool]:
        def same(one: One) -> ColumnElement[Any]:
            return one.typed(kind) == operand

        bare = same(self._bare()) if self.type == "list" else _within(self._bare(), kind, operand)
        return folded(case((_is(self.json, "array"), self._any_item(same)), else_=bare))

    def _bare(self) -> Json:
        return Json(self.json, self.text, self.items)

    def _any_item(self, test: Test) -> ColumnElement[bool]:
        item = func.jsonb_array_elements(self.json, type_=JSONB).column_valued()
        test_of_item = test(Json(item, _own_text(item), self.items))
        found: Select[Any] = select(constant("1")).select_from(item.scalar_alias).where(test_of_item)
        return found.correlate_except(item.scalar_alias).exists()


def _own_text(json: ColumnElement[Any]) -> ColumnElement[Any]:
    return json.op("#>>", return_type=Text())(constant("'{}'"))


@dataclass(frozen=True, eq=False)
class Spread:
    """The list that a path with `*` makes: the values under every item, missing ones left out.

    `steps` are the parts between the stars: `items.*.sku` is (("items",), ("sku",)). The list is missing when there is
    no list before the first star; it `exists` when it holds a value, and is `empty` when it holds none.
    """

    root: ColumnElement[Any]
    steps: tuple[tuple[str, ...], ...]
    items: FieldType | None = None

    def _values(self) -> tuple[list[Any], ColumnElement[Any]]:
        froms, here = [], self.root
        for step in self.steps[:-1]:
            under = at(here, step)
            items = case((_is(under, "array"), under), else_=constant("'[]'::jsonb", JSONB))
            here = func.jsonb_array_elements(items, type_=JSONB).column_valued(joins_implicitly=True)
            froms.append(here.scalar_alias)
        return froms, at(here, self.steps[-1])

    def any(self, test: Test) -> ColumnElement[bool]:
        froms, value = self._values()
        found: Select[Any] = (
            select(constant("1")).select_from(*froms).where(test(Json(value, _own_text(value), self.items)))
        )
        return found.correlate_except(*froms).exists()

    def numbers(self, gather: Callable[[ColumnElement[Any]], ColumnElement[Any]]) -> ColumnElement[Any]:
        """What an aggregate function makes of the numbers among the values."""
        froms, value = self._values()
        number = Json(value, _own_text(value), None).typed("number")
        return select(gather(number)).select_from(*froms).correlate_except(*froms).scalar_subquery()

    def present(self) -> ColumnElement[bool]:
        return folded(_is(at(self.root, self.steps[0]), "array"))

    def exists(self) -> ColumnElement[bool]:
        froms, value = self._values()
        return select(constant("1")).select_from(*froms).where(origin(value) != constant("'null'", Text)).exists()

    def empty(self) -> ColumnElement[bool]:
        return not_(self.exists())

    def contains(self, kind: Kind, operand: ColumnElement[Any]) -> ColumnElement[bool]:
        return self.any(lambda one: one.typed(kind) == operand)

    def found(self) -> ColumnElement[Any]:
        froms, value = self._values()
        there = origin(value) != constant("'null'", Text)
        values = select(value.label("value")).select_from(*froms).where(there)
        first = values.limit(constant(str(_MOST_FOUND))).subquery()
        together = func.coalesce(func.jsonb_agg(first.c.value), constant("'[]'::jsonb", JSONB), type_=JSONB)
        return case((self.present(), select(together).scalar_subquery()))
