"""What happened to one person, in the order of time: what came in, what was decided and why, what became of each send."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, Literal

from engine.cli.output import compact, moment, visible

Kind = Literal["event", "consent", "suppression", "decision", "send", "call"]

_RANK: dict[Kind, int] = {"event": 0, "consent": 1, "suppression": 1, "decision": 2, "send": 3, "call": 3}
_SIGNALS = {
    "event": "an event came",
    "timer": "a wait was over",
    "segment": "a membership of a segment changed",
    "profile": "the profile changed",
    "send": "a send had ended",
    "date": "a date came round",
    "call": "a webhook had ended",
    "start": "another journey started it",
    "finished": "another journey had ended",
    "manual": "somebody enrolled them",
    "schedule": "the schedule came round",
    "backfill": "the journey was first applied",
    "moved": "another version was applied",
}
_OUTCOMES = {
    "planned": "waits in the outbox",
    "sending": "is on the wire",
    "accepted": "was accepted by the provider",
    "delivered": "was delivered",
    "bounced": "bounced",
    "complained": "was complained about",
    "withheld": "was not sent",
    "failed": "failed",
    "unknown": "may have arrived",
}
_CALLED = {
    "planned": "waits to be called",
    "calling": "is being called",
    "answered": "was answered",
    "withheld": "was not called",
    "failed": "failed",
}
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
_LONGEST = 200  # characters of a value that was found; `--output json` has all of it
_DETAILED = ("planned", "failed", "unknown", "bounced")  # where the provider's own words help


@dataclass(frozen=True)
class Line:
    """One thing that a decision looked at, by its path in the journey's file."""

    path: str
    result: str
    wanted: str
    found: str


@dataclass(frozen=True)
class Entry:
    """One thing that happened."""

    at: datetime
    kind: Kind
    journey: str | None
    text: str
    lines: tuple[Line, ...] = ()


def waits(signal: Mapping[str, Any], zone: str) -> str:
    """One thing that nobody has taken up yet, and since when it waits."""
    what = f"the event {signal['event']} came" if signal["event"] else _SIGNALS.get(signal["kind"], signal["kind"])
    journey = f"{signal['journey']}: " if signal["journey"] else ""
    return visible(f"{moment(signal['at'], zone)}  {journey}{what}")


def tell(why: Mapping[str, Any], zone: str) -> list[Entry]:
    """The story that `engine.run.why` has gathered; instants inside are shown in `zone`."""
    decisions = _decisions(why)
    told_by = {ended: number for number, (_, decision) in enumerate(decisions) for ended in _ended_before(decision)}
    placed: list[tuple[datetime, int, float, Entry]] = [
        (entry.at, _RANK[entry.kind], number, entry) for number, entry in enumerate(_came_in(why, zone))
    ]
    placed += [
        (decision["at"], _RANK["decision"], number, _decision(passage, decision, zone))
        for number, (passage, decision) in enumerate(decisions)
    ]
    for kind, thing in (*(("send", each) for each in why["messages"]), *(("call", each) for each in why["calls"])):
        at, rank, number = _when(thing), _RANK["send"], float(thing["id"])
        if (kind, thing["id"]) in told_by:  # its end is what that decision is about
            place = told_by[kind, thing["id"]]
            at, rank, number = decisions[place][1]["at"], _RANK["decision"], place - 0.5
        placed.append((at, rank, number, (_message if kind == "send" else _call)(thing, zone, at)))
    return [entry for *_, entry in sorted(placed, key=lambda item: item[:3])]


# --- what came in -----------------------------------------------------------------------------------------------------


def _came_in(why: Mapping[str, Any], zone: str) -> Iterator[Entry]:
    for event in why["events"]:
        late = event["received_at"] - event["occurred_at"]
        happened = f", happened {moment(event['occurred_at'], zone)}" if late.total_seconds() >= 60 else ""
        record = "" if event["starts"] else ", for the record only"
        properties = f" ({shown(event['properties'], zone)})" if event["properties"] else ""
        text = f"{event['name']} from {event['source']}{happened}{record}{properties}"
        yield Entry(event["at"], "event", None, visible(text))
    for (at, topic, given, source), rows in groupby(why["consents"], itemgetter("at", "topic", "given", "source")):
        channels = ", ".join(row["channel"] for row in rows)
        text = f"{topic} by {channels} {'given' if given else 'taken back'}, from {source}"
        yield Entry(at, "consent", None, visible(text))
    for row in why["suppressions"]:
        scope = "message at all" if row["scope"] == "all" else "marketing"
        text = f"{row['address']} gets no {scope} by {row['channel']}: {row['reason']}, from {row['source']}"
        yield Entry(row["at"], "suppression", None, visible(text))


# --- what was decided -------------------------------------------------------------------------------------------------


def _decisions(why: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Each decision with its passage (or the journey that was not entered), in order."""
    inside = [(passage, decision) for passage in why["journeys"] for decision in passage["decisions"]]
    outside = [(decision, decision) for decision in why["not_entered"]]
    return sorted([*inside, *outside], key=lambda pair: pair[1]["at"])


def _ended_before(decision: Mapping[str, Any]) -> Iterable[tuple[str, int]]:
    """The send or call whose end the decision is about."""
    kind = decision["signal"]
    if kind in ("send", "call"):
        for line in decision["lines"]:
            if isinstance(line["found"], dict) and isinstance(line["found"].get(f"{kind}_id"), int):
                yield kind, line["found"][f"{kind}_id"]


def _decision(passage: Mapping[str, Any], decision: Mapping[str, Any], zone: str) -> Entry:
    key = f" [{passage['key']}]" if passage.get("key") else ""
    what = _SIGNALS.get(decision["signal"], decision["signal"])
    lines = tuple(
        Line(line["path"], visible(line["result"]), visible(line["wanted"]), shown(line["found"], zone))
        for line in decision["lines"]
    )
    return Entry(decision["at"], "decision", passage["journey"], visible(f"{passage['journey']}{key}: {what}"), lines)


# --- what became of sends ---------------------------------------------------------------------------------------------


def _when(message: Mapping[str, Any]) -> datetime:
    at: datetime = message["ended_at"] or message.get("intent_at") or message["due_at"]
    return at


def _message(message: Mapping[str, Any], zone: str, at: datetime) -> Entry:
    channel = message["channel"] or " or ".join(message["via"])
    outcome = _OUTCOMES.get(message["state"], message["state"])
    to = f" to {message['address']}" if message["address"] else ""
    text = f"{message['template']}{to} by {channel} {outcome}"
    if message["state"] == "planned":
        text += f", to be tried {moment(message['next_at'], zone)}"
    if message["because"]:
        text += f": {message['because']}"
    if message["detail"] and message["state"] in _DETAILED:
        text += f" ({message['detail']})"
    return Entry(at, "send", message["journey"], visible(text))


def _call(call: Mapping[str, Any], zone: str, at: datetime) -> Entry:
    text = f"webhook {call['step']} {_CALLED.get(call['state'], call['state'])}"
    if call["state"] == "planned":
        text += f", to be tried {moment(call['next_at'], zone)}"
    if call["because"]:
        text += f": {call['because']}"
    if call["detail"] and call["state"] in ("planned", "failed"):
        text += f" ({call['detail']})"
    return Entry(at, "call", call["journey"], visible(text))


# --- values -----------------------------------------------------------------------------------------------------------


def shown(found: Any, zone: str) -> str:
    """What was found, on one line and not too long; instants in `zone`."""
    match found:
        case None:
            return ""
        case str():
            text = found
        case dict():
            text = ", ".join(f"{name}={_word(value)}" for name, value in found.items())
        case _:
            text = compact(found)
    text = visible(_INSTANT.sub(lambda instant: moment(datetime.fromisoformat(instant[0]), zone), text))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _word(value: Any) -> str:
    return value if isinstance(value, str) else compact(value)
