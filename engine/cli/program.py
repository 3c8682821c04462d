"""The program: its commands, and how errors are told."""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final, NoReturn

import typer

from engine.cli.commands import Commands
from engine.errors import AlurError, WorkspaceError

program = typer.Typer(
    name="alur",
    cls=Commands,
    help="""Marketing automation whose source of truth is text.

A marketer writes journeys in YAML; Alur checks them, runs them for everybody that an event, a segment or a date
brings in, and never mails a person who said no.

First steps:

- `alur init shop` writes a working example; then `cd shop`
- `alur validate`, `alur test` and `alur draw welcome` check it, try it out and show it; nothing needs to run
- `alur apply`, then `alur run`: what the files say takes events in, decides and sends
- `alur status` and `alur why CONTACT` tell how it goes, and why somebody got what they got""",
    epilog="`alur COMMAND --help` explains a command and shows an example.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_DEBUG: Final = "ALUR_DEBUG"  # in the environment, so that processes which a command starts tell as much


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"alur {version('alur')}")
        raise typer.Exit


@program.callback()
def _options(
    debug: bool = typer.Option(False, "--debug", help="Show a traceback when something fails."),
    _version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Show the version."),
) -> None:
    if debug:
        os.environ[_DEBUG] = "1"


def run_program(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run with these arguments (the process's own, if None), and exit: 0 good, 1 a problem found or a failure, 2 a wrong
    call.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that can't show a name must not end the command
    try:
        program(arguments, prog_name="alur")
    except (AlurError, OSError) as error:
        tell(error)
    except Exception as error:  # noqa: BLE001  the last boundary: whatever it is, a person reads it
        tell_unexpected(error)
    sys.exit(1)


def tell(error: Exception) -> None:
    """One error, to standard error: every problem of a workspace on a line of its own."""
    if os.environ.get(_DEBUG):
        traceback.print_exception(error)
    elif isinstance(error, WorkspaceError):
        for problem in error.problems:
            typer.echo(str(problem), err=True)
    else:
        typer.echo(f"alur: {error}", err=True)


def tell_unexpected(error: Exception) -> None:
    """What nobody has foreseen: a fault of Alur's, so it says how to report it."""
    if os.environ.get(_DEBUG):
        traceback.print_exception(error)
        return
    said = " ".join(str(error).split())[:500]
    typer.echo(f"alur: unexpected {type(error).__name__}: {said}", err=True)
    typer.echo("This is a fault of Alur's. `alur --debug COMMAND` shows where; please report it with that.", err=True)
