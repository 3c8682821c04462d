"""How results are shown: tables for people, JSON and CSV for programs. Results go to standard output, the rest to standard error."""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import orjson
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text


class Output(StrEnum):
    """How a result is shown."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


OutputOption = Annotated[Output, typer.Option("--output", help="table for people, json or csv for programs.")]

_UNWATCHED_WIDTH: Final = 100_000  # where nobody watches, a row is one line, whatever it holds
_NUMBER = re.compile(r"[+-]?[0-9.]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


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


def say(message: str) -> None:
    """A message to whoever started the command, on standard error."""
    typer.echo(message, err=True)


def show_json(value: Any) -> None:
    """Plain data as indented JSON; instants as RFC 3339 text."""
    typer.echo(orjson.dumps(value, default=str, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode())


def show_rows(
    rows: Sequence[dict[str, Any]], columns: Sequence[str], output: Output, title: str | None = None, zone: str = "UTC"
) -> None:
    """A list of things, one a row, in the way that was asked for. Tables show instants in `zone`."""
    match output:
        case Output.JSON:
            show_json([{column: row.get(column) for column in columns} for row in rows])
        case Output.CSV:
            typer.echo(as_csv(rows, columns), nl=False)
        case Output.TABLE:
            put(as_table(rows, columns, title, zone))


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


def as_csv(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> str:
    """CSV with a header. A cell that a spreadsheet would run as a formula gets an apostrophe before it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_harmless(_cell(row.get(column))) for column in columns])
    return text.getvalue()


def _harmless(text: str) -> str:
    dangerous = text.startswith(("=", "@", "\t", "\r")) or (text.startswith(("+", "-")) and not _NUMBER.fullmatch(text))
    return f"'{text}" if dangerous else text


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: Any) -> str:
    """A value for programs: lists joined by ';', instants as RFC 3339, nothing for nothing."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.isoformat()
        case list() | tuple():
            return ";".join(_cell(item) for item in value)
        case dict():
            return compact(value)
        case _:
            return str(value)


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
            return visible(_cell(value))


def visible(text: str) -> str:
    """The text on one line, without control characters."""
    return _CONTROL.sub("\ufffd", " ".join(text.split("\n")))


def compact(value: Any) -> str:
    """Plain data as JSON on one line."""
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def moment(at: datetime, zone: str) -> str:
    """An instant as the clocks of `zone` show it."""
    return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S}"


def plural(count: int, thing: str, things: str | None = None) -> str:
    """`1 journey`, `2,000 journeys`."""
    return f"{count:,} {thing if count == 1 else things or thing + 's'}"
