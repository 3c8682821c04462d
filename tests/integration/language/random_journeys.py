"""Random journeys as text, and random lives of a few people, for whatever must hold of all of them.

Everything lies on whole minutes, and what changes segments on whole quarters of a day: so the minute steps of `simulate`
and its refreshes see exactly what the live engine sees.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

DAYS = 9
QUARTER = timedelta(hours=6)
STARTS = (
    datetime(2027, 3, 10, tzinfo=UTC),  # four days before the clocks of New York jump
    datetime(2026, 10, 26, tzinfo=UTC),  # six before they jump back
    datetime(2027, 3, 31, tzinfo=UTC),  # Lord Howe's go back by half an hour on 4 April
    datetime(2028, 2, 26, tzinfo=UTC),  # a leap day comes
)
ZONES = ("Asia/Jakarta", "America/New_York", "Australia/Lord_Howe", "Pacific/Chatham", "Asia/Kathmandu")
SEGMENTS = {
    "everybody": {"segment": "everybody", "where": {"contact.born": {"exists": True}}},
    "golden": {"segment": "golden", "where": {"contact.tier": "gold"}},
    "visitors": {"segment": "visitors", "where": {"did": {"event": "visited", "count": {"gte": 2}}}},
}
EVENTS = ("viewed", "carted", "ordered")
GIVEN_BY_STEPS = "praised"
Draw = Callable[[st.SearchStrategy[Any]], Any]


@dataclass(frozen=True)
class Saying:
    """A message of somebody, as the Segment protocol writes it, when it happened and when it arrives."""

    happened: datetime
    arrives: datetime
    payload: Mapping[str, Any]


@dataclass(frozen=True)
class Scenario:
    """Journeys by name, as files hold them; what people say before `start` is history."""

    start: datetime
    journeys: Mapping[str, str]
    said: tuple[Saying, ...]

    @property
    def until(self) -> datetime:
        return self.start + timedelta(days=DAYS)

    def __repr__(self) -> str:
        lives = "\n".join(f"{s.arrives} ({s.happened}) {json.dumps(dict(s.payload))}" for s in self.said)
        return "\n".join([f"from {self.start}", *self.journeys.values(), lives])


def scenarios() -> st.SearchStrategy[Scenario]:
    return _scenario()


@st.composite
def _scenario(draw: st.DrawFn) -> Scenario:
    start = draw(st.sampled_from(STARTS))
    count = draw(st.integers(1, 3))
    names = [f"j{number}" for number in range(count)]
    journeys = {name: _journey(draw, name, start, names[:ix], names[ix + 1 :]) for ix, name in enumerate(names)}
    people = [f"p{number}" for number in range(draw(st.integers(1, 3)))]
    said = [_introduction(draw, who, start) for who in people]
    said += draw(st.lists(_saying(people, start), min_size=5, max_size=16))
    said = sorted(said, key=lambda each: each.arrives)
    return Scenario(start, journeys, tuple(_numbered(each, number) for number, each in enumerate(said)))


# --- people -----------------------------------------------------------------------------------------------------------


def _numbered(saying: Saying, number: int) -> Saying:
    return Saying(saying.happened, saying.arrives, {**saying.payload, "messageId": f"m{number}"})


def _introduction(draw: Draw, who: str, start: datetime) -> Saying:
    traits: dict[str, Any] = {"tier": draw(st.sampled_from(["gold", "none"])), "born": "1992-02-29"}
    traits["phone"] = f"+62812000000{who[1:]}1"
    zone = draw(st.none() | st.sampled_from(ZONES))
    if zone is not None:
        traits["timezone"] = zone
    if draw(st.integers(0, 4)):
        traits["consent"] = ["offers"]
    renews = draw(st.none() | st.integers(0, DAYS + 2))
    if renews is not None:
        traits["renews"] = (start + timedelta(days=renews)).date().isoformat()
    at = start - timedelta(days=1)
    payload = {"type": "identify", "userId": who, "timestamp": at.isoformat(), "traits": traits}
    return Saying(at, at, payload)


@st.composite
def _saying(draw: st.DrawFn, people: list[str], start: datetime) -> Saying:
    who, kind = draw(st.sampled_from(people)), draw(st.integers(0, 9))
    quarter = start + QUARTER * draw(st.integers(1, DAYS * 4 - 1))
    if kind == 0:
        changed = draw(
            st.sampled_from(
                [
                    {"tier": "gold"}, {"tier": "none"}, {"timezone": "America/New_York"}, {"timezone": "Asia/Jakarta"},
                    {"consent": {"offers": False}}, {"renews": (start + timedelta(days=7)).date().isoformat()},
                ]
            )
        )  # fmt: skip
        return Saying(
            quarter,
            quarter,
            {"type": "identify", "userId": who, "timestamp": quarter.isoformat(), "traits": changed},
        )
    if kind == 1:
        return Saying(
            quarter,
            quarter,
            {"type": "track", "userId": who, "timestamp": quarter.isoformat(), "event": "visited", "properties": {}},
        )
    happened = start + timedelta(minutes=draw(_minutes()))
    late = draw(st.sampled_from([0, 0, 0, 0, 5, 90, 2000])) if kind < 5 else 0
    arrives = min(happened + timedelta(minutes=late), start + timedelta(days=DAYS) - timedelta(minutes=1))
    properties = {"n": draw(st.integers(0, 3)), "id": draw(st.sampled_from(["a", "b"]))}
    due = draw(st.none() | st.integers(-2, DAYS))
    if due is not None:
        properties["when"] = (start + timedelta(days=due, minutes=17)).isoformat()
    payload = {
        "type": "track", "userId": who, "timestamp": happened.isoformat(), "event": draw(st.sampled_from(EVENTS)),
        "properties": properties,
    }  # fmt: skip
    return Saying(happened, arrives, payload)


def _minutes() -> st.SearchStrategy[int]:
    """Often the same instants as waits end at."""
    hours = st.integers(1, 24 * 4).map(lambda hour: hour * 60)
    return hours | st.integers(1, 24 * 60 * 4)


# --- journeys ---------------------------------------------------------------------------------------------------------


@dataclass
class _Writing:
    """One journey while it is written."""

    draw: Draw
    has_event: bool
    later: list[str]
    ids: list[str] = field(default_factory=list)
    experiments: int = 0
    steps: int = 0

    def new_id(self, verb: str) -> str:
        self.ids.append(f"{verb}{len(self.ids)}")
        return self.ids[-1]


def _journey(draw: Draw, name: str, start: datetime, before: list[str], later: list[str]) -> str:
    trigger, has_event = _trigger(draw, start, before)
    writing = _Writing(draw, has_event, later)
    parts: dict[str, Any] = {"journey": name, "trigger": trigger}
    if draw(st.integers(0, 4)):
        parts["topic"] = "offers"
    else:
        parts["kind"] = "transactional"
    parts["entry"] = _entry(draw, writing)
    parts["exit"] = draw(st.lists(st.deferred(lambda: _exits(writing)), max_size=2))
    if draw(st.booleans()):
        parts["goal"] = {"event": draw(st.sampled_from(EVENTS)), "within": draw(st.sampled_from(["2d", "1h"]))}
        if has_event and draw(st.booleans()):
            parts["goal"]["value"] = "event.n"
    if draw(st.booleans()):
        parts["delivery"] = _delivery(draw)
    parts["steps"] = _steps(writing, 2, 5, may_exit=True, least=1)
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in parts.items() if value not in ([], {}))


def _trigger(draw: Draw, start: datetime, before: list[str]) -> tuple[dict[str, Any], bool]:
    """And whether something is handed over with it."""
    kind = draw(
        st.sampled_from(["event"] * 6 + ["enters", "leaves", "date", "dates", "schedule", "at", "other", "other"])
    )
    segment = draw(st.sampled_from(sorted(SEGMENTS)))
    clock = draw(_clock())
    match kind:
        case "enters" | "leaves":
            return {kind: segment}, False
        case "date":
            offset = draw(st.sampled_from([{}, {"offset": "-1d"}, {"offset": "2d"}]))
            fields = [{"date": "contact.renews", "repeat": "never"}, {"date": "contact.born"}]
            return {**draw(st.sampled_from(fields)), **offset, "at": clock}, False
        case "dates":
            days = draw(st.lists(st.integers(0, DAYS), min_size=1, max_size=3, unique=True))
            return {
                "dates": [(start + timedelta(days=day)).date().isoformat() for day in sorted(days)],
                "at": clock,
                "segment": segment,
            }, False
        case "schedule":
            cron = draw(st.sampled_from(["0 9 * * *", "30 2 * * 0", "*/30 1 * * *", "15 12 */3 * *"]))
            return {"schedule": cron, "timezone": draw(st.sampled_from(ZONES)), "segment": segment}, False
        case "at":
            at = start + timedelta(hours=draw(st.integers(1, 100)))
            return {"at": at.isoformat(), "segment": [segment, "everybody"]}, False
        case "other" if before:
            other = draw(st.sampled_from(before))
            reason = draw(st.sampled_from([{}, {"reason": "completed"}, {"reason": "bought"}]))
            return draw(
                st.sampled_from([{"manual": True}, {"finished": other, **reason}, {"event": GIVEN_BY_STEPS}])
            ), True
    trigger: dict[str, Any] = {"event": draw(st.sampled_from(EVENTS))}
    if draw(st.integers(0, 2)) == 0:
        trigger["where"] = {"event.n": {"gte": draw(st.integers(0, 2))}}
    if draw(st.integers(0, 2)) == 0:
        trigger["key"] = "event.id"
    return trigger, True


def _entry(draw: Draw, writing: _Writing) -> dict[str, Any]:
    entry: dict[str, Any] = {"reentry": draw(st.sampled_from(["never", "always", "always", {"after": "1d"}]))}
    entry["again"] = draw(st.sampled_from(["ignore", "restart"]))
    if draw(st.integers(0, 3)) == 0:
        entry["where"] = _condition(writing, 1)
    if draw(st.integers(0, 3)) == 0:
        entry["max_age"] = draw(st.sampled_from(["1h", "7d"]))
    return entry


@st.composite
def _exits(draw: st.DrawFn, writing: _Writing) -> dict[str, Any]:
    match draw(st.integers(0, 3)):
        case 0:
            return {"leaves": draw(st.sampled_from(sorted(SEGMENTS))), "reason": "left"}
        case 1:
            return {"when": _condition(writing, 1)}
    return {"event": draw(st.sampled_from([*EVENTS, GIVEN_BY_STEPS])), **_match(draw, writing), "reason": "bought"}


def _match(draw: Draw, writing: _Writing) -> dict[str, Any]:
    match: dict[str, Any] = {}
    if draw(st.integers(0, 2)) == 0:
        match["where"] = {"event.n": {"gte": draw(st.integers(0, 3))}}
        if writing.has_event and draw(st.booleans()):
            match["where"]["entered.id"] = "a"
    return match


def _delivery(draw: Draw) -> dict[str, Any]:
    delivery: dict[str, Any] = {}
    if draw(st.booleans()):
        hours = {"from": draw(_clock()), "to": draw(_clock()), "then": draw(st.sampled_from(["wait", "wait", "skip"]))}
        if hours["from"] != hours["to"]:
            delivery["quiet_hours"] = {**hours, "channels": draw(st.sampled_from([["sms"], ["sms", "whatsapp"]]))}
    if draw(st.booleans()):
        delivery["cap"] = {
            "max": draw(st.integers(1, 2)),
            "per": draw(st.sampled_from(["1h", "1d", "3d"])),
            "then": draw(st.sampled_from(["skip", "wait"])),
        }
    if draw(st.integers(0, 3)) == 0:
        delivery["holdout"] = "40%"
    if draw(st.integers(0, 3)) == 0:
        delivery["throttle"] = draw(st.sampled_from(["1/h", "2/h", "60/h"]))
    if draw(st.booleans()):
        delivery["priority"] = draw(st.integers(0, 100))
    return delivery


# --- steps ------------------------------------------------------------------------------------------------------------

_PLAIN = ("wait", "wait", "wait", "send", "send", "send", "update", "emit", "webhook", "start")
_DEEP = ("wait_for", "wait_for", "branch", "repeat", "experiment")


def _steps(writing: _Writing, deep: int, most: int, *, may_exit: bool, least: int = 0) -> list[dict[str, Any]]:
    draw, steps = writing.draw, []
    for _ in range(draw(st.integers(least, most))):
        writing.steps += 1
        kinds = _PLAIN if deep == 0 or writing.steps > 14 else (*_PLAIN, *_DEEP, *_DEEP)
        steps.append(_step(writing, draw(st.sampled_from(kinds)), deep - 1))
    if may_exit and draw(st.integers(0, 5)) == 0:
        steps.append({"exit": draw(st.sampled_from(["bought", "enough"]))})
    return steps


def _step(writing: _Writing, kind: str, deep: int) -> dict[str, Any]:
    draw = writing.draw
    if kind in _PLAIN and kind != "send":
        named = {} if draw(st.integers(0, 2)) == 0 else {"id": writing.new_id(kind)}
    elif kind in ("branch", "repeat"):
        named = {"id": writing.new_id(kind)}
    match kind:
        case "wait":
            return {"wait": _wait(writing), **named}
        case "send":
            step = {
                "id": writing.new_id("send"),
                "send": "hello",
                "via": draw(st.sampled_from(["sms", ["whatsapp", "sms"]])),
            }
            if draw(st.integers(0, 2)) == 0:
                step["expires"] = draw(st.sampled_from(["30m", "6h", "1d"]))
            return step
        case "update":
            return {"update": draw(st.sampled_from(_CHANGES)), **named}
        case "emit":
            return {"emit": GIVEN_BY_STEPS, "properties": {"n": draw(st.integers(0, 3)), "id": "a"}, **named}
        case "webhook":
            return {
                "webhook": {"url": "https://crm.example.com/hook", "body": {"who": "{{ contact.user_id }}"}},
                **named,
            }
        case "start" if writing.later:
            return {"start": draw(st.sampled_from(writing.later)), **named}
        case "wait_for":
            return {
                "wait_for": _awaited(writing),
                "id": writing.new_id("wait_for"),
                "then": _steps(writing, deep, 2, may_exit=True),
                "otherwise": _steps(writing, deep, 2, may_exit=False),
            }
        case "branch":
            arms = [
                {"when": _condition(writing, 2), "do": _steps(writing, deep, 2, may_exit=True)}
                for _ in range(draw(st.integers(1, 2)))
            ]
            return {"branch": [*arms, {"otherwise": _steps(writing, deep, 2, may_exit=False)}], **named}
        case "repeat":
            every = {"every": draw(st.sampled_from(["2h", "1d", "90m", "1w"]))}
            while_ = {"while": _condition(writing, 1)} if draw(st.booleans()) else {}
            do = _steps(writing, deep, 2, may_exit=False, least=1)
            if draw(st.integers(0, 2)) == 0:
                every, do = {}, [{"wait": draw(st.sampled_from(["1h", "1d"]))}, *do]
            return {"repeat": {"up_to": draw(st.integers(1, 3)), **every, **while_, "do": do}, **named}
        case "experiment":
            writing.experiments += 1
            name = f"x{writing.experiments}"
            weight = draw(st.sampled_from([0, 30, 50]))
            variants = {
                "a": {"weight": weight, "do": _steps(writing, deep, 2, may_exit=True)},
                "b": {"weight": 100 - weight, "do": _steps(writing, deep, 2, may_exit=False)},
            }
            return {"experiment": {"name": name, "variants": variants}}
    return {"wait": "1h"}


_CHANGES: tuple[dict[str, Any], ...] = (
    {"contact.points": {"add": 1}},
    {"contact.points": {"add": 1}, "contact.mood": "good"},
    {"contact.mood": "bad", "tags": {"add": ["vip"]}},
    {"tags": {"remove": ["vip"]}},
    {"contact.timezone": "Asia/Jakarta"},
    {"contact.timezone": "America/New_York"},
    {"contact.renews": "2027-03-20"},
    {"consent": {"offers": "out"}},
)


def _clock() -> st.SearchStrategy[str]:
    return st.sampled_from(["00:00", "01:30", "02:30", "08:00", "09:00", "12:15", "21:00", "23:59"])


def _wait(writing: _Writing) -> Any:
    draw = writing.draw
    match draw(st.integers(0, 5)):
        case 0:
            return {"until": draw(_clock())}
        case 1:
            return {"until": draw(_clock()), "days": draw(st.sampled_from([["mon", "fri"], ["sun"]]))}
        case 2:
            fields = ["contact.renews", *(["event.when"] if writing.has_event else [])]
            wait = {"until": draw(st.sampled_from(fields)), "if_past": draw(st.sampled_from(["now", "skip"]))}
            offset = draw(st.none() | st.sampled_from(["-1d", "3d", "-2h"]))
            return {**wait, **({"offset": offset} if offset else {})}
    return draw(st.sampled_from(["10m", "1h", "24h", "1d", "2d", "25h"]))


def _awaited(writing: _Writing) -> dict[str, Any]:
    draw = writing.draw
    timeout = {"timeout": draw(st.sampled_from(["10m", "1h", "1d", "2d"]))}
    if draw(st.integers(0, 3)) == 0:
        return {"when": _condition(writing, 1), **timeout}
    since = {"since": "entry"} if draw(st.integers(0, 2)) == 0 else {}
    return {"event": draw(st.sampled_from([*EVENTS, GIVEN_BY_STEPS])), **_match(draw, writing), **since, **timeout}


def _condition(writing: _Writing, deep: int) -> dict[str, Any]:
    draw = writing.draw
    kinds = ["points", "mood", "tags", "did", "did", "did_not", "segment", "subscribed", "sum"]
    kinds += ["event", "event"] if writing.has_event else []
    kinds += ["message", "message"] if any(name.startswith("send") for name in writing.ids) else []
    kinds += ["all", "any", "not", "not"] if deep else []
    kind = draw(st.sampled_from(kinds))
    event = draw(st.sampled_from([*EVENTS, GIVEN_BY_STEPS]))
    within = {"within": draw(st.sampled_from(["1h", "1d"]))} if draw(st.booleans()) else {}
    match kind:
        case "points":
            return {"contact.points": {"gte": draw(st.integers(1, 3))}}
        case "mood":
            return {"contact.mood": draw(st.sampled_from(["good", "bad"]))}
        case "tags":
            return {"contact.tags": {"contains": "vip"}}
        case "did":
            return {"did": {"event": event, **within, "count": {"gte": draw(st.integers(1, 2))}}}
        case "did_not":
            return {"did_not": {"event": event, **within}}
        case "sum":
            return {"did": {"event": event, **within, "sum": {"n": {"gte": draw(st.integers(1, 4))}}}}
        case "segment":
            return {"in_segment": draw(st.sampled_from(sorted(SEGMENTS)))}
        case "subscribed":
            return {"subscribed": {"topic": "offers", "via": "sms"}}
        case "event":
            return {"event.n": {"lt": draw(st.integers(1, 3))}}
        case "message":
            sent = [name for name in writing.ids if name.startswith("send")]
            return {"message": {"step": draw(st.sampled_from(sent)), "was": "sent"}}
        case "not":
            return {"not": _condition(writing, deep - 1)}
    return {kind: [_condition(writing, deep - 1) for _ in range(2)]}
