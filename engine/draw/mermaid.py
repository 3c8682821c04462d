"""Writes a journey as a Mermaid flowchart, for READMEs, wikis and pull requests that draw it by themselves."""

from __future__ import annotations

from collections.abc import Mapping

from engine.draw.drawable import COMPLETED, Drawable, Stop
from engine.draw.looks import LOOKS
from engine.draw.text import clean

# Opening and closing of a node's shape, by verb; a step of any other kind is a rounded box.
_SHAPES = {"branch": ("{", "}"), "wait": ("([", "])"), "exit": ("([", "])")}
_SPECIAL = {c: f"#{ord(c)};" for c in '#"&<>[]{}()|`\\;%'}


def mermaid(
    machine: Drawable, counts: Mapping[str, int] | None = None, *, marks: Mapping[str, str] | None = None
) -> str:
    """Flowchart text, the same for the same arguments. `counts` adds the people on each state to its label, `marks` a word.

    Labels are quoted and their special characters written as codes, so that no label can break or add a statement.
    """
    nodes = {stop.id: f"s{number}" for number, stop in enumerate(machine.states.values(), 1)}
    lines = ["flowchart TD", f'    trigger["{_trigger(machine)}"]:::trigger']
    lines += [_node(nodes[stop.id], stop, counts, (marks or {}).get(stop.id, "")) for stop in machine.states.values()]
    edges = [("trigger", "", machine.start)]
    edges += [(nodes[stop.id], label, target) for stop in machine.states.values() for label, target in _ways(stop)]
    if any(target is None for _, _, target in edges):
        lines.append(f'    {COMPLETED}(["{COMPLETED}"]):::{COMPLETED}')
    lines += [_edge(source, label, COMPLETED if target is None else nodes[target]) for source, label, target in edges]
    lines += _rules(machine)
    looks = {"trigger", COMPLETED, *(stop.verb for stop in machine.states.values())}
    looks |= {"rule"} if machine.exits else set()
    looks |= {"goal"} if machine.goal is not None else set()
    lines += [f"    classDef {name} {_paint(name)}" for name in LOOKS if name in looks]
    return "\n".join(lines) + "\n"


def _trigger(machine: Drawable) -> str:
    where = machine.entry.where
    return _text(machine.trigger.label()) + (f"<br/>only if {_text(where.label())}" if where is not None else "")


def _node(node: str, stop: Stop, counts: Mapping[str, int] | None, mark: str) -> str:
    opening, closing = _SHAPES.get(stop.verb, ("(", ")"))
    number = None if counts is None else counts.get(stop.id, 0)
    people = "" if number is None else f"<br/>{number:,} {'person' if number == 1 else 'people'}"
    look = f":::{stop.verb}" if stop.verb in LOOKS else ""
    said = f"{_text(mark)}: {_text(stop.label())}" if mark else _text(stop.label())
    return f'    {node}{opening}"{said}{people}"{closing}{look}'


def _ways(stop: Stop) -> tuple[tuple[str, str | None], ...]:
    """The ways out; those that all lead to the same step are one, without a label."""
    targets = {target for _, target in stop.targets()}
    return (("", next(iter(targets))),) if len(targets) == 1 else stop.targets()


def _edge(source: str, label: str, target: str) -> str:
    return f'    {source} -->|"{_text(label)}"| {target}' if label else f"    {source} --> {target}"


def _rules(machine: Drawable) -> list[str]:
    """Goal and exit rules hold on every step, so they stand beside the flow, joined to nothing."""
    lines = [f'    goal["goal: {_text(machine.goal.label())}"]:::goal'] if machine.goal is not None else []
    for number, rule in enumerate(machine.exits, 1):
        lines.append(f'    exit{number}["exit rule: {_text(rule.label())}<br/>ends as {_text(rule.reason)}"]:::rule')
    return lines


def _paint(name: str) -> str:
    look = LOOKS[name]
    if name == "trigger":
        return f"fill:{look.tile},stroke:{look.tile},color:#ffffff"
    dashed = ",stroke-dasharray:4 4" if name in {"rule", "goal"} else ""
    return f"fill:{look.tint},stroke:{look.tile},color:{look.ink}{dashed}"


def _text(label: str) -> str:
    """The label inside quotes; empty ones become a space, which Mermaid wants."""
    return "".join(_SPECIAL.get(c, c) for c in clean(label)) or " "
