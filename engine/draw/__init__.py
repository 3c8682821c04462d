"""Pictures of a journey: Mermaid text and a self-contained SVG, as pure functions of the compiled machine."""

from __future__ import annotations

from engine.draw.mermaid import mermaid
from engine.draw.svg import svg

__all__ = ["mermaid", "svg"]
