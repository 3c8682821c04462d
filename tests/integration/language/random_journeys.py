"""Random journeys as text, valid ones, with every kind of trigger, rule and step."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

DAYS = 9
ZONES = ("Asia/Jakarta", "America/New_York", "Australia/Lord_Howe", "Pacific/Chatham", "Asia/Kathmandu")
SEGMENTS = {
    "everybody": {"segment": "everybody", "where": {"contact.born": {"exists": True}}},
    "golden": {"segment": "golden", "where": {"contact.tier": "gold"}},
    "visitors": {"segment": "visitors", "where": {"did": {"event": "visited", "count": {"gte": 2}}}},
}
EVENTS = ("viewed", "carted", "ordered")
GIVEN_BY_STEPS = "praised"
Draw = Callable[[st.SearchStrategy[Any]], Any]


# --- journeys ---------------------------------------------------------------------------------------------------------


@dataclass
class _Writing:
    """One journey while it is written."""

    draw: Draw
    has_event: bool
    later: list[str]
    ids: list[str] = field(default_factory=list)
    steps: int = 0

    def new_id(self, verb: str) -> str:
        self.ids.append(f"{verb}{len(self.ids)}")
        return self.ids[-1]


def journey_text(draw: Draw, name: str, start: datetime, before: list[str], later: list[str]) -> str:
    trigger, has_event = _trigger(draw, start, before)
    writing = _Writing(draw, has_event, later)
    parts: dict[str, Any] = {"journey": name, "trigger": trigger}
    if draw(st.integers(0, 4)):
        parts["topic"] = "offers"
    else:
        parts["kind"] = "transactional"
    parts["entry"] = _entry(draw, writing)
    parts["exit"] = draw(st.lists(st.deferred(lambda: _exits(writing)), max_size=1))
    if draw(st.booleans()):
        parts["goal"] = {"event": draw(st.sampled_from(EVENTS)), "within": draw(st.sampled_from(["2d", "1h"]))}
        if has_event and draw(st.booleans()):
            parts["goal"]["value"] = "event.n"
    if draw(st.booleans()):
        parts["delivery"] = _delivery(draw)
    parts["steps"] = _steps(writing, 2, 6, may_exit=True, least=3)
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in parts.items() if value not in ([], {}))


def _trigger(draw: Draw, start: datetime, before: list[str]) -> tuple[dict[str, Any], bool]:
    """And whether something is handed over with it."""
    kind = draw(
        st.sampled_from(["event"] * 9 + ["enters", "leaves", "date", "dates", "schedule", "at", "other", "other"])
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
    if draw(st.integers(0, 3)) == 0:
        trigger["where"] = {"event.n": {"gte": draw(st.integers(0, 1))}}
    if draw(st.integers(0, 2)) == 0:
        trigger["key"] = "event.id"
    return trigger, True


def _entry(draw: Draw, writing: _Writing) -> dict[str, Any]:
    entry: dict[str, Any] = {"reentry": draw(st.sampled_from(["never", "always", "always", {"after": "1d"}]))}
    entry["again"] = draw(st.sampled_from(["ignore", "restart"]))
    if draw(st.integers(0, 5)) == 0:
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

_PLAIN = ("wait", "wait", "wait", "send", "send", "send", "send", "update", "emit", "webhook", "start")
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
    if kind in _DEEP:
        return _WRITERS_DEEP[kind](writing, deep)
    step = _WRITERS[kind](writing)
    if kind != "send" and writing.draw(st.integers(0, 2)):
        step["id"] = writing.new_id(kind)
    return step


def _send(writing: _Writing) -> dict[str, Any]:
    via = writing.draw(st.sampled_from(["sms", ["whatsapp", "sms"]]))
    step = {"id": writing.new_id("send"), "send": "hello", "via": via}
    if writing.draw(st.integers(0, 2)) == 0:
        step["expires"] = writing.draw(st.sampled_from(["30m", "6h", "1d"]))
    return step


def _update(writing: _Writing) -> dict[str, Any]:
    return {"update": writing.draw(st.sampled_from(_CHANGES))}


def _emit(writing: _Writing) -> dict[str, Any]:
    return {"emit": GIVEN_BY_STEPS, "properties": {"n": writing.draw(st.integers(0, 3)), "id": "a"}}


def _webhook(_: _Writing) -> dict[str, Any]:
    return {"webhook": {"url": "https://crm.example.com/hook", "body": {"who": "{{ contact.user_id }}"}}}


def _start(writing: _Writing) -> dict[str, Any]:
    return {"start": writing.draw(st.sampled_from(writing.later))} if writing.later else {"wait": "1h"}


def _wait_for(writing: _Writing, deep: int) -> dict[str, Any]:
    return {
        "wait_for": _awaited(writing),
        "id": writing.new_id("wait_for"),
        "then": _steps(writing, deep, 2, may_exit=True),
        "otherwise": _steps(writing, deep, 2, may_exit=False),
    }


def _branch(writing: _Writing, deep: int) -> dict[str, Any]:
    arms = [
        {"when": _condition(writing, 2), "do": _steps(writing, deep, 2, may_exit=True)}
        for _ in range(writing.draw(st.integers(1, 2)))
    ]
    return {"branch": [*arms, {"otherwise": _steps(writing, deep, 2, may_exit=False)}], "id": writing.new_id("branch")}


def _repeat(writing: _Writing, deep: int) -> dict[str, Any]:
    draw = writing.draw
    rounds: dict[str, Any] = {"up_to": draw(st.integers(1, 3))}
    if draw(st.booleans()):
        rounds["while"] = _condition(writing, 1)
    do = _steps(writing, deep, 2, may_exit=False, least=1)
    if draw(st.integers(0, 2)) == 0:
        do.insert(0, {"wait": draw(st.sampled_from(["1h", "1d"]))})
    else:
        rounds["every"] = draw(st.sampled_from(["2h", "1d", "90m", "1w"]))
    return {"repeat": {**rounds, "do": do}, "id": writing.new_id("repeat")}


def _experiment(writing: _Writing, deep: int) -> dict[str, Any]:
    name = writing.new_id("x")
    weight = writing.draw(st.sampled_from([0, 30, 50]))
    variants = {
        "a": {"weight": weight, "do": _steps(writing, deep, 2, may_exit=True)},
        "b": {"weight": 100 - weight, "do": _steps(writing, deep, 2, may_exit=False)},
    }
    return {"experiment": {"name": name, "variants": variants}}


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


def _wait(writing: _Writing) -> dict[str, Any]:
    return {"wait": _span(writing)}


def _span(writing: _Writing) -> Any:
    draw = writing.draw
    match draw(st.integers(0, 5)):
        case 0:
            return {"until": draw(_clock())}
        case 1:
            return {"until": draw(_clock()), "days": draw(st.sampled_from([["mon", "wed", "fri"], ["sun", "thu"]]))}
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


def _condition(writing: _Writing, deep: int) -> Any:
    draw = writing.draw
    kind = draw(st.sampled_from([*_SIMPLE, "all", "any", "not", "not"] if deep else _SIMPLE))
    if kind == "not":
        return {"not": _condition(writing, deep - 1)}
    if kind in ("all", "any"):
        return {kind: [_condition(writing, deep - 1) for _ in range(2)]}
    sent = [name for name in writing.ids if name.startswith("send")]
    if kind == "event" and writing.has_event:
        return {"event.n": {"lt": draw(st.integers(1, 3))}}
    if kind == "message" and sent:
        return {"message": {"step": draw(st.sampled_from(sent)), "was": "sent"}}
    if kind == "contact":
        return draw(_ABOUT_CONTACT)
    event = draw(st.sampled_from([*EVENTS, GIVEN_BY_STEPS]))
    within = {"within": draw(st.sampled_from(["1h", "1d"]))} if draw(st.booleans()) else {}
    return draw(_history(event, within))


_SIMPLE = ("contact", "contact", "contact", "history", "history", "event", "event", "message")
_ABOUT_CONTACT: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.integers(1, 3).map(lambda number: {"contact.points": {"gte": number}}),
    st.sampled_from(["good", "bad"]).map(lambda mood: {"contact.mood": mood}),
    st.just({"contact.tags": {"contains": "vip"}}),
    st.sampled_from(sorted(SEGMENTS)).map(lambda name: {"in_segment": name}),
    st.just({"subscribed": {"topic": "offers", "via": "sms"}}),
)


def _history(event: str, within: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(
        st.integers(1, 2).map(lambda number: {"did": {"event": event, **within, "count": {"gte": number}}}),
        st.integers(1, 4).map(lambda total: {"did": {"event": event, **within, "sum": {"n": {"gte": total}}}}),
        st.just({"did_not": {"event": event, **within}}),
    )


_WRITERS: dict[str, Callable[[_Writing], dict[str, Any]]] = {
    "wait": _wait, "send": _send, "update": _update, "emit": _emit, "webhook": _webhook, "start": _start,
}  # fmt: skip
_WRITERS_DEEP: dict[str, Callable[[_Writing, int], dict[str, Any]]] = {
    "wait_for": _wait_for, "branch": _branch, "repeat": _repeat, "experiment": _experiment,
}  # fmt: skip
