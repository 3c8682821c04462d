"""`experiment`: people are divided over variants by lot, and stay with theirs; a winner leads those who come later."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Literal

from engine.document import Mapping as MappingNode
from engine.document import Node
from engine.grammar import INVALID, NAME, Choice, Field, Number, Percent, Reader, Shape, shown
from engine.journey.lot import lot
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
from engine.journey.values import Assign, Assigned


@dataclass(frozen=True)
class Variant:
    """One of the ways; `weight` of a hundred people get it."""

    name: str
    weight: float
    do: tuple[Step, ...]


@dataclass(frozen=True)
class Winning:
    """When one of the variants has won: `after` people each, at this confidence (0.95 is 95 %)."""

    by: Literal["goal", "clicked"]
    after: int
    confidence: float


@dataclass(frozen=True)
class Experiment(Placed):
    """An experiment as it is written."""

    name: str
    variants: tuple[Variant, ...]
    winner: Winning | None

    def nested(self) -> tuple[tuple[Step, ...], ...]:
        return tuple(variant.do for variant in self.variants)

    def compile(self, name: str, after: str | None, build: Build) -> State:
        ways = tuple((variant.name, variant.weight, build(variant.do, after)) for variant in self.variants)
        return ExperimentState(name, self.spot, self.name, ways, self.winner)


@dataclass(frozen=True)
class ExperimentState(Placed):
    """`ways`: name, weight and target of each variant, in file order."""

    name: str
    ways: tuple[tuple[str, float, str | None], ...]
    winner: Winning | None

    verb: ClassVar[str] = "experiment"

    @property
    def question_path(self) -> str:
        return f"{self.path}.experiment"

    def label(self) -> str:
        if self.winner is None:
            return f"experiment {self.name}"
        return f"experiment {self.name}, won by {self.winner.by} after {self.winner.after} each"

    def targets(self) -> tuple[tuple[str, str | None], ...]:
        return tuple((f"{name} {weight:g}%", target) for name, weight, target in self.ways)

    def move(self, visit: Visit) -> Move:
        # What the enrollment has got before (in an earlier round) needs no question.
        has = visit.enrollment.variants.get(self.name)
        if has is not None and self._open(has):
            return self._go(has, "has it already")
        answer = visit.answer(self.question_path)
        if answer is None:
            return Ask((Assigned(self.question_path, self.name),))
        has, leading = answer.found["variant"], answer.found["winner"]
        if has is not None and self._open(has):
            return self._go(has, "has it already")
        if self.winner is not None and leading is not None and self._open(leading):
            return self._go(leading, "has won", new=True)
        return self._go(self.drawn(visit.enrollment.contact_id), "by lot", new=True)

    def drawn(self, contact_id: int) -> str:
        """The variant that falls to a contact: always the same while the weights are."""
        place = lot("experiment", self.name, contact_id=contact_id) * 100
        for name, weight, _ in self.ways:
            if place < weight:
                return name
            place -= weight
        return next(name for name, weight, _ in reversed(self.ways) if weight)  # what rounding has left over

    def _open(self, variant: str) -> bool:
        return any(name == variant and weight for name, weight, _ in self.ways)

    def _go(self, variant: str, why: str, *, new: bool = False) -> Go:
        target = next(target for name, _, target in self.ways if name == variant)
        effects = (Assign(self.name, variant),) if new else ()
        return Go(target, self.label(), variant, why, effects=effects, variant=(self.name, variant))


# --- reading ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Variants:
    path: str
    steps: StepsReader
    expected: str = "a mapping of names to {weight, do}"

    def read(self, node: Node, reader: Reader) -> Any:
        if not isinstance(node, MappingNode):
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        variants: list[Any] = []
        for key, value in node:
            name = NAME.read(key, reader)
            values = self._shape(key.text).read(value, reader)
            bad = name is INVALID or values is INVALID
            variants.append(INVALID if bad else Variant(name, values["weight"], values["do"]))
        if any(variant is INVALID for variant in variants):
            return INVALID
        if len(variants) < 2:
            return reader.refuse(node, "an experiment needs at least two variants")
        total = sum(Fraction(str(variant.weight)) for variant in variants)
        if total != 100:
            return reader.refuse(node, f"the weights add up to {float(total):g}, not to 100")
        return tuple(variants)

    def schema(self) -> dict[str, Any]:
        variant = self._shape("NAME").schema()
        return {"type": "object", "additionalProperties": variant, "minProperties": 2}

    def _shape(self, name: str) -> Shape:
        do = StepsType(self.steps, f"{self.path}.experiment.variants.{name}.do")
        return Shape(
            "a variant",
            {
                "weight": Field(Number(least=0, most=100), "how many of a hundred people", required=True, example=50),
                "do": Field(do, "the steps; may be empty", required=True),
            },
        )


_WINNER = Shape(
    "winner",
    {
        "by": Field(Choice(("goal", "clicked"), "measure"), "what counts as success", required=True, example="goal"),
        "after": Field(Number(whole=True, least=1), "people per variant whose window has closed", default=1000),
        "confidence": Field(Percent(), "how sure it must be", default=0.95, example="95%"),
    },
    Winning,
)


@dataclass(frozen=True)
class _WinnerType:
    expected: str = "a mapping {by, after, confidence}"

    def read(self, node: Node, reader: Reader) -> Any:
        winner = _WINNER.read(node, reader)
        if winner is not INVALID and not 0.5 <= winner.confidence < 1:
            at = node.get("confidence") if isinstance(node, MappingNode) else None
            return reader.refuse(at or node, "the confidence of a winner is from 50% to below 100%, such as 95%")
        return winner

    def schema(self) -> dict[str, Any]:
        return _WINNER.schema()


def _inner(path: str, steps: StepsReader) -> Shape:
    return Shape(
        "experiment",
        {
            "name": Field(NAME, "the experiment's name", required=True, example="subject_line"),
            "variants": Field(_Variants(path, steps), "the variants by name", required=True),
            "winner": Field(_WinnerType(), "when one of them has won and newcomers follow it"),
        },
    )


def _shape(path: str, steps: StepsReader) -> Shape:
    return Shape(
        "an experiment step",
        {
            "experiment": Field(_inner(path, steps), "the experiment", required=True),
            "id": Field(StepId(), "the step's name; the experiment's name if left out"),
        },
    )


def _read(node: MappingNode, reader: Reader, path: str, steps: StepsReader) -> Any:
    values = _shape(path, steps).read(node, reader)
    if values is INVALID:
        return INVALID
    inner = values["experiment"]
    spot = Spot(path, node.line, node.column)
    return Experiment(values["id"] or inner["name"], spot, inner["name"], inner["variants"], inner["winner"])


KIND = StepKind(
    "experiment", "variants by lot", _read, _shape("", unread_steps),
    """
- experiment:
    name: subject_line
    variants:
      short: {weight: 50, do: [{send: tips_short, via: email}]}
      long: {weight: 50, do: [{send: tips_long, via: email}]}
    winner: {by: clicked, after: 1000, confidence: 95%}
""",
)  # fmt: skip
