"""What the HTTP edge needs of the running engine."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from sqlalchemy import Engine

from engine.config import Config
from engine.run.settings import Settings


class Running(Protocol):
    """The wired engine, as `engine.app.App` is. `clock()` gives now, in UTC; it may be a virtual one, and no other is asked."""

    @property
    def engine(self) -> Engine: ...

    @property
    def config(self) -> Config: ...

    @property
    def settings(self) -> Settings: ...

    @property
    def clock(self) -> Callable[[], datetime]: ...
