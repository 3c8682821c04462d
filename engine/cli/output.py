"""How results are shown: tables for people (`engine.cli.table`), JSON and CSV for programs. Results go to standard output, the rest to standard error."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import orjson
import typer

from engine.cli.parameters import one_of


class Output(StrEnum):
    """How a result is shown."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


OutputOption = Annotated[
    Output,
    typer.Option(
        "--output", metavar="|".join(Output), parser=one_of(Output), help="table for people, json or csv for programs."
    ),
]

_NUMBER = re.compile(r"[+-]?[0-9.]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def say(message: str) -> None:
    """A message to whoever started the command, on standard error."""
    typer.echo(message, err=True)


def show_json(value: Any) -> None:
    """Plain data as indented JSON; instants as RFC 3339 text."""
    typer.echo(orjson.dumps(value, default=str, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode())


def show_records(rows: Sequence[dict[str, Any]], columns: Sequence[str], output: Output) -> None:
    """A list of things for programs: as CSV, else as JSON."""
    if output is Output.CSV:
        typer.echo(as_csv(rows, columns), nl=False)
    else:
        show_json([{column: row.get(column) for column in columns} for row in rows])


def as_csv(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> str:
    """CSV with a header. A cell that a spreadsheet would run as a formula gets an apostrophe before it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_harmless(cell(row.get(column))) for column in columns])
    return text.getvalue()


def _harmless(text: str) -> str:
    dangerous = text.startswith(("=", "@", "\t", "\r")) or (text.startswith(("+", "-")) and not _NUMBER.fullmatch(text))
    return f"'{text}" if dangerous else text


def cell(value: Any) -> str:
    """A value for programs: lists joined by ';', instants as RFC 3339, nothing for nothing."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.isoformat()
        case list() | tuple():
            return ";".join(cell(item) for item in value)
        case dict():
            return compact(value)
        case _:
            return str(value)


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
