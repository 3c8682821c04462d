"""`alur init`: a new workspace that is right as it stands, keeps its secrets, and never overwrites."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from engine.document import plain, read_document
from tests.integration.cli.desk import Done, call


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """A workspace that the tests of this module only look at, and what was said when it was made."""
    folder = tmp_path_factory.mktemp("init") / "my shop"
    return folder, call("init", str(folder))


def _values(folder: Path) -> dict[str, str]:
    lines = (folder / ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


def test_a_new_workspace_has_no_problems(made: tuple[Path, Done]) -> None:
    folder, _ = made
    done = call("validate", "--workspace", str(folder))
    assert (done.code, done.out) == (0, "")
    assert done.err.startswith("no problems (5 journeys, 3 segments, ")


def test_it_says_the_commands_that_come_next(made: tuple[Path, Done]) -> None:
    folder, done = made
    assert done.code == 0
    head, *commands = done.out.splitlines()
    assert head == "Next:"
    assert [command.split("#")[0].strip() for command in commands] == [
        f"cd '{folder}' && alur validate",
        "alur test",
        "alur apply",
        "alur run",
    ]


def test_secrets_are_random_private_and_ignored_by_git(made: tuple[Path, Done], tmp_path: Path) -> None:
    folder, _ = made
    call("init", str(tmp_path / "other"))
    ours, others = _values(folder), _values(tmp_path / "other")
    assert set(ours) == set(others) == {"ALUR_SECRET_KEY", "SHOP_KEY", "SITE_KEY"}
    assert len({*ours.values(), *others.values()}) == 6
    assert all(len(value) >= 40 for value in ours.values())
    assert stat.S_IMODE((folder / ".env").stat().st_mode) == 0o600
    assert (folder / ".gitignore").read_text().splitlines() == [".env", ".alur/"]
    assert not any(value in path.read_text() for path in folder.rglob("*.yaml") for value in ours.values())


def test_every_yaml_file_begins_with_both_modelines_and_their_schema_is_there(made: tuple[Path, Done]) -> None:
    folder, _ = made
    files = [folder / "config.yaml", *folder.glob("journeys/*.yaml"), *folder.glob("segments/*.yaml")]
    assert len(files) == 9
    for file in files:
        first, second = file.read_text().splitlines()[:2]
        named = {first.removeprefix("# yaml-language-server: $schema="), second.removeprefix("# $schema: ")}
        assert len(named) == 1
        schema = json.loads((file.parent / named.pop()).read_text())
        node, _ = read_document(file.read_bytes().replace(b"${", b"").replace(b'}"', b'"'), file.name)
        assert node is not None
        keys = plain(node)
        assert isinstance(keys, dict)
        assert set(schema["required"]) <= set(keys) <= set(schema["properties"])


def test_it_never_overwrites_and_then_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "segments").mkdir()
    mine = tmp_path / "segments" / "loyal_buyers.yaml"
    mine.write_text("mine")
    done = call("init", str(tmp_path))
    assert done.code == 1
    assert done.err == (
        f"alur: {tmp_path} already holds segments/loyal_buyers.yaml: nothing was written. Choose another folder: alur init DIR\n"
    )
    assert mine.read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["segments"]


def test_a_second_init_changes_nothing(tmp_path: Path) -> None:
    call("init", str(tmp_path))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert call("init", str(tmp_path)).code == 1
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_gitignore_that_is_there_gets_the_lines_it_lacks(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*.log\n/.alur/")
    assert call("init", str(tmp_path)).code == 0
    assert (tmp_path / ".gitignore").read_text() == "*.log\n/.alur/\n.env\n"


def test_a_folder_that_is_a_file_is_an_error_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "shop").write_text("")
    done = call("init", str(tmp_path / "shop"))
    assert done.code == 1
    assert done.err.startswith("alur: ")
    assert "Traceback" not in done.err


def test_only_the_secrets_of_a_workspace_that_lacks_them_can_be_written(
    made: tuple[Path, Done], tmp_path: Path
) -> None:
    folder, _ = made
    (tmp_path / "config.yaml").write_text((folder / "config.yaml").read_text())
    assert call("init", "--secrets", str(tmp_path)).code == 0
    assert _values(tmp_path).keys() == _values(folder).keys()
    again = call("init", "--secrets", str(tmp_path))
    assert (again.code, "nothing was written" in again.err) == (1, True)
    assert "no config.yaml" in call("init", "--secrets", str(tmp_path / "nowhere")).err
