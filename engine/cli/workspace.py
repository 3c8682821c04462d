"""Which workspace a command works on, opening it, and who is asking."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:  # both take a second to import, which `alur --help` should not
    from sqlalchemy import Engine

    from engine.config import Config
    from engine.run.machines import Machines

HERE: Final = Path()
WorkspaceOption = Annotated[
    Path,
    typer.Option(
        "--workspace",
        "-w",
        envvar="ALUR_WORKSPACE",
        metavar="DIR",
        show_default="this folder",
        help="The workspace's folder.",
    ),
]


@dataclass(frozen=True)
class Opened:
    """A workspace's config and database. Channels and templates are left alone: looking, and stopping what runs, must
    work when an edit has broken them.
    """

    root: Path
    config: Config
    engine: Engine
    clock: Callable[[], datetime]

    @property
    def zone(self) -> str:
        """The organisation's time zone, in which instants are shown."""
        return self.config.organisation.timezone

    def machines(self) -> Machines:
        """The applied versions, compiled, under what config.yaml says now."""
        from engine.run.machines import Machines
        from engine.run.settings import fixed

        return Machines(self.config.declared, fixed(self.config))


@contextmanager
def opened(root: Path) -> Iterator[Opened]:
    """The workspace, open for the time of a command. Raises what `open_engine` does, and `WorkspaceError`."""
    from engine.app import open_engine, system_clock
    from engine.catalog import load_config

    root = root.resolve()
    config = load_config(root)
    engine = open_engine(root, config)
    try:
        yield Opened(root, config, engine, system_clock)
    finally:
        engine.dispose()


def on_terminal() -> bool:
    """Whether a person sits at both ends."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def who() -> str:
    """The name under which this command's acts are recorded: the login's."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have a number only
        return f"user {os.getuid()}"
