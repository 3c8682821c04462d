from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.app import open_rehearsal
from tests.integration.language.plays import Theatre, found_workspace
from tests.integration.language.random_lives import STARTS


@pytest.fixture(scope="session")
def theatre(tmp_path_factory: pytest.TempPathFactory, alur_folder: Path) -> Iterator[Theatre]:
    """One stage for all plays."""
    root = found_workspace(tmp_path_factory.mktemp("theatre"))
    (root / ".alur").symlink_to(alur_folder)
    with open_rehearsal(root, STARTS[0]) as stage:
        yield Theatre(root, stage)
