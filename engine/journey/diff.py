"""What an edit of a journey changes: step by step, rule by rule, and where people on a changed step would go. Pure."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby
from typing import Any, Literal

from engine.document import Plain
from engine.journey.journey import Journey
from engine.journey.machine import Machine, compile_journey
from engine.journey.reach import walk
from engine.journey.steps.base import Step

StepHow = Literal["added", "removed", "changed", "moved"]

_BESIDE = frozenset({"journey", "description", "tests", "steps"})
"""Keys of a journey that its steps' diff or nobody speaks of."""


@dataclass(frozen=True)
class Written:
    """A journey as it was read, and its file's text as plain data."""

    journey: Journey
    data: Mapping[str, Plain]
    machine: Machine

    @classmethod
    def of(cls, journey: Journey, data: Plain) -> Written:
        assert isinstance(data, dict)
        return cls(journey, data, compile_journey(journey))


@dataclass(frozen=True)
class StepChange:
    """One step that is not as it was. `step`: its name in the new version (of a removed one: in the old one); `before`:
    its name in the old version, None if it is new. `what`: each difference, such as `wait: 1h -> 2h`.
    """

    how: StepHow
    step: str
    before: str | None
    label: str
    what: tuple[str, ...]
    line: int


@dataclass(frozen=True)
class Diff:
    """`rules`: what changed beside the steps, such as `exit: ..`. `steps`: in file order, removed ones after their neighbour."""

    rules: tuple[str, ...]
    steps: tuple[StepChange, ...]


@dataclass(frozen=True)
class _Placed:
    """A step with what its own lines say (nested steps left out) and the list it stands in."""

    step: Step
    own: dict[str, Plain]
    list_path: str
    verb: str

    @property
    def name(self) -> str:
        return self.step.id or self.step.spot.path

    @property
    def named(self) -> bool:
        return bool(self.step.id)


def diff(before: Written, after: Written) -> Diff:
    """What is new, gone, changed or moved from one version to the next. Only ids tell that a step is the same one; a step
    without an id is put beside the old one that stands in its place, so that a person sees `1h -> 2h`.
    """
    old, new = _placed(before), _placed(after)
    pairs = _pairs(old, new)
    moved = _moved(old, new, pairs)
    return Diff(tuple(_rules(before.data, after.data)), tuple(_steps(before, after, old, new, pairs, moved)))


def _steps(
    before: Written, after: Written, old: list[_Placed], new: list[_Placed], pairs: Mapping[int, int], moved: set[int]
) -> Iterator[StepChange]:
    kept = set(pairs.values())
    gone = [ix for ix in range(len(old)) if ix not in kept]
    for at, here in enumerate(new):
        twin = pairs.get(at)
        yield from _gone(before, old, [ix for ix in gone if twin is not None and ix < twin])
        gone = [ix for ix in gone if twin is None or ix > twin]
        label = after.machine.states[here.name].label()
        if twin is None:
            yield StepChange("added", here.name, None, label, (), here.step.spot.line)
            continue
        what = tuple(_differences(old[twin].own, here.own))
        if what or at in moved:
            where = (f"now {_where(new, at)}",) if at in moved else ()
            how: StepHow = "changed" if what else "moved"
            yield StepChange(how, here.name, old[twin].name, label, (*what, *where), here.step.spot.line)
    yield from _gone(before, old, gone)


def _gone(before: Written, old: list[_Placed], gone: Sequence[int]) -> Iterator[StepChange]:
    for ix in gone:
        name = old[ix].name
        yield StepChange("removed", name, name, before.machine.states[name].label(), (), old[ix].step.spot.line)


def _where(steps: list[_Placed], at: int) -> str:
    """`after hello`, `first in click.then`, for a step that has moved."""
    here = steps[at].list_path
    before = next((step for step in reversed(steps[:at]) if step.list_path == here), None)
    if before is not None:
        return f"after {before.name}"
    return "first" if here == "steps" else f"first in {here}"


# --- which step is which -----------------------------------------------------------------------------------------------


def _placed(written: Written) -> list[_Placed]:
    steps = list(walk(written.journey.steps))
    lists = {step.spot.path.rpartition(".")[0] for step in steps}
    found = []
    for step in steps:
        own = _without_lists(_at(written.data, step.spot.path), step.spot.path, lists)
        assert isinstance(own, dict)
        verb = written.machine.states[step.id or step.spot.path].verb
        found.append(_Placed(step, own, step.spot.path.rpartition(".")[0], verb))
    return found


def _at(data: Any, path: str) -> Plain:
    for part in path.split("."):
        data = data[int(part)] if isinstance(data, list) else data[part]
    return data  # type: ignore[no-any-return]


def _without_lists(value: Plain, path: str, lists: set[str]) -> Plain:
    """The value without the step lists inside it, empty ones too: those steps are compared by themselves."""
    match value:
        case dict():
            inner = {key: (f"{path}.{key}", item) for key, item in value.items() if key != "id"}
            return {
                k: _without_lists(item, at, lists) for k, (at, item) in inner.items() if at not in lists and item != []
            }
        case list():
            return [_without_lists(item, f"{path}.{number}", lists) for number, item in enumerate(value)]
        case _:
            return value


def _pairs(old: list[_Placed], new: list[_Placed]) -> dict[int, int]:
    """New step -> old step: by id; those without one by what they say, then by their verb, between the same neighbours."""
    by_id = {step.name: ix for ix, step in enumerate(old) if step.named}
    pairs = {ix: by_id[step.name] for ix, step in enumerate(new) if step.named and step.name in by_id}
    for said in (_content, _kind):
        taken = set(pairs.values())
        here = [ix for ix in range(len(new)) if ix in pairs or not new[ix].named]
        there = [ix for ix in range(len(old)) if ix in taken or not old[ix].named]
        matcher = SequenceMatcher(
            None,
            [said(old[ix], ix in taken) for ix in there],
            [said(new[ix], ix in pairs) for ix in here],
            autojunk=False,
        )
        for a, b, size in matcher.get_matching_blocks():
            for offset in range(size):
                pairs.setdefault(here[b + offset], there[a + offset])
    return pairs


def _content(step: _Placed, paired: bool) -> str:
    return f"id {step.name}" if paired and step.named else json.dumps(step.own, sort_keys=True)


def _kind(step: _Placed, paired: bool) -> str:
    if paired:
        return f"id {step.name}" if step.named else json.dumps(step.own, sort_keys=True)
    return f"verb {step.verb}"


def _moved(old: list[_Placed], new: list[_Placed], pairs: Mapping[int, int]) -> set[int]:
    """New steps that stand in another list than before, or in another order among those that stayed in theirs."""
    owners = {new[at].step.spot.path: old[twin].step.spot.path for at, twin in pairs.items()}
    moved = {at for at, twin in pairs.items() if _renamed(new[at].list_path, owners) != old[twin].list_path}
    stayed = sorted((new[at].list_path, at) for at in pairs if at not in moved)
    for _, group in groupby(stayed, key=lambda item: item[0]):
        places = [at for _, at in group]
        keep = _longest_rising([pairs[at] for at in places])
        moved |= {at for number, at in enumerate(places) if number not in keep}
    return moved


def _renamed(list_path: str, owners: Mapping[str, str]) -> str:
    """The list's path in the old version, by the step that it belongs to: the deepest one that has a twin there."""
    parts = list_path.split(".")
    for length in range(len(parts), 0, -1):
        owner = owners.get(".".join(parts[:length]))
        if owner is not None:
            return ".".join([owner, *parts[length:]])
    return list_path


def _longest_rising(numbers: list[int]) -> set[int]:
    """Places of a longest rising subsequence."""
    ends: list[int] = []  # per length the place whose number is the least
    before: list[int | None] = []
    for place, number in enumerate(numbers):
        length = bisect_left([numbers[end] for end in ends], number)
        before.append(ends[length - 1] if length else None)
        ends[length : length + 1] = [place]
    kept: set[int] = set()
    place_ = ends[-1] if ends else None
    while place_ is not None:
        kept.add(place_)
        place_ = before[place_]
    return kept


# --- what is different ---------------------------------------------------------------------------------------------------


def _rules(old: Mapping[str, Plain], new: Mapping[str, Plain]) -> Iterator[str]:
    strip = {key: value for key, value in old.items() if key not in _BESIDE}
    yield from _differences(strip, {key: value for key, value in new.items() if key not in _BESIDE})


def _differences(old: Plain, new: Plain, path: str = "") -> Iterator[str]:
    """Each place at which the two differ, as `wait_for.timeout: 23h -> 2d`."""
    if old == new and type(old) is type(new):
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*new, *(key for key in old if key not in new)]:
            inner = f"{path}.{key}" if path else key
            if key not in old:
                yield f"{inner}: new, {shown(new[key])}"
            elif key not in new:
                yield f"{inner}: gone, was {shown(old[key])}"
            else:
                yield from _differences(old[key], new[key], inner)
        return
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (a, b) in enumerate(zip(old, new, strict=True)):
            yield from _differences(a, b, f"{path}.{number}")
        return
    yield f"{path}: {shown(old)} -> {shown(new)}"


_LONGEST = 120


def shown(value: Plain) -> str:
    """A value on one line, as an author would write it; cut when it is long."""
    match value:
        case dict():
            text = "{" + ", ".join(f"{key}: {shown(item)}" for key, item in value.items()) + "}"
        case list():
            text = "[" + ", ".join(map(shown, value)) + "]"
        case str():
            text = value if value.strip() == value and value else json.dumps(value)
        case _:
            text = json.dumps(value)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 2]}.."
