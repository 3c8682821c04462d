"""Adapters are found by name, and one that is broken breaks nobody else."""

from __future__ import annotations

import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace

import pytest

from channels.base import AdapterError
from channels.registry import GROUP, BrokenAdapterError, UnknownAdapterError, installed, kinds, read

PROJECT = Path(__file__).parents[3] / "pyproject.toml"


def entry(name: str, value: str) -> EntryPoint:
    return EntryPoint(name, value, GROUP)


def ours() -> list[EntryPoint]:
    declared = tomllib.loads(PROJECT.read_text())["project"]["entry-points"][GROUP]
    return [entry(name, value) for name, value in declared.items()]


def test_every_declared_adapter_loads_under_its_own_name() -> None:
    registry = read(ours())
    assert list(registry.kinds) == ["console", "file", "smtp"]
    assert registry.broken == ()
    assert [kind.name for kind in registry.kinds.values()] == list(registry.kinds)


def test_an_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(UnknownAdapterError, match=r"unknown adapter 'smpt' \(did you mean 'smtp'\?\)") as caught:
        read(ours()).find("smpt")
    assert "console, file, smtp" in str(caught.value)
    assert isinstance(caught.value, AdapterError)


def test_a_known_name_is_found() -> None:
    assert read(ours()).find("file").name == "file"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("no_such_package.adapter:kind", "ModuleNotFoundError: No module named 'no_such_package'"),
        ("channels.smtp:no_such_name", "AttributeError"),
        ("channels.smtp:build", "not an AdapterKind"),
        ("channels.file:kind", "it calls itself 'file'"),
        ("tests.unit.channels.exploding_adapter:kind", "ZeroDivisionError"),
    ],
)
def test_a_broken_adapter_is_reported_and_leaves_the_others_alone(value: str, reason: str) -> None:
    registry = read([*ours(), entry("carrier_pigeon", value)])
    assert list(registry.kinds) == ["console", "file", "smtp"]
    (broken,) = registry.broken
    assert reason in str(broken)
    with pytest.raises(BrokenAdapterError, match="carrier_pigeon"):
        registry.find("carrier_pigeon")


def test_a_name_that_is_taken_stays_with_us_whatever_the_order() -> None:
    thief = entry("smtp", "a_package.that:kind")
    for entries in ([thief, *ours()], [*ours(), thief]):
        registry = read(entries)
        assert "smtp" in registry.kinds
        assert [str(broken) for broken in registry.broken] == [
            "adapter 'smtp' (a_package.that:kind) can't be used: the name is already taken by channels.smtp:kind"
        ]


def test_the_same_entry_seen_twice_is_one() -> None:
    registry = read([*ours(), *ours()])
    assert list(registry.kinds) == ["console", "file", "smtp"]
    assert registry.broken == ()


def test_kinds_may_be_changed_without_changing_the_registry() -> None:
    kinds().clear()
    kinds()["mine"] = SimpleNamespace()  # type: ignore[assignment]
    assert "mine" not in installed().kinds
