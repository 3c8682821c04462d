"""Writes a new workspace: the example that ships, with secrets of its own."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Final

import engine
from engine.cli.schemas import schemas
from engine.errors import AlurError

_FOLDERS: Final = ("journeys", "segments", "templates")
_IGNORED: Final = (".env", ".alur/")
_SCHEMAS: Final = {"config.yaml": "config", "journeys": "journey", "segments": "segment"}
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")  # without a default: the workspace does not run without it
_COMMENT = re.compile(r"^\s*#.*$", re.MULTILINE)


class WorkspaceExistsError(AlurError):
    """The folder already holds files that a new workspace would need to write."""


def write_workspace(folder: Path) -> list[str]:
    """Write the example workspace into `folder`, which is made when it is missing; gives the paths of the files.

    Never overwrites: raises `WorkspaceExistsError` before anything is written when a file is there already. Only a
    `.gitignore` may be; it gets the lines it lacks.
    """
    files = dict(_example_files())
    config = files["config.yaml"]
    files[".env"] = _environment(config)
    files |= {f"schema/{name}.json": f"{json.dumps(schema, indent=2)}\n" for name, schema in schemas().items()}
    taken = [name for name in files if (folder / name).exists()]
    if taken:
        named = ", ".join(taken[:3]) + (f" and {len(taken) - 3} more" if len(taken) > 3 else "")
        raise WorkspaceExistsError(
            f"{folder} already holds {named}: nothing was written. Choose another folder: alur init DIR"
        )
    for name, text in files.items():
        _write(folder / name, text, private=name == ".env")
    _ignore(folder / ".gitignore")
    return [*files, ".gitignore"]


def write_secrets(folder: Path) -> Path:
    """Write the `.env` that the folder's config.yaml asks for, with random values; gives its path.

    Never overwrites: raises `WorkspaceExistsError` when it is there already.
    """
    path = folder / ".env"
    if path.exists():
        raise WorkspaceExistsError(f"{path} is there already: nothing was written")
    try:
        config = (folder / "config.yaml").read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise AlurError(
            f"no config.yaml in {folder.resolve()}: without --secrets, alur init writes a whole workspace"
        ) from error
    _write(path, _environment(config), private=True)
    _ignore(folder / ".gitignore")
    return path


def _example_files() -> Iterator[tuple[str, str]]:
    """Path and text of each file of the example, with the lines by which editors find its schema."""
    root = _example()
    for path in (root / "config.yaml", *(file for name in _FOLDERS for file in sorted((root / name).rglob("*")))):
        inside = path.relative_to(root)
        if path.is_file() and not any(part.startswith(".") for part in inside.parts):
            yield inside.as_posix(), _modelines(inside.as_posix()) + path.read_text(encoding="utf-8")


def _example() -> Path:
    """Inside the installed package, or at the top of a source checkout."""
    package = Path(engine.__file__).parent
    packed = package / "example"
    return packed if packed.is_dir() else package.parent


def _modelines(name: str) -> str:
    """The schema's place, once for editors with the YAML language server and once for those of JetBrains."""
    schema = _SCHEMAS.get(PurePosixPath(name).parts[0])
    if schema is None or not name.endswith(".yaml"):
        return ""
    place = f"{'../' * name.count('/')}schema/{schema}.json"
    return f"# yaml-language-server: $schema={place}\n# $schema: {place}\n"


def _environment(config: str) -> str:
    """A random value for each variable that config.yaml wants and gives no default."""
    names = dict.fromkeys(_REFERENCE.findall(_COMMENT.sub("", config)))
    values: Mapping[str, str] = {name: secrets.token_urlsafe(32) for name in names}
    head = "# Secrets of this workspace, which alur reads. Git ignores this file: keep it out of every repository.\n"
    return head + "".join(f"{name}={value}\n" for name, value in values.items())


def _write(path: Path, text: str, *, private: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600 if private else 0o644, exist_ok=False)
    path.write_text(text, encoding="utf-8")


def _ignore(path: Path) -> None:
    """Let git ignore the secrets and the data."""
    said = path.read_text(encoding="utf-8") if path.exists() else ""
    lines = said.splitlines()
    missing = [entry for entry in _IGNORED if entry not in lines and f"/{entry}" not in lines]
    if missing:
        start = said if not said or said.endswith("\n") else said + "\n"
        path.write_text(start + "".join(f"{entry}\n" for entry in missing), encoding="utf-8")
