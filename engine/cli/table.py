"""Tables for people: as wide as their terminal, with local time and thousands marked."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from engine.cli.output import Output, cell, moment, show_records, visible

_UNWATCHED_WIDTH: Final = 100_000  # where nobody watches, a row is one line, whatever it holds


def put(*things: RenderableType) -> None:
    """Tables and lines for people, on standard output; without colours when `NO_COLOR` says so or nobody watches.

    On a terminal they fit its width; elsewhere a row is one line, so that `grep` finds all of it.
    """
    watched = sys.stdout.isatty()
    screen = Console(width=None if watched else _UNWATCHED_WIDTH, highlight=False, markup=False, emoji=False)
    if watched:
        screen.print(*things, sep="\n")
        return
    with screen.capture() as captured:
        screen.print(*things, sep="\n")
    for line in captured.get().splitlines():
        typer.echo(line.rstrip())


def show_rows(
    rows: Sequence[dict[str, Any]], columns: Sequence[str], output: Output, title: str | None = None, zone: str = "UTC"
) -> None:
    """A list of things, one a row, in the way that was asked for. Tables show instants in `zone`."""
    if output is Output.TABLE:
        put(as_table(rows, columns, title, zone))
    else:
        show_records(rows, columns, output)


def as_table(
    rows: Sequence[dict[str, Any]], columns: Sequence[str], title: str | None = None, zone: str = "UTC"
) -> Table:
    """The rows for people: numbers to the right with their thousands marked, instants in `zone`."""
    table = Table(
        box=SIMPLE_HEAD, show_edge=False, pad_edge=False, title=title, title_justify="left", title_style="bold"
    )
    for column in columns:
        values = [row[column] for row in rows if row.get(column) is not None]
        numbers = bool(values) and all(map(_is_number, values))
        table.add_column(column.replace("_", " "), justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*[Text(readable(row.get(column), zone)) for column in columns])
    return table


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def readable(value: Any, zone: str = "UTC") -> str:
    """A value for people, on one line; control characters, with which a name could steer the terminal, become visible."""
    match value:
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.2f}".removesuffix(".00")
        case datetime():
            return moment(value, zone)
        case list() | tuple():
            return ", ".join(readable(item, zone) for item in value)
        case _:
            return visible(cell(value))
