"""The one error tree of the engine: each error says what is wrong, where, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Problem:
    """One fault in a file of the workspace, at the word that is wrong (line and column count from 1)."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        # One line, whatever a file's own words hold.
        said = self.message.replace("\r", "\\r").replace("\n", "\\n").replace("\t", "\\t")
        return f"{self.file}:{self.line}:{self.column}: {said}"


class AlurError(Exception):
    """Root of every error that Alur raises on purpose; its text is meant for a person."""


class WorkspaceError(AlurError):
    """The workspace holds faults; `problems` lists all of them, ordered by file, line and column."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class DatabaseUnavailableError(AlurError):
    """The database can't be reached, or refuses to work for us."""


class MigrationNeededError(AlurError):
    """The database's schema is not the one this version of Alur works with; run `alur db upgrade`."""


class RenderError(AlurError):
    """A message can't be rendered for this one person; `reason` is what is recorded on the send."""

    def __init__(self, template: str, reason: str) -> None:
        self.template = template
        self.reason = reason
        super().__init__(f"template '{template}': {reason}")


class UnknownNameError(AlurError):
    """A command named a journey, segment, template, contact or run that does not exist."""


class AddressError(AlurError):
    """An e-mail address or phone number that can't be one."""


class TokenError(AlurError):
    """A link token that is forged, cut or signed with a key we don't hold."""


class LeaseLostError(AlurError):
    """This worker's lease has lapsed: it may begin no further provider call."""
