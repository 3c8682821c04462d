"""The workspace on disk: config.yaml, journeys, segments and templates, read and checked against each other."""

from __future__ import annotations

from engine.catalog.files import (
    Catalog,
    Definitions,
    JourneyFile,
    SegmentFile,
    environment,
    load,
    load_config,
    problems_beside_config,
)

__all__ = [
    "Catalog",
    "Definitions",
    "JourneyFile",
    "SegmentFile",
    "environment",
    "load",
    "load_config",
    "problems_beside_config",
]
