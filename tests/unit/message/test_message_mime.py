"""The bytes of a mail: read back by the standard library as what was put in, whatever was put in."""

from __future__ import annotations

import time
from datetime import datetime
from email import policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import RenderError
from engine.message.mime import Mailbox, RenderedEmail, Skeleton, build_skeleton, quote, read_mailbox
from tests.unit.message.mails import FROM, NOW, UNSUBSCRIBE, all_defects, assembled, contents, parsed

SKELETON = build_skeleton("promo", ["<p>Halo ", ", selamat datang — ini = tanda</p>\n"])

unicode_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=300)
one_line = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=200)
pieces = st.lists(
    unicode_text | st.sampled_from(["<p>Halo ", ", selamat datang — ini = tanda</p>\n", "=", " ", "\n", "."]),
    max_size=8,
)
local_parts = st.from_regex(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}(\.[a-z0-9_]{1,20})?", fullmatch=True)


def _mail(html: str = "<p>Halo</p>\n", text: str = "Halo\n", subject: str = "Halo") -> RenderedEmail:
    return RenderedEmail(subject, "", (html,), (text,))


@settings(max_examples=200, deadline=None)
@given(
    subject=one_line.map(str.strip).filter(bool), name=one_line, from_name=one_line, local=local_parts,
    html=pieces, text=pieces, reply=st.booleans(), marketing=st.booleans(),
)  # fmt: skip
def test_the_standard_library_reads_back_exactly_what_was_assembled(
    subject: str, name: str, from_name: str, local: str, html: list[str], text: list[str], reply: bool, marketing: bool
) -> None:
    data = assembled(
        SKELETON, RenderedEmail(subject, "", tuple(html), tuple(text)), to_address=f"{local}@example.com", to_name=name,
        from_=Mailbox("halo@toko.example", from_name), reply_to=Mailbox("cs@toko.example") if reply else None,
        list_unsubscribe=UNSUBSCRIBE if marketing else None,
    )  # fmt: skip

    message = parsed(data)

    assert all_defects(message) == []
    assert message["Subject"] == subject
    assert _shown(message, "To") == (f"{local}@example.com", " ".join(name.split())[:200].strip())
    assert _shown(message, "From") == ("halo@toko.example", " ".join(from_name.split())[:200].strip())
    assert message["Reply-To"] == ("cs@toko.example" if reply else None)
    assert message["List-Unsubscribe"] == (f"<{UNSUBSCRIBE}>" if marketing else None)
    assert contents(message) == ("".join(text), "".join(html))
    _check_bytes(data)


def _shown(message: EmailMessage, name: str) -> tuple[str, str]:
    """Address and display name; one of several encoded words by `decode_header`, as older CPythons keep the fold between them as a space."""
    (address,) = message[name].addresses
    raw = next(value for field, value in message.raw_items() if field == name)
    if raw.count("=?utf-8?b?") > 1:
        return address.addr_spec, str(make_header(decode_header(raw.rpartition(" <")[0])))
    return address.addr_spec, address.display_name


def _check_bytes(data: bytes) -> None:
    assert data.isascii()
    lines = data.split(b"\r\n")
    assert not any(b"\n" in line or b"\r" in line for line in lines), "CRLF only"
    assert max(map(len, lines)) <= 998
    body = data.partition(b"\r\n\r\n")[2]
    assert max(map(len, body.split(b"\r\n"))) <= 76


@settings(max_examples=100, deadline=None)
@given(st.lists(unicode_text, max_size=5))
def test_pieces_quoted_one_by_one_read_as_the_whole(texts: list[str]) -> None:
    message = parsed(
        b"Content-Transfer-Encoding: quoted-printable\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
        + b"".join(map(quote, texts))
    )

    assert message.get_content().replace("\r\n", "\n") == "".join(texts)


def test_no_quoted_line_is_longer_than_76() -> None:
    for length in range(70, 160):
        for last in ("a", "=", "é", " ", ".", "a=", "=a", "=aa"):
            assert max(map(len, quote("a" * length + last).split(b"\r\n"))) <= 76


@settings(max_examples=50, deadline=None)
@given(subject=one_line.map(str.strip).filter(bool), html=unicode_text, text=unicode_text)
def test_it_reads_the_same_as_the_mail_that_the_standard_library_builds(subject: str, html: str, text: str) -> None:
    built = EmailMessage(policy=policy.SMTP)
    built["From"], built["To"], built["Subject"] = "Toko Nada <halo@toko.example>", "Ani <ani@example.com>", subject
    built["Date"], built["Message-ID"] = format_datetime(NOW), "<1.promo@toko.example>"
    built.set_content(f"{text}\n", cte="quoted-printable")
    built.add_alternative(f"{html}\n", subtype="html", cte="quoted-printable")
    theirs = parsed(built.as_bytes())

    ours = parsed(assembled(SKELETON, _mail(f"{html}\n", f"{text}\n", subject), list_unsubscribe=None))

    for name in ("From", "To", "Subject", "Date", "Message-ID", "MIME-Version"):
        assert ours[name] == theirs[name]
    assert ours.get_content_type() == theirs.get_content_type() == "multipart/alternative"
    assert contents(ours) == contents(theirs)


def test_a_marketing_mail_has_both_unsubscribe_headers_once_and_a_transactional_one_none() -> None:
    marketing = assembled(SKELETON, _mail())
    transactional = assembled(SKELETON, _mail(), list_unsubscribe=None)

    assert marketing.count(b"\r\nList-Unsubscribe: <https://toko.example/u/abc>\r\n") == 1
    assert marketing.count(b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n") == 1
    assert marketing.lower().count(b"list-unsubscribe") == 3  # the value of the second names the first
    assert b"list-unsubscribe" not in transactional.lower()


@pytest.mark.parametrize(
    "name",
    [
        "List-Unsubscribe",
        "list-unsubscribe-post",
        "SUBJECT",
        "Bcc",
        "Date",
        "Message-ID",
        "Content-Type",
        "DKIM-Signature",
    ],
)
def test_E12_further_headers_can_not_double_what_the_mail_has(name: str) -> None:
    with pytest.raises(RenderError, match="Alur writes it itself"):
        assembled(SKELETON, _mail(), headers={name: "x"})


def test_further_headers_stand_as_given() -> None:
    message = parsed(assembled(SKELETON, _mail(), headers={"Feedback-ID": "promo:offers:alur", "X-Alur-Send": "17"}))

    assert (message["Feedback-ID"], message["X-Alur-Send"]) == ("promo:offers:alur", "17")


@pytest.mark.parametrize("length", [60, 76, 200, 900])
def test_E13_a_long_unsubscribe_url_is_neither_folded_nor_encoded(length: int) -> None:
    url = "https://toko.example/u/" + "t" * (length - 23)
    data = assembled(SKELETON, _mail(), list_unsubscribe=url)

    assert f"\r\nList-Unsubscribe: <{url}>\r\n".encode() in data
    assert b"=?utf-8" not in data


@pytest.mark.parametrize(
    "url",
    [
        "https://toko.example/u/a b",
        "https://x/u>\r\nBcc: <evil@x.com",
        "javascript:alert(1)",
        "https://x/é",
        "https://x/" + "t" * 990,
        "",
    ],
)
def test_an_unsubscribe_url_that_can_not_stand_in_the_header_is_an_error(url: str) -> None:
    with pytest.raises(RenderError, match="the unsubscribe URL"):
        assembled(SKELETON, _mail(), list_unsubscribe=url)


def test_E21_the_message_id_given_is_used_as_it_is() -> None:
    data = assembled(SKELETON, _mail(), message_id="<s-17.1a2b@mail.toko.example>")

    assert data.count(b"\r\nMessage-ID: <s-17.1a2b@mail.toko.example>\r\n") == 1
    assert assembled(SKELETON, _mail(), message_id="<s-17.1a2b@mail.toko.example>") == data


@pytest.mark.parametrize("address", [
    "a@b.com\r\nRCPT TO:<evil@x.com>", "alice@example.org)bob@example.com", "a@b.com, c@d.com", "<script>@x.com", "a@[127.0.0.1]",
    "a@b.com\n", "a b@c.com", "é@example.com", "a@exämple.com", "@b.com", "a@", "a..b@c.com", f"{'a' * 65}@b.com", "",
])  # fmt: skip
def test_E16_an_address_that_is_more_or_less_than_one_address_never_reaches_a_header(address: str) -> None:
    with pytest.raises(RenderError, match="not an e-mail address"):
        assembled(SKELETON, _mail(), to_address=address)
    with pytest.raises(ValueError, match="not an e-mail address"):
        Mailbox(address)


@pytest.mark.parametrize(
    "name", ["Ani\r\nBcc: evil@x.com", "Ani\nBcc: evil@x.com", "Ani\u2028Bcc: evil@x.com", "Ani\x00\x0bBcc: evil@x.com"]
)
def test_line_breaks_in_a_name_become_a_space_and_bring_no_header(name: str) -> None:
    message = parsed(assembled(SKELETON, _mail(), to_name=name))

    assert message["Bcc"] is None
    assert message["To"].addresses[0].display_name == "Ani Bcc: evil@x.com"


@pytest.mark.parametrize("changes", [
    {"message_id": "<1@x>\r\nBcc: <e@x.com>"}, {"message_id": "1@x"}, {"message_id": "<1 2@x>"}, {"message_id": "<a@b@c>"},
    {"headers": {"X-Note": "a\r\nBcc: e@x.com"}}, {"headers": {"X-Note": "é"}}, {"headers": {"X Note": "a"}}, {"headers": {"X:": "a"}},
    {"headers": {"X-Note": "a" * 1000}}, {"date": datetime(2026, 1, 1)},
])  # fmt: skip
def test_nothing_but_a_header_gets_into_the_headers(changes: dict[str, Any]) -> None:
    with pytest.raises(RenderError):
        assembled(SKELETON, _mail(), **changes)


@pytest.mark.parametrize("subject", ["a\nBcc: e@x.com", "a\r\nb", "a\u2028b", "a\x00b"])
def test_a_subject_with_a_line_break_is_refused(subject: str) -> None:
    with pytest.raises(RenderError, match="line break"):
        assembled(SKELETON, _mail(subject=subject))


def test_S14_names_are_quoted_or_encoded_in_headers_and_never_escaped_as_html() -> None:
    message = parsed(assembled(SKELETON, _mail(subject="Halo O'Brien & Co <3"), to_name='O\'Brien, "Bob" & Co'))

    assert message["Subject"] == "Halo O'Brien & Co <3"
    assert message["To"].addresses[0].display_name == 'O\'Brien, "Bob" & Co'


def test_half_a_character_is_that_persons_render_error() -> None:
    with pytest.raises(RenderError):
        assembled(SKELETON, _mail(html="\ud83d"))


@pytest.mark.parametrize(("text", "address", "name"), [
    ("halo@toko.example", "halo@toko.example", None),
    ("Toko Nada <halo@toko.example>", "halo@toko.example", "Toko Nada"),
    ('"Nada, Toko \\"Musik\\"" <halo@toko.example>', "halo@toko.example", 'Nada, Toko "Musik"'),
    ("  <halo@toko.example> ", "halo@toko.example", None),
])  # fmt: skip
def test_a_mailbox_is_read_as_people_write_it(text: str, address: str, name: str | None) -> None:
    assert read_mailbox(text) == Mailbox(address, name)


@pytest.mark.parametrize("text", ["Toko", "Toko <halo>", "a@b.com, c@d.com", "Toko <a@b.com> <c@d.com>", ""])
def test_what_is_no_mailbox_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an e-mail address"):
        read_mailbox(text)


def test_a_mail_of_40_kilobytes_is_assembled_ten_times_faster_than_the_standard_library_builds_it() -> None:
    static = ["<td style='padding: 0'>Ini adalah teks — dengan tanda = dan é</td>\n" * 120 for _ in range(5)]
    skeleton = build_skeleton("promo", static)
    mail = RenderedEmail(
        "Halo Ani", "", tuple(part for piece in static for part in (piece, "Ani & Co")), ("Halo\n", "Ani")
    )
    assert len(mail.html) > 40_000

    ours = min(_seconds(lambda: assembled(skeleton, mail)) for _ in range(20))
    theirs = min(_seconds(lambda: _built(mail)) for _ in range(3))

    assert ours * 10 < theirs


def _built(mail: RenderedEmail) -> bytes:
    message = EmailMessage(policy=policy.SMTP)
    message["From"], message["To"], message["Subject"] = FROM.header, "ani@example.com", mail.subject
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    return message.as_bytes()


def _seconds(work: Any) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def test_a_skeleton_is_a_value() -> None:
    assert build_skeleton("promo", ["<p>"]) == build_skeleton("promo", ["<p>"])
    assert isinstance(SKELETON, Skeleton)
