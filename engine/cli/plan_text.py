"""A plan in words and as data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

from engine.cli.output import moment, plural
from engine.journey.diff import StepChange
from engine.run.changes import TemplateChange
from engine.run.plan import JourneyPlan, LetsIn, Plan, Standing

COLUMNS: Final = ("how", "what", "name", "effect")

_SIGN: Final = {"added": "+", "removed": "-", "changed": "~", "moved": ">"}
_SHORT: Final = 8  # digits of a version's hash


def plan_rows(plan: Plan) -> list[dict[str, Any]]:
    """One row per change: how, what, name, effect."""
    journeys = {journey.name: journey for journey in plan.journeys}
    rows = []
    for change in plan.changes:
        journey = journeys.get(change.name) if change.what == "journey" else None
        effect = _effect(journey) if journey is not None else _SEGMENT[change.how]
        rows.append({"how": change.how, "what": change.what, "name": change.name, "effect": effect})
    for name, people in plan.ending.items():
        rows.append(
            {
                "how": "ended",
                "what": "journey",
                "name": name,
                "effect": f"{plural(people, 'person', 'people')} leave as removed",
            }
        )
    templates = (
        {"how": each.how, "what": "template", "name": each.path, "effect": _of_template(each)}
        for each in plan.templates
    )
    return [*rows, *templates]


def _of_template(template: TemplateChange) -> str:
    """Templates are live, so nothing becomes of it by the apply."""
    if not template.journeys:
        return "no journey sends it"
    goes = "" if template.how == "removed" else "goes out as it is now; "
    return f"{goes}sent by {', '.join(template.journeys)}"


_SEGMENT: Final = {"new": "filled silently", "changed": "filled anew, silently", "removed": "its members are forgotten"}


def _effect(journey: JourneyPlan) -> str:
    match journey.how:
        case "new":
            return "people enter from now on; nothing that is past starts it"
        case "changed" if journey.rule == "migrate":
            return "newcomers enter the new version, people under way move to it"
        case "changed":
            return "newcomers enter the new version, people under way finish theirs"
        case _ if journey.ends:
            return "nobody enters any more, people under way leave as removed"
        case _:
            return "nobody enters any more, people under way finish"


def plan_details(plan: Plan, zone: str) -> list[str]:
    """Per journey that has more to tell its steps, its people and its warnings; per segment how many it holds."""
    lines = [f"warning: {warning}" for warning in plan.warnings]
    for journey in plan.journeys:
        told = list(_journey(journey, zone))
        lines += [_title(journey), *(f"  {line}" for line in told), ""] if told else []
    for segment in plan.segments:
        before, after = segment.members_before, segment.members_after
        if segment.how == "changed":
            lines.append(f"segment {segment.name}: {before:,} -> {plural(after, 'person', 'people')}")
        elif segment.how == "new" and after:
            lines.append(f"segment {segment.name}: {plural(after, 'person', 'people')}")
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _title(journey: JourneyPlan) -> str:
    versions = [hash_[:_SHORT] for hash_ in (journey.before, journey.after) if hash_ is not None]
    return f"journey {journey.name} ({' -> '.join(versions)})"


def _journey(journey: JourneyPlan, zone: str) -> Iterator[str]:
    if journey.diff is not None:
        yield from (f"~ {rule}" for rule in journey.diff.rules)
        yield from map(_step, journey.diff.steps)
    if journey.people:
        yield from _people(journey)
    if journey.lets_in is not None:
        yield _lets_in(journey.lets_in, zone)
    yield from (f"warning: {warning}" for warning in journey.warnings)
    yield from (f"refused: {refusal}" for refusal in journey.refusals)


def _step(step: StepChange) -> str:
    name = step.step if step.before in (None, step.step) else f"{step.before} = {step.step}"
    what = f": {'; '.join(step.what)}" if step.what else f": {step.label}"
    return f"{_SIGN[step.how]} {name}{what}"


def _people(journey: JourneyPlan) -> Iterator[str]:
    many, s = plural(journey.people, "person", "people"), "s" if journey.people == 1 else ""
    ends, finish = f"leave{s} as removed", "finishes" if s else "finish"
    if journey.how == "removed":
        yield f"{many} under way {ends if journey.ends else finish}"
    elif journey.rule == "migrate":
        yield f"{many} under way move{s} to the new version"
    else:
        yield f"{many} under way stay{s} on the version they entered"
    yield from (
        f"  {_standing(each, journey)}" for each in journey.standing if each.touched or journey.how != "changed"
    )
    others = [each for each in journey.standing if not each.touched]
    if journey.how == "changed" and others:
        people = sum(each.people for each in others)
        yield f"  {people:,} on {plural(len(others), 'step')} that {'does' if len(others) == 1 else 'do'} not change"


def _standing(each: Standing, journey: JourneyPlan) -> str:
    step = each.step or "at the door"
    label = f" ({each.label})" if each.label and each.step else ""
    where = f" of version {each.version[:_SHORT]}" if each.version != journey.before else ""
    one = each.people == 1
    goes = f", {'goes' if one else 'go'} to {each.goes}" if each.goes not in (None, each.step) else ""
    pinned = journey.how == "changed" and journey.rule == "pin"
    stays = f", {'stays' if one else 'stay'} on it in {each.version[:_SHORT]}" if pinned else ""
    return f"{each.people:,} on {step}{label}{where}{goes}{stays}"


def _lets_in(lets_in: LetsIn, zone: str) -> str:
    reach = lets_in.reach
    when = f"at {moment(lets_in.at, zone)}" if lets_in.at is not None else "now"
    more = f"; {reach.unreached:,} more could not be reached" if reach.unreached else ""
    return f"lets in {plural(reach.people, 'person', 'people')} {when}, by who is in its segments today{more}"


def plan_data(plan: Plan) -> dict[str, Any]:
    """The whole plan as JSON holds it."""
    journeys = []
    for journey in plan.journeys:
        data = {
            key: value for key, value in vars(journey).items() if key not in ("machine", "diff", "standing", "lets_in")
        }
        diff = None if journey.diff is None else asdict(journey.diff)
        lets_in = None if journey.lets_in is None else {"at": journey.lets_in.at, **asdict(journey.lets_in.reach)}
        journeys.append(
            {**data, "diff": diff, "standing": [asdict(each) for each in journey.standing], "lets_in": lets_in}
        )
    return {
        "made_at": plan.made_at,
        "changes": plan_rows(plan),
        "journeys": journeys,
        "segments": [asdict(segment) for segment in plan.segments],
        "refusals": list(plan.refusals),
        "warnings": list(plan.warnings),
        "end": plan.end,
    }
