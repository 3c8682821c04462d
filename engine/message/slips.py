"""What Jinja says of a slip in a template, and how we say it to somebody who writes messages."""

from __future__ import annotations

import re
from typing import Final

_END = r"end of (?:print statement|statement block)"

# First match wins.
_PLAIN_WORDS: Final = (
    (r"[Uu]nexpected end of template, expected 'end of print statement'\.", "'{{' is never closed by '}}'"),
    (r"[Uu]nexpected end of template, expected 'end of statement block'\.", "'{%' is never closed by '%}'"),
    (r"Missing end of comment tag", "'{#' is never closed by '#}'"),
    (
        r"Unexpected end of template\..* needs to be closed is '(\w+)'\.",
        r"'{% \1 .. %}' is never closed by '{% end\1 %}'",
    ),
    (
        r"Encountered unknown tag '(\w+)'\..* following tags: (.*)\. The innermost .*",
        r"'{% \1 %}' can't stand here (one of: \2)",
    ),
    (r"Encountered unknown tag 'end(\w+)'\.", r"'{% end\1 %}' has no '{% \1 .. %}' before it"),
    (r"Encountered unknown tag '(else|elif)'\.", r"'{% \1 %}' has no '{% if .. %}' before it"),
    (r"Encountered unknown tag '(\w+)'\.", r"unknown statement '{% \1 %}' (one of: if, for)"),
    (rf"Expected an expression, got '{_END}'", "a variable is missing, such as contact.first_name"),
    (rf"expected token '{_END}', got '='", "'=' can't stand here: '==' compares"),
    (rf"expected token '{_END}', got '(.*)'", r"'\1' can't stand here: a name is one word, such as contact.first_name"),
    (rf"expected token 'name', got '{_END}'", "a name is missing at the end"),
    (r"expected name or number", "a name is missing behind '.'"),
    (r"expected token 'in', got '.*'", "a loop is written '{% for item in event.items %}'"),
    (r"expected token ':', got '\}'", "a brace too many: a variable is written {{ contact.first_name }}"),
    (r"""unexpected char ['"]\\?(['"])['"] at \d+""", r"a quote (\1) is never closed"),
    (r"unexpected char '([“”„‘’«»])' at \d+", r"""'\1' is no quotation mark here: write ' or " """.rstrip()),
    (r"unexpected char '(.*)' at \d+", r"'\1' can't stand here"),
    (r"unexpected '(.)', expected '(.)'", r"'\2' is missing before '\1'"),
    (r"unexpected '(.)'", r"'\1' stands alone: a variable ends with '}}', a statement with '%}'"),
)


def in_plain_words(said: str) -> str:
    """The sentence of a Jinja syntax error, as `template syntax: ..`."""
    for pattern, ours in _PLAIN_WORDS:
        if re.fullmatch(pattern, said, re.DOTALL):
            return f"template syntax: {re.sub(pattern, ours, said, count=1, flags=re.DOTALL)}"
    return f"template syntax: {said}"
