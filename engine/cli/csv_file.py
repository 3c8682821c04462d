"""Reads the lines of a CSV file that must be UTF-8 text, and says on which line it is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.errors import AlurError


class NotTextError(AlurError):
    """The file is not UTF-8 text."""


def count_lines(file: Path) -> int:
    """How many lines follow the first. Raises `NotTextError`, so that nothing of such a file is imported."""
    return max(sum(1 for _ in read_lines(file)) - 1, 0)


def read_lines(file: Path) -> Iterator[str]:
    """The lines with their ends, as the csv module wants them. Raises `NotTextError` at the first that is no text."""
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield line.decode("utf-8")
            except UnicodeDecodeError as error:
                raise NotTextError(
                    f"{file}:{number}: not UTF-8 text (byte 0x{line[error.start]:02x}); "
                    'save it as "CSV UTF-8" and import it again'
                ) from error
