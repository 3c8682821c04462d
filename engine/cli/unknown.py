"""The error for a name that nothing has: it says which name was meant, or which there are."""

from __future__ import annotations

from collections.abc import Iterable

from engine.errors import UnknownNameError
from engine.grammar import suggestion


def unknown(what: str, name: str, known: Iterable[str], none: str) -> UnknownNameError:
    """`no journey 'welcom' (did you mean 'welcome'?)`; all that there are when none is close, and `none` when there are none."""
    names = sorted(known)
    listed = f"; there are {', '.join(names)}" if names else f"; {none}"
    return UnknownNameError(f"no {what} '{name}'{suggestion(name, names) or listed}")
