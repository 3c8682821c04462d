"""Settings: config.yaml as it stands when a message is made; an edit holds from the next message on."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from time import monotonic

from engine.catalog import load_config
from engine.config import Config
from engine.errors import WorkspaceError

log = logging.getLogger(__name__)

_LOOK_AGAIN = 2.0  # seconds between looks at the file


@dataclass(frozen=True)
class Standing:
    """What holds now, and the hash of the file that says so."""

    config: Config
    hash: str


Settings = Callable[[], Standing]


def fixed(config: Config, hash_: str = "") -> Settings:
    """Settings that nobody edits."""
    standing = Standing(config, hash_)
    return lambda: standing


class LiveSettings:
    """Of config.yaml, `organisation`, `topics` and `delivery` are read again when the file changes; all else (database,
    channels, web, keys) stays as it was when the process began. Safe to share between threads.

    A file that can't be read after an edit is reported, and what it said before stays in force.
    """

    def __init__(self, root: Path, config: Config) -> None:
        self._root, self._path = root, root / "config.yaml"
        self._lock = Lock()
        self._signature = self._sign()
        self._standing = Standing(config, self._hash())
        self._looked = monotonic()

    def __call__(self) -> Standing:
        if monotonic() - self._looked > _LOOK_AGAIN and self._lock.acquire(blocking=False):
            try:
                self.look()
            finally:
                self._lock.release()
        return self._standing

    def look(self) -> None:
        """Read the file if it has changed since the last look."""
        self._looked = monotonic()
        signature = self._sign()
        if signature == self._signature:
            return
        self._signature = signature
        try:
            hash_, new = self._hash(), load_config(self._root)
        except WorkspaceError as error:
            log.warning("config.yaml can't be read any more, what it said before holds: %s", error)
            return
        live = replace(self._standing.config, organisation=new.organisation, topics=new.topics, delivery=new.delivery)
        self._standing = Standing(live, hash_)
        log.info("config.yaml was read again: organisation, topics and delivery hold from now on")

    def _sign(self) -> object:
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino

    def _hash(self) -> str:
        try:
            return hashlib.sha256(self._path.read_bytes()).hexdigest()
        except OSError as error:  # `load_config` tells the same in its own words
            log.debug("config.yaml can't be hashed: %s", error)
            return ""
