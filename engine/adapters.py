"""The adapters that config.yaml names: built with their options, every wrong one told at its place."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from channels.base import Adapter, AdapterError
from channels.registry import installed
from engine.config import ChannelConfig, Config
from engine.errors import Problem, WorkspaceError


def build_channel(medium: str, channel: ChannelConfig, root: Path) -> tuple[Adapter, str | None]:
    """The adapter of one channel and its sender. Raises `WorkspaceError` at the option that is wrong."""
    try:
        kind = installed().find(channel.adapter)
    except AdapterError as error:
        raise WorkspaceError([_problem(channel, "adapter", str(error))]) from error
    if medium not in kind.media:
        carried = ", ".join(sorted(kind.media))
        raise WorkspaceError(
            [_problem(channel, "adapter", f"the adapter '{kind.name}' carries {carried}, not {medium}")]
        )
    try:
        options = kind.options.model_validate(channel.options)
    except ValidationError as error:
        found = [(str(item["loc"][0]) if item["loc"] else "adapter", item) for item in error.errors()]
        raise WorkspaceError(
            [_problem(channel, name, _sentence(medium, name, item["msg"])) for name, item in found]
        ) from error
    try:
        return kind.build(options, medium, root / ".alur"), getattr(options, "sender", None)
    except AdapterError as error:
        raise WorkspaceError([_problem(channel, "adapter", str(error))]) from error


def check_channels(config: Config, root: Path) -> list[Problem]:
    """What is wrong with the options of any channel; touches no network."""
    problems: list[Problem] = []
    for medium, channel in config.channels.items():
        try:
            build_channel(medium, channel, root)
        except WorkspaceError as error:
            problems += error.problems
    return problems


def _problem(channel: ChannelConfig, option: str, message: str) -> Problem:
    at = channel.node.get(option) or channel.node.key(option) or channel.node
    return Problem("config.yaml", at.line, at.column, message)


def _sentence(medium: str, option: str, message: str) -> str:
    said = message[0].lower() + message[1:]
    return f"channels.{medium}.{option}: {said}"
