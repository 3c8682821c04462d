"""What a step's texts can count on: what config.yaml declares of contacts and events, what is handed over, the step's own vars."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from engine.config import Config
from engine.grammar import FieldType, suggestion
from engine.journey.journey import Draft, Journey
from engine.journey.met import Met, met_before
from engine.journey.reach import walk
from engine.journey.steps.base import Step
from engine.journey.steps.send import Send
from engine.journey.steps.start import Start
from engine.journey.triggers import EventTrigger, FinishedTrigger, ManualTrigger

OWN_FIELDS: Mapping[str, FieldType] = {
    "user_id": "text",
    "email": "text",
    "phone": "text",
    "locale": "text",
    "timezone": "text",
    "tags": "list",
}
"""What a contact may have without being declared: identities, language, zone and tags."""


@dataclass(frozen=True)
class Unmet:
    """Why a variable may be missing, and what would supply it."""

    why: str
    mend: str


@dataclass(frozen=True)
class Source:
    """One thing that `event` or `matched` may be. `fields` None: config.yaml says nothing about it."""

    name: str
    fields: Mapping[str, FieldType] | None


@dataclass(frozen=True)
class Others:
    """The journeys of the workspace by name, as far as they read well, and which of them start one by a step."""

    journeys: Mapping[str, Journey]
    starting: Mapping[str, Collection[str]]

    @classmethod
    def of(cls, journeys: Mapping[str, Journey]) -> Others:
        starting: dict[str, dict[str, None]] = {}
        for name, journey in journeys.items():
            for step in walk(journey.steps):
                if isinstance(step, Start):
                    starting.setdefault(step.journey, {})[name] = None
        return cls(journeys, starting)


@dataclass(frozen=True)
class Data:
    """What the steps of one journey can count on."""

    config: Config
    has_event: bool
    events: tuple[Source, ...]  # what `event` may be; none: nobody knows, so nothing is said
    met: Mapping[str, Met]  # what `matched` may be, by the path of the step

    @classmethod
    def of(cls, draft: Draft, others: Others, config: Config) -> Data:
        """`others` may hand over what is their `event`. Of steps of which some don't read nobody knows what was met before."""
        sources = tuple(_sources(draft, others, config, frozenset({draft.name})))
        return cls(config, draft.has_event, sources, {} if draft.lost else met_before(draft.steps))

    def unmet(self, path: str, step: Step) -> Unmet | None:
        """Why the variable may be missing when somebody stands on the step; None when it is supplied. A person may lack a
        field all the same: what is declared may be there.
        """
        root, _, rest = path.partition(".")
        parts = tuple(rest.split(".")) if rest else ()
        match root:
            case "contact":
                return _lacking(Source("contacts.fields", {**OWN_FIELDS, **self.config.fields}), parts)
            case "event":
                return self._unmet_event(parts)
            case "matched":
                return self._unmet_matched(parts, step)
            case "vars":
                return _unmet_var(parts, step)
            case "organisation" if parts == ("postal_address",) and not self.config.organisation.postal_address:
                return Unmet(
                    "the organisation has no postal address", "write organisation.postal_address in config.yaml"
                )
            case _:
                return None

    def _unmet_event(self, parts: tuple[str, ...]) -> Unmet | None:
        if not self.has_event:
            return Unmet("no event starts people here, so there is no 'event'", "take it from the contact")
        return next((unmet for source in self.events if (unmet := _lacking(source, parts)) is not None), None)

    def _unmet_matched(self, parts: tuple[str, ...], step: Step) -> Unmet | None:
        for name in sorted(self.met.get(step.spot.path, ()), key=lambda name: name or ""):
            if name is None:
                return Unmet("not everybody who comes here has met the event of a wait_for", "send it in its 'then'")
            unmet = _lacking(_declared(name, self.config), parts)
            if unmet is not None:
                return unmet
        return None


def _unmet_var(parts: tuple[str, ...], step: Step) -> Unmet | None:
    given = step.vars if isinstance(step, Send) else {}
    if not parts or (len(parts) == 1 and given.get(parts[0]) is not None):
        return None
    if parts[0] in given and len(parts) > 1:
        return Unmet(f"the step's variable '{parts[0]}' has no parts", "give each its own variable")
    return Unmet(f"the step's vars have no '{parts[0]}'{suggestion(parts[0], given)}", "give it there")


def _sources(journey: Draft | Journey, others: Others, config: Config, passed: frozenset[str]) -> Iterator[Source]:
    """Whatever `event` may be in the journey: its trigger's, or that of a journey which hands over its own."""
    match journey.trigger:
        case EventTrigger(match=match):
            yield _declared(match.name, config)
        case FinishedTrigger(journey=before):
            yield from _handed_over(before, others, config, passed)
        case ManualTrigger():
            # Whoever enrolls by hand may hand over anything; a property that no event has is a slip of the pen.
            everything = {name: kind for event in config.events.values() for name, kind in event.properties.items()}
            yield Source("", everything)
        case _:
            return
    for name in others.starting.get(journey.name, ()):
        yield from _handed_over(name, others, config, passed)


def _handed_over(name: str, others: Others, config: Config, passed: frozenset[str]) -> Iterator[Source]:
    before = others.journeys.get(name)
    if before is None or name in passed:  # unknown, broken or a circle, which is told elsewhere
        return
    if not before.trigger.has_event:
        yield Source(f"the journey {name}, which no event starts,", {})
    yield from _sources(before, others, config, passed | {name})


def _declared(event: str, config: Config) -> Source:
    contract = config.events.get(event)
    return Source(f"events.{event}", None if contract is None else contract.properties)


def _lacking(source: Source, parts: tuple[str, ...]) -> Unmet | None:
    """What the declaration lacks for this path; a list may hold anything, other types have no parts."""
    if not parts:
        return None
    if source.fields is None:
        return Unmet(f"config.yaml does not declare {source.name}", "declare it with this property")
    path = ".".join(parts)
    if path in source.fields or any(name.startswith(f"{path}.") for name in source.fields):
        return None
    for length in range(len(parts) - 1, 0, -1):
        kind = source.fields.get(".".join(parts[:length]))
        if kind == "list" and (parts[length] == "*" or parts[length].isdecimal()):
            return None
        if kind is not None:
            return Unmet(
                f"'{'.'.join(parts[:length])}' is a {kind} and has no '{parts[length]}'", "name one of its parts"
            )
    hint = suggestion(path, source.fields)
    if source.name.startswith(("events.", "contacts.")):
        return Unmet(f"{source.name} in config.yaml has no '{path}'{hint}", "declare it there")
    if not source.name:
        return Unmet(f"no event of config.yaml has a property '{path}'{hint}", "declare it there")
    return Unmet(f"{source.name} hands over no '{path}'{hint}", "take it from the contact")
