"""A mail template from MJML to the mail of one person: what survives, what is refused, and where the problem is told."""

from __future__ import annotations

import re
import socket
import time
from contextlib import suppress
from typing import Any, NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from engine.errors import RenderError, WorkspaceError
from engine.message.mail_compile import compile_email
from tests.unit.message.mails import (
    UNSUBSCRIBE,
    all_defects,
    assembled,
    compiled,
    contents,
    page,
    parsed,
    problems,
    rendered,
)

DARK = "@media (prefers-color-scheme: dark) { .ink > div { color: #F5EDE0 !important; } }"
PHONE = "@media (max-width: 480px) { .cta a { display: block !important; } }"


def _style(css: str) -> str:
    return f"<mj-head><mj-style>{css}</mj-style></mj-head>"


def _html(mjml: str, front: str = "subject: Halo", values: dict[str, Any] | None = None, **more: Any) -> str:
    return rendered(compiled(mjml, front, **more), values).html


def _tree(html: str) -> etree._Element:
    return etree.fromstring(html, etree.HTMLParser())


# --- the whole way ----------------------------------------------------------------------------------------------------


def test_a_mail_goes_from_mjml_to_bytes_and_reads_back_with_both_parts() -> None:
    template = compiled(
        page('Halo {{ contact.first_name }}, <a href="{{ unsubscribe_url }}">berhenti</a>'),
        "subject: Hai {{ contact.first_name }}",
    )
    mail = rendered(template, {"contact": {"first_name": "Änne"}})

    message = parsed(assembled(template.skeleton, mail))

    assert message["Subject"] == "Hai Änne"
    assert all_defects(message) == []
    text, html = contents(message)
    assert text == mail.text == f"Halo Änne, berhenti <{UNSUBSCRIBE}>\n"
    assert html == mail.html
    assert "{{" not in html
    assert f'<a href="{UNSUBSCRIBE}"' in html


def test_the_doctype_and_the_language_are_there() -> None:
    html = _html(page("Halo"))

    assert html.startswith('<!doctype html>\n<html lang="id"')
    assert 'lang="und"' not in html


def test_the_preheader_is_the_first_text_of_the_page_hidden_and_escaped() -> None:
    html = _html(
        page("Halo"),
        "subject: Hai\npreheader: Untuk {{ contact.first_name }} <3",
        {"contact": {"first_name": "O'Brien"}},
    )
    first = _tree(html).find("body")[0]

    assert "display:none" in first.attrib["style"]
    assert first.text.startswith("Untuk O'Brien <3")


def test_a_page_without_a_title_gets_the_subject_as_one() -> None:
    assert "<title>Hai Ani &amp; &lt;co&gt;</title>" in _html(page("x"), "subject: Hai {{ contact.first_name }} & <co>")
    assert "<title>\nToko\n</title>" in _html(page("x", "<mj-head><mj-title>Toko</mj-title></mj-head>"))


def test_sender_and_reply_to_come_from_the_front_matter() -> None:
    template = compiled(page("x"), "subject: Hai\nfrom: Toko Nada <halo@toko.example>\nreply_to: cs@toko.example")

    assert template.sender is not None
    assert (template.sender.name, template.sender.address) == ("Toko Nada", "halo@toko.example")
    assert template.reply_to is not None
    assert template.reply_to.address == "cs@toko.example"


# --- styles -----------------------------------------------------------------------------------------------------------


def test_styles_are_inlined_and_the_sheets_stay_for_phones_and_dark_mode() -> None:
    html = _html(page('<p class="note">Halo</p>', _style(f".note {{ letter-spacing: 3px }} {DARK} {PHONE}")))

    assert re.search(r'<p class="note" style="[^"]*letter-spacing:3px', html)
    assert DARK in html
    assert PHONE in html
    assert ".mj-column-per-100 { width:100% !important;" in html


def test_an_important_of_the_sheet_is_not_inlined_where_it_would_beat_dark_mode() -> None:
    css = ".note { color: #111111 !important } @media (prefers-color-scheme: dark) { .note { color: #eeeeee !important } }"
    html = _html(page('<p class="note">Halo</p>', _style(css)))

    assert css in html
    assert re.search(r'class="note" style="[^"]*color:#111(?! !)', html)
    assert "important" not in " ".join(re.findall(r'style="([^"]*)"', html))


def test_a_style_sheet_reaches_the_mail_as_it_was_written() -> None:
    css = "a>b{color:red}a[href*=\"x&y\"]{top:0}u + .body .x{left:0}@media print{#id{color:red}}@font-face{font-family:'X'}.q::after{content:'<'}"
    html = _html(page("Halo", _style(css)))

    assert css.replace("{#", "{ #") in html


def test_no_google_font_is_linked_and_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def refuse(*arguments: object, **_: object) -> NoReturn:
        asked.append(arguments)
        raise OSError("no network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)

    plain = _html(page("Halo"))
    named = _html(
        page(
            '<span style="font-family:Roboto">Halo</span>',
            '<mj-head><mj-attributes><mj-all font-family="Lato, Arial" /></mj-attributes></mj-head>',
        )
    )
    linked = _html(
        page("Halo", '<mj-head><mj-raw><link rel="stylesheet" href="https://cdn.example/x.css"></mj-raw></mj-head>')
    )

    assert asked == []
    assert "fonts.g" not in plain + named
    assert "Lato, Arial" in named
    assert linked


@pytest.mark.parametrize(("head", "what"), [
    (_style("@import url('file:///etc/passwd');"), "'@import' is refused"),
    (_style(".a { color: {{ vars.colour }} }"), "a variable can't stand in a style sheet"),
    ('<mj-head><mj-font name="X" href="https://fonts.example/x" /></mj-head>', "<mj-font> is not supported yet"),
])  # fmt: skip
def test_a_style_sheet_that_loads_or_varies_is_refused(head: str, what: str) -> None:
    assert what in problems(page("Halo", head))[0]


def test_an_image_keeps_the_width_that_outlook_reads() -> None:
    mjml = page("x").replace(
        "<mj-text>x</mj-text>", '<mj-image src="https://x.example/a.png" alt="Album" width="300px" />'
    )

    assert _tree(_html(mjml)).find(".//img").attrib["width"] == "300"


# --- Jinja through MJML -----------------------------------------------------------------------------------------------


def test_expressions_pass_through_mjml_and_premailer_unharmed() -> None:
    html = _html(
        page(
            "{% if event.total > 1000 and 'a' < 'b' %}besar{% endif %} {{ \"<b>\" }} {{ contact.first_name | default(\"}}\") }}"
            '<a href="https://toko.example/?n={{ contact.first_name | urlencode }}&amp;t={{ event.total }}">x</a>'
        ),
        values={"contact": {"first_name": "A&B"}},
    )

    assert "besar &lt;b&gt; A&amp;B" in html
    assert 'href="https://toko.example/?n=A%26B&amp;t=1500000"' in html


def test_a_condition_between_sections_works_in_mj_raw() -> None:
    section = "<mj-section><mj-column><mj-text>{text}</mj-text></mj-column></mj-section>"
    mjml = (
        "<mjml><mj-body>" + section.format(text="selalu") + "<mj-raw>{% if contact.vip %}</mj-raw>" + section.format(text="hanya VIP")
        + "<mj-raw>{% else %}</mj-raw>" + section.format(text="biasa") + "<mj-raw>{% endif %}</mj-raw></mj-body></mjml>"
    )  # fmt: skip
    template = compiled(mjml)

    vip = rendered(template, {"contact": {"vip": True}})
    other = rendered(template, {"contact": {"vip": False}})

    assert ("hanya VIP" in vip.html, "biasa" in vip.html) == (True, False)
    assert ("hanya VIP" in other.html, "biasa" in other.html) == (False, True)
    assert ("hanya VIP" in vip.text, "biasa" in vip.text) == (True, False)
    assert vip.text == "selalu\n\nhanya VIP\n\n"


def test_a_loop_over_table_rows_works_in_both_parts() -> None:
    mjml = page("x").replace(
        "<mj-text>x</mj-text>",
        "<mj-table>{% for item in event.items %}<tr><td>{{ item.name }}</td><td>{{ item.price | money }}</td></tr>{% endfor %}</mj-table>",
    )
    mail = rendered(compiled(mjml), {"event": {"items": [{"name": "A", "price": 1}, {"name": "B", "price": 2}]}})

    assert [row.xpath("string()") for row in _tree(mail.html).xpath("//tr[td[. = 'A' or . = 'B']]")] == ["ARp1", "BRp2"]
    assert "A Rp1" in mail.text
    assert "B Rp2" in mail.text


@pytest.mark.parametrize("parent", ["mj-body", "mj-section", "mj-column", "mj-wrapper", "mjml", "mj-head"])
def test_jinja_between_components_is_refused_where_it_stands(parent: str) -> None:
    inner = {
        "mj-body": "",
        "mj-section": "<mj-section>",
        "mj-column": "<mj-section><mj-column>",
        "mj-wrapper": "<mj-wrapper>",
    }.get(parent, "")
    closing = "".join(f"</{tag}>" for tag in reversed(re.findall(r"[a-z-]+", inner)))
    mjml = f"<mjml>\n<mj-body>{inner}\n  {{% if contact.vip %}}x{{% endif %}}{closing}</mj-body></mjml>"
    if parent in ("mjml", "mj-head"):
        mjml = (
            "<mjml>\n"
            + ("<mj-head>" if parent == "mj-head" else "")
            + "\n  {% if contact.vip %}x{% endif %}"
            + ("</mj-head>" if parent == "mj-head" else "")
            + "<mj-body></mj-body></mjml>"
        )

    (first, *_) = problems(mjml)

    assert first.startswith("templates/email/promo.id.mjml:6:3: '{% if contact.vip %}' would be lost")
    assert "mj-raw" in first


@pytest.mark.parametrize(("content", "what"), [
    ('<a {% if contact.vip %}class="x"{% endif %} href="https://x.example">x</a>', "Jinja can't stand between the attributes of <a>"),
    ("<{{ vars.tag }}>x</{{ vars.tag }}>", "can't"),
    ('<p style="color:{{ vars.colour }}">x</p>', "a value can't stand in the style of <p>"),
    ('<p onclick="x()">x</p>', "'onclick' of <p> is refused"),
    ("<script>x</script>", "<script> is refused"),
    ('<a href="javascript:alert(1)">x</a>', "a link to 'javascript:alert(1)' is refused"),
    ('<a href="java{{ vars.x }}">x</a>', "must begin with https://"),
    ('<a href="/shop/{{ vars.x }}">x</a>', "must begin with https://"),
    ("&#123;&#123; contact.secret }}", "braces written as entities"),
    ("a\x07b", "control character U+0007"),
    ("alurtoken0x", "a word that the compiler uses itself"),
    ("{{ contact.first_name }", "is never closed"),
    ("<!-- a comment that never ends", "'<!--' is never closed"),
])  # fmt: skip
def test_values_stand_only_where_they_are_text_or_a_checked_link(content: str, what: str) -> None:
    first = problems(page(content))[0]

    assert what in first
    assert first.startswith("templates/email/promo.id.mjml:")


def test_a_choice_between_written_out_colours_may_stand_in_a_style() -> None:
    html = _html(
        page('<p style="color:{% if contact.vip %}red{% else %}blue{% endif %}">x</p>'),
        values={"contact": {"vip": True}},
    )

    assert re.search(r'<p style="[^"]*color:red"', html)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        " JavaScript:alert(1)",
        "data:text/html,x",
        "//evil.example",
        "x",
        "java\nscript:alert(1)",
        "vbscript:x",
    ],
)
def test_a_link_from_the_data_is_checked_for_each_person(url: str) -> None:
    template = compiled(page('<a href="{{ event.url }}">x</a>'))
    mjml_button = compiled(
        page("x").replace(
            "<mj-text>x</mj-text>",
            '<mj-button href="{% if event.url is defined %}{{ event.url }}{% else %}https://x.example/{% endif %}">x</mj-button>',
        )
    )

    for either in (template, mjml_button):
        with pytest.raises(RenderError, match="is not a link"):
            rendered(either, {"event": {"url": url}})


def test_a_good_link_from_the_data_arrives_whole_in_both_parts() -> None:
    mail = rendered(
        compiled(page('<a href="{{ event.url }}">lihat</a> <a href="https://x.example/{{ event.path }}?a=1">y</a>')),
        {"event": {"url": "https://x.example/a b?q=1&r=é#z", "path": 'p/q r"'}},
    )

    assert 'href="https://x.example/a%20b?q=1&amp;r=%C3%A9#z"' in mail.html
    assert "lihat <https://x.example/a%20b?q=1&r=%C3%A9#z>" in mail.text
    assert 'href="https://x.example/p/q%20r%22?a=1"' in mail.html


# --- names and what they do not do ------------------------------------------------------------------------------------


def test_S14_names_are_escaped_in_html_and_only_there() -> None:
    template = compiled(
        page("Halo {{ contact.first_name }}"), "subject: Hai {{ contact.first_name }}", "Halo {{ contact.first_name }}"
    )
    mail = rendered(template, {"contact": {"first_name": "O'Brien & Co"}})

    assert mail.subject == "Hai O'Brien & Co"
    assert mail.text == "Halo O'Brien & Co\n"
    assert "Halo O&#39;Brien &amp; Co" in mail.html


def test_S16_a_name_that_looks_like_a_template_is_shown_as_it_is() -> None:
    template = compiled(page("Halo {{ contact.first_name }}"), "subject: Hai {{ contact.first_name }}")
    mail = rendered(template, {"contact": {"first_name": "{{7*7}}{% raw %}"}})

    assert mail.subject == "Hai {{7*7}}{% raw %}"
    assert "{{7*7}}{% raw %}" in mail.html
    assert "{{7*7}}{% raw %}" in mail.text


def test_S24_a_script_in_a_name_is_text() -> None:
    mjml = page(
        'Halo {{ contact.first_name }} <a href="https://x.example/{{ contact.first_name }}" title="{{ contact.first_name }}">x</a>'
    )
    html = _html(
        mjml,
        "subject: x\npreheader: '{{ contact.first_name }}'",
        {"contact": {"first_name": '"><script>alert(1)</script>'}},
    )

    assert "<script" not in html
    assert _tree(html).xpath("//script | //@onclick") == []


@pytest.mark.parametrize("name", ["Ani\nBcc: evil@x.com", "Ani\u2028x"])
def test_a_line_break_in_the_subject_is_that_persons_error(name: str) -> None:
    template = compiled(page("x"), "subject: Hai {{ contact.first_name }}")

    with pytest.raises(RenderError, match="the subject has a line break"):
        rendered(template, {"contact": {"first_name": name}})


@pytest.mark.parametrize("name", ["", "   ", "x" * 300])
def test_a_subject_that_is_blank_or_endless_is_that_persons_error(name: str) -> None:
    with pytest.raises(RenderError, match="the subject is"):
        rendered(compiled(page("x"), "subject: '{{ contact.first_name }}'"), {"contact": {"first_name": name}})


def test_S13_a_missing_value_fails_the_whole_mail_wherever_it_stands() -> None:
    for front, content, text in (
        ("subject: '{{ vars.a }}'", "x", None), ("subject: x\npreheader: '{{ vars.a }}'", "x", None),
        ("subject: x", "{{ vars.a }}", None), ("subject: x", "x", "{{ vars.a }}"),
    ):  # fmt: skip
        template = compiled(page(content), front, text)
        assert template.variables == {"vars.a"}
        with pytest.raises(RenderError, match="'vars.a' is missing"):
            rendered(template)


# --- front matter -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("front", "problem"), [
    ("preheader: x", ":2:1: the front matter lacks 'subject'"),
    ("subject: x\nsubjet: y", ":3:1: unknown key 'subjet' in the front matter (did you mean 'subject'?)"),
    ("subject: x\nfrom: Toko", ":3:7: expected an address such as"),
    ("subject: x\nfrom: '{{ contact.email }}'", ":3:7: expected an address such as"),
    ("subject: x\nreply_to: 'a@b.com, c@d.com'", ":3:11: expected an address such as"),
    ("subject: ''", ":2:10: expected one line of text"),
    ('subject: "a\\nb"', ":2:10: expected one line of text"),
    ("subject: {{ contact.first_name }}", ":2:10: "),
    ("subject: '{{ contct.a }}'", ":2:10: unknown variable 'contct'"),
    ("subject: x\npreheader: '{% set a = 1 %}'", ":3:12: '{% set %}' is refused"),
    ("subject: x\nheaders: {List-Unsubscribe: <https://x>}", ":3:10: this key is refused: Alur writes the unsubscribe headers itself"),
    ("subject: x\nlist_unsubscribe: none", ":3:19: this key is refused: Alur writes the unsubscribe headers itself"),
    ("subject: x\nList-Unsubscribe: none", ":3:19: this key is refused: Alur writes the unsubscribe headers itself"),
    ("- subject", ":2:1: expected a mapping"),
    ("subject: a\nsubject: b", ":3:1: key 'subject' stands twice"),
])  # fmt: skip
def test_E12_front_matter_says_what_is_wrong_at_the_word_that_is(front: str, problem: str) -> None:
    assert any(problem in found for found in problems(page("x"), front))


def test_a_template_without_front_matter_is_refused() -> None:
    with pytest.raises(WorkspaceError, match="promo.mjml:1:1: front matter is missing"):
        compile_email("promo", None, page("x"), None, str)


# --- includes ---------------------------------------------------------------------------------------------------------


def test_includes_are_text_so_that_a_head_can_be_shared() -> None:
    files = {
        "parts/head.mjml": '<!-- the house style -->\n<mj-head><mj-attributes><mj-all font-family="Verdana" /></mj-attributes></mj-head>',
        "parts/foot.mjml": '<mj-section><mj-column><mj-text>{{ organisation.name }}</mj-text><mj-include path="./parts/deep.mjml"/></mj-column></mj-section>',
        "parts/deep.mjml": "<mj-text>dalam</mj-text>",
    }
    mjml = '<mjml><mj-include path="parts/head.mjml" /><mj-body><mj-include path="parts/foot.mjml"></mj-include></mj-body></mjml>'

    html = _html(mjml, files=files)

    assert "font-family:Verdana" in html
    assert "Toko Nada" in html
    assert "dalam" in html
    assert "house style" not in html


@pytest.mark.parametrize("path", [
    "../../../etc/passwd", "/etc/passwd", "parts/../../x", "..", "parts//x", "C:\\x", "file:///etc/passwd", "https://evil.example/x",
    "{{ vars.path }}", "", ".", "parts/\\..\\x",
])  # fmt: skip
def test_S30_an_include_outside_the_template_folder_is_refused_unread(path: str) -> None:
    asked: list[str] = []

    def include(wanted: str) -> str:
        asked.append(wanted)
        return "<mj-text>x</mj-text>"

    with pytest.raises(WorkspaceError) as refused:
        compile_email(
            "promo",
            None,
            f'---\nsubject: x\n---\n<mjml><mj-body>\n<mj-include path="{path}" /></mj-body></mjml>',
            None,
            include,
        )

    assert str(refused.value.problems[0]).startswith("templates/email/promo.mjml:5:1: can't include")
    assert asked == []


@pytest.mark.parametrize(("files", "problem"), [
    ({}, ":4:16: there is no file 'a.mjml' in templates/email to include"),
    ({"a.mjml": '<mj-include path="a.mjml" />'}, "templates/email/a.mjml:1:1: 'a.mjml' includes itself: a.mjml > a.mjml"),
    ({"a.mjml": "<mjml><mj-body></mj-body></mjml>"}, ":4:16: 'a.mjml' is a whole template"),
    ({"a.mjml": "\n<mj-section>\n  {{ contact.x | nope }}\n</mj-section>"}, "templates/email/a.mjml:3:18: unknown filter 'nope'"),
    ({"a.mjml": "\n<mj-section>\n  {{ contact.x }}\n</mj-section>"}, "templates/email/a.mjml:3:3: '{{ contact.x }}' would be lost"),
    ({"a.mjml": "<mj-section>\n<mj-colum></mj-colum></mj-section>"}, "templates/email/a.mjml:2:1: unknown component <mj-colum> (did you mean 'mj-column'?)"),
    ({"a.mjml": '<mj-include path="b.mjml" type="css" />'}, 'a.mjml:1:1: write <mj-include path="parts/footer.mjml" />'),
    ({"a.mjml": "".join(f'<mj-include path="b{n}.mjml" />' for n in range(200)), **{f"b{n}.mjml": "" for n in range(200)}}, "over 100 includes"),
    ({"a.mjml": "<mj-raw>" + "x" * 600_000 + "</mj-raw>" + '<mj-include path="b.mjml" />', "b.mjml": ""}, "is over 500,000 characters"),
])  # fmt: skip
def test_a_fault_of_an_include_is_told_in_the_file_it_is_in(files: dict[str, str], problem: str) -> None:
    assert any(
        problem in found
        for found in problems(
            '<mjml><mj-body>\n<mj-include path="a.mjml" /></mj-body></mjml>'.replace("\n", ""), files=files
        )
    )


def test_variables_inside_comments_are_not_read() -> None:
    template = compiled(page("a<!-- {{ vars.a }} {% if %} --> {# {{ vars.b }} #} b"))

    assert template.variables == frozenset()
    assert "vars" not in rendered(template).html


def test_outlooks_conditional_comments_stay_and_their_values_are_escaped() -> None:
    mjml = page('<!--[if mso]><a href="{{ event.url }}">{{ contact.first_name }}</a><![endif]-->x')
    template = compiled(mjml)

    html = rendered(template, {"event": {"url": "https://x.example/a&b"}, "contact": {"first_name": "-->O'B"}}).html

    assert '<!--[if mso]><a href="https://x.example/a&amp;b">--&gt;O&#39;B</a><![endif]-->' in html
    with pytest.raises(RenderError, match="is not a link"):
        rendered(template, {"event": {"url": "javascript:x"}})


# --- structure --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mjml", "problem"), [
    ("", ":4:1: expected <mjml> with an <mj-body>"),
    ("<html></html>", ":4:1: expected <mjml> with an <mj-body>"),
    ("<mjml></mjml>", ":4:1: <mjml> lacks an <mj-body>"),
    ("<mjml><mj-body></mj-body></mjml>\nlalala", ":5:1: 'lalala' would be lost"),
    ("<mjml><mj-body>\n<mj-sektion></mj-sektion></mj-body></mjml>", ":5:1: unknown component <mj-sektion> (did you mean 'mj-section'?)"),
    ("<mjml><mj-body>\n<mj-column></mj-column></mj-body></mjml>", ":5:1: <mj-column> can't stand inside <mj-body>"),
    ("<mjml><mj-body>\n<mj-section><p>x</p></mj-section></mj-body></mjml>", ":5:13: <p> can't stand directly inside <mj-section>"),
    ("<mjml><mj-body><mj-section>\nHalo dunia</mj-section></mj-body></mjml>", ":5:1: 'Halo dunia' would be lost"),
    (page('<mj-image src="https://x.example/a.png" />'), ":5:10: <mj-image> can't stand inside <mj-text>: is </mj-text> missing before it?"),
    (page("x").replace("<mj-text>", '<mj-image src="https://x.example/a.png"><mj-text>'), "can't stand inside <mj-image>: end that with '/>'"),
    (page("x").replace("<mj-text>", '<mj-text colour="red">'), ":5:1: unknown attribute 'colour' of <mj-text> (did you mean 'color'?)"),
    (page("x").replace("<mj-text>", "<mj-text {{ vars.a }}>"), ":5:1: Jinja can't stand between the attributes of <mj-text>"),
    (page("x").replace("<mj-text>", '<mj-text font-size="{{ vars.size }}">'), "a value can't stand in the style of"),
    (page("x").replace("<mj-text>x</mj-text>", '<mj-image src="https://x.example/a" width="{{ vars.w }}" />'), ":5:44: '{{ vars.w }}' would be lost"),
    ("<mjml><mj-body><mj-hero><mj-text>x</mj-text></mj-hero></mj-body></mjml>", ":4:1: MJML can't read this: TypeError"),
])  # fmt: skip
def test_what_mjml_would_drop_or_garble_is_refused_where_it_stands(mjml: str, problem: str) -> None:
    assert any(problem in found for found in problems(mjml))


WORDS = [
    "<mjml>", "</mjml>", "<mj-body>", "</mj-body>", "<mj-section>", "</mj-section>", "<mj-column>", "</mj-column>", "<mj-text>", "</mj-text>",
    "<mj-raw>", "</mj-raw>", "<mj-style>", "</mj-style>", "<!--", "-->", "<!--[if mso]>", "<![endif]-->", "{{ contact.a }}", "{% if contact.a %}",
    "{% endif %}", "{{", "}}", '<a href="', '">', "</a>", "javascript:", "https://x.example/", "<td>", "</tr>", "x", "é", "&amp;", "&#123;", "<", ">", '"',
    "\n", "<style>", "a{b:c}", "<mj-image", 'src="', "/>", "<mj-include path=", "'", "\x00", "<?x?>", "<![CDATA[", "]]>",
]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=30), st.booleans())
def test_no_mixture_of_markup_makes_the_compiler_fail_in_another_way_than_by_problems(
    words: list[str], framed: bool
) -> None:
    with suppress(WorkspaceError):
        compiled(page("".join(words)) if framed else "".join(words))


def test_every_component_of_mjml_may_be_used() -> None:
    mjml = """<mjml><mj-head><mj-title>T</mj-title><mj-breakpoint width="320px" /><mj-attributes><mj-all font-family="Arial" />
    <mj-class name="big" font-size="20px" /><mj-text padding="0" /></mj-attributes><mj-raw><meta name="color-scheme" content="light dark"></mj-raw></mj-head>
    <mj-body width="600px"><mj-wrapper background-color="#eeeeee"><mj-section><mj-group><mj-column width="50%"><mj-text mj-class="big">a</mj-text></mj-column></mj-group>
    <mj-column><mj-divider border-width="1px" /><mj-spacer height="20px" /><mj-image src="https://x.example/a.png" alt="a" />
    <mj-social mode="horizontal"><mj-social-element name="facebook" href="https://x.example/">F</mj-social-element></mj-social>
    <mj-navbar><mj-navbar-link href="https://x.example/a">A</mj-navbar-link></mj-navbar>
    <mj-accordion><mj-accordion-element><mj-accordion-title>Q</mj-accordion-title><mj-accordion-text>A</mj-accordion-text></mj-accordion-element></mj-accordion>
    <mj-table><tr><td>c</td></tr></mj-table><mj-button href="https://x.example/" inner-padding="10px">B</mj-button></mj-column></mj-section></mj-wrapper>
    <mj-hero mode="fluid-height" background-url="https://x.example/h.png" background-width="600px" background-height="300px" background-color="#2a3448"><mj-text>h</mj-text></mj-hero></mj-body></mjml>"""

    mail = rendered(compiled(mjml))

    assert "<mj-" not in mail.html
    assert "B <https://x.example/>" in mail.text


# --- text part --------------------------------------------------------------------------------------------------------


def test_a_derived_text_has_no_page_furniture_and_keeps_links_once() -> None:
    content = (
        '<p>Halo&nbsp;dunia</p><p>Dua  kata</p><a href="https://x.example/a">https://x.example/a</a> <a href="mailto:cs@x.example">cs@x.example</a> '
        '<a href="https://x.example/b"><b>Belanja</b> sekarang</a><span aria-hidden="true">hiasan</span>!<!--[if mso]>outlook<![endif]--><br>Akhir'
    )

    text = rendered(compiled(page(content))).text

    assert (
        text
        == "Halo dunia\n\nDua kata\n\nhttps://x.example/a cs@x.example Belanja sekarang <https://x.example/b>!\nAkhir\n"
    )


def test_a_text_of_its_own_is_used_as_it_is_and_checked_in_its_file() -> None:
    template = compiled(
        page("Halo"), text="Halo,\n{% if contact.vip is defined %}\nVIP\n{% endif %}\n{{ unsubscribe_url }}\n\n"
    )

    assert rendered(template).text == f"Halo,\n{UNSUBSCRIBE}\n"
    assert problems(page("Halo"), text="a\n{{ b }}")[0].startswith(
        "templates/email/promo.id.txt:2:4: unknown variable 'b'"
    )


# --- versions, locale, speed ------------------------------------------------------------------------------------------


def test_the_hash_changes_with_every_source_and_only_then() -> None:
    files = {"a.mjml": "<mj-text>a</mj-text>"}
    mjml = page("x").replace("<mj-text>x</mj-text>", '<mj-include path="a.mjml" />')
    first = compiled(mjml, files=files)

    assert compiled(mjml, files=files).hash == first.hash
    changed = [
        compiled(mjml, files={"a.mjml": "<mj-text>b</mj-text>"}), compiled(mjml, "subject: Hai", files=files), compiled(mjml, text="x", files=files),
        compiled(mjml, "subject: Halo\npreheader: x", files=files), compiled(mjml, "subject: Halo\nreply_to: a@b.co", files=files),
        compiled(page("x", _style(".a{top:0}"))), compiled(page("x", _style(".b{top:0}"))), compiled(mjml, files=files, locale="en"),
    ]  # fmt: skip
    assert len({first.hash, *(template.hash for template in changed)}) == 9


def test_a_template_of_one_language_writes_numbers_in_it_and_a_plain_one_in_the_contacts() -> None:
    mjml = page("{{ event.total | money }} {{ event.at | date }}")

    assert "Rp1,500,000 22 November 2026" in rendered(compiled(mjml, locale="en"), locale="id").html
    assert "Rp1.500.000" in rendered(compiled(mjml, locale=None), locale="id").html


def test_uses_asks_the_page_that_everybody_gets() -> None:
    sometimes = (
        "<mj-raw>{% if contact.vip %}</mj-raw><mj-text>{{ unsubscribe_url }}</mj-text><mj-raw>{% endif %}</mj-raw>"
    )

    assert compiled(page('<a href="{{ unsubscribe_url }}">x</a>')).uses("unsubscribe_url")
    assert not compiled(page("x").replace("<mj-text>x</mj-text>", sometimes)).uses("unsubscribe_url")
    assert not compiled(page("x"), text="{{ unsubscribe_url }}").uses("unsubscribe_url")


def test_a_mail_of_40_kilobytes_is_rendered_and_assembled_a_hundred_times_faster_than_it_is_compiled() -> None:
    content = "".join(
        f"<p>Paragraf {number}: sebuah kalimat yang cukup panjang, {{{{ contact.first_name }}}}.</p>"
        for number in range(400)
    )
    start = time.perf_counter()
    template = compiled(page(content))
    compiling = time.perf_counter() - start
    assert len(rendered(template).html) > 30_000

    seconds = []
    for _ in range(30):
        start = time.perf_counter()
        assembled(template.skeleton, rendered(template))
        seconds.append(time.perf_counter() - start)

    assert min(seconds) * 100 < compiling
