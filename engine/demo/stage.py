"""The stage: a fresh workspace with everything that runs on it, opened together and closed in order."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from engine import catalog
from engine.app import App, VirtualClock, open_app
from engine.catalog import Definitions
from engine.cli.logs import start_logging
from engine.demo.backstage import Backstage
from engine.demo.mailbox import HOST, Mailbox
from engine.demo.workspace import for_the_stage, forget_durability, new_workspace, with_links_to
from engine.errors import WorkspaceError
from engine.web import create_web
from engine.web.serving import PortTakenError, WebServer

_PATIENCE: Final = 5.0  # seconds for the edge to finish what has been posted


@dataclass(frozen=True)
class Stage:
    """A running Alur under a virtual clock. `url` is the edge, `write_key` opens it, `mails` is where mails arrive."""

    app: App
    clock: VirtualClock
    definitions: Definitions
    url: str
    write_key: str
    mails: Path
    backstage: Backstage | None


@contextmanager
def open_stage(folder: Path, start: datetime, *, with_prefect: bool) -> Iterator[Stage]:
    """Make the folder anew and start everything; what was started is stopped at the end, whatever happens in between.

    Prefect's server comes up beside the rest; nothing waits for it. Raises `FolderInUseError`.
    """
    new_workspace(folder)
    logs = folder / ".alur" / "logs"
    start_logging(logs)
    with ExitStack() as running:
        backstage = Backstage(folder / ".alur", logs / "prefect.log") if with_prefect else None
        if backstage is not None:
            running.callback(backstage.stop)
        mailbox = Mailbox(folder / "mails", logs / "mailbox.log")
        running.callback(mailbox.stop)
        clock = VirtualClock(start)
        config = for_the_stage(catalog.load_config(folder), mailbox.port)
        with ThreadPoolExecutor(1) as beside:  # the database is made while the templates are compiled
            opening = beside.submit(open_app, folder, clock, config)
            found = catalog.load(folder)
            app = opening.result()
        running.callback(app.close)
        if found.problems:
            raise WorkspaceError(found.problems)
        forget_durability(app.engine)
        web = _take_port(app, config.web.port)
        app = replace(app, config=with_links_to(config, HOST, web.port), templates=found.templates)
        running.callback(_stop_web, web)
        web.start()
        if backstage is not None:
            backstage.watch(app.engine, clock)
        key = next(key.key for key in config.web.write_keys if key.scope == "server")
        yield Stage(app, clock, found.definitions, app.config.web.public_url, key, mailbox.folder, backstage)


def _take_port(app: App, usual: int) -> WebServer:
    """The usual port if it is free, so that the links in the mails live again under `alur run`; else any."""
    try:
        return WebServer(create_web(app), HOST, usual)
    except PortTakenError:
        return WebServer(create_web(app), HOST, 0)


def _stop_web(web: WebServer) -> None:
    web.stop()
    web.join(_PATIENCE)
