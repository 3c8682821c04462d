"""`branch`: the first arm whose condition holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from engine.audience.condition import Condition, ConditionType, SegmentUse
from engine.document import Mapping as MappingNode
from engine.document import Sequence
from engine.grammar import INVALID, Field, Reader, Shape, any_of, shown
from engine.journey.steps.base import (
    Ask,
    Build,
    Go,
    Move,
    Placed,
    Spot,
    State,
    Step,
    StepId,
    StepKind,
    StepsReader,
    StepsType,
    Visit,
    unread_steps,
)
from engine.journey.values import Holds


@dataclass(frozen=True)
class Arm:
    """`when` is None for `otherwise`."""

    path: str
    when: Condition | None
    do: tuple[Step, ...]


@dataclass(frozen=True)
class Branch(Placed):
    """A branch as it is written; the last arm is `otherwise`."""

    arms: tuple[Arm, ...]

    def nested(self) -> tuple[tuple[Step, ...], ...]:
        return tuple(arm.do for arm in self.arms)

    def segments_used(self) -> tuple[SegmentUse, ...]:
        return tuple(use for arm in self.arms if arm.when is not None for use in arm.when.segments_used())

    def compile(self, name: str, after: str | None, build: Build) -> State:
        return BranchState(name, self.spot, tuple((arm.path, arm.when, build(arm.do, after)) for arm in self.arms))


@dataclass(frozen=True)
class BranchState(Placed):
    """`ways`: path, condition (None: otherwise) and target of each arm, in file order."""

    ways: tuple[tuple[str, Condition | None, str | None], ...]

    verb: ClassVar[str] = "branch"

    def label(self) -> str:
        return "branch"

    def targets(self) -> tuple[tuple[str, str | None], ...]:
        return tuple((when.label() if when else "otherwise", target) for _, when, target in self.ways)

    def move(self, visit: Visit) -> Move:
        asked = tuple(Holds(path, when) for path, when, _ in self.ways if when is not None)
        if any(visit.answer(question.path) is None for question in asked):
            return Ask(asked)
        found: dict[str, Any] = {}
        for path, when, target in self.ways:
            if when is None:
                return Go(target, wanted="otherwise", found=found, why="no arm holds")
            answer = visit.answer(path)
            found[path.removeprefix(f"{self.path}.branch.")] = answer.found if answer else None
            if answer is not None and answer.holds:
                return Go(target, wanted=when.label(), found=found, why="holds")
        raise AssertionError("a branch without otherwise does not compile")


def _otherwise_shape(path: str, steps: StepsReader) -> Shape:
    otherwise = Field(StepsType(steps, f"{path}.otherwise"), "the steps when no arm holds", required=True)
    return Shape("the otherwise arm", {"otherwise": otherwise})


def _arm_shape(path: str, steps: StepsReader) -> Shape:
    return Shape(
        "a branch arm",
        {
            "when": Field(ConditionType(), "the condition", required=True),
            "do": Field(StepsType(steps, f"{path}.do"), "the steps", required=True),
        },
    )


def _read_arm(node: MappingNode, reader: Reader, path: str, steps: StepsReader) -> Any:
    if node.key("otherwise") is not None:
        values = _otherwise_shape(path, steps).read(node, reader)
        return INVALID if values is INVALID else Arm(path, None, values["otherwise"])
    values = _arm_shape(path, steps).read(node, reader)
    return INVALID if values is INVALID else Arm(path, values["when"], values["do"])


def _shape(path: str, steps: StepsReader) -> Shape:
    return Shape(
        "a branch step",
        {"branch": Field(_Arms(path, steps), "the arms", required=True), "id": Field(StepId(), "the step's name")},
    )


def _read(node: MappingNode, reader: Reader, path: str, steps: StepsReader) -> Any:
    values = _shape(path, steps).read(node, reader)
    return (
        INVALID
        if values is INVALID
        else Branch(values["id"] or "", Spot(path, node.line, node.column), values["branch"])
    )


@dataclass(frozen=True)
class _Arms:
    """The list of arms; the last one is `otherwise`, and only the last one."""

    path: str
    steps: StepsReader
    expected: str = "a list of arms: {when, do} and at the end {otherwise}"

    def read(self, node: Any, reader: Reader) -> Any:
        if not isinstance(node, Sequence):
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        arms: list[Any] = []
        for number, item in enumerate(node.items):
            if not isinstance(item, MappingNode):
                arms.append(reader.refuse(item, f"expected an arm {{when, do}}, found {shown(item)}"))
                continue
            if item.key("otherwise") is not None and number != len(node.items) - 1:
                reader.refuse(item, "'otherwise' must be the last arm: those after it are never reached")
            arms.append(_read_arm(item, reader, f"{self.path}.branch.{number}", self.steps))
        if not any(isinstance(item, MappingNode) and item.key("otherwise") is not None for item in node.items):
            return reader.refuse(node, "branch lacks 'otherwise' (the steps when no arm holds; may be an empty list)")
        if len(node.items) < 2:
            return reader.refuse(node, "branch lacks an arm {when, do} before 'otherwise'")
        return INVALID if any(arm is INVALID for arm in arms) else tuple(arms)

    def schema(self) -> dict[str, Any]:
        otherwise = _otherwise_shape(self.path, self.steps).schema()
        arms = any_of(_arm_shape(self.path, self.steps).schema(), otherwise)
        # An `otherwise` somewhere; that it is the last one no schema can say of a list of any length.
        return {"type": "array", "items": arms, "minItems": 2, "contains": {"required": ["otherwise"]}}


KIND = StepKind(
    "branch", "the first arm that holds", _read, _shape("", unread_steps),
    """
- branch:
    - when: {contact.tags: {contains: vip}}
      do:
        - {send: cart_voucher, via: email}
    - otherwise: []
""",
)  # fmt: skip
