"""Random lives of a few people, and with random journeys a scenario: for whatever must hold of all of them.

Everything lies on whole minutes, and what changes segments on whole halves of a day: so the minute steps of `simulate`
and its refreshes see exactly what the live engine sees.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from tests.integration.language.random_journeys import DAYS, EVENTS, ZONES, Draw, journey_text

HALF_DAY = timedelta(hours=12)
STARTS = (
    datetime(2027, 3, 10, tzinfo=UTC),  # four days before the clocks of New York jump
    datetime(2026, 10, 26, tzinfo=UTC),  # six before they jump back
    datetime(2027, 3, 31, tzinfo=UTC),  # Lord Howe's go back by half an hour on 4 April
    datetime(2028, 2, 26, tzinfo=UTC),  # a leap day comes
)


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
    journeys = {name: journey_text(draw, name, start, names[:ix], names[ix + 1 :]) for ix, name in enumerate(names)}
    people = [f"p{number}" for number in range(draw(st.integers(2, 3)))]
    said = [_introduction(draw, who, start) for who in people]
    said += draw(st.lists(_saying(people, start), min_size=10, max_size=24))
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
    half = start + HALF_DAY * draw(st.integers(1, DAYS * 2 - 1))
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
            half,
            half,
            {"type": "identify", "userId": who, "timestamp": half.isoformat(), "traits": changed},
        )
    if kind == 1:
        return Saying(
            half,
            half,
            {"type": "track", "userId": who, "timestamp": half.isoformat(), "event": "visited", "properties": {}},
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
