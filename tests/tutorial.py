"""The workspace that somebody has who did what docs/tutorial.md says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_PAGE: Final = Path(__file__).parents[1] / "docs" / "tutorial.md"
_BLOCK = re.compile(r"^```\w+ (file|add|before)=(\S+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def follow_tutorial(folder: Path) -> None:
    """Write its files: `file=F` is a file, `add=F` goes to the end of one, `before=KEY` above that key of the journey."""
    for how, where, text in _BLOCK.findall(_PAGE.read_text()):
        file = folder / (where if how != "before" else "journeys/hello.yaml")
        file.parent.mkdir(parents=True, exist_ok=True)
        said = file.read_text() if how != "file" else ""
        file.write_text(said.replace(f"\n{where}:", f"\n{text}{where}:", 1) if how == "before" else said + text)
    (folder / ".env").write_text("ALUR_SECRET_KEY=a_secret_of_the_tutorial\nSHOP_KEY=a_key_of_the_tutorial\n")
