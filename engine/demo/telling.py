"""What the demonstration says while it plays and at its end: lines for everybody, a progress bar on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import typer

from engine.cli.output import plural
from engine.cli.table import as_table, put

if TYPE_CHECKING:  # these take seconds to import, and the first line should not wait for them
    from engine.demo.figures import Balance, Figures
    from engine.demo.goodbye import Goodbye
    from engine.demo.season import Week
    from engine.demo.shop import Customer


def say(line: str = "") -> None:
    """One line, at once."""
    typer.echo(line)
    sys.stdout.flush()


@contextmanager
def progress() -> Iterator[Progress]:
    """A way to show weeks as they pass."""
    if not sys.stdout.isatty():
        yield Progress()
        return
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=40), TextColumn("{task.percentage:3.0f} %"))
    with Bar(*columns, TimeElapsedColumn(), transient=True) as bar:
        task = bar.add_task("opening the shop", total=1.0)
        yield _BarProgress(lambda done, what: bar.update(task, completed=done, description=what))


class Progress:
    """Weeks as plain lines."""

    def week(self, week: Week, mails: int) -> None:
        """A week has passed; `mails` so far."""
        accepted, withheld = (week.counts.by_state.get(state, 0) for state in ("accepted", "withheld"))
        span = f"{_day(week.first):>6} - {_day(week.last):>6}"
        say(f"week {week.number:2}  {span}  {accepted:5,} sent {withheld:4,} withheld  {week.seconds:5.1f} s")


class _BarProgress(Progress):
    """Weeks as a bar that grows."""

    def __init__(self, show: Callable[[float, str], object]) -> None:
        self._show = show

    def week(self, week: Week, mails: int) -> None:
        self._show(week.done, f"{_day(week.last)} {week.last.year}  {mails:6,} messages")


def _day(day: date) -> str:
    return f"{day.day} {day:%b}"


def tell_figures(figures: Figures, seconds: float) -> None:
    """The table of journeys, and what it sums up to."""
    rows: list[dict[str, Any]] = [
        {
            "journey": j.journey,
            "entered": j.entered,
            "sent": j.sent,
            "by": _parts(j.accepted),
            "withheld": _parts(j.withheld) or "none",
            "converted": j.converted,
            "revenue after mail": f"${j.revenue:,.2f}",
            "mails/s": f"{j.sent / seconds:,.0f}",
        }
        for j in figures.journeys
    ]
    put("", as_table(rows, list(rows[0]) if rows else (), title="The season"))
    say()
    say(
        f"{plural(figures.sent, 'message')} in {seconds:.1f} s are {figures.sent / seconds:,.0f} a second, with the posts, the "
        f"decisions and the clock; ${figures.revenue:,.2f} after mail, each order counted once."
    )


def tell_balance(balance: Balance) -> None:
    """That nothing was lost silently."""
    states = " + ".join(f"{number:,} {state}" for state, number in sorted(balance.by_state.items()))
    say(f"Nothing was lost or doubled: {balance.decided:,} messages decided = {states}, compared key by key.")


def _parts(numbers: Mapping[str, int]) -> str:
    return ", ".join(
        f"{number:,} {word}" for word, number in sorted(numbers.items(), key=lambda item: (-item[1], item[0]))
    )


def tell_goodbye(leaver: Customer, goodbye: Goodbye, silence: Sequence[Mapping[str, Any]]) -> None:
    """One unsubscribe, from the mail's own header to the next mail that was not sent."""
    from engine.run.why import because

    say()
    say(
        f"One unsubscribe: {leaver.first_name} {leaver.last_name} opens mails/{goodbye.mail.name} and follows its List-Unsubscribe."
    )
    say(
        f"  GET  {goodbye.get_status}  a page with one button; consents on record {goodbye.consents_before}, after it {goodbye.consents_after_get}"
    )
    say(f"  POST {goodbye.post_status}  List-Unsubscribe=One-Click; one more on record, taken back")
    for send in silence:
        due = send["due_at"].astimezone(ZoneInfo(leaver.timezone))
        say(
            f"  {_day(due.date())}  {send['template']} is due: {send['state']}, {send['reason']}: {because(send['state'], send['reason'])}"
        )
    say()
