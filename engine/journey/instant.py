"""An instant as an author writes it: date, time and offset."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engine.document import Node, Scalar
from engine.grammar import Reader, shown, text_schema

_YEARS = range(1970, 3000)


@dataclass(frozen=True)
class InstantType:
    """`2026-03-01T09:00:00+07:00`; without an offset it would be a different instant for everybody."""

    expected: str = 'an instant with its offset, such as "2026-03-01T09:00:00+07:00"'

    def read(self, node: Node, reader: Reader) -> Any:
        text = node.text if isinstance(node, Scalar) else ""
        try:
            instant = datetime.fromisoformat(text)
        except ValueError:
            instant = None
        if instant is None or instant.tzinfo is None:
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        if instant.year not in _YEARS:
            return reader.refuse(node, f"{shown(node)} lies outside of the years {_YEARS[0]} to {_YEARS[-1]}")
        return instant

    def schema(self) -> dict[str, Any]:
        return text_schema(r"\d{4}.*(?:Z|[+-]\d\d.*)", examples=["2026-03-01T09:00:00+07:00"])


INSTANT = InstantType()
