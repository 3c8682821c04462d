"""docs/cli.md has a section for every command, and it names every argument and option."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from engine.cli.commands import COMMANDS as LISTED
from engine.cli.commands import load_command
from engine.cli.program import program

REFERENCE = (Path(__file__).parents[3] / "docs" / "cli.md").read_text(encoding="utf-8")
EVERYWHERE = {"--workspace", "--help"}


def _commands() -> Iterator[tuple[str, Any]]:
    for listed in LISTED:
        command = load_command(listed.name)
        inner = getattr(command, "commands", None)
        if inner is None:
            yield f"alur {listed.name}", command
        else:
            yield from ((f"alur {listed.name} {word}", each) for word, each in inner.items())


COMMANDS = dict(_commands())


def _section(name: str) -> str:
    found = re.search(rf"^### `{name}\b[^\n]*\n.*?(?=^##|\Z)", REFERENCE, re.MULTILINE | re.DOTALL)
    return found[0] if found else ""


def test_every_command_has_a_section() -> None:
    assert [name for name in COMMANDS if not _section(name)] == []


def test_every_section_is_of_a_command() -> None:
    heads = re.findall(r"^### `(alur(?: [a-z]+)+)", REFERENCE, re.MULTILINE)
    assert sorted(heads) == sorted(COMMANDS)


def test_every_argument_and_option_of_a_command_is_named_in_its_section() -> None:
    missing = []
    for name, command in COMMANDS.items():
        for parameter in command.params:
            words = {max(parameter.opts, key=len)} if parameter.param_type_name == "option" else {parameter.metavar}
            missing += [f"{name} {word}" for word in words - EVERYWHERE if word not in _section(name)]
    assert missing == []


def test_what_all_commands_share_is_told_once() -> None:
    shared = REFERENCE.partition("## Write")[0]
    options = [option.opts[0] for option in typer.main.get_command(program).params]
    assert [word for word in (*EVERYWHERE, *options, "NO_COLOR", "ALUR_WORKSPACE") if word not in shared] == []
