"""All commands: what each is called, its heading and its line in `alur --help`, and where it is.

A command is imported when it is called. So the list can be shown, and files can be checked, without what the others need.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

WRITE, RUN, LOOK, KEEP = "Write", "Run", "Look", "Keep"


@dataclass(frozen=True)
class Listed:
    """One command, or one group of commands, of the program; `at` is the module and the name of its function or `Typer`.

    `summary` is the first sentence of its own help; a test holds them together.
    """

    name: str
    heading: str
    at: str
    summary: str


COMMANDS: Final = (
    Listed(
        "init", WRITE, "engine.cli.init:init",
        "Write a new workspace: five journeys of a record shop, ready to run, sending to nobody.",
    ),
    Listed(
        "validate", WRITE, "engine.cli.validate:validate",
        "Check every file and list all problems at once, each as `file:line:column: message`.",
    ),
    Listed(
        "test", WRITE, "engine.cli.test:run_tests",
        "Play the `tests:` of the journeys, and tell which do not come out as written.",
    ),
    Listed(
        "simulate", WRITE, "engine.cli.simulate:simulate",
        "Play days or months of the journeys in the files, on a virtual clock, with given people and events.",
    ),
    Listed(
        "plan", WRITE, "engine.cli.plan:plan",
        "Show what applying the files would do, to the journeys and to people under way; change nothing.",
    ),
    Listed(
        "schema", WRITE, "engine.cli.schema:schema",
        "Write the JSON Schemas (draft-07) of journeys, segments and config.yaml, for editors.",
    ),
    Listed(
        "apply", RUN, "engine.cli.apply:apply",
        "Make what the files say what runs: show the plan, ask, and apply it all in one go.",
    ),
    Listed(
        "run", RUN, "engine.cli.serve_commands:run",
        "Run what is applied: take events in over HTTP, decide, send. Ctrl-C ends it.",
    ),
    Listed(
        "work", RUN, "engine.cli.serve_commands:work",
        "Help a running Alur from another process or machine: decide and send. Ctrl-C ends it.",
    ),
    Listed(
        "enroll", RUN, "engine.cli.enroll:enroll",
        "Enroll one person, or everybody in a segment, in a journey, whatever its trigger is.",
    ),
    Listed(
        "pause", RUN, "engine.cli.holds:pause",
        "Stop a journey's steps and messages, or a channel's messages, until `alur resume`.",
    ),
    Listed(
        "resume", RUN, "engine.cli.holds:resume",
        "Let a paused journey or channel, or what a cancelled send run kept back, go on.",
    ),
    Listed("cancel", RUN, "engine.cli.holds:cancel", "Stop a send run, or a journey, until `alur resume`."),
    Listed(
        "demo", LOOK, "engine.cli.demo:demo",
        "Play a shop's last months in a minute: real purchases, five journeys, mails to look at.",
    ),
    Listed(
        "draw", LOOK, "engine.cli.draw:draw",
        "Draw a journey: Mermaid on standard output, or an SVG or Mermaid file.",
    ),
    Listed(
        "status", LOOK, "engine.cli.status:status",
        "Show how things stand: journeys, sends by state and by reason, the queue, what is held, send runs.",
    ),
    Listed(
        "why", LOOK, "engine.cli.why:why",
        "Tell one person's story in the order of time, and why each message was sent or not.",
    ),
    Listed(
        "history", LOOK, "engine.cli.history:history",
        "Show who applied what, when, and with what note, the latest first.",
    ),
    Listed(
        "contacts", KEEP, "engine.cli.contacts:commands",
        "Bring people in, and look at what is on record about one.",
    ),
    Listed("config", KEEP, "engine.cli.config:commands", "See what config.yaml and the environment come to."),
    Listed("db", KEEP, "engine.cli.db:commands", "Look after the database."),
)  # fmt: skip


class Commands(TyperGroup):
    """The program's commands: all of them are listed, and the one that is called is imported."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for listed in COMMANDS:
            self.add_command(
                TyperCommand(
                    listed.name, help=listed.summary, rich_markup_mode="markdown", rich_help_panel=listed.heading
                )
            )

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, found, rest = super().resolve_command(ctx, args)
        return name, None if name is None or found is None else load_command(name), rest


def load_command(name: str) -> TyperCommand | TyperGroup:
    """The command or group of this name, imported. Raises `StopIteration` where there is none."""
    listed = next(listed for listed in COMMANDS if listed.name == name)
    module, _, attribute = listed.at.partition(":")
    found = getattr(import_module(module), attribute)
    around = typer.Typer(rich_markup_mode="markdown")
    if isinstance(found, typer.Typer):
        around.add_typer(found, name=name)
    else:
        around.command(name)(found)
    command = get_group(around).commands[name]
    assert isinstance(command, TyperCommand | TyperGroup)
    return command
