from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from engine.store.database import create_from_template, drop
from tests.integration.cli.desk import Desk


def _url(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


@pytest.fixture
def desk(database: Engine, tmp_path: Path) -> Desk:
    """A workspace of this test's own, nothing applied."""
    return Desk.at(tmp_path / "shop", _url(database))


@pytest.fixture(scope="module")
def shared_desk(
    server: str, template: str, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Desk]:
    """A workspace that the tests of a module share; they only look at it."""
    name = f"alur_desk_{os.getpid()}_{request.module.__name__.rpartition('.')[2]}"
    engine = create_from_template(server, template, name)
    yield Desk.at(tmp_path_factory.mktemp("shared") / "shop", _url(engine))
    engine.dispose()
    drop(server, name)
