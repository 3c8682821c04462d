"""The process that shows send runs in Prefect: reads lines from its parent, and ends with it."""

from __future__ import annotations

import json
import os
import sys
from collections import deque
from collections.abc import Mapping
from threading import Condition, Thread, Timer
from typing import Any, Final

_LAST_WORDS = 8.0  # seconds for handing over what Prefect's threads still hold
GONE: Final[Mapping[str, Any]] = {"gone": True}
"""What is read when the parent has ended."""


class Inbox:
    """Lines from the parent, read by a thread."""

    def __init__(self) -> None:
        self._lines: deque[Mapping[str, Any]] = deque()
        self._ended = False
        self._changed = Condition()
        Thread(target=self._read, name="inbox", daemon=True).start()

    def take(self, seconds: float | None) -> Mapping[str, Any] | None:
        """The next line; `GONE` after the last; None when none has come in time."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._lines) or self._ended, seconds)
            if self._lines:
                return self._lines.popleft()
            return GONE if self._ended else None

    def _read(self) -> None:
        for line in sys.stdin.buffer:
            with self._changed:
                self._lines.append(json.loads(line))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()


def tell(run_id: int, **said: Any) -> None:
    """A line to the parent. One that can't be told any more does not matter: `GONE` is read next."""
    try:
        sys.__stdout__.write(json.dumps({"run": run_id, **said}) + "\n")  # type: ignore[union-attr]
        sys.__stdout__.flush()  # type: ignore[union-attr]
    except OSError:
        return


def main() -> None:
    """Show runs until the parent ends. Any failure of Prefect ends the process: the parent starts another."""
    inbox = Inbox()
    from engine.flows.flow import show, tidy

    try:
        while (line := inbox.take(None)) is not GONE:
            assert line is not None
            if "tidy" in line:
                tidy(line["tidy"])
            elif "open" in line:
                show(line["open"], inbox, tell)
    except BaseException as error:  # noqa: BLE001  whatever it is: written down, and out at once
        sys.stderr.write(f"send runs are not shown any more: {type(error).__name__}: {error}\n")
        sys.stderr.flush()
        os._exit(1)  # the ordinary way waits minutes for a server that hangs
    last_words = Timer(_LAST_WORDS, os._exit, [1])
    last_words.daemon = True
    last_words.start()


if __name__ == "__main__":
    main()
