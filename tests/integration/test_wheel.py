"""The wheel holds everything: installed into an empty environment, Alur makes, checks and applies a workspace."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*command: str | Path, cwd: Path) -> str:
    """What the command prints; the test fails with its errors when it does."""
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def files(folder: str) -> list[str]:
    found = (path.relative_to(ROOT) for path in (ROOT / folder).rglob("*") if path.is_file())
    return [path.as_posix() for path in found if "__pycache__" not in path.parts]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder, cwd=ROOT)
    (built,) = folder.glob("alur-*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that holds our wheel and nothing else of ours; the libraries are those that are installed here."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder)
    python = folder / "bin" / "python"
    run(
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        wheel,
        cwd=folder,
    )
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip())
    # A path in a .pth file comes last, and its own .pth files, such as the one of our editable install, are not read.
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def test_the_wheel_holds_every_file_of_the_packages_and_of_the_example_and_no_other(wheel: Path) -> None:
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    packages = set(files("engine")) | set(files("channels"))
    example = {"config.yaml", *files("journeys"), *files("segments"), *files("templates")}
    assert packed == packages | {f"engine/example/{name}" for name in example}


def test_the_installed_package_is_the_one_of_the_wheel(environment: Path, tmp_path: Path) -> None:
    python = environment / "bin" / "python"
    for package in ("engine", "channels", "engine.store.migrations"):
        found = run(python, "-c", f"import {package}; print({package}.__file__)", cwd=tmp_path)
        assert found.startswith(str(environment))


def test_the_installed_command_makes_a_workspace_checks_it_and_applies_it(environment: Path, tmp_path: Path) -> None:
    alur = environment / "bin" / "alur"
    workspace = tmp_path / "shop"
    run(alur, "init", workspace, cwd=tmp_path)
    assert (workspace / "config.yaml").exists()
    assert list((workspace / "journeys").glob("*.yaml"))
    run(alur, "validate", cwd=workspace)
    run(alur, "apply", "--yes", cwd=workspace)
    assert (workspace / ".alur" / "postgres").is_dir()
