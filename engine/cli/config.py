"""`alur config`: what holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from engine.cli.output import Output, OutputOption, show_json
from engine.cli.table import show_rows
from engine.cli.workspace import HERE, WorkspaceOption

commands = typer.Typer(no_args_is_help=True, help="See what config.yaml and the environment come to.")


@commands.callback()
def _group() -> None:
    """See what config.yaml and the environment come to."""


@commands.command("show")
def show(workspace: WorkspaceOption = HERE, output: OutputOption = Output.TABLE) -> None:
    """Show every setting that holds, defaults included, with every secret masked.

    Example: `alur config show --output json`
    """
    from engine.catalog import load_config
    from engine.config import show as show_config

    shown = show_config(load_config(workspace.resolve()))
    if output is Output.JSON:
        show_json(shown)
    else:
        rows = [{"setting": name, "value": value} for name, value in _flat("", shown)]
        show_rows(rows, ("setting", "value"), output)


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Each setting under its dotted name."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}" if name else str(key), inner)
    else:
        yield name, _word(value)


def _word(value: Any) -> Any:
    """A number as it is written, since a port is no quantity; an empty collection as nothing."""
    match value:
        case bool():
            return value
        case int():
            return str(value)
        case _:
            return value or None
