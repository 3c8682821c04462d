"""`alur status`: how things stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from rich.console import RenderableType

from engine.cli.output import Output, OutputOption, moment, plural, show_json
from engine.cli.table import as_table, put, show_rows
from engine.cli.workspace import HERE, WorkspaceOption, opened

_ALWAYS = ("planned", "accepted", "withheld", "failed")
_PEOPLE = ("journey", "state", "entered", "under_way", "ended", "goals", "goal_value")


def status(workspace: WorkspaceOption = HERE, output: OutputOption = Output.TABLE) -> None:
    """Show how things stand: journeys, sends by state and by reason, the queue, what is held, send runs.

    `--output json` gives all of it as one object, `--output csv` a row per journey.

    Example: `alur status`
    """
    from engine.run.status import SEND_STATES
    from engine.run.status import status as read_status

    with opened(workspace) as at, at.engine.connect() as conn:
        now = at.clock()
        found = read_status(conn, now)
    if output is Output.JSON:
        show_json(found)
    elif output is Output.CSV:
        rows = [{**journey, **journey["sends"]} for journey in found["journeys"]]
        show_rows(rows, (*_PEOPLE, "paused", *SEND_STATES), output)
    else:
        _show(found, now, at.zone)


def _show(found: dict[str, Any], now: datetime, zone: str) -> None:
    put(_headline(found))
    if found["journeys"]:
        rows, states = _journeys(found["journeys"])
        put("", as_table(rows, _PEOPLE, title="Journeys"))  # two tables, so that they fit a terminal of 80 columns
        put("", as_table(rows, ("journey", *states), title="Their sends"))
    if reasons := list(_reasons(found["reasons"])):
        put(
            "",
            as_table(
                reasons,
                ("journey", "state", "reason", "sends", "because"),
                title="Waiting, withheld, failed or unknown",
            ),
        )
    if found["calls"]:
        put("", as_table(found["calls"], ("journey", "state", "reason", "calls"), title="Webhooks"))
    put("", *_queue(found["queue"], now, zone), "", _holds(found["holds"], zone))
    if found["schedules"]:
        told = ("journey", "next", "last", "people", "missed")
        put("", as_table(found["schedules"], told, title="Schedules, broadcasts and backfills", zone=zone))
    if found["runs"]:
        parts = ("run", "state", "opened", "took", "sends")
        put("", as_table([_run(run) for run in found["runs"]], parts, title="Latest send runs", zone=zone))
    put("", f"{moment(now, zone)} in {zone}")


def _headline(found: dict[str, Any]) -> str:
    queue, states = found["queue"], Counter(_state(journey) for journey in found["journeys"])
    journeys = (
        ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "none applied (run `alur apply`)"
    )
    under_way = sum(journey["under_way"] for journey in found["journeys"])
    people = f"{plural(under_way, 'enrollment')} under way"
    return f"Journeys: {journeys}; {people}; {plural(queue['contacts'], 'contact')}, {plural(queue['events'], 'event')}"


def _state(journey: dict[str, Any]) -> str:
    return "paused" if journey["paused"] else str(journey["state"])


def _journeys(journeys: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    """A row per journey and one of totals; of the states of sends those that are of interest, and those that occur."""
    total = Counter[str]()
    for journey in journeys:
        total.update(journey["sends"])
    states = [state for state in journeys[0]["sends"] if state in _ALWAYS or total[state]]
    rows = [{**journey, "state": _state(journey), **journey["sends"]} for journey in journeys]
    if len(rows) > 1:
        sums = {name: sum(journey[name] for journey in journeys) for name in _PEOPLE[2:]}
        rows.append({"journey": "all", **sums, **total})
    return rows, states


def _reasons(reasons: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    from engine.run.why import because

    for row in reasons:
        told = because(row["state"], row["reason"])
        if told is not None:
            yield {**row, "because": told}


def _queue(queue: dict[str, Any], now: datetime, zone: str) -> Iterator[str]:
    yield f"Waiting for a decision: {_waiting(queue['signals_due'], queue['oldest_signal'], now)}"
    yield f"Waiting to be sent: {_waiting(queue['sends_due'], queue['oldest_send'], now)}"
    if queue["calls_due"]:
        yield f"Webhooks waiting to be called: {_waiting(queue['calls_due'], queue['oldest_call'], now)}"
    if queue["dead_letters"]:
        yield f"Messages of apps that could not be taken: {queue['dead_letters']:,} (the table dead_letter says why)"
    if queue["unreal_zones"]:
        yield f"People whose time zone does not exist: {queue['unreal_zones']:,} ({zone} counts)"


def _waiting(count: int, oldest: datetime | None, now: datetime) -> str:
    return (
        f"{count:,}, the oldest for {span((now - oldest).total_seconds())}"
        if count and oldest is not None
        else "nothing"
    )


def span(seconds: float) -> str:
    """A length of time in its two largest units: `2 d 3 h`, `4 m 10 s`, `0.3 s`."""
    if seconds < 10:
        return f"{max(seconds, 0):.1f} s"
    whole = round(seconds)
    parts = [(whole // 86_400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "m"), (whole % 60, "s")]
    first = next(place for place, (amount, _) in enumerate(parts) if amount)
    return " ".join(f"{amount} {unit}" for amount, unit in parts[first : first + 2] if amount)


def _holds(holds: Sequence[dict[str, Any]], zone: str) -> RenderableType:
    if not holds:
        return "Held: nothing"
    rows = [{"held": f"{hold['scope']} {hold['name']}", **hold, "since": hold["at"]} for hold in holds]
    return as_table(rows, ("held", "reason", "by", "since"), title="Held until `alur resume NAME`", zone=zone)


def _run(run: dict[str, Any]) -> dict[str, Any]:
    ended = run["ended_at"]
    took = span((ended - run["opened_at"]).total_seconds()) if ended is not None else ""
    counts = ", ".join(f"{count:,} {state}" for state, count in sorted(run["counts"].items()))
    return {"run": str(run["id"]), "state": run["state"], "opened": run["opened_at"], "took": took, "sends": counts}
