"""Text is measured wide rather than narrow, and wrapped so that no line leaves its box."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.draw.text import CHIP, ELLIPSIS, EYEBROW, HEADING, TITLE, Style, balanced, clean, measure, wrap

STYLES = st.sampled_from([CHIP, EYEBROW, TITLE, HEADING])


@given(text=st.text(max_size=200), style=STYLES, width=st.integers(280, 400), most=st.integers(1, 8))
def test_no_line_is_wider_than_its_room_and_there_are_never_more_than_asked(
    text: str, style: Style, width: int, most: int
) -> None:
    lines = wrap(text, style, width, most)
    assert 1 <= len(lines) <= most
    assert all(measure(line, style) <= width for line in lines)


@given(text=st.text(max_size=120), style=STYLES)
def test_wrapping_keeps_every_letter_when_there_is_room(text: str, style: Style) -> None:
    lines = wrap(text, style, 280, 1000)
    assert "".join("".join(lines).split()) == "".join(clean(text).split())


@given(text=st.text(max_size=200), style=STYLES, most=st.integers(1, 8))
def test_balanced_lines_are_as_many_and_no_wider(text: str, style: Style, most: int) -> None:
    lines = balanced(text, style, 300, most)
    assert len(lines) == len(wrap(text, style, 300, most))
    assert all(measure(line, style) <= 300 for line in lines)


def test_balanced_lines_leave_no_word_alone() -> None:
    assert wrap("group is one of champions, loyal", CHIP, 180, 5)[-1] == "loyal"
    assert balanced("group is one of champions, loyal", CHIP, 180, 5) == ("group is one of", "champions, loyal")


def test_long_names_break_behind_their_underscores() -> None:
    assert wrap("a_very_long_template_name_for_one_line", TITLE, 160, 9)[0].endswith("_")


def test_what_does_not_fit_ends_in_an_ellipsis() -> None:
    lines = wrap("word " * 100, CHIP, 100, 3)
    assert len(lines) == 3
    assert lines[-1].endswith(ELLIPSIS)


def test_bold_letters_are_wider_than_plain_ones_and_accents_cost_nothing() -> None:
    assert measure("order", TITLE) / TITLE.size > measure("order", CHIP) / CHIP.size
    assert measure("é", CHIP) == measure("e", CHIP)


def test_control_characters_and_marks_that_turn_the_writing_direction_are_left_out() -> None:
    assert clean("a\x00b\u202ec\ud800d\ne\tf\u00a0g") == "abcd e f g"
