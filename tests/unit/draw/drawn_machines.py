"""Machines to draw: built from nested lists, as a compiler would, without one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Words:
    """Anything that has a label, and a reason if it is an exit rule."""

    text: str
    reason: str = ""

    def label(self) -> str:
        return self.text


@dataclass(frozen=True)
class Entry:
    where: Words | None = None


@dataclass(frozen=True)
class DrawnState:
    id: str
    path: str
    verb: str
    text: str
    ways: tuple[tuple[str, str | None], ...]

    def label(self) -> str:
        return self.text

    def targets(self) -> tuple[tuple[str, str | None], ...]:
        return self.ways


@dataclass(frozen=True)
class DrawnMachine:
    journey: str
    trigger: Words
    states: Mapping[str, DrawnState]
    start: str | None
    exits: tuple[Words, ...] = ()
    goal: Words | None = None
    kind: str = "marketing"
    topic: str | None = "offers"
    entry: Entry = Entry()


@dataclass(frozen=True)
class Plan:
    """A step to be: `arms` are (path inside the step, label, steps); a step without arms goes on, an exit does not."""

    verb: str
    text: str
    id: str = ""
    arms: tuple[tuple[str, str, tuple[Plan, ...]], ...] = field(default=())


def send(template: str, via: str = "email") -> Plan:
    return Plan("send", f"send {template} via {via}", template)


def wait(span: str) -> Plan:
    return Plan("wait", f"wait {span}")


def leave(reason: str) -> Plan:
    return Plan("exit", f"exit: {reason}")


def wait_for(what: str, window: str, then: tuple[Plan, ...] = (), otherwise: tuple[Plan, ...] = ()) -> Plan:
    arms = (("then", "then", then), ("otherwise", "otherwise", otherwise))
    return Plan("wait_for", f"wait for {what}, at most {window}", arms=arms)


def branch(*arms: tuple[str, tuple[Plan, ...]], otherwise: tuple[Plan, ...] = ()) -> Plan:
    named = [(f"branch.{number}.do", label, steps) for number, (label, steps) in enumerate(arms)]
    return Plan("branch", "branch", arms=(*named, (f"branch.{len(arms)}.otherwise", "otherwise", otherwise)))


def machine(
    journey: str, *plans: Plan, trigger: str = "cart_updated", exits: tuple[Words, ...] = (), goal: Words | None = None
) -> DrawnMachine:
    states: dict[str, DrawnState] = {}
    start = _compile(plans, "steps", None, states)
    ordered = dict(sorted(states.items(), key=lambda item: _order(item[1].path)))
    return DrawnMachine(journey, Words(trigger), ordered, start, exits, goal)


def _compile(plans: tuple[Plan, ...], path: str, after: str | None, states: dict[str, DrawnState]) -> str | None:
    for number in reversed(range(len(plans))):
        plan, here = plans[number], f"{path}.{number}"
        name = plan.id if plan.id and plan.id not in states else here
        if plan.verb == "exit":
            ways: tuple[tuple[str, str | None], ...] = ()
        elif plan.arms:
            ways = tuple(
                (label, _compile(steps, f"{here}.{inner}", after, states)) for inner, label, steps in plan.arms
            )
        else:
            ways = (("", after),)
        states[name] = DrawnState(name, here, plan.verb, plan.text, ways)
        after = name
    return after


def _order(path: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (0, part) for part in path.split(".")]
