"""The adapter of rehearsals: takes every message, sends none, and tells whoever wants to know."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from channels.base import Accepted, Capabilities, Medium, Message, Receipt

Keep = Callable[[Medium, Message], object]
"""Told of each message that was taken, by the thread that sends it."""


class RecordingAdapter:
    """Accepts whatever it is given. It is in no registry: nobody can name it in config.yaml by mistake."""

    def __init__(self, medium: Medium, keep: Keep | None = None) -> None:
        self._medium, self._keep = medium, keep
        self.capabilities = Capabilities(media=frozenset({medium}), connections=1)

    def connect(self) -> RecordingConnection:
        return RecordingConnection(self._medium, self._keep)


class RecordingConnection:
    """A line that leads nowhere."""

    def __init__(self, medium: Medium, keep: Keep | None) -> None:
        self._medium, self._keep = medium, keep

    def send(self, messages: Sequence[Message]) -> Iterator[Receipt]:
        for message in messages:
            if self._keep is not None:
                self._keep(self._medium, message)
            yield Accepted(f"rehearsed-{message.send_id}-{message.attempt}")

    def close(self) -> None:
        """Nothing is open."""
