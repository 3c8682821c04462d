"""Reach: checks of the steps among each other: what nobody can come to, rounds without time, names taken twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from engine.document import Mapping, Node, Scalar
from engine.document import Sequence as SequenceNode
from engine.grammar import Reader, suggestion
from engine.journey.steps.base import Step
from engine.journey.steps.branch import Branch
from engine.journey.steps.exit import Exit
from engine.journey.steps.experiment import Experiment
from engine.journey.steps.repeat import MOST_ROUNDS, Repeat
from engine.journey.steps.send import Send
from engine.journey.steps.wait import Wait
from engine.journey.steps.wait_for import WaitFor

MOST_STEPS = 1000


def walk(steps: tuple[Step, ...]) -> Iterator[Step]:
    """All steps, depth first, in file order."""
    for step in steps:
        yield step
        for inner in step.nested():
            yield from walk(inner)


# --- a list as it is read ---------------------------------------------------------------------------------------------


def refuse_unreachable(steps: Sequence[Any], node: SequenceNode, reader: Reader) -> None:
    """Refuse the first step of the list that nobody can come to. `steps` may hold `INVALID`."""
    before: Any = None
    for step, after in zip(steps, node.items[1:], strict=False):
        if _never_goes_on(step) and not may_leave_out_next(before):
            reader.refuse(after, "unreachable step: the step before it always ends the journey")
            return
        before = step


def _ends(steps: Sequence[Any]) -> bool:
    """True when nobody comes behind the list."""
    before: Any = None
    for step in steps:
        if _never_goes_on(step) and not may_leave_out_next(before):
            return True
        before = step
    return False


def _never_goes_on(step: Any) -> bool:
    match step:
        case Exit():
            return True
        case Branch(arms=arms):
            return all(_ends(arm.do) for arm in arms)
        case WaitFor(then=then, otherwise=otherwise):
            return _ends(then) and _ends(otherwise)
        case Experiment(variants=variants):
            return all(_ends(variant.do) for variant in variants if variant.weight)
        case Repeat(rounds=rounds, do=do):
            return rounds.condition is None and _ends(do)
        case _:
            return False


def may_leave_out_next(step: Any) -> bool:
    """True when somebody may pass over what stands behind the step: a wait does that whose time is past or missing."""
    match step:
        case Wait():
            return step.skips
        case Branch() | WaitFor() | Experiment():
            return any(may_leave_out_next(inner[-1]) for inner in step.nested() if inner)
        case _:
            return False


# --- the whole journey ------------------------------------------------------------------------------------------------


def check_steps(steps: tuple[Step, ...], lost: Sequence[Node], reader: Reader, *, has_goal: bool) -> None:
    """Refuse what only the whole journey shows. `lost`: steps that don't read, of which a condition may speak all the same."""
    everything = list(walk(steps))
    if len(everything) > MOST_STEPS:
        reader.refuse(_at(everything[MOST_STEPS]), f"a journey has at most {MOST_STEPS} steps")
        return
    _check_names(everything, reader)
    for step in everything:
        if isinstance(step, Experiment) and step.winner is not None and step.winner.by == "goal" and not has_goal:
            reader.refuse(
                _at(step), f"the winner of experiment '{step.name}' is found by goal, and the journey has none"
            )
    _check_rounds(steps, 1, reader)
    _check_mentions([*_sends(everything), *(send for node in lost for send in _written_sends(node))], reader)


def _sends(everything: Sequence[Step]) -> Iterator[tuple[str, str]]:
    """The id and template of each send step."""
    return ((step.id, step.template) for step in everything if isinstance(step, Send))


def _written_sends(node: Node) -> Iterator[tuple[str, str]]:
    """Likewise of those that stand in a step which does not read."""
    match node:
        case Mapping():
            name, template = node.get("id"), node.get("send")
            if isinstance(template, Scalar):
                yield (name.text if isinstance(name, Scalar) else template.text), template.text
            for _, value in node:
                yield from _written_sends(value)
        case SequenceNode():
            for item in node.items:
                yield from _written_sends(item)
        case Scalar():
            return


def _check_mentions(sends: Sequence[tuple[str, str]], reader: Reader) -> None:
    """What conditions say of messages must be about messages that this journey sends."""
    known = {"step": [id_ for id_, _ in sends], "template": [template for _, template in sends]}
    for mention in reader.mentions:
        names = known.get(mention.what)
        if names is not None and mention.name not in names:
            at = Scalar(mention.name, mention.name, False, mention.line, mention.column)
            what = "send step" if mention.what == "step" else "template among those that this journey sends:"
            hint = suggestion(mention.name, names) or f" (one of: {', '.join(names) or 'none'})"
            reader.refuse(at, f"unknown {what} '{mention.name}'{hint}")


def _at(step: Step) -> Scalar:
    return Scalar(step.id, step.id, False, step.spot.line, step.spot.column)


def _check_names(everything: Sequence[Step], reader: Reader) -> None:
    seen: dict[str, Step] = {}
    experiments: dict[str, Step] = {}
    for step in everything:
        if step.id and step.id in seen:
            first = seen[step.id].spot.line
            reader.refuse(
                _at(step), f"the step id '{step.id}' is taken by line {first}; give this step an 'id' of its own"
            )
        elif isinstance(step, Experiment) and step.name in experiments:
            first = experiments[step.name].spot.line
            reader.refuse(
                _at(step), f"the experiment '{step.name}' is that of line {first}; give this one another name"
            )
        seen.setdefault(step.id, step)
        if isinstance(step, Experiment):
            experiments.setdefault(step.name, step)


def _check_rounds(steps: tuple[Step, ...], around: int, reader: Reader) -> None:
    """No circle without a wait, and no more rounds within rounds than can be meant."""
    for step in steps:
        rounds = around
        if isinstance(step, Repeat):
            rounds *= step.rounds.up_to
            if rounds > MOST_ROUNDS:
                reader.refuse(
                    _at(step), f"rounds within rounds multiply: these are {rounds}, at most {MOST_ROUNDS} are allowed"
                )
                return
            if step.rounds.every is None and not _takes_time(step.do):
                reader.refuse(
                    _at(step), "a repeat without 'every' needs a wait or wait_for on every way through its steps"
                )
        for inner in step.nested():
            _check_rounds(inner, rounds, reader)


def _takes_time(steps: tuple[Step, ...]) -> bool:
    """True when every way through the list has a wait on it."""
    for step in steps:
        match step:
            case Wait() | WaitFor():
                return True
            case Branch() | Experiment() if all(_takes_time(inner) for inner in step.nested()):
                return True
            case Repeat(rounds=rounds, do=do) if rounds.condition is None and _takes_time(do):
                return True
            case _:
                pass
    return False
