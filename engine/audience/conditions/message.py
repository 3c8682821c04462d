"""The condition `message`: what became of a message of this enrollment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, Select, and_, cast, false, func, literal, not_, null, or_, select
from sqlalchemy import literal_column as constant
from sqlalchemy.dialects.postgresql import JSONB

from engine import tables
from engine.audience.scope import Condition, ConditionKind, Place, Scope, SegmentUse, Verdict, Word
from engine.document import Node, Plain, Scalar
from engine.grammar import INVALID, NAME, Choice, Field, Invalid, MentionType, Shape

Was = Literal["sent", "delivered", "opened", "clicked", "bounced", "replied"]

_SENT: Final = ("accepted", "delivered", "bounced", "complained")
_DELIVERED: Final = ("delivered", "complained")


@dataclass(frozen=True, kw_only=True)
class Message(Condition):
    """A send of this step, or of any step with this template, was seen as `was`; exactly one of the two is set.

    `sent`: a provider has accepted it, whatever followed. What a machine did (a scanner that follows links, a prefetch)
    does not count, nor does a bounce that was not for good. Of a step in a `repeat` any round counts. Found is the newest
    such send: its state, and all that was seen of it.
    """

    step: str | None
    template: str | None
    was: Was

    def verdict(self, scope: Scope) -> Verdict:
        if scope.enrollment is None:
            return Verdict(false(), cast(null(), JSONB))
        send = tables.send.alias()
        mine = [send.c.enrollment_id == scope.enrollment, self._meant(send)]
        holds: Select[Any] = (
            select(constant("1")).select_from(send).where(*mine, self._was(send, scope)).correlate_except(send)
        )
        observed = tables.observation.alias()
        kinds = func.coalesce(func.jsonb_agg(observed.c.kind.distinct()), constant("'[]'::jsonb", JSONB), type_=JSONB)
        seen = select(kinds).select_from(observed).where(_counts(observed, send, scope)).correlate_except(observed)
        what = func.jsonb_build_object("state", send.c.state, "seen", seen.scalar_subquery(), type_=JSONB)
        newest = select(what).select_from(send).where(*mine).order_by(send.c.id.desc()).limit(constant("1"))
        return Verdict(holds.exists(), newest.correlate_except(send).scalar_subquery())

    def _meant(self, send: Any) -> ColumnElement[bool]:
        of_step: ColumnElement[bool] = send.c.step == self.step
        of_template: ColumnElement[bool] = send.c.template == self.template
        return of_step if self.step is not None else of_template

    def _was(self, send: Any, scope: Scope) -> ColumnElement[bool]:
        if self.was == "sent":
            sent: ColumnElement[bool] = send.c.state.in_(_SENT)
            return sent
        observed = tables.observation.alias()
        here = (observed.c.kind == literal(self.was), _counts(observed, send, scope))
        seen = select(constant("1")).select_from(observed).where(*here).correlate_except(observed).exists()
        return or_(send.c.state.in_(_DELIVERED), seen) if self.was == "delivered" else seen

    def label(self) -> str:
        return f"message {self.step or f'with template {self.template}'} was {self.was}"

    def plain(self) -> Plain:
        which: dict[str, Plain] = {"step": self.step} if self.step is not None else {"template": self.template}
        return {"message": which | {"was": self.was}}

    def events(self) -> frozenset[str]:
        return frozenset()

    def segments_used(self) -> tuple[SegmentUse, ...]:
        return ()


def _counts(observed: Any, send: Any, scope: Scope) -> ColumnElement[bool]:
    """An observation of this send that a person caused, or a provider's word for good, and that is not of the future."""
    return and_(
        observed.c.send_id == send.c.id,
        observed.c.at <= scope.now,
        not_(observed.c.machine),
        or_(observed.c.kind != "bounced", observed.c.hard),
    )


_SHAPE = Shape(
    "message",
    {
        "step": Field(MentionType("step", NAME), "the send step's id", example="reminder"),
        "template": Field(
            MentionType("template", NAME), "or the template, whatever step has sent it", example="welcome"
        ),
        "was": Field(
            Choice(("sent", "delivered", "opened", "clicked", "bounced", "replied"), "fate of a message"),
            "what became of it",
            required=True,
            example="clicked",
        ),
    },
)


def _read(key: Scalar, node: Node, place: Place) -> Condition | Invalid:
    if not place.enrolled:
        return place.reader.refuse(key, "'message' is about messages of an enrollment; here nobody is under way yet")
    values = _SHAPE.read(node, place.reader)
    if isinstance(values, Invalid):
        return INVALID
    if (values["step"] is None) == (values["template"] is None):
        return place.reader.refuse(node, "message needs 'step' (a send step's id) or 'template', one of the two")
    return Message(line=key.line, step=values["step"], template=values["template"], was=values["was"])


KIND = ConditionKind(
    ("message",),
    _read,
    {
        "message": Word(
            "what became of a message of this enrollment; opens and clicks by machines and soft bounces do not count",
            _SHAPE.schema(),
            "{message: {step: reminder, was: clicked}}",
        )
    },
)
