"""Change: what an `update` step does to a contact, and what becomes of its traits; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from engine.document import Plain

COLUMNS = ("locale", "timezone")
"""Fields with a column of their own that a journey may set."""

_NUMBER = re.compile(r"[+-]?\d{1,60}(\.\d{1,60})?", re.ASCII)
_LARGEST = Decimal(2**63 - 1)  # what JSON readers and databases keep exactly


@dataclass(frozen=True)
class SetField:
    """The field becomes this value; None removes it."""

    path: tuple[str, ...]
    value: Plain


@dataclass(frozen=True)
class AddTo:
    """The number in the field grows by `amount`; a missing one counts as 0. `declared`: digits in a text are a number too."""

    path: tuple[str, ...]
    amount: int | float
    declared: bool = False


@dataclass(frozen=True)
class Change:
    """All that one step changes. `withdrawn` are topics to which consent is taken away, on every channel."""

    fields: tuple[SetField | AddTo, ...] = ()
    tags_added: tuple[str, ...] = ()
    tags_removed: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()


@dataclass(frozen=True)
class Changed:
    """A contact's columns and traits after a change. `names` are the fields that are other than before, in the manner of
    a `profile` signal; `refused` tells, field by field, what could not be done.
    """

    columns: Mapping[str, str | None]
    traits: dict[str, Any]
    names: tuple[str, ...]
    refused: tuple[str, ...]


def carry_out(change: Change, columns: Mapping[str, str | None], traits: Mapping[str, Any]) -> Changed:
    """The contact after the change; what was given stays as it is. A field that does not fit (a text to add to, a name under
    what is no mapping) stays too, and is told in `refused`: the rest is done.
    """
    columns_after, after = dict(columns), deepcopy(dict(traits))
    refused: list[str] = []
    for field in change.fields:
        if field.path[0] in COLUMNS:
            assert isinstance(field, SetField)  # the grammar has seen to it
            columns_after[field.path[0]] = None if field.value is None else str(field.value)
            after.pop(field.path[0], None)  # there stood what was no zone or language
            continue
        try:
            _write(after, field)
        except ValueError as error:
            refused.append(f"contact.{'.'.join(field.path)}: {error}")
    _tag(after, change)
    names = [name for name in columns_after if columns_after[name] != columns.get(name)]
    names += [name for name in {**traits, **after} if _differs(traits.get(name), after.get(name))]
    return Changed(columns_after, after, tuple(dict.fromkeys(names)), tuple(refused))


def _write(traits: dict[str, Any], field: SetField | AddTo) -> None:
    *way, last = field.path
    inside = traits
    for name in way:
        if inside.get(name) is None:
            if isinstance(field, SetField) and field.value is None:
                return  # nothing to remove
            inside[name] = {}
        inside = inside[name]
        if not isinstance(inside, dict):
            raise ValueError(f"'{name}' holds a value, no fields")
    if isinstance(field, AddTo):
        inside[last] = _sum(inside.get(last), field)
    elif field.value is None:
        inside.pop(last, None)
    else:
        inside[last] = field.value


def _sum(before: Any, field: AddTo) -> int | float:
    if isinstance(before, str) and field.declared and _NUMBER.fullmatch(before):
        number = Decimal(before)
    elif before is None:
        number = Decimal(0)
    elif isinstance(before, int | float) and not isinstance(before, bool):
        number = Decimal(str(before))  # by its digits: 0.1 and 0.2 are 0.3
    else:
        raise ValueError("is no number, so that nothing can be added to it")
    total = number + Decimal(str(field.amount))
    if abs(total) > _LARGEST:
        raise ValueError(f"would become {total:.3e}, which is too large to keep")
    return int(total) if total == total.to_integral_value() else float(total)


def _tag(traits: dict[str, Any], change: Change) -> None:
    if not change.tags_added and not change.tags_removed:
        return
    held = traits.get("tags")
    before = held if isinstance(held, list) else [] if held is None else [held]
    tags = [tag for tag in before if tag not in change.tags_removed]
    tags += [tag for tag in change.tags_added if tag not in tags]
    if tags:
        traits["tags"] = tags
    else:
        traits.pop("tags", None)


def _differs(before: Any, after: Any) -> bool:
    """`1`, `1.0` and `true` are told apart, as JSON does."""
    return before != after or type(before) is not type(after)
