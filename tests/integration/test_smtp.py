"""SMTP against real and failing servers: what each end of a dialogue is called, and that nobody gets a mail twice."""

from __future__ import annotations

import email
import email.policy
import ssl
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from channels.base import (
    Accepted,
    Ambiguous,
    EmailMessage,
    Receipt,
    Rejected,
    Throttled,
    Unreachable,
)
from channels.smtp import SmtpAdapter, SmtpConnection, SmtpOptions
from tests.smtp_servers import Answer, FaultyServer, RealServer, letter

PIPELINING = ("PIPELINING", "8BITMIME", "SIZE 50000000")
ONE_BY_ONE = ("8BITMIME",)
FAULTS = ("close", "reset", "silence")
PATIENCE = {"silence": 0.7, "stall": 0.7}  # seconds to wait for a server that says nothing more; others answer
HUGE = 30_000_000  # more than the buffers of both ends can swallow


def patience(*faults: Answer) -> float:
    return min(PATIENCE.get(str(fault), 10.0) for fault in faults)


@contextmanager
def connected(port: int, clock: Callable[[], float] | None = None, **options: Any) -> Iterator[SmtpConnection]:
    settings = {"host": "127.0.0.1", "port": port, "security": "none", "from": "toko@example.com", "timeout": 10}
    checked = SmtpOptions.model_validate({**settings, "local_hostname": "alur.example", **options})
    adapter = SmtpAdapter(checked) if clock is None else SmtpAdapter(checked, clock=clock)
    with closing(adapter.connect()) as connection:
        yield connection


def mail(number: int, *, to: str | None = None, size: int = 0) -> EmailMessage:
    return EmailMessage(number, 1, to or f"budi{number}@example.com", "toko@example.com", letter(number, size=size))


def send(connection: SmtpConnection, *numbers: int, size: int = 0) -> list[Receipt]:
    return list(connection.send([mail(number, size=size) for number in numbers]))


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


def server_side(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


# --- every end has its own word ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("extensions", [PIPELINING, ONE_BY_ONE], ids=["pipelining", "one-by-one"])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("stage", ["connect", "EHLO", "MAIL", "RCPT", "DATA"])
def test_a_cut_before_the_mail_is_unreachable_and_the_next_mail_goes(
    stage: str, fault: Answer, extensions: tuple[str, ...]
) -> None:
    server = FaultyServer({stage: [fault]}, extensions)
    with server, connected(server.port, timeout=patience(fault)) as connection:
        (cut,) = send(connection, 1)
        (after,) = send(connection, 2)
    assert isinstance(cut, Unreachable)
    assert not cut.closed
    assert isinstance(after, Accepted)
    assert [mail.number for mail in server.taken] == [2]


@pytest.mark.parametrize("fault", ["close", "reset", "stall"])
def test_a_cut_while_the_mail_is_written_is_unreachable(fault: Answer) -> None:
    server = FaultyServer({"body": [fault]}, PIPELINING)
    with server, connected(server.port, timeout=patience(fault)) as connection:
        (cut,) = send(connection, 1, size=HUGE)
        (after,) = send(connection, 2)
    assert isinstance(cut, Unreachable)
    assert isinstance(after, Accepted)
    assert [mail.number for mail in server.taken] == [2]


@pytest.mark.parametrize("fault", ["close", "reset", "stall"])
def test_a_cut_that_comes_when_the_last_byte_has_left_this_process_is_ambiguous(fault: Answer) -> None:
    server = FaultyServer({"body": [fault]}, PIPELINING)
    with server, connected(server.port, timeout=patience(fault)) as connection:
        (cut,) = send(connection, 1)  # so small that the system's buffer takes it whole
        (after,) = send(connection, 2)
    assert isinstance(cut, Ambiguous)
    assert isinstance(after, Accepted)


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        *(("", fault) for fault in FAULTS),
        ("250-2.0.0 more", "silence"),
        *((said, "close") for said in ("25", "250-2.0.0 more", "354 go on", "150 hm", "garbage", "250-ok\r\n550 no")),
    ],
)
def test_c8_a_server_that_dies_between_the_dot_and_its_reply_leaves_the_end_open(said: str, fault: Any) -> None:
    server = FaultyServer({"dot": [(said, fault) if said else fault]}, PIPELINING)
    with server, connected(server.port, timeout=patience(fault)) as connection:
        (cut,) = send(connection, 1)
        (after,) = send(connection, 2)
    assert isinstance(cut, Ambiguous)
    assert isinstance(after, Accepted)
    assert Counter(mail.number for mail in server.taken) == {1: 1, 2: 1}


def test_a_whole_line_of_acceptance_counts_even_if_the_server_dies_right_after() -> None:
    with FaultyServer({"dot": [("250 ok id=1abc-2", "reset")]}) as server, connected(server.port) as connection:
        (first,) = send(connection, 1)
        (second,) = send(connection, 2)
    assert first == Accepted("1abc-2", "250 ok id=1abc-2")
    assert isinstance(second, Accepted)
    assert Counter(mail.number for mail in server.taken) == {1: 1, 2: 1}


@pytest.mark.parametrize("extensions", [PIPELINING, ONE_BY_ONE], ids=["pipelining", "one-by-one"])
@pytest.mark.parametrize(
    ("stage", "said", "expected"),
    [
        ("RCPT", "550 5.1.1 no such user", Rejected("address", "550 5.1.1 no such user")),
        ("RCPT", "554 5.7.1 blocked", Rejected("policy", "554 5.7.1 blocked")),
        ("RCPT", "450 4.2.0 greylisted", Throttled(300, "450 4.2.0 greylisted")),
        ("DATA", "554 5.6.0 no", Rejected("content", "554 5.6.0 no")),
        ("DATA", "451 try later", Throttled(300, "451 try later")),
        ("dot", "554 5.6.0 looks like spam", Rejected("content", "554 5.6.0 looks like spam")),
        ("dot", "550 5.1.1 no such user after all", Rejected("address", "550 5.1.1 no such user after all")),
        ("dot", "451 4.7.1 later", Throttled(300, "451 4.7.1 later")),
        ("dot", "452 4.3.1 disk full", Throttled(60, "452 4.3.1 disk full", whole_channel=True)),
    ],
)
def test_a_refusal_of_one_mail_is_definite_and_the_others_go_on_over_the_same_line(
    stage: str, said: str, expected: Receipt, extensions: tuple[str, ...]
) -> None:
    with FaultyServer({stage: [said]}, extensions) as server, connected(server.port) as connection:
        assert send(connection, 1) == [expected]
        assert [type(receipt) for receipt in send(connection, 2, 3)] == [Accepted, Accepted]
    assert [mail.number for mail in server.mails] == [2, 3]
    assert server.connections == 1
    assert ("RSET" in server.heard) == (stage != "dot")


def test_c18_recipient_7_of_20_is_rejected_and_the_19_others_are_sent_once() -> None:
    def refuse(address: str) -> str | None:
        return "554 5.1.1 no such user" if address == "budi7@example.com" else None

    with RealServer(refuse=refuse) as server, connected(server.port) as connection:
        receipts = send(connection, *range(1, 21))
    assert [at for at, receipt in enumerate(receipts, 1) if isinstance(receipt, Rejected)] == [7]
    assert sum(isinstance(receipt, Accepted) for receipt in receipts) == 19
    assert [mail.number for mail in server.mails] == [number for number in range(1, 21) if number != 7]
    assert server.connections == 1


@pytest.mark.parametrize("extensions", [PIPELINING, ONE_BY_ONE], ids=["pipelining", "one-by-one"])
@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA"])
def test_c10_a_421_in_the_middle_reconnects_and_goes_on_at_the_first_unsent(
    stage: str, extensions: tuple[str, ...]
) -> None:
    answers: list[Answer] = ["250 ok" if stage != "DATA" else "354 ok"] * 25
    with (
        FaultyServer({stage: [*answers, ("421 4.7.0 too many mails on this line", "close")]}, extensions) as server,
        connected(server.port) as connection,
    ):
        receipts = [receipt for start in range(0, 100, 10) for receipt in send(connection, *range(start, start + 10))]
    assert {type(receipt) for receipt in receipts} == {Accepted}
    assert [mail.number for mail in server.taken] == list(range(100))
    assert server.connections == 2


def test_a_421_at_once_on_a_new_line_slows_the_whole_channel_and_the_rest_is_not_tried() -> None:
    with FaultyServer({"connect": ["421 4.3.2 come back later"]}) as server, connected(server.port) as connection:
        receipts = send(connection, 1, 2, 3)
        assert receipts == [Throttled(60, "421 4.3.2 come back later", whole_channel=True)] * 3
        assert [type(receipt) for receipt in send(connection, 4)] == [Accepted]
    assert server.connections == 2
    assert [mail.number for mail in server.taken] == [4]


def test_a_421_after_the_dot_is_definite_and_is_not_repeated_here() -> None:
    with FaultyServer({"dot": [("421 4.7.0 slow down", "close")]}) as server, connected(server.port) as connection:
        (throttled,) = send(connection, 1)
        (after,) = send(connection, 2)
    assert throttled == Throttled(60, "421 4.7.0 slow down", whole_channel=True)
    assert isinstance(after, Accepted)
    assert [mail.number for mail in server.taken] == [1, 2]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_kept_open_line_that_has_died_meanwhile_is_replaced_without_a_word(fault: Answer) -> None:
    server = FaultyServer({"MAIL": ["250 ok", fault]}, PIPELINING)
    with server, connected(server.port, timeout=patience(fault)) as connection:
        assert [type(receipt) for receipt in send(connection, 1, 2, 3)] == [Accepted] * 3
    assert [mail.number for mail in server.taken] == [1, 2, 3]
    assert server.connections == 2


def test_what_a_server_says_while_it_hangs_up_on_a_mail_is_believed() -> None:
    too_big: Answer = ("552 5.3.4 message too big", "close")
    with FaultyServer({"body": [too_big]}) as server, connected(server.port) as connection:
        (receipt,) = send(connection, 1, size=HUGE)
    # The reset that follows may swallow the words on some systems: then it is at least known that nothing was taken.
    assert isinstance(receipt, Rejected | Unreachable)
    assert server.taken == []


def test_a_sender_that_is_refused_closes_the_channel_instead_of_failing_everybody() -> None:
    refusal = "553 5.7.1 not your address"
    with FaultyServer({"MAIL": [refusal]}, PIPELINING) as server, connected(server.port) as connection:
        receipts = send(connection, 1, 2, 3)
    assert receipts == [Unreachable("MAIL: 553 5.7.1 not your address", closed=True)] * 3
    assert server.visits("MAIL") == 1


# --- replies that come where none is due ------------------------------------------------------------------------------


def test_a_second_reply_after_the_dot_is_never_taken_for_the_next_mails_acceptance() -> None:
    with FaultyServer({"dot": ["250 ok\r\n250 ok again"]}, PIPELINING) as server, connected(server.port) as connection:
        first, second = send(connection, 1, 2)
    assert isinstance(first, Accepted)
    assert isinstance(second, Accepted)
    assert [mail.number for mail in server.taken] == [1, 2]
    assert server.connections == 2


def test_an_acceptance_that_comes_before_the_mail_is_not_believed() -> None:
    with FaultyServer({"DATA": ["354 go on\r\n250 ok"]}) as server, connected(server.port) as connection:
        (receipt,) = send(connection, 1)
    assert isinstance(receipt, Unreachable)
    assert server.taken == []


def test_data_that_is_let_through_without_a_recipient_is_ended_by_a_lone_dot() -> None:
    answers = {"RCPT": ["550 5.1.1 nobody"], "DATA": ["354 go on anyway"], "dot": ["554 no recipients"]}
    with FaultyServer(answers, PIPELINING) as server, connected(server.port) as connection:
        first, second = send(connection, 1, 2)
    assert first == Rejected("address", "550 5.1.1 nobody")
    assert isinstance(second, Accepted)
    assert [mail.data for mail in server.taken] == [b"", letter(2)]
    assert server.connections == 1


def test_data_that_is_let_through_without_a_sender_ends_the_line_without_a_dot() -> None:
    answers = {"MAIL": ["552 5.3.4 too big"], "DATA": ["354 go on anyway"]}
    with FaultyServer(answers, PIPELINING) as server, connected(server.port) as connection:
        first, second = send(connection, 1, 2)
    assert first == Rejected("content", "552 5.3.4 too big")
    assert isinstance(second, Accepted)
    assert [mail.number for mail in server.taken] == [2]
    assert server.connections == 2


# --- what never reaches the wire --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "a@b.com\r\nRCPT TO:<evil@x.com>",
        "a@b.com\nDATA",
        "a@b.com>\r\n",
        "a@b.com> SIZE=1",
        "a@b.com, c@d.com",
        "a@b.com,c@d.com",
        "alice@example.org)bob@example.com",
        "a@[127.0.0.1]",
        "a b@c.com",
        "a@b.com\u2028",
        "a@b.com\x00",
        "a",
        "",
    ],
)
def test_an_address_that_smuggles_is_refused_before_a_byte_is_written(address: str) -> None:
    with FaultyServer() as server, connected(server.port) as connection:
        (receipt,) = list(connection.send([mail(1), EmailMessage(2, 1, address, "toko@example.com", letter(2))]))[1:]
        (other,) = connection.send([EmailMessage(3, 1, "budi@example.com", address, letter(3))])
    assert isinstance(receipt, Rejected)
    assert receipt.reason == "address"
    assert isinstance(other, Rejected)
    assert other.reason == "other"
    assert server.visits("MAIL") == 1


def test_an_address_beyond_ascii_goes_only_where_the_server_takes_it() -> None:
    with RealServer() as server, connected(server.port) as connection:
        (refused,) = connection.send([mail(1, to="büdi@example.com")])
    assert isinstance(refused, Rejected)
    assert refused.reason == "address"
    assert server.mails == []
    with RealServer(smtputf8=True) as server, connected(server.port) as connection:
        (taken,) = connection.send([mail(1, to="büdi@example.com")])
    assert isinstance(taken, Accepted)
    assert server.mails[0].recipient == "büdi@example.com"


def test_a_mail_over_the_servers_size_limit_is_refused_before_it_is_written() -> None:
    with FaultyServer(extensions=("SIZE 5000",)) as server, connected(server.port) as connection:
        (small,) = send(connection, 1)
        (big,) = send(connection, 2, size=5001)
    assert isinstance(small, Accepted)
    assert isinstance(big, Rejected)
    assert big.reason == "content"
    assert server.visits("MAIL") == 1
    assert f"MAIL FROM:<toko@example.com> SIZE={len(letter(1))}" in server.heard


def test_eight_bit_bytes_go_only_where_the_server_takes_them() -> None:
    data = letter(1) + "é\r\n".encode()
    with FaultyServer() as server, connected(server.port) as connection:
        (refused,) = connection.send([EmailMessage(1, 1, "b@example.com", "a@example.com", data)])
    assert isinstance(refused, Rejected)
    assert refused.reason == "content"
    with FaultyServer(extensions=("8BITMIME",)) as server, connected(server.port) as connection:
        (taken,) = connection.send([EmailMessage(1, 1, "b@example.com", "a@example.com", data)])
    assert isinstance(taken, Accepted)
    assert "MAIL FROM:<a@example.com> BODY=8BITMIME" in server.heard


# --- what arrives -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body", [b".\r\n", b"..\r\n.\r\n\r\n.", b".a\r\n..b\r\n...\r\n", b"no end", b"\r\n", b".css { }"]
)
def test_a_mail_arrives_byte_by_byte_as_it_was_given(body: bytes) -> None:
    data = letter(1) + body
    with RealServer() as server, connected(server.port) as connection:
        (receipt,) = connection.send([EmailMessage(1, 1, "b@example.com", "a@example.com", data)])
    assert isinstance(receipt, Accepted)
    assert receipt.provider_id == "Q1"
    assert server.mails[0].data == data if data.endswith(b"\r\n") else data + b"\r\n"
    assert (server.mails[0].sender, server.mails[0].recipient) == ("a@example.com", "b@example.com")


@pytest.mark.parametrize("secure", [False, True])
def test_a_mail_that_no_buffer_takes_at_once_arrives_byte_by_byte(
    secure: bool, authority: trustme.CA, ca_file: str
) -> None:
    data = b"".join(b".line %d\r\n" % number for number in range(500_000))
    options: Any = {"security": "tls", "ca_file": ca_file} if secure else {}
    with (
        FaultyServer(tls=server_side(authority) if secure else None) as server,
        connected(server.port, **options) as connection,
    ):
        (receipt,) = connection.send([EmailMessage(1, 1, "b@example.com", "a@example.com", data)])
    assert isinstance(receipt, Accepted)
    assert server.taken[0].data.removeprefix(b".") == data


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\r\n.\n"])
def test_no_line_end_of_any_kind_smuggles_a_second_mail(end: bytes) -> None:
    inner = end + b"MAIL FROM:<evil@example.com>\r\nRCPT TO:<victim@example.com>\r\nDATA\r\nX-Send: 66\r\n\r\nhi"
    with FaultyServer() as server, connected(server.port) as connection:
        (receipt,) = connection.send([EmailMessage(1, 1, "b@example.com", "a@example.com", letter(1) + inner)])
    assert isinstance(receipt, Accepted)
    assert server.visits("MAIL") == 1
    assert len(server.taken) == 1


def test_a_mail_from_the_standard_library_parses_without_defects_on_the_other_side() -> None:
    made = email.message.EmailMessage(policy=email.policy.SMTP)
    made["Subject"], made["From"], made["To"] = "Halo – keranjangmu", "toko@example.com", "budi@example.com"
    made.set_content("Selamat datang\n.\n..\n" * 200)
    with RealServer() as server, connected(server.port) as connection:
        (receipt,) = connection.send([EmailMessage(1, 1, "budi@example.com", "toko@example.com", made.as_bytes())])
    assert isinstance(receipt, Accepted)
    got = email.message_from_bytes(server.mails[0].data, policy=email.policy.default)
    assert got.defects == []
    assert got.get_content().splitlines() == made.get_content().splitlines()


# --- lines kept open --------------------------------------------------------------------------------------------------


def test_mails_share_a_line_and_an_idle_line_is_replaced_before_it_is_trusted() -> None:
    now = [100.0]
    with RealServer() as server, connected(server.port, lambda: now[0]) as connection:
        send(connection, 1, 2)
        now[0] += 4.9
        send(connection, 3)
        assert server.connections == 1
        now[0] += 5.1
        send(connection, 4)
        assert server.connections == 2
    assert [mail.number for mail in server.mails] == [1, 2, 3, 4]


def test_an_abandoned_generator_leaves_the_line_in_step() -> None:
    with RealServer() as server, connected(server.port) as connection:
        receipts = connection.send([mail(1), mail(2)])
        next(receipts)
        receipts.close()  # type: ignore[attr-defined]
        assert [type(receipt) for receipt in send(connection, 3)] == [Accepted]
        assert server.connections == 1
    assert [mail.number for mail in server.mails] == [1, 3]


def test_a_closed_connection_says_goodbye() -> None:
    with FaultyServer() as server, connected(server.port) as connection:
        send(connection, 1)
        connection.close()
        assert server.heard[-1] == "QUIT"


# --- TLS and log-in ---------------------------------------------------------------------------------------------------


def test_mail_goes_encrypted_after_a_log_in(authority: trustme.CA, ca_file: str) -> None:
    server = RealServer(tls=server_side(authority), users={"toko": "rahasia"})
    login: Any = {"username": "toko", "password": "rahasia"}
    with server, connected(server.port, security="starttls", ca_file=ca_file, **login) as connection:
        receipts = send(connection, 1, 2, size=100_000)
    assert [type(receipt) for receipt in receipts] == [Accepted, Accepted]
    assert [(mail.number, mail.secure, mail.user) for mail in server.mails] == [(1, True, "toko"), (2, True, "toko")]
    assert server.mails[0].data == letter(1, size=100_000)


def test_mail_goes_over_implicit_tls(authority: trustme.CA, ca_file: str) -> None:
    server = RealServer(tls=server_side(authority), implicit_tls=True)
    with server, connected(server.port, security="tls", ca_file=ca_file) as connection:
        receipts = send(connection, 1, 2, size=100_000)
    assert [type(receipt) for receipt in receipts] == [Accepted, Accepted]
    assert [(mail.number, mail.secure) for mail in server.mails] == [(1, True), (2, True)]


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize("wrong", ["authority", "name"])
def test_a_certificate_that_is_not_the_servers_stops_everything(
    security: str, wrong: str, authority: trustme.CA, ca_file: str
) -> None:
    context = server_side(
        trustme.CA() if wrong == "authority" else authority, "other.example" if wrong == "name" else "127.0.0.1"
    )
    server = RealServer(tls=context, implicit_tls=security == "tls", users={"toko": "rahasia"})
    login: Any = {"username": "toko", "password": "rahasia"}
    with server, connected(server.port, security=security, ca_file=ca_file, **login) as connection:
        receipts = send(connection, 1, 2)
    assert {type(receipt) for receipt in receipts} == {Unreachable}
    assert "certificate" in str(receipts[0]).lower()
    assert server.mails == []
    assert server.connections == 1


def test_a_server_without_starttls_gets_no_mail_when_it_is_asked_for() -> None:
    with FaultyServer() as server, connected(server.port, security="starttls") as connection:
        (receipt,) = send(connection, 1)
    assert isinstance(receipt, Unreachable)
    assert receipt.closed
    assert server.visits("MAIL") == 0


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("535 5.7.8 wrong password", Unreachable("535 5.7.8 wrong password", closed=True)),
        ("454 4.7.0 later", Unreachable("454 4.7.0 later")),
        ("421 4.7.0 too many log-ins", Throttled(60, "421 4.7.0 too many log-ins", whole_channel=True)),
    ],
)
def test_a_refused_log_in_closes_the_channel_and_is_tried_once_for_all(said: str, expected: Receipt) -> None:
    with (
        FaultyServer({"AUTH": [said]}, ("AUTH PLAIN",)) as server,
        connected(server.port, username="toko", password="salah") as connection,
    ):
        assert send(connection, 1, 2, 3) == [expected] * 3
    assert server.visits("AUTH") == 1
    assert server.visits("MAIL") == 0


def test_a_server_that_takes_no_log_in_closes_the_channel() -> None:
    with FaultyServer() as server, connected(server.port, username="toko", password="rahasia") as connection:
        (receipt,) = send(connection, 1)
    assert isinstance(receipt, Unreachable)
    assert receipt.closed
    assert server.visits("MAIL") == 0


def test_a_garbled_log_in_challenge_is_unreachable() -> None:
    with (
        FaultyServer({"AUTH": ["334 !"]}, ("AUTH CRAM-MD5",)) as server,
        connected(server.port, username="toko", password="rahasia") as connection,
    ):
        (receipt,) = send(connection, 1)
    assert isinstance(receipt, Unreachable)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_cut_after_the_dot_is_ambiguous_over_tls_too(fault: Answer, authority: trustme.CA, ca_file: str) -> None:
    with (
        FaultyServer({"dot": [fault]}, PIPELINING, server_side(authority)) as server,
        connected(server.port, security="tls", ca_file=ca_file, timeout=patience(fault)) as connection,
    ):
        (cut,) = send(connection, 1)
        (after,) = send(connection, 2)
    assert isinstance(cut, Ambiguous)
    assert isinstance(after, Accepted)


@pytest.mark.parametrize("fault", ["close", "reset"])
def test_a_cut_around_the_last_byte_is_ambiguous_over_tls_too(
    fault: Answer, authority: trustme.CA, ca_file: str
) -> None:
    with (
        FaultyServer({"body": [fault]}, PIPELINING, server_side(authority)) as server,
        connected(server.port, security="tls", ca_file=ca_file) as connection,
    ):
        (cut,) = send(connection, 1)
        (after,) = send(connection, 2)
    assert isinstance(cut, Ambiguous)
    assert isinstance(after, Accepted)


def test_a_cut_inside_the_mail_is_unreachable_over_tls_too(authority: trustme.CA, ca_file: str) -> None:
    with (
        FaultyServer({"body": ["reset"]}, PIPELINING, server_side(authority)) as server,
        connected(server.port, security="tls", ca_file=ca_file) as connection,
    ):
        (cut,) = send(connection, 1, size=HUGE)
        (after,) = send(connection, 2)
    assert isinstance(cut, Unreachable)
    assert isinstance(after, Accepted)
    assert [mail.number for mail in server.taken] == [2]


# --- many at once -----------------------------------------------------------------------------------------------------


def test_four_threads_deliver_to_postfix_smtp_sink(program: Callable[[str], Path]) -> None:
    with RealServer() as free:
        port = free.port
    sink = subprocess.Popen([program("smtp-sink"), "-u", "nobody", f"127.0.0.1:{port}", "100"])
    try:
        counts: Counter[type] = Counter()
        lock = threading.Lock()

        def deliver() -> None:
            with connected(port) as connection:
                receipts = [receipt for _ in range(10) for receipt in send(connection, *range(10), size=40_000)]
            with lock:
                counts.update(map(type, receipts))

        _wait_for(port)
        threads = [threading.Thread(target=deliver) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert counts == {Accepted: 400}
    finally:
        sink.terminate()
        sink.wait()


def _wait_for(port: int) -> None:
    with connected(port) as connection:
        for _ in range(1_000):
            if all(isinstance(receipt, Accepted) for receipt in send(connection, 0)):
                return
            threading.Event().wait(0.01)
    raise TimeoutError("smtp-sink did not start")
