"""Imports contacts from CSV: row by row checked, in batches written, repeatable.

Headers are the keys of `tests: contact` in the journey language: `user_id`, `anonymous_id`, `email`, `phone`, `timezone`,
`locale`, `tags`, `consent`, `suppressed`; every other header is a trait (`address.city` one inside `address`). Lists are
separated by `;`. `consent` lists topics, for every channel; a column `consent.TOPIC` lists the channels of one topic.
`consent_wording` and `consent_at` are the proof. An empty cell says nothing. A trait is text unless `contacts.fields` of
`config.yaml` declares its type.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Engine

from engine.config import Config
from engine.consent.statement import CHANNELS
from engine.errors import AlurError
from engine.grammar import FieldType, suggestion
from engine.run.incoming import Message, read_identifier, read_instant
from engine.run.ingest import rules_of
from engine.run.profile import FieldRefusedError, Rules, read_profile
from engine.run.record import record, settle

_TOGETHER = 500  # rows a transaction
_KEPT_ERRORS = 1000
_IDENTITIES: Final = ("user_id", "anonymous_id", "email", "phone")
_LISTS: Final = frozenset({"tags", "suppressed"})
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
_BOOLEANS: Final = {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}


class ImportRefusedError(AlurError):
    """The file as a whole can't be imported; nothing of it was."""


@dataclass(frozen=True)
class RowError:
    """One row that was left out; `line` counts from 1, the header's being the first."""

    line: int
    message: str


@dataclass(frozen=True)
class ImportReport:
    """What an import did. `refused` counts rows left out, of which `errors` names the first 1,000. `withdrawn` counts
    statements of consent not taken over because the person had taken that consent back.
    """

    rows: int = 0
    created: int = 0
    changed: int = 0
    withdrawn: int = 0
    refused: int = 0
    errors: tuple[RowError, ...] = ()


def import_contacts(
    engine: Engine,
    config: Config,
    lines: Iterable[str],
    now: datetime,
    progress: Callable[[int], object] | None = None,
) -> ImportReport:
    """Read CSV text line by line and write its contacts; `progress` is told how many rows are behind us.

    A row that can't be taken is left out and named, and the others are written. A second run of the same file changes
    nothing; so does one after a person has unsubscribed: a list without `consent_at` never gives back what was taken
    back. Raises `ImportRefusedError` for a header that can't be.
    """
    return _read(
        config,
        lines,
        now,
        lambda batch, report: _write(engine, batch, report, now, config.organisation.timezone),
        progress,
    )


def check_contacts(
    config: Config, lines: Iterable[str], now: datetime, progress: Callable[[int], object] | None = None
) -> ImportReport:
    """What `import_contacts` would leave out, and why; nothing is written, and who is new is not looked at."""
    return _read(config, lines, now, lambda _, report: report, progress)


def _read(
    config: Config,
    lines: Iterable[str],
    now: datetime,
    write: Callable[[list[Message], ImportReport], ImportReport],
    progress: Callable[[int], object] | None,
) -> ImportReport:
    rules = rules_of(config)
    report = ImportReport()
    batch: list[Message] = []
    for line, said in _rows(lines, config.fields):
        report = replace(report, rows=report.rows + 1)
        try:
            if isinstance(said, FieldRefusedError):
                raise said
            batch.append(read_contact(said, rules, now))
        except FieldRefusedError as error:
            kept = report.errors if report.refused >= _KEPT_ERRORS else (*report.errors, RowError(line, str(error)))
            report = replace(report, refused=report.refused + 1, errors=kept)
        if len(batch) == _TOGETHER:
            report = write(batch, report)
            batch = []
            if progress is not None:
                progress(report.rows)
    report = write(batch, report)
    if progress is not None:
        progress(report.rows)
    return report


def read_contact(said: Mapping[str, Any], rules: Rules, now: datetime, source: str = "import") -> Message:
    """A contact given as plain data under the keys of `tests: contact`, to be written by `record`.

    Raises `FieldRefusedError`, naming the key.
    """
    traits = {
        name: value
        for name, value in said.items()
        if name not in {"user_id", "anonymous_id", "suppressed", "consent_at"}
    }
    try:
        profile = read_profile(traits, rules, read_instant(said.get("consent_at"), "consent_at"))
    except FieldRefusedError as error:
        raise FieldRefusedError(error.field.removeprefix("traits."), error.reason) from error
    suppressed = said.get("suppressed") or ()
    for channel in suppressed:
        if channel not in CHANNELS:
            raise FieldRefusedError("suppressed", f"unknown channel '{channel}'{suggestion(str(channel), CHANNELS)}")
    user_id, anonymous_id = read_identifier(said, "user_id"), read_identifier(said, "anonymous_id")
    if not (user_id or anonymous_id or profile.columns.get("email") or profile.columns.get("phone")):
        raise FieldRefusedError("user_id", f"one of {', '.join(_IDENTITIES)} is needed to tell who it is")
    return Message(
        source, None, user_id, anonymous_id, server=True, starts=False, occurred_at=now,
        profile=replace(profile, suppressed=tuple(suppressed)),
    )  # fmt: skip


def _write(engine: Engine, batch: list[Message], report: ImportReport, now: datetime, zone: str) -> ImportReport:
    if not batch:
        return report
    done = settle(engine, lambda conn: record(conn, batch, now, zone))
    return replace(
        report,
        created=report.created + done.created,
        changed=report.changed + done.changed,
        withdrawn=report.withdrawn + done.withdrawn,
    )


def _rows(
    lines: Iterable[str], types: Mapping[str, FieldType]
) -> Iterator[tuple[int, dict[str, Any] | FieldRefusedError]]:
    """Each row with the line on which it begins: its cells as plain data, or what is wrong with it."""
    reader = csv.reader(lines, strict=True)
    try:
        header = _header(next(reader, []))
    except csv.Error as error:
        raise ImportRefusedError(f"the first line can't be read: {error}") from error
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
            if cells is None:
                return
            if cells:
                yield line, _row(header, cells, types)
        except csv.Error as error:
            yield line, FieldRefusedError("row", f"can't be read ({error})")
        except FieldRefusedError as error:
            yield line, error


def _header(cells: list[str]) -> list[str]:
    names = [cell.strip().removeprefix("\ufeff") for cell in cells]
    if len(names) == 1 and any(mark in names[0] for mark in ";\t"):
        raise ImportRefusedError("the columns of a CSV file must be separated by commas; this one uses ';' or tabs")
    if not names or not all(names):
        raise ImportRefusedError("the first line must name every column")
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ImportRefusedError(f"the first line names '{doubled[0]}' twice")
    if "consent" in names and any(name.startswith("consent.") for name in names):
        raise ImportRefusedError(
            "consent stands either in the column 'consent' or in columns 'consent.TOPIC', not in both"
        )
    if not set(names) & set(_IDENTITIES):
        raise ImportRefusedError(f"no column tells who a row is: name one of {', '.join(_IDENTITIES)}")
    return names


def _row(header: list[str], cells: list[str], types: Mapping[str, FieldType]) -> dict[str, Any]:
    if len(cells) != len(header):
        raise FieldRefusedError("row", f"{len(cells)} cells, but the first line names {len(header)} columns")
    said: dict[str, Any] = {}
    for name, cell in zip(header, cells, strict=True):
        text = cell.strip()
        if "\0" in text:
            raise FieldRefusedError(name, "holds the character U+0000, which can't be stored")
        if text:
            _place(said, name, _value(name, text, types))
    return said


def _place(said: dict[str, Any], name: str, value: Any) -> None:
    *outer, last = name.split(".")
    inside = said
    for part in outer:
        inside = inside.setdefault(part, {})
        if not isinstance(inside, dict):
            raise FieldRefusedError(name, f"'{part}' is a column with a value of its own")
    inside[last] = value


def _value(name: str, text: str, types: Mapping[str, FieldType]) -> Any:
    if name == "consent" and text.lower() == "false":
        return False
    if name in _LISTS or name == "consent" or name.startswith("consent."):
        return [item.strip() for item in text.split(";") if item.strip()]
    return _typed(name, text, types.get(name, "text"))


def _typed(name: str, text: str, kind: FieldType) -> Any:
    match kind:
        case "text":
            return text
        case "list":
            return [item.strip() for item in text.split(";") if item.strip()]
        case "number":
            if _NUMBER.fullmatch(text) is None:
                raise FieldRefusedError(name, f"'{text[:60]}' is no number (write 49.9, without a thousands separator)")
            return float(text) if "." in text else int(text)
        case "boolean":
            if text.lower() not in _BOOLEANS:
                raise FieldRefusedError(name, f"'{text[:60]}' is neither true nor false")
            return _BOOLEANS[text.lower()]
        case "date":
            try:
                return date.fromisoformat(text).isoformat()
            except ValueError as error:
                raise FieldRefusedError(name, f"'{text[:60]}' is no date; write it like 1990-02-28") from error
        case "datetime":
            read_instant(text, name)
            return text
