"""`alur schema`: the JSON Schemas, printed or written where editors look for them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.cli.schemas import schemas
from tests.integration.cli.desk import call


@pytest.mark.parametrize("kind", ["journey", "segment", "config"])
def test_it_prints_one_schema(kind: str) -> None:
    done = call("schema", kind)
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) == schemas()[kind]


def test_without_a_kind_it_prints_all_of_them_by_name() -> None:
    assert json.loads(call("schema").out) == schemas()


def test_it_writes_files_over_those_that_init_has_written(tmp_path: Path) -> None:
    assert call("schema", "-o", str(tmp_path / "schema")).code == 0
    assert call("schema", "journey", "-o", str(tmp_path / "schema")).code == 0
    written = {path.name: json.loads(path.read_text()) for path in (tmp_path / "schema").iterdir()}
    assert written == {f"{name}.json": schema for name, schema in schemas().items()}


def test_a_kind_that_is_none_is_a_wrong_call() -> None:
    assert call("schema", "template").code == 2
