"""A mail's bytes can neither end it early nor be changed on the way."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.smtp_line import stuffed

tricky = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"..", b"x", b"\r\n.\r\n"])).map(b"".join)
clean = st.lists(st.sampled_from([b"", b".", b"..", b".x", b"x.", b"x"])).map(
    lambda lines: b"".join(x + b"\r\n" for x in lines)
)


@given(clean)
def test_the_receiver_gets_back_what_was_given(data: bytes) -> None:
    assert b"".join(line.removeprefix(b".") for line in stuffed(data).splitlines(keepends=True)) == data


@given(tricky)
def test_no_line_is_a_lone_dot_however_a_server_counts_lines(data: bytes) -> None:
    for ends in (rb"\r\n", rb"\n", rb"\r", rb"\r\n|\r|\n"):
        assert b"." not in re.split(ends, stuffed(data))[:-1]


@pytest.mark.parametrize("data", [b"", b"halo\r\n", b"a.b\r\nc. d\r\n" * 1000])
def test_a_mail_that_needs_nothing_is_not_copied(data: bytes) -> None:
    assert stuffed(data) is data
