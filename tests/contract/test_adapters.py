"""What every adapter must do, run over each of them; a new adapter adds one rig."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass, field
from io import TextIOBase
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from channels import console, file, smtp
from channels.base import (
    Accepted,
    Adapter,
    AdapterKind,
    Ambiguous,
    Connection,
    EmailMessage,
    Medium,
    Message,
    Rejected,
    SearchableAdapter,
    TextMessage,
    Throttled,
    Unreachable,
)
from tests import scripted_channel
from tests.smtp_servers import Mail, RealServer, letter

RECEIPTS = (Accepted, Rejected, Throttled, Unreachable, Ambiguous)
NOBODY = ["a@b.com\r\nRCPT TO:<evil@x.com>", "a@b.com, c@d.com", "<a@b.com>", "a b@c.com", "a@b@c.com", "a.b.com", ""]
NO_PHONE = ["0812-3456-7890", "+62 812 3456", "+6281234567890\r\nX: y", "911", "budi@example.com", ""]


@dataclass
class Rig:
    """One adapter at work: how to build it, what its provider holds, and the same adapter with no provider behind it."""

    kind: AdapterKind
    medium: Medium
    options: BaseModel
    adapter: Adapter
    arrived: Callable[[], list[int]]  # send ids, in order of arrival
    cut_off: Callable[[], Adapter]
    opened: list[Connection] = field(default_factory=list)

    def connect(self) -> Connection:
        """A connection that the end of the test closes."""
        self.opened.append(self.adapter.connect())
        return self.opened[-1]

    def message(self, send_id: int, recipient: str | None = None) -> Message:
        if self.medium == "email":
            return EmailMessage(
                send_id, 1, recipient or f"budi{send_id}@example.com", "toko@example.com", letter(send_id)
            )
        return TextMessage(send_id, 1, recipient or f"+628123456{send_id:04d}", f"message {send_id}")

    def messages(self, *send_ids: int) -> list[Message]:
        return [self.message(send_id) for send_id in send_ids]


def smtp_rig(_medium: Medium, _folder: Path, _shown: Callable[[], str], stack: ExitStack) -> Rig:
    server = stack.enter_context(RealServer())
    settings = {"host": "127.0.0.1", "security": "none", "from": "toko@example.com", "local_hostname": "alur.example"}
    options = smtp.SmtpOptions.model_validate({**settings, "port": server.port})
    closed = socket.create_server(("127.0.0.1", 0))
    nobody = smtp.SmtpOptions.model_validate({**settings, "port": closed.getsockname()[1]})
    closed.close()
    return Rig(
        smtp.kind,
        "email",
        options,
        smtp.kind.build(options, "email", Path()),
        lambda: [mail.number for mail in server.mails],
        lambda: smtp.kind.build(nobody, "email", Path()),
    )


def file_rig(medium: Medium, folder: Path, _shown: Callable[[], str], _stack: ExitStack) -> Rig:
    options = file.FileOptions()
    blocked = folder / "blocked"
    blocked.mkdir()
    (blocked / "mailbox").write_text("a file where the folder should be")

    def arrived() -> list[int]:
        paths = [path for path in (folder / "mailbox").glob("*") if not path.name.startswith(".")]
        return [_number(path.read_text()) for path in sorted(paths)]

    return Rig(
        file.kind,
        medium,
        options,
        file.kind.build(options, medium, folder),
        arrived,
        lambda: file.kind.build(options, medium, blocked),
    )


class ClosedOutput(TextIOBase):
    """A standard output whose reader has gone."""

    def write(self, _text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")

    def flush(self) -> None:
        raise BrokenPipeError(32, "Broken pipe")


def console_rig(medium: Medium, folder: Path, shown: Callable[[], str], stack: ExitStack) -> Rig:
    options = console.ConsoleOptions()

    def cut_off() -> Adapter:
        stack.enter_context(redirect_stdout(ClosedOutput()))
        return console.kind.build(options, medium, folder)

    return Rig(
        console.kind,
        medium,
        options,
        console.kind.build(options, medium, folder),
        lambda: [_number(line) for line in shown().splitlines()],
        cut_off,
    )


def scripted_rig(searchable: bool) -> Callable[[Medium, Path, Callable[[], str], ExitStack], Rig]:
    def rig(medium: Medium, folder: Path, _shown: Callable[[], str], _stack: ExitStack) -> Rig:
        options = scripted_channel.ScriptedOptions(log=folder / "log", searchable=searchable)
        adapter = scripted_channel.kind.build(options, medium, folder)
        assert isinstance(adapter, scripted_channel.ScriptedAdapter)
        provider = scripted_channel.Provider()
        provider.answer(scripted_channel.EVERYBODY, *[Unreachable("scripted")] * 20)
        return Rig(
            scripted_channel.kind,
            medium,
            options,
            adapter,
            lambda: [request.send_id for request in adapter.provider.taken()],
            lambda: scripted_channel.ScriptedAdapter(provider),
        )

    return rig


RIGS: dict[str, tuple[Callable[[Medium, Path, Callable[[], str], ExitStack], Rig], Medium]] = {
    "smtp": (smtp_rig, "email"),
    "file-email": (file_rig, "email"),
    "file-sms": (file_rig, "sms"),
    "file-whatsapp": (file_rig, "whatsapp"),
    "console-email": (console_rig, "email"),
    "console-sms": (console_rig, "sms"),
    "console-whatsapp": (console_rig, "whatsapp"),
    "scripted": (scripted_rig(searchable=False), "email"),
    "scripted-searchable": (scripted_rig(searchable=True), "sms"),
}


@pytest.fixture(params=RIGS)
def rig(request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Rig]:
    output: list[str] = []

    def shown() -> str:
        output.append(capsys.readouterr().out)
        return "".join(output)

    make, medium = RIGS[request.param]
    with ExitStack() as stack:
        rig = make(medium, tmp_path, shown, stack)
        yield rig
        for connection in rig.opened:
            connection.close()


def _number(text: str) -> int:
    found = re.search(r"message (\d+)", text)
    return int(found.group(1)) if found else -1


def test_each_message_gets_one_receipt_in_order_and_arrives(rig: Rig) -> None:
    receipts = list(rig.connect().send(rig.messages(1, 2, 3)))
    assert [type(receipt) for receipt in receipts] == [Accepted] * 3
    assert rig.arrived() == [1, 2, 3]


def test_two_messages_get_two_provider_ids(rig: Rig) -> None:
    first, second = rig.connect().send(rig.messages(1, 2))
    assert isinstance(first, Accepted)
    assert isinstance(second, Accepted)
    assert first.provider_id
    assert first.provider_id != second.provider_id


def test_no_message_touches_the_wire_before_the_receipt_of_the_one_before_is_taken(rig: Rig) -> None:
    receipts = rig.connect().send(rig.messages(1, 2, 3))
    assert rig.arrived() == []
    next(receipts)
    assert rig.arrived() == [1]
    next(receipts)
    assert rig.arrived() == [1, 2]


def test_a_connection_serves_again_after_its_receipts_were_left_untaken(rig: Rig) -> None:
    connection = rig.connect()
    next(connection.send(rig.messages(1, 2)))
    assert [type(receipt) for receipt in connection.send(rig.messages(3))] == [Accepted]
    assert rig.arrived() == [1, 3]


def test_an_address_that_is_not_one_is_rejected_alone(rig: Rig) -> None:
    for at, address in enumerate(NOBODY if rig.medium == "email" else NO_PHONE):
        bad: Message = (
            EmailMessage(900, 1, address, "toko@example.com", letter(900))
            if rig.medium == "email"
            else TextMessage(900, 1, address, "message 900")
        )
        before, rejected, after = rig.connect().send([rig.message(10 * at), bad, rig.message(10 * at + 1)])
        assert (type(before), type(after)) == (Accepted, Accepted)
        assert isinstance(rejected, Rejected), address
        assert rejected.reason == "address"
    assert 900 not in rig.arrived()


def test_connect_touches_nothing_and_close_may_come_at_any_time_and_twice(rig: Rig) -> None:
    connection = rig.connect()
    connection.close()
    assert rig.arrived() == []
    list(connection.send(rig.messages(1)))
    connection.close()
    connection.close()
    assert rig.arrived() == [1]


def test_no_messages_get_no_receipts(rig: Rig) -> None:
    assert list(rig.connect().send([])) == []


def test_a_provider_that_is_not_there_is_unreachable_for_each_message_and_raises_nothing(rig: Rig) -> None:
    connection = rig.cut_off().connect()
    receipts = list(connection.send(rig.messages(1, 2, 3)))
    connection.close()
    assert [type(receipt) for receipt in receipts] == [Unreachable] * 3


def test_a_connection_per_thread_delivers_everything_once(rig: Rig) -> None:
    wrong: list[object] = []

    def deliver(send_ids: Sequence[int]) -> None:
        connection = rig.connect()
        for send_id in send_ids:
            wrong.extend(
                receipt for receipt in connection.send(rig.messages(send_id)) if not isinstance(receipt, Accepted)
            )
        connection.close()

    threads = [threading.Thread(target=deliver, args=(range(start, start + 20),)) for start in (0, 20, 40, 60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert sorted(rig.arrived()) == list(range(80))


def test_capabilities_hold_what_the_kind_promises(rig: Rig) -> None:
    capabilities = rig.adapter.capabilities
    assert rig.medium in capabilities.media <= rig.kind.media
    assert capabilities.batch >= 1
    assert capabilities.connections >= 1
    assert capabilities.searchable == isinstance(rig.adapter, SearchableAdapter)


def test_a_searchable_adapter_tells_what_was_accepted_and_what_surely_was_not(rig: Rig) -> None:
    if not isinstance(rig.adapter, SearchableAdapter):
        assert not rig.adapter.capabilities.searchable
        return
    assert rig.adapter.search([1, 2]) == {1: None, 2: None}
    (receipt,) = rig.connect().send(rig.messages(1))
    assert rig.adapter.search([1, 2]) == {1: receipt, 2: None}


def test_a_key_that_the_adapter_does_not_know_is_refused(rig: Rig) -> None:
    settings = {
        field.alias or name: getattr(rig.options, name) for name, field in type(rig.options).model_fields.items()
    }
    rig.kind.options.model_validate(settings)
    with pytest.raises(ValidationError):
        rig.kind.options.model_validate({**settings, "hots": "typo"})


def test_the_sender_may_be_set_for_every_adapter(rig: Rig) -> None:
    assert rig.kind.options.model_fields["sender"].alias == "from"


def test_a_message_of_another_kind_is_a_fault_of_the_program(rig: Rig) -> None:
    other: Message = (
        TextMessage(1, 1, "+6281234567890", "message 1")
        if rig.medium == "email"
        else EmailMessage(1, 1, "budi@example.com", "toko@example.com", letter(1))
    )
    with pytest.raises(TypeError, match=rig.kind.name):
        list(rig.connect().send([other]))
    assert rig.arrived() == []


def test_letters_are_recognised_by_their_number() -> None:
    assert Mail("a@example.com", "b@example.com", letter(12)).number == 12
