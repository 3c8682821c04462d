"""Group commit: posts that arrive together are taken in by one transaction, and each is answered after it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from engine.errors import AlurError
from engine.run.incoming import Incoming

_TOGETHER = 500  # messages in one group; whatever waits beyond goes into the next
_WAITING = 50_000  # messages that may wait; more would be promises that memory can't keep


class EdgeBusyError(AlurError):
    """More messages are waiting than can be kept; the sender must come back later."""


@dataclass(eq=False)
class _Post:
    messages: Sequence[Incoming]
    done: Future[None] = field(default_factory=Future)


class GroupCommit:
    """Threads that take in whatever has arrived while they were busy.

    Nobody waits for company: a post that arrives alone is committed alone, at once; under load the groups grow by
    themselves, to as many posts as arrive during one commit (a few milliseconds).
    """

    def __init__(self, take: Callable[[Sequence[Incoming]], object], threads: int = 2) -> None:
        self._take = take
        self._posts: deque[_Post] = deque()
        self._waiting = 0
        self._closed = False
        self._arrived = threading.Condition()
        self._threads = [threading.Thread(target=self._work, name=f"ingest-{n}", daemon=True) for n in range(threads)]
        for thread in self._threads:
            thread.start()

    def submit(self, messages: Sequence[Incoming]) -> Future[None]:
        """Hand over the messages of one post; the future ends once they are committed, or with the error that kept them
        from it. Raises `EdgeBusyError` when too many wait already, or this is closed.
        """
        post = _Post(messages)
        post.done.set_running_or_notify_cancel()  # a client that hangs up does not take its messages back
        with self._arrived:
            if self._closed:
                raise EdgeBusyError("Alur is stopping")
            if self._waiting and self._waiting + len(messages) > _WAITING:
                raise EdgeBusyError(f"{self._waiting:,} messages are waiting already")
            self._posts.append(post)
            self._waiting += len(messages)
            self._arrived.notify()
        return post.done

    def close(self) -> None:
        """Take in what waits, and end the threads; safe to call twice."""
        with self._arrived:
            self._closed = True
            self._arrived.notify_all()
        for thread in self._threads:
            thread.join()

    def _next(self) -> list[_Post]:
        """The posts of the next group; empty when closed and nothing is left."""
        with self._arrived:
            while not self._posts and not self._closed:
                self._arrived.wait()
            group: list[_Post] = []
            size = 0
            while self._posts and (not group or size + len(self._posts[0].messages) <= _TOGETHER):
                group.append(self._posts.popleft())
                size += len(group[-1].messages)
            self._waiting -= size
            return group

    def _work(self) -> None:
        while group := self._next():
            self._commit(group)

    def _commit(self, group: Sequence[_Post]) -> None:
        try:
            self._take([message for post in group for message in post.messages])
        except Exception as error:  # noqa: BLE001 - handed to whoever waits, none is swallowed
            # Each post must be told, whatever the error; and one post's fault must not fail the others.
            if len(group) == 1:
                group[0].done.set_exception(error)
                return
            for post in group:
                self._commit([post])
            return
        for post in group:
            post.done.set_result(None)
