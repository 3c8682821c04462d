"""The strict loader: what is read, what is refused, and where the finger points."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.document import (
    DEEPEST,
    LARGEST_FILE,
    MOST_NODES,
    Mapping,
    Scalar,
    Sequence,
    _quick_events,
    plain,
    read_document,
)


def problems(text: str | bytes) -> list[str]:
    data = text.encode() if isinstance(text, str) else text
    return [str(problem) for problem in read_document(data, "f.yaml")[1]]


def value(text: str) -> object:
    node, found = read_document(text.encode(), "f.yaml")
    assert node is not None
    assert found == []
    return plain(node)


@pytest.mark.parametrize(
    "word",
    [
        "on",
        "NO",
        "yes",
        "09:00",
        "10:00",
        "1.10",
        "0123",
        "+6281234567890",
        "1e3",
        "2026-03-01",
        "~",
        "True",
        "NULL",
        "0x1F",
        "1_000",
        ".5",
        "5.",
        ".inf",
        "0.0",
        "<<",
        "49.90",
        "1.",
        "--1",
        "12:30:45",
        "0o17",
    ],
)
def test_a_word_that_other_loaders_turn_into_something_else_stays_text(word: str) -> None:
    assert value(f"k: [{word}]") == {"k": [word]}


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("0", 0),
        ("-7", -7),
        ("42", 42),
        ("1.5", 1.5),
        ("-0.05", -0.05),
    ],
)
def test_true_false_null_and_plain_numbers_are_what_they_look_like(word: str, expected: object) -> None:
    read = value(f"k: {word}")
    assert read == {"k": expected}
    assert isinstance(read, dict)
    assert type(read["k"]) is type(expected)


@pytest.mark.parametrize("word", ["true", "null", "12", "1.5"])
def test_a_quoted_word_is_always_text(word: str) -> None:
    assert value(f"a: '{word}'\nb: \"{word}\"\nc: |-\n  {word}") == {"a": word, "b": word, "c": word}


def test_the_key_on_is_text_too() -> None:
    assert value("on: 1\n1: x\ntrue: y") == {"on": 1, "1": "x", "true": "y"}


def test_a_merge_key_is_a_plain_key() -> None:
    assert value("<<: x") == {"<<": "x"}


def test_nodes_know_their_line_and_column_from_one() -> None:
    node, _ = read_document(b"a: 1\nlist:\n  - x\n  - {k: 'v'}\n", "f.yaml")
    assert isinstance(node, Mapping)
    key, items = node.pairs[1]
    assert (key.line, key.column) == (2, 1)
    assert (items.line, items.column) == (3, 3)
    assert isinstance(items, Sequence)
    assert isinstance(items.items[1], Mapping)
    assert items.items[1].get("k") == Scalar("v", "v", True, 4, 9)


def test_an_empty_value_is_null_and_stands_at_its_key() -> None:
    node, found = read_document(b"a: 1\nb:\n\n\nc: 2", "f.yaml")
    assert found == []
    assert isinstance(node, Mapping)
    assert node.get("b") == Scalar(None, "", False, 2, 1)


def test_a_byte_order_mark_is_passed_over() -> None:
    assert value("\ufeffa: 1") == {"a": 1}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3", "f.yaml:3:1: key 'a' stands twice (first on line 1)"),
        ("{a: 1, 'a': 2}", "f.yaml:1:8: key 'a' stands twice (first on line 1)"),
        ("1: x\n'1': y", "f.yaml:2:1: key '1' stands twice (first on line 1)"),
        ("a: &x 1", "f.yaml:1:4: anchor '&x' is not allowed: remove it"),
        ("a: *x", "f.yaml:1:4: alias '*x' is not allowed: write the value out"),
        (
            "a: !!str 1",
            "f.yaml:1:4: tag '!!str' is not allowed: remove it, the type follows from the field",
        ),
        ("a: ! 1", "f.yaml:1:4: tag '!' is not allowed: remove it, the type follows from the field"),
        ("a: !<x:y> 1", "f.yaml:1:4: tag '!<x:y>' is not allowed: remove it, the type follows from the field"),
        (
            "a: {{ b }}",
            "f.yaml:1:5: a key must be a word, not a list or mapping; put a text that begins with '{{' in quotes",
        ),
        ("%YAML 1.2\n---\na: 1", "f.yaml:1:1: directive '%YAML' is not allowed: remove it"),
        ("%FOO\n---\na: 1", "f.yaml:1:1: directive '%FOO' is not allowed: remove it"),
        ("a: 1\n---\nb: 2", "f.yaml:2:1: a second document begins here: one file holds one"),
        ("a: 1\n...\nb: 2", "f.yaml:3:1: a second document begins here: one file holds one"),
        ("", "f.yaml:1:1: the file is empty"),
        ("\n\n# only a comment\n", "f.yaml:1:1: the file is empty"),
        ("---\n", "f.yaml:1:1: the file is empty"),
        ("a: 1\n? [x]\n: y", "f.yaml:2:3: a key must be a word, not a list or mapping"),
        ("a: 1\n: y", "f.yaml:2:1: a key is missing before ':'"),
        ("a: 1\nb: x\x00y", "f.yaml:2:5: control character U+0000 is not allowed: remove it"),
        ("a: x\x85y", "f.yaml:1:5: control character U+0085 is not allowed: remove it"),
        ('a: "x\\0y"', "f.yaml:1:4: control character U+0000 is not allowed: remove it"),
        ('a: "\\ud800"', "f.yaml:1:4: control character U+D800 is not allowed: remove it"),
        ('a: "\\U7FFFFFFF"', "f.yaml:1:5: '\\U7FFFFFFF' is not a character"),
        (b"a: 1\nb: \xff", "f.yaml:2:4: byte 0xff is not UTF-8: save the file as UTF-8"),
        (b"\xef\xbb\xbfa: \xff", "f.yaml:1:4: byte 0xff is not UTF-8: save the file as UTF-8"),
        ("a: 1".encode("utf-16"), "f.yaml:1:1: byte 0xff is not UTF-8: save the file as UTF-8"),
        ("a: " + "9" * 5000, f"f.yaml:1:4: the number '{'9' * 30}' is too large: if it is text, put it in quotes"),
        (f"a: {2**63}", f"f.yaml:1:4: the number '{2**63}' is too large: if it is text, put it in quotes"),
        ("a:\n\tb: 1", "f.yaml:2:1: a tab stands here: use spaces"),
        ("a: @b", "f.yaml:1:4: a value can't begin with '@': put it in quotes"),
        ("a: b: c", "f.yaml:1:5: a ':' is not allowed here: check the indentation, or put the text in quotes"),
        ("a:\n  b: 1\n c: 2", "f.yaml:3:2: the indentation does not fit the lines above"),
        ("a: 'x\nb: 1\n", "f.yaml:1:4: the quotes that begin here are never closed"),
        ("%YAML 1.21", "f.yaml:1:1: not valid YAML: version minor part can only be 2 or 1, got (1, 21)"),
    ],
)
def test_what_the_strict_loader_refuses_is_named_with_its_place(text: str | bytes, expected: str) -> None:
    assert problems(text) == [expected]


def test_all_forbidden_things_of_a_file_are_reported_at_once_in_file_order() -> None:
    assert [line.split(" ")[0] for line in problems("a: !t 1\nb: &x 2\na: 3\n")] == [
        "f.yaml:1:4:",
        "f.yaml:2:4:",
        "f.yaml:3:1:",
    ]


def test_a_syntax_error_is_its_files_only_problem() -> None:
    assert len(problems("a: !t 1\na: 2\nb: [")) == 1


def test_a_file_with_duplicate_keys_is_still_read_for_its_other_problems() -> None:
    node, found = read_document(b"a: 1\na: 2\nwiat: 3", "f.yaml")
    assert node is not None
    assert plain(node) == {"a": 1, "wiat": 3}
    assert len(found) == 1


def test_a_megabyte_passes_and_one_byte_more_is_refused_unread() -> None:
    text = b"a: '" + b"x" * (LARGEST_FILE - 5) + b"'"
    assert problems(text) == []
    assert problems(text + b"\n") == ["f.yaml:1:1: the file has 1,000,001 bytes; at most 1,000,000 are allowed"]


def test_sixty_four_levels_pass_and_sixty_five_are_refused() -> None:
    assert problems("[" * DEEPEST + "]" * DEEPEST) == []
    assert problems("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1)) == ["f.yaml:1:65: over 64 levels of lists and mappings"]


def test_too_many_values_are_refused_while_they_are_counted() -> None:
    assert problems("[" + "x," * (MOST_NODES + 10)) == ["f.yaml:1:200000: the file has over 100,000 values"]


def test_a_bomb_of_aliases_is_refused_without_being_unfolded() -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    found = problems(bomb)
    assert len(found) == 9 * 8 + 9
    assert read_document(bomb.encode(), "f.yaml")[0] is None


_PIECES = st.sampled_from(
    [
        *(
            "a",
            "b: ",
            "- ",
            "\n",
            "\n  ",
            "? ",
            ": ",
            "{",
            "}",
            "[",
            "]",
            ", ",
            "'",
            '"',
            "\\",
            "\\UFFFFFFFF",
            "|",
            ">",
        ),
        *(
            "&a ",
            "*a",
            "!",
            "!!str ",
            "!<",
            "%",
            "%YAML 1.2",
            "%TAG ! x",
            "---\n",
            "...\n",
            "# c",
            "\t",
            "\r",
            "\u2028",
        ),
        *("\ufeff", "1", "0.5", "null", "@", "`", "<<: ", "\x00", "\x85", "é", '"\\\n', "%YAML 1.3", "|2-"),
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=60), st.lists(_PIECES, max_size=25).map(lambda parts: "".join(parts).encode())))
def test_no_bytes_make_the_loader_fail_and_every_problem_lies_inside_the_file(data: bytes) -> None:
    node, found = read_document(data, "f.yaml")
    assert node is not None or found
    lines = data.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for problem in found:
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1


@settings(max_examples=300, deadline=None)
@given(st.lists(_PIECES, max_size=25).map("".join))
def test_the_quick_parser_reads_every_file_as_the_careful_one_does(text: str) -> None:
    quick = read_document(text.encode(), "f.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engine.document.CParser", None)
        assert read_document(text.encode(), "f.yaml") == quick


def test_an_ordinary_file_is_read_by_the_quick_parser() -> None:
    text = (Path(__file__).parents[2] / "journeys" / "cart_abandonment.yaml").read_text()
    assert len(list(_quick_events(text))) > 100
