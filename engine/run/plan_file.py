"""Plan file: a plan on disk, so that what was reviewed is what is applied."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from engine.errors import AlurError
from engine.run.changes import Ground

_FORMAT = 1


class PlanFileError(AlurError):
    """The file is no plan, or one of another version of Alur."""


@dataclass(frozen=True)
class PlanFile:
    """What was compared, whether people of removed journeys leave, and the plan in words and as data, for its readers."""

    made_at: datetime
    by: str
    end: bool
    ground: Ground
    text: str
    plan: dict[str, Any]

    def write(self, path: Path) -> None:
        data = {
            "alur_plan": _FORMAT, "made_at": self.made_at, "by": self.by, "end": self.end, **self.ground.plain(),
            "text": self.text.splitlines(), "plan": self.plan,
        }  # fmt: skip
        path.write_bytes(orjson.dumps(data, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def read_plan(path: Path) -> PlanFile:
    """The plan in a file that `PlanFile.write` has written. Raises `PlanFileError`, or OSError when it can't be read."""
    if not path.exists():
        raise PlanFileError(f"no plan {path}: `alur plan -o {path}` writes one")
    try:
        data = orjson.loads(path.read_bytes())
        if data["alur_plan"] != _FORMAT:
            raise PlanFileError(
                f"{path} is a plan of another version of Alur: make a new one with `alur plan -o {path}`"
            )
        return PlanFile(
            datetime.fromisoformat(data["made_at"]),
            data["by"],
            bool(data["end"]),
            Ground(dict(data["files"]), dict(data["applied"])),
            "\n".join(data["text"]),
            data["plan"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise PlanFileError(f"{path} is no plan: `alur plan -o FILE` writes one") from error
