"""The workspace of the demonstration: the example that ships, new each time, in a folder of its own."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, text

from engine.cli.new_workspace import write_workspace
from engine.config import Config
from engine.demo.mailbox import HOST
from engine.document import Plain
from engine.errors import AlurError
from engine.store.embedded import start_embedded

_MARK: Final = Path(".alur") / "demonstration"


class FolderInUseError(AlurError):
    """The folder for the demonstration holds something that is not a demonstration's."""


def new_workspace(folder: Path) -> None:
    """Write the example workspace into the folder, in place of an earlier demonstration's.

    Raises `FolderInUseError` rather than delete anything that no demonstration has made.
    """
    if folder.exists() and any(folder.iterdir()):
        if not (folder / _MARK).is_file():
            raise FolderInUseError(
                f"{folder} is not empty and was not made by `alur demo`; choose another with --folder DIR"
            )
        _stop_left_database(folder)
        shutil.rmtree(folder)
    write_workspace(folder)
    (folder / _MARK).parent.mkdir(exist_ok=True)
    (folder / _MARK).write_text("`alur demo` made this folder, and makes it anew each time.\n")


def _stop_left_database(folder: Path) -> None:
    """A demonstration that was killed may have left its database running; nobody may pull the files from under it."""
    if (folder / ".alur" / "postgres" / "postmaster.pid").exists():
        start_embedded(folder / ".alur" / "postgres").stop()


def for_the_stage(config: Config, mail_port: int) -> Config:
    """The workspace's config with its channels turned to the local mailbox and to files.

    On disk stays what the example says, which sends to nobody.
    """
    mail = config.channels["email"]
    smtp: dict[str, Plain] = {
        "host": HOST,
        "port": mail_port,
        "security": "none",
        "from": mail.options["from"],
        "connections": 2,
    }
    channels = {medium: replace(channel, adapter="file", options={}) for medium, channel in config.channels.items()}
    channels["email"] = replace(mail, adapter="smtp", options=smtp, throttle=None)
    return replace(config, channels=channels)


def with_links_to(config: Config, host: str, port: int) -> Config:
    """The config with links in messages that lead to this edge."""
    return replace(config, web=replace(config.web, public_url=f"http://{host}:{port}", host=host, port=port))


def forget_durability(engine: Engine) -> None:
    """Nobody needs this database after a crash of the machine, and slow disks should not slow the demonstration."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            conn.execute(text(f"ALTER SYSTEM SET {setting} = off"))
        conn.execute(text("SELECT pg_reload_conf()"))
