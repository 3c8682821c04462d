"""What a template may say, what is refused and where, and what rendering does with people's data."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import RenderError, WorkspaceError
from engine.message.program import build
from engine.message.text_template import TextTemplate, compile_text


def _compiled(source: str, locale: str | None = "id") -> TextTemplate:
    return compile_text("promo", locale, source, "whatsapp")


def _render(source: str, values: dict[str, Any], locale: str = "id") -> str:
    return _compiled(source, locale).render(values, locale="id", timezone="Asia/Jakarta", currency="IDR")


def _problems(source: str) -> list[str]:
    with pytest.raises(WorkspaceError) as refused:
        _compiled(source)
    return [str(problem) for problem in refused.value.problems]


def _reason(source: str, values: dict[str, Any]) -> str:
    with pytest.raises(RenderError) as failed:
        _render(source, values)
    assert failed.value.template == "promo"
    return failed.value.reason


@pytest.mark.parametrize("expression", [
    "contact.__class__", "''.__class__", "contact['__class__']", "contact.tags.__init__.__globals__", "contact | attr('format')",
    "cycler.__init__", "contact._secret", "self.__init__", "contact.name.format(contact)", "joiner", "namespace()", "lipsum.__globals__",
    "contact | map(attribute='__class__')", "contact | xmlattr", "_run", "super()", "caller()",
])  # fmt: skip
def test_S10_ways_into_python_are_refused_when_the_template_is_compiled(expression: str) -> None:
    assert _problems(f"a {{{{ {expression} }}}}")


def test_S10_a_key_that_python_has_too_is_read_from_the_data_or_missing() -> None:
    assert _render("{{ event.items }}{{ event.keys }}", {"event": {"items": "two", "keys": "k"}}) == "twok"
    assert _reason("{{ contact.items }}", {"contact": {}}) == "'contact.items' is missing"
    assert _reason("{{ contact.name.upper }}", {"contact": {"name": "Ani"}}) == "'contact.name.upper' is missing"


@pytest.mark.parametrize("source", [
    "{{ 'a'*10**9 }}", "{{ 'a' * 1000000000 }}", "{{ 9**9**9 }}", "{{ lipsum(n=100000) }}", "{{ 'x'|center(500000000) }}",
    "{{ '%0200000000d'|format(1) }}", "{{ 'x' | indent(200000000) }}", "{{ '%0200000000d' % 1 }}", "{{ 'a' | truncate(500000000) }}",
    "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}", "{{ contact.name | replace('a', 'aaaaaaaa') }}",
    "{{ contact.tags | join(contact.name) }}", "{{ contact.score | round(1000000) }}", "{{ 1 | number(1000000) }}", "{{ 8 // 0 }}",
    "{% for a in contact.tags recursive %}{{ loop(a) }}{% endfor %}", "{{ contact.tags | batch(2) }}", "{{ contact.n[0:99] }}",
    "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "{{ " + "9" * 5000 + " }}", "{{ " + "not " * 500 + "contact.a }}",
    "{{ " + " and ".join(["contact.a"] * 500) + " }}", "{{ contact" + ".a" * 5000 + " }}", "{{ 'x'" + " | upper" * 500 + " }}",
    "{% if contact.a %}" * 30 + "x" + "{% endif %}" * 30, "{{ 1 }}" * 6000, "{{" * 100_000, "{% raw %}" + "{#" * 50_000,
])  # fmt: skip
def test_S11_what_could_grow_without_bound_is_refused_at_once(source: str) -> None:
    start = time.perf_counter()

    problems = _problems(source)

    assert problems
    assert all(len(problem) < 400 for problem in problems)
    assert time.perf_counter() - start < 2


def test_S11_loops_over_data_are_cut_off_in_time() -> None:
    names = ["x" * 30_000] * 10_000
    nested = "{% for a in event.items %}{% for b in event.items %}{{ a | upper | lower | title | truncate(1) }}{% endfor %}{% endfor %}"
    silent = "x{% for a in event.items %}{% for b in event.items %}{% if a == b and a < b %}y{% endif %}{% endfor %}{% endfor %}"
    start = time.perf_counter()

    for source in (nested, silent, "{% for a in event.items %}{{ a | upper | title | lower }}{% endfor %}"):
        assert "the loops of this template do too much" in _reason(source, {"event": {"items": names}})

    assert time.perf_counter() - start < 2


def test_S11_a_rendering_stops_at_a_million_characters() -> None:
    program = build("{% for a in event.items %}{{ a }}{% endfor %}", escape=False)
    template = TextTemplate("promo", None, "sms", "", frozenset(), program)
    start = time.perf_counter()

    with pytest.raises(RenderError, match="over 1,000,000 characters"):
        template.render({"event": {"items": ["x" * 100_000] * 100}}, locale="id", timezone="UTC")

    assert time.perf_counter() - start < 2


def test_a_loop_of_a_hundred_items_renders() -> None:
    items = [{"name": f"n{number}", "price": 1000} for number in range(100)]

    text = _render(
        "{% for item in event.items %}{{ loop.index }}. {{ item.name }}: {{ item.price | money }}\n{% endfor %}",
        {"event": {"items": items}},
    )

    assert text.splitlines()[99] == "100. n99: Rp1.000"


@pytest.mark.parametrize(("source", "values", "missing"), [
    ("{{ contact.first_name }}", {"contact": {}}, "contact.first_name"),
    ("{{ contact.first_name }}", {"contact": {"first_name": None}}, "contact.first_name"),
    ("{{ contact.address.city }}", {"contact": {}}, "contact.address.city"),
    ("{{ event.total | money }}", {"event": {}}, "event.total"),
    ("{{ event.total }}", {}, "event.total"),
    ("{% if contact.vip %}x{% endif %}", {"contact": {}}, "contact.vip"),
    ("{{ 'a' if contact.vip == 1 else 'b' }}", {"contact": {}}, "contact.vip"),
    ("{{ contact.name ~ '!' }}", {"contact": {}}, "contact.name"),
    ("{% for item in event.items %}{{ item.name }}{% endfor %}", {"event": {"items": [{}]}}, "event.items.*.name"),
    ("{% for item in event.items %}{{ item.name }}{% endfor %}", {"event": {}}, "event.items"),
    ("{{ contact.tags | first }}", {"contact": {"tags": []}}, "an item of the list"),
    ("{{ contact.tags.3 }}", {"contact": {"tags": ["a"]}}, "contact.tags.3"),
    ("{{ contact.nick | default(contact.first_name) }}", {"contact": {}}, "contact.first_name"),
])  # fmt: skip
def test_S13_a_missing_value_is_that_persons_error_and_named_never_a_blank(
    source: str, values: dict[str, Any], missing: str
) -> None:
    assert _reason(source, values) == f"'{missing}' is missing"


@pytest.mark.parametrize(("source", "values"), [
    ("{{ contact.tags }}", {"contact": {"tags": ["a"]}}),
    ("{{ contact.address }}", {"contact": {"address": {"city": "x"}}}),
    ("{{ contact.vip }}", {"contact": {"vip": True}}),
    ("{{ contact.name + 1 }}", {"contact": {"name": "a"}}),
    ("{% if contact.name > 3 %}x{% endif %}", {"contact": {"name": "a"}}),
    ("{% for item in contact.name %}x{% endfor %}", {"contact": {"name": "abc"}}),
    ("{{ contact.name | money }}", {"contact": {"name": "abc"}}),
    ("{{ contact.name | date }}", {"contact": {"name": "besok"}}),
    ("{{ contact.name | link }}", {"contact": {"name": "javascript:alert(1)"}}),
    ("{{ contact.name }}", {"contact": {"name": "   "}}),
    ("{{ contact.name }}", {"contact": {"name": "x" * 5000}}),
])  # fmt: skip
def test_a_value_that_does_not_fit_is_that_persons_error_and_is_not_quoted(source: str, values: dict[str, Any]) -> None:
    reason = _reason(source, values)

    assert reason
    assert "abc" not in reason
    assert "alert" not in reason


@pytest.mark.parametrize(
    "name",
    [
        "{{7*7}}",
        "{% raw %}",
        "{{ contact.secret }}",
        "{% include 'x' %}",
        "{# x #}",
        "{{ '{{' }}",
        "alurtoken0x",
        "\\1 \\g<0>",
    ],
)
def test_S16_what_looks_like_a_template_in_the_data_stays_as_it_is(name: str) -> None:
    assert (
        _render(
            "Halo {{ contact.name }}, {{ contact.name | upper | lower | default('x') }}", {"contact": {"name": name}}
        )
        == f"Halo {name}, {name.lower()}"
    )


@pytest.mark.parametrize(("source", "what"), [
    ("{{ config }}", "unknown variable 'config'"), ("{{ env.HOME }}", "unknown variable 'env'"), ("{{ os }}", "unknown variable 'os'"),
    ("{{ request.application }}", "unknown variable 'request'"), ("{{ settings.secret_keys }}", "unknown variable 'settings'"),
    ("{% include '/etc/passwd' %}", "'{% include %}' is refused"), ("{% import 'os' as os %}", "'{% import %}' is refused"),
    ("{% extends 'x' %}", "'{% extends %}' is refused"), ("{% from 'x' import y %}", "'{% from %}' is refused"),
    ("{{ open('/etc/passwd').read() }}", "calling something is refused"), ("{{ url_for.__globals__ }}", "names that begin with '_'"),
    ("{% macro a() %}{% endmacro %}", "'{% macro %}' is refused"), ("{% set a = contact %}", "'{% set %}' is refused"),
    ("{% raw %}{{ contact.a }}{% endraw %}", "'{% raw %}' is refused"), ("{% autoescape false %}x{% endautoescape %}", "'{% autoescape %}' is refused"),
    ("{{ contact.name | safe }}", "unknown filter 'safe'"), ("{{ contact | tojson }}", "unknown filter 'tojson'"), ("{% do 1 %}", "template syntax"),
])  # fmt: skip
def test_S17_a_template_that_reaches_for_anything_but_its_data_is_refused(source: str, what: str) -> None:
    assert what in _problems(source)[0]


@pytest.mark.parametrize(("source", "problem"), [
    ("\nHalo\n  {{ contct.name }}", "3:6: unknown variable 'contct' (did you mean 'contact'?)"),
    ("{{ contact.a }} {{ contact.b | upcase }}", "1:32: unknown filter 'upcase'"),
    ("{{ organisation.adress }}", "1:17: unknown variable 'organisation.adress'"),
    ("{{ contact.a is odd }}", "1:17: unknown test 'is odd'"),
    ("{{ preferences_url }}", "1:4: 'preferences_url' is not supported yet"),
    ("{{ view_url }}", "1:4: 'view_url' is not supported yet"),
    ("{{ contact }}", "1:4: 'contact' is not a text"),
    ("{{ contact.a if contact.b }}", "1:1: write the other case too"),
    ("{{ event.at | date('longish') }}", "1:15: 'date' takes one of full, long, medium, short"),
    ("{{ event.at | date(style='long') }}", "1:15: write the argument of 'date' without a name"),
    ("{{ contact.a", "1:1: template syntax: '{{' is never closed by '}}'"),
    ("a\n{% if contact.a %}b", "2:1: template syntax: '{% if .. %}' is never closed by '{% endif %}'"),
    ("{% if contact.a", "1:1: template syntax: '{%' is never closed by '%}'"),
    ("{# a", "1:1: template syntax: '{#' is never closed by '#}'"),
    ("{% if contact.a %}b{% endfi %}", "1:1: template syntax: '{% endfi %}' can't stand here (one of: 'elif' or 'else' or 'endif')"),
    ("{% endif %}", "1:1: template syntax: '{% endif %}' has no '{% if .. %}' before it"),
    ("{% do 1 %}", "1:1: template syntax: unknown statement '{% do %}' (one of: if, for)"),
    ("{{ }}", "1:1: template syntax: a variable is missing, such as contact.first_name"),
    ("{% if contact.a = 1 %}{% endif %}", "1:1: template syntax: '=' can't stand here: '==' compares"),
    ("{{ contact.first name }}", "1:1: template syntax: 'name' can't stand here: a name is one word"),
    ("{{ contact. }}", "1:1: template syntax: a name is missing behind '.'"),
    ("{{ contact.a | }}", "1:1: template syntax: a name is missing at the end"),
    ("{% for event.items %}{% endfor %}", "1:1: template syntax: a loop is written '{% for item in event.items %}'"),
    ("{{{ contact.a }}}", "1:1: template syntax: a brace too many"),
    ("{{ contact.a | default('x }}", "1:1: template syntax: a quote (') is never closed"),
    ("{{ contact.a | default(’x’) }}", "1:1: template syntax: '’' is no quotation mark here"),
    ("{{ contact.a! }}", "1:1: template syntax: '!' can't stand here"),
    ("{{ contact['a' }}", "1:1: template syntax: ']' is missing before '}'"),
    ("{{ contact.a }", "1:1: template syntax: '}' stands alone"),
    ("{{ contact[contact.a] }}", "1:1: a field is named by a word or a number"),
    ("{{ none }}", "1:1: 'none' is refused"),
    ("{% for a, b in event.items %}{% endfor %}", "1:1: a loop names one variable"),
    ("{% for contact in event.items %}{% endfor %}", "1:8: a loop's variable can't be called 'contact'"),
    ("{{ unsubscribe_url.host }}", "1:4: 'unsubscribe_url' has no fields"),
    ("   ", "1:1: the file is empty"),
])  # fmt: skip
def test_a_refusal_names_the_file_the_line_and_the_word(source: str, problem: str) -> None:
    assert _problems(source)[0].startswith(f"templates/whatsapp/promo.id.txt:{problem}")


def test_all_that_is_wrong_is_told_in_one_go() -> None:
    assert len(_problems("{{ a }}\n{{ contact.b | nope }}\n{% set c = 1 %}")) == 3


@pytest.mark.parametrize(("source", "variables"), [
    ("{{ contact.first_name }} {{ event.cart.total | money }}", {"contact.first_name", "event.cart.total"}),
    ("{{ contact.first_name | default('kawan') }}", set()),
    ("{{ contact.nick | default(contact.name) | default('x') }}", set()),
    ("{{ contact.nick | default(contact.name) }}", {"contact.name"}),
    ("{{ contact.first_name | upper | default('kawan') }}", {"contact.first_name"}),
    ("{% if contact.city is defined %}{{ contact.city }}{% else %}{{ contact.zip }}{% endif %}", {"contact.zip"}),
    ("{% if contact.city is not defined %}x{% else %}{{ contact.city.name }}{% endif %}", set()),
    ("{% if contact.a is defined and contact.a > 3 %}{{ contact.a }}{% endif %}", set()),
    ("{% if contact.a is undefined or contact.a > 3 %}x{% endif %}", set()),
    ("{{ contact.a if contact.a is defined else 'b' }}", set()),
    ("{% for item in event.items %}{{ item.name }}{{ item }}{% endfor %}", {"event.items", "event.items.*.name", "event.items.*"}),
    ("{{ event.items.0.sku }} {{ event['total'] }} {{ unsubscribe_url }}", {"event.items.0.sku", "event.total", "unsubscribe_url"}),
    ("{{ event.total | money(event.currency) }}", {"event.total", "event.currency"}),
])  # fmt: skip
def test_variables_are_those_that_must_be_in_the_data(source: str, variables: set[str]) -> None:
    assert _compiled(source).variables == variables


def test_uses_means_that_every_message_shows_it() -> None:
    always = _compiled("{{ unsubscribe_url }}")
    sometimes = _compiled("a{% if contact.a is defined %}{{ unsubscribe_url }}{% endif %}")

    assert always.uses("unsubscribe_url")
    assert not sometimes.uses("unsubscribe_url")
    assert not always.uses("organisation.postal_address")


@pytest.mark.parametrize(("source", "values", "text"), [
    ("{{ contact.name | default('kawan') }}", {"contact": {}}, "kawan"),
    ("{{ contact.name | default('kawan') }}", {"contact": {"name": None}}, "kawan"),
    ("{{ contact.name | default('kawan') }}", {"contact": {"name": "  "}}, "kawan"),
    ("{{ contact.address.city | default('kotamu') }}", {"contact": {}}, "kotamu"),
    ("{{ contact.name | title }}", {"contact": {"name": "siti nur-aini o'brien"}}, "Siti Nur-Aini O'Brien"),
    ("{{ contact.name | title }}", {"contact": {"name": "SITI"}}, "Siti"),
    ("{{ contact.name | title }}", {"contact": {"name": "Ronald McDonald"}}, "Ronald McDonald"),
    ("{{ contact.name | capitalize }}", {"contact": {"name": "halo Ani"}}, "Halo Ani"),
    ("{{ contact.name | trim | upper }}", {"contact": {"name": " ani "}}, "ANI"),
    ("{{ contact.name | truncate(12) }}", {"contact": {"name": "Kind of Blue, remastered"}}, "Kind of…"),
    ("{{ contact.name | truncate(5) }}", {"contact": {"name": "Blues"}}, "Blues"),
    ("{{ contact.tags | join(', ') }} {{ contact.tags | length }} {{ contact.tags | last }}", {"contact": {"tags": ["a", "b"]}}, "a, b 2 b"),
    ("{{ contact.score | round(1) }} {{ contact.score | round }}", {"contact": {"score": 4.26}}, "4.3 4"),
    ("{{ contact.city | urlencode }}", {"contact": {"city": "a b&c/d"}}, "a%20b%26c%2Fd"),
    ("{{ event.a + event.b - 1 }}", {"event": {"a": 1, "b": 2}}, "2"),
    ("{% if contact.city in ['Jakarta', 'Bogor'] %}J{% elif contact.city == 'x' %}X{% else %}L{% endif %}", {"contact": {"city": "Bogor"}}, "J"),
    ("a\n{% if contact.b %}\nb\n{% endif %}\nc", {"contact": {"b": True}}, "a\nb\nc"),
    ("{{ contact.name }}", {"contact": {"name": "a\r\nb\x00\x07c"}}, "a\nbc"),
    ("{{ vars.n }} {{ matched.n }}", {"vars": {"n": 49.9}, "matched": {"n": 2}}, "49.9 2"),
])  # fmt: skip
def test_filters_and_statements_do_what_a_marketer_expects(source: str, values: dict[str, Any], text: str) -> None:
    assert _render(source, values) == text


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200))
def test_no_template_text_makes_the_compiler_fail_in_another_way_than_by_problems(source: str) -> None:
    with suppress(WorkspaceError):
        _compiled(source)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "{{",
                "}}",
                "{%",
                "%}",
                "{#",
                "#}",
                "contact",
                ".",
                "a",
                "|",
                "upper",
                "if",
                "for",
                "in",
                "'",
                '"',
                "(",
                ")",
                " ",
                "\n",
                "x",
                "endif",
            ]
        ),
        max_size=25,
    )
)
def test_no_mixture_of_jinja_makes_the_compiler_fail_in_another_way_than_by_problems(words: list[str]) -> None:
    with suppress(WorkspaceError):
        _compiled("".join(words))


def test_the_hash_is_that_of_the_text() -> None:
    assert _compiled("Halo").hash == _compiled("Halo\n").hash
    assert _compiled("Halo").hash != _compiled("Hai").hash
