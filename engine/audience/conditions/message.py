"""The condition `message`: what became of a message of this enrollment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from engine.audience import sql
from engine.audience.kind import Condition, ConditionKind, Place, SegmentUse, Word
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

    def verdict(self, scope: sql.Scope) -> sql.Verdict:
        if scope.enrollment is None:
            return sql.Verdict(sql.false(), sql.cast(sql.null(), sql.JSONB))
        send = sql.tables.send.alias()
        mine = [send.c.enrollment_id == scope.enrollment, _meant(self, send)]
        holds: sql.Select[Any] = (
            sql.select(sql.literal_column("1"))
            .select_from(send)
            .where(*mine, _was(self, send, scope))
            .correlate_except(send)
        )
        observed = sql.tables.observation.alias()
        kinds = sql.func.coalesce(
            sql.func.jsonb_agg(observed.c.kind.distinct()),
            sql.literal_column("'[]'::jsonb", sql.JSONB),
            type_=sql.JSONB,
        )
        seen = sql.select(kinds).select_from(observed).where(_counts(observed, send, scope)).correlate_except(observed)
        what = sql.func.jsonb_build_object("state", send.c.state, "seen", seen.scalar_subquery(), type_=sql.JSONB)
        newest = (
            sql.select(what).select_from(send).where(*mine).order_by(send.c.id.desc()).limit(sql.literal_column("1"))
        )
        return sql.Verdict(holds.exists(), newest.correlate_except(send).scalar_subquery())

    def label(self) -> str:
        return f"message {self.step or f'with template {self.template}'} was {self.was}"

    def plain(self) -> Plain:
        which: dict[str, Plain] = {"step": self.step} if self.step is not None else {"template": self.template}
        return {"message": which | {"was": self.was}}

    def events(self) -> frozenset[str]:
        return frozenset()

    def segments_used(self) -> tuple[SegmentUse, ...]:
        return ()


def _meant(condition: Message, send: Any) -> sql.ColumnElement[bool]:
    of_step: sql.ColumnElement[bool] = send.c.step == condition.step
    of_template: sql.ColumnElement[bool] = send.c.template == condition.template
    return of_step if condition.step is not None else of_template


def _was(condition: Message, send: Any, scope: sql.Scope) -> sql.ColumnElement[bool]:
    if condition.was == "sent":
        sent: sql.ColumnElement[bool] = send.c.state.in_(_SENT)
        return sent
    observed = sql.tables.observation.alias()
    here = (observed.c.kind == sql.literal(condition.was), _counts(observed, send, scope))
    seen = sql.select(sql.literal_column("1")).select_from(observed).where(*here).correlate_except(observed).exists()
    return sql.or_(send.c.state.in_(_DELIVERED), seen) if condition.was == "delivered" else seen


def _counts(observed: Any, send: Any, scope: sql.Scope) -> sql.ColumnElement[bool]:
    """An observation of this send that a person caused, or a provider's word for good, and that is not of the future."""
    return sql.and_(
        observed.c.send_id == send.c.id,
        observed.c.at <= scope.now,
        sql.not_(observed.c.machine),
        sql.or_(observed.c.kind != "bounced", observed.c.hard),
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
