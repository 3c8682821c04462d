"""A channel for tests whose provider does what it is told, and whose log of requests outlives the process that asked.

In one process: `provider = Provider(log)`, `provider.answer("a@example.com", Throttled(5))`, `ScriptedAdapter(provider)`.
In a process of its own (to be killed): the adapter `scripted`, found through `plugin_path(..)` on PYTHONPATH, with the
options of `ScriptedOptions`; `Gates` then stop it before or after the request, until a test opens them or kills it.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from channels.address import refused_address
from channels.base import (
    Accepted,
    AdapterKind,
    Ambiguous,
    Capabilities,
    EmailMessage,
    Medium,
    Message,
    Receipt,
    Rejected,
    Throttled,
    Unreachable,
)

MEDIA: Final[frozenset[Medium]] = frozenset({"email", "sms", "whatsapp"})
Point = Literal["before_post", "after_post"]
Hook = Callable[[Point, Message], None]
EVERYBODY: Final = "*"


@dataclass(frozen=True)
class AmbiguousButTaken(Ambiguous):
    """The channel can't tell, but the provider has accepted it; the engine sees a plain `Ambiguous`."""


@dataclass(frozen=True)
class Request:
    """One request that reached the provider. `message_id`: the mail's header, or nothing."""

    send_id: int
    attempt: int
    recipient: str
    receipt: str  # the class of the receipt, e.g. 'Throttled'
    taken: bool
    provider_id: str
    message_id: str
    pid: int


class Provider:
    """The other side of the wire; safe between threads, and between processes when it logs to a file."""

    def __init__(self, log: Path | None = None) -> None:
        self._log = log
        self._kept: list[Request] = []
        self._answers: dict[int | str, list[Receipt]] = defaultdict(list)
        self._lock = threading.Lock()

    def answer(self, who: int | str, *receipts: Receipt) -> None:
        """What the first, second, .. request for this send id, recipient or `EVERYBODY` gets; afterwards it is accepted."""
        self._answers[who].extend(receipts)

    def requests(self) -> list[Request]:
        """All requests so far, in order, those of earlier processes too."""
        if self._log is None:
            return list(self._kept)
        if not self._log.exists():
            return []
        return [Request(**json.loads(line)) for line in self._log.read_text().splitlines()]

    def taken(self) -> list[Request]:
        """The requests that the provider has accepted, whatever the channel came to know of that."""
        return [request for request in self.requests() if request.taken]

    def ask(self, message: Message) -> Receipt:
        """One request."""
        with self._lock:
            receipt = self._next_answer(message)
            taken = isinstance(receipt, Accepted | AmbiguousButTaken)
            provider_id = f"scripted-{message.send_id}-{message.attempt}"
            request = Request(
                message.send_id,
                message.attempt,
                message.recipient,
                type(receipt).__name__,
                taken,
                provider_id if taken else "",
                _message_id(message),
                os.getpid(),
            )
            self._kept.append(request)
            if self._log is not None:
                _append(self._log, json.dumps(asdict(request)))
        if isinstance(receipt, Accepted):
            return Accepted(provider_id)
        return Ambiguous(receipt.detail) if isinstance(receipt, AmbiguousButTaken) else receipt

    def _next_answer(self, message: Message) -> Receipt:
        """Which answer comes next is told by the log, so that a restarted process goes on where the killed one was."""
        for who in (message.send_id, message.recipient, EVERYBODY):
            if who in self._answers:
                earlier = sum(who in (request.send_id, request.recipient, EVERYBODY) for request in self.requests())
                if earlier < len(self._answers[who]):
                    return self._answers[who][earlier]
        return Accepted("")


class ScriptedAdapter:
    """The channel to a `Provider`. `hook` is called before and after each request, in the sending thread."""

    def __init__(
        self,
        provider: Provider,
        *,
        media: frozenset[Medium] = MEDIA,
        hook: Hook | None = None,
        batch: int = 10,
        connections: int = 4,
    ) -> None:
        self.provider = provider
        self.hook = hook
        self.capabilities = Capabilities(media=media, batch=batch, connections=connections)

    def connect(self) -> ScriptedConnection:
        return ScriptedConnection(self)

    def at(self, point: Point, message: Message) -> None:
        """Call the hook, where there is one."""
        if self.hook is not None:
            self.hook(point, message)


class SearchableScriptedAdapter(ScriptedAdapter):
    """The same with a provider that can be asked. `untold`: send ids of which it can't tell."""

    def __init__(
        self,
        provider: Provider,
        *,
        media: frozenset[Medium] = MEDIA,
        hook: Hook | None = None,
        batch: int = 10,
        connections: int = 4,
    ) -> None:
        super().__init__(provider, media=media, hook=hook, batch=batch, connections=connections)
        self.capabilities = Capabilities(media=media, batch=batch, connections=connections, searchable=True)
        self.untold: set[int] = set()

    def search(self, send_ids: Sequence[int]) -> Mapping[int, Accepted | None]:
        taken = {request.send_id: Accepted(request.provider_id) for request in reversed(self.provider.taken())}
        return {send_id: taken.get(send_id) for send_id in send_ids if send_id not in self.untold}


class ScriptedConnection:
    """One line of a thread."""

    def __init__(self, adapter: ScriptedAdapter) -> None:
        self._adapter = adapter

    def send(self, messages: Sequence[Message]) -> Iterator[Receipt]:
        media = self._adapter.capabilities.media
        for message in messages:
            if not media & ({"email"} if isinstance(message, EmailMessage) else {"sms", "whatsapp"}):
                raise TypeError(f"this scripted adapter carries {', '.join(media)}, not {type(message).__name__}")
            yield refused_address(message) or self._post(message)

    def close(self) -> None:
        """Nothing is open."""

    def _post(self, message: Message) -> Receipt:
        self._adapter.at("before_post", message)
        receipt = self._adapter.provider.ask(message)
        self._adapter.at("after_post", message)
        return receipt


class Gates:
    """Points at which a process stops until a test lets it go on or kills it; they are files, so any process may look."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def shut(self, point: Point, send_id: int | None = None) -> None:
        """Stop the next to come by: every send, or this one only."""
        self._gate(point, send_id).touch()

    def open(self, point: Point, send_id: int | None = None) -> None:
        """Let those who wait go on."""
        self._gate(point, send_id).unlink(missing_ok=True)

    def wait_reached(self, point: Point, deadline: float = 20.0) -> int:
        """Wait until a process stands at this point; the id of its send. Raises `TimeoutError`."""
        end = time.monotonic() + deadline
        while time.monotonic() < end:
            for path in self._folder.glob(f"{point}.*.reached"):
                return int(path.name.split(".")[1])
            time.sleep(0.005)
        raise TimeoutError(f"no send has come to {point} within {deadline:g} s")

    def pass_by(self, point: Point, message: Message) -> None:
        """What the sending process does (a `Hook`): waits while a gate is shut."""
        gates = [self._gate(point, None), self._gate(point, message.send_id)]
        if any(gate.exists() for gate in gates):
            reached = self._folder / f"{point}.{message.send_id}.reached"
            reached.touch()
            while any(gate.exists() for gate in gates):
                time.sleep(0.005)
            reached.unlink()

    def _gate(self, point: Point, send_id: int | None) -> Path:
        return self._folder / (point if send_id is None else f"{point}-{send_id}")


class ScriptedOptions(BaseModel):
    """The keys under `channels.<medium>` for `adapter: scripted`.

    `answers`: a JSON file that maps send id, recipient or `*` to words: accepted, rejected, throttled, throttled-all,
    unreachable, closed, ambiguous, ambiguous-taken; `throttled:7` says how long.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    log: Path
    answers: Path | None = None
    gates: Path | None = None
    searchable: bool = True
    connections: int = 4
    sender: str | None = Field(default=None, alias="from")


def build(options: ScriptedOptions, medium: Medium, _folder: Path) -> ScriptedAdapter:
    provider = Provider(options.log)
    if options.answers is not None:
        for who, words in json.loads(options.answers.read_text()).items():
            provider.answer(int(who) if who.isdecimal() else who, *map(_receipt, words))
    build_adapter = SearchableScriptedAdapter if options.searchable else ScriptedAdapter
    adapter = build_adapter(provider, media=frozenset({medium}), connections=options.connections)
    if options.gates is not None:
        adapter.hook = Gates(options.gates).pass_by
    return adapter


kind = AdapterKind(name="scripted", media=MEDIA, options=ScriptedOptions, build=build)


def plugin_path(folder: Path) -> str:
    """A value for PYTHONPATH with which a process finds the adapter `scripted` as if another package had brought it."""
    about = folder / "alur_scripted-1.dist-info"
    about.mkdir(parents=True, exist_ok=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: alur-scripted\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[alur.channels]\nscripted = tests.scripted_channel:kind\n")
    paths = [str(folder), str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
    return os.pathsep.join(path for path in paths if path)


def _receipt(word: str) -> Receipt:
    name, _, seconds = word.partition(":")
    later = float(seconds or 60)
    receipts: dict[str, Receipt] = {
        "accepted": Accepted(""),
        "rejected": Rejected("address", "scripted"),
        "throttled": Throttled(later, "scripted"),
        "throttled-all": Throttled(later, "scripted", whole_channel=True),
        "unreachable": Unreachable("scripted"),
        "closed": Unreachable("scripted", closed=True),
        "ambiguous": Ambiguous("scripted"),
        "ambiguous-taken": AmbiguousButTaken("scripted"),
    }
    return receipts[name]


def _message_id(message: Message) -> str:
    if not isinstance(message, EmailMessage):
        return ""
    found = re.search(rb"^message-id:\s*(\S+)", message.data, re.MULTILINE | re.IGNORECASE)
    return found.group(1).decode() if found else ""


def _append(log: Path, line: str) -> None:
    """One write that the kernel holds before we go on: it survives our death, and never mixes with another process's."""
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, f"{line}\n".encode())
    finally:
        os.close(file)
