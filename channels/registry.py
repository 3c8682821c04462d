"""The adapters that are installed: ours and those of other packages, by the entry-point group `alur.channels`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from channels.base import AdapterError, AdapterKind

GROUP: Final = "alur.channels"


class UnknownAdapterError(AdapterError):
    """No installed package offers an adapter of this name."""


class BrokenAdapterError(AdapterError):
    """The adapter is installed and can't be loaded; the others are not touched by that."""


@dataclass(frozen=True)
class Broken:
    """An entry that gave no adapter: its name, where it points (`package.module:kind`), and why."""

    name: str
    points_to: str
    reason: str

    def __str__(self) -> str:
        return f"adapter '{self.name}' ({self.points_to}) can't be used: {self.reason}"


@dataclass(frozen=True)
class Registry:
    """What the entries gave: `kinds` by name, in the order of names, and those that are `broken`."""

    kinds: Mapping[str, AdapterKind]
    broken: tuple[Broken, ...]

    def find(self, name: str) -> AdapterKind:
        """The adapter of this name. Raises `UnknownAdapterError` (with a suggestion) or `BrokenAdapterError`."""
        if name in self.kinds:
            return self.kinds[name]
        for broken in self.broken:
            if broken.name == name:
                raise BrokenAdapterError(str(broken))
        close = difflib.get_close_matches(name, self.kinds, n=1, cutoff=0.6)
        meant = f" (did you mean '{close[0]}'?)" if close else ""
        raise UnknownAdapterError(
            f"unknown adapter '{name}'{meant}; installed are {', '.join(self.kinds) or 'none: reinstall alur'}"
        )


def kinds() -> dict[str, AdapterKind]:
    """The adapters that can be used, by name. What can't be loaded is left out here; `installed().broken` tells it."""
    return dict(installed().kinds)


@cache
def installed() -> Registry:
    """The registry of this environment; read once, since packages don't change under a running process."""
    return read(entry_points(group=GROUP))


def read(entries: Iterable[EntryPoint]) -> Registry:
    """Load each entry by itself. Of two entries with one name ours wins, then the first; the other is broken."""
    found: dict[str, AdapterKind] = {}
    owner: dict[str, str] = {}
    broken: list[Broken] = []
    for entry in sorted(entries, key=lambda entry: (entry.name, not entry.value.startswith("channels."))):
        if owner.setdefault(entry.name, entry.value) != entry.value:
            reason = f"the name is already taken by {owner[entry.name]}"
        elif entry.name in found:  # the same package seen twice on the path
            continue
        else:
            loaded = _load(entry)
            if isinstance(loaded, AdapterKind):
                found[entry.name] = loaded
                continue
            reason = loaded
        broken.append(Broken(entry.name, entry.value, reason))
    return Registry(found, tuple(broken))


def _load(entry: EntryPoint) -> AdapterKind | str:
    """The kind, or why there is none."""
    try:
        loaded = entry.load()
    except Exception as error:  # noqa: BLE001  another package's code may fail in any way while it is imported
        return f"{type(error).__name__}: {error}"
    if not isinstance(loaded, AdapterKind):
        return f"it is {type(loaded).__name__}, not an AdapterKind"
    if loaded.name != entry.name:
        return f"it calls itself '{loaded.name}'"
    return loaded
