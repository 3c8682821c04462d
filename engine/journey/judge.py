"""Judges a trial: what happened on the stage against what its author expects; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar, assert_never
from zoneinfo import ZoneInfo

from engine.journey.trial import (
    Expectation,
    ExpectContact,
    ExpectCount,
    ExpectExit,
    ExpectSend,
    ExpectWithheld,
    Span,
)


@dataclass(frozen=True)
class Sent:
    """A message that went out; `variants` are those of its passage."""

    step: str
    via: str
    at: datetime
    variants: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unsent:
    """A message that was decided and did not go out: withheld, failed or still waiting (`planned`)."""

    step: str
    state: str
    reason: str | None
    at: datetime


@dataclass(frozen=True)
class Left:
    """A passage that ended."""

    reason: str
    at: datetime


@dataclass(frozen=True)
class Record:
    """What the tested journey did with the person. `about_contact` holds, by place among the expectations, whether it
    holds and what was found; `standing` says of each passage that has not ended where it stands.
    """

    sent: tuple[Sent, ...]
    unsent: tuple[Unsent, ...]
    left: tuple[Left, ...]
    goals: int
    entries: int
    about_contact: Mapping[int, tuple[bool, Any]]
    standing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failure:
    """An expectation that did not come true: its line in the file, what was expected, and what happened instead."""

    line: int
    expected: str
    got: str


def judge(expect: Sequence[Expectation], record: Record, zone: str) -> list[Failure]:
    """The expectations that failed, in file order. Each line needs a send, or an exit, of its own. Instants are told in
    `zone`.
    """
    placed = list(enumerate(expect))
    unmet = {
        *_unmet([(at, e) for at, e in placed if isinstance(e, ExpectSend)], record.sent, _is_send),
        *_unmet([(at, e) for at, e in placed if isinstance(e, ExpectWithheld)], record.unsent, _is_withheld),
        *_unmet([(at, e) for at, e in placed if isinstance(e, ExpectExit)], record.left, _is_exit),
        *(at for at, e in placed if isinstance(e, ExpectCount) and _count(e, record) != e.number),
        *(at for at, e in placed if isinstance(e, ExpectContact) and not record.about_contact[at][0]),
    }
    telling = _Telling(ZoneInfo(zone), record)
    return [Failure(e.line, telling.expected(e), telling.got(at, e)) for at, e in placed if at in unmet]


# --- matching ---------------------------------------------------------------------------------------------------------


def _is_send(wanted: ExpectSend, sent: Sent) -> bool:
    return (
        wanted.step == sent.step
        and wanted.via in (None, sent.via)
        and (wanted.when is None or wanted.when.holds(sent.at))
        and (wanted.variant is None or wanted.variant in sent.variants)
    )


def _is_withheld(wanted: ExpectWithheld, unsent: Unsent) -> bool:
    return wanted.step == unsent.step and unsent.state == "withheld" and wanted.reason in (None, unsent.reason)


def _is_exit(wanted: ExpectExit, left: Left) -> bool:
    return wanted.reason == left.reason and (wanted.when is None or wanted.when.holds(left.at))


def _count(wanted: ExpectCount, record: Record) -> int:
    match wanted.what:
        case "goal":
            return record.goals
        case "sends":
            return len(record.sent)
        case "entries":
            return record.entries
        case _:
            assert_never(wanted.what)


_Wanted = TypeVar("_Wanted", ExpectSend, ExpectWithheld, ExpectExit)
_Thing = TypeVar("_Thing", Sent, Unsent, Left)


def _unmet(
    wanted: Sequence[tuple[int, _Wanted]], things: Sequence[_Thing], fits: Callable[[_Wanted, _Thing], bool]
) -> set[int]:
    """Places of the expectations that are left over when as many as possible have a thing of their own. A loose line must not
    take the only thing that a strict one could have: earlier choices are revised along augmenting paths.
    """
    taken: dict[int, int] = {}  # thing -> expectation

    def find(number: int, seen: set[int]) -> bool:
        for thing, each in enumerate(things):
            if thing not in seen and fits(wanted[number][1], each):
                seen.add(thing)
                if thing not in taken or find(taken[thing], seen):
                    taken[thing] = number
                    return True
        return False

    return {wanted[number][0] for number in range(len(wanted)) if not find(number, set())}


# --- telling ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Telling:
    zone: ZoneInfo
    record: Record

    def at(self, instant: datetime) -> str:
        return instant.astimezone(self.zone).replace(microsecond=0).isoformat()

    def expected(self, wanted: Expectation) -> str:
        match wanted:
            case ExpectSend(step=step, via=via, when=when, variant=variant):
                ways = [f"by {via}" if via else "", self._when(when), f"to variant {variant}" if variant else ""]
                return " ".join(("send", step, *filter(None, ways)))
            case ExpectWithheld(step=step, reason=reason):
                return f"{step} withheld{f' ({reason})' if reason else ''}"
            case ExpectExit(reason=reason, when=when):
                return " ".join(filter(None, ("exit", reason, self._when(when))))
            case ExpectCount(what=what, number=number):
                return f"{what}: {number}"
            case ExpectContact(condition=condition):
                return f"at the end {condition.label()}"
            case _:
                assert_never(wanted)

    def _when(self, when: Span | None) -> str:
        if when is None:
            return ""
        if when.first == when.last:
            return f"at {self.at(when.first)}"
        return f"between {self.at(when.first)} and {self.at(when.last)}"

    def got(self, place: int, wanted: Expectation) -> str:
        record = self.record
        match wanted:
            case ExpectSend(step=step) | ExpectWithheld(step=step):
                of_step = [self._sent(sent) for sent in record.sent if sent.step == step]
                of_step += [self._unsent(unsent) for unsent in record.unsent if unsent.step == step]
                return "; ".join(of_step) or self._nothing(f"no send of {step}")
            case ExpectExit():
                ends = [f"exit {left.reason} at {self.at(left.at)}" for left in record.left]
                return "; ".join(ends) or self._nothing("no exit")
            case ExpectCount(what="sends"):
                return f"{len(record.sent)}" + (f": {'; '.join(map(self._sent, record.sent))}" if record.sent else "")
            case ExpectCount():
                return str(_count(wanted, record))
            case ExpectContact():
                found = record.about_contact[place][1]
                return "nothing there" if found is None else f"{found}"
            case _:
                assert_never(wanted)

    def _nothing(self, what: str) -> str:
        if not self.record.entries:
            return f"{what}: the person never entered"
        return "; ".join((what, *self.record.standing))

    def _sent(self, sent: Sent) -> str:
        variant = f" to variant {', '.join(sent.variants)}" if sent.variants else ""
        return f"{sent.step} sent by {sent.via} at {self.at(sent.at)}{variant}"

    def _unsent(self, unsent: Unsent) -> str:
        reason = f" ({unsent.reason})" if unsent.reason else ""
        return f"{unsent.step} {unsent.state}{reason} at {self.at(unsent.at)}"
