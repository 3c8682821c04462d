"""`alur schema`: what may stand in the files, for editors and other programs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.output import say
from engine.cli.parameters import one_of


class Kind(StrEnum):
    """A kind of file that has a schema."""

    JOURNEY = "journey"
    SEGMENT = "segment"
    CONFIG = "config"


_Kind = Annotated[
    Kind | None,
    typer.Argument(metavar="KIND", parser=one_of(Kind), show_default=False, help="Which one; all of them if left out."),
]
_Folder = Annotated[
    Path | None,
    typer.Option(
        "--out", "-o", metavar="DIR", show_default=False, help="Write KIND.json into this folder instead of printing."
    ),
]


def schema(kind: _Kind = None, out: _Folder = None) -> None:
    """Write the JSON Schemas (draft-07) of journeys, segments and config.yaml, for editors.

    An editor that knows them completes keys, explains them and marks what is wrong while you type. `alur init` has put
    them into `schema/` already, and their place at the top of each file; `alur schema -o schema` brings them up to date
    after an upgrade. Without `-o` they are printed: one kind as it is, all of them as one object by name.

    Example: `alur schema journey`
    """
    from engine.cli.schemas import as_text, schemas

    known = schemas()
    if out is None:
        typer.echo(as_text(known if kind is None else known[kind.value]), nl=False)
        return
    out.mkdir(parents=True, exist_ok=True)
    for name in known if kind is None else (kind.value,):
        (out / f"{name}.json").write_text(as_text(known[name]), encoding="utf-8")
        say(f"wrote {out / f'{name}.json'}")
