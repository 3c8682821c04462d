"""A trial: one item of a journey's `tests:`; a person, what happens to them, and what must come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, get_args

from engine.audience.condition import Condition

WithheldReason = Literal[
    "no_address", "no_consent", "suppressed", "quiet_hours", "cap", "expired", "no_template", "exited"
]
WITHHELD: Final[tuple[str, ...]] = get_args(WithheldReason)
Observed = Literal["delivered", "opened", "clicked", "bounced", "replied"]
OBSERVED: Final[tuple[str, ...]] = get_args(Observed)


# --- given ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Happens:
    """An event of the person."""

    event: str
    properties: Mapping[str, Any]
    message_id: str | None


@dataclass(frozen=True)
class Identifies:
    """An `identify` with these traits."""

    traits: Mapping[str, Any]
    message_id: str | None


@dataclass(frozen=True)
class Consents:
    """The person allows (true) or takes back topics, on every channel."""

    topics: Mapping[str, bool]


@dataclass(frozen=True)
class Suppresses:
    """The person's address on this channel is suppressed, scope `all`."""

    channel: str


@dataclass(frozen=True)
class Reacts:
    """What is observed of the newest message of a step: that it was opened, clicked, ..."""

    step: str
    was: Observed


@dataclass(frozen=True)
class Enrolls:
    """Somebody enrolls the person by hand."""

    properties: Mapping[str, Any]


Act = Happens | Identifies | Consents | Suppresses | Reacts | Enrolls


@dataclass(frozen=True)
class Given:
    """One thing that happens: `at` is its own time, `arrival` when Alur learns of it."""

    at: datetime
    arrival: datetime
    act: Act
    line: int


# --- expect -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Span:
    """The seconds from `first` to `last`, both included."""

    first: datetime
    last: datetime

    def holds(self, instant: datetime) -> bool:
        """Exact to the second: what lies inside a second is at that second."""
        return self.first <= instant.replace(microsecond=0) <= self.last


@dataclass(frozen=True)
class ExpectSend:
    """A message of the step went out; by this channel, within the span, to somebody in the variant, where they are named."""

    step: str
    via: str | None
    when: Span | None
    variant: str | None
    line: int


@dataclass(frozen=True)
class ExpectWithheld:
    """A message of the step was withheld, for this reason if one is named."""

    step: str
    reason: str | None
    line: int


@dataclass(frozen=True)
class ExpectExit:
    """A passage ended so."""

    reason: str
    when: Span | None
    line: int


@dataclass(frozen=True)
class ExpectCount:
    """Exactly so many goals reached, messages sent, or passages begun."""

    what: Literal["goal", "sends", "entries"]
    number: int
    line: int


@dataclass(frozen=True)
class ExpectContact:
    """What holds of the contact at the end."""

    condition: Condition
    line: int


Expectation = ExpectSend | ExpectWithheld | ExpectExit | ExpectCount | ExpectContact


@dataclass(frozen=True)
class Trial:
    """One test of a journey. `contact` holds plain data under the keys that the language names; `given` is in order of
    arrival; the clock begins at `start` and runs until `until` (None: until nothing is left to happen).
    """

    name: str
    contact: Mapping[str, Any]
    given: tuple[Given, ...]
    start: datetime
    until: datetime | None
    expect: tuple[Expectation, ...]
    line: int
