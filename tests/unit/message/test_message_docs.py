"""docs/templates.md tells of everything that a template may say."""

from __future__ import annotations

from pathlib import Path

from engine.message.allowed import LATER, LOOP, MAPPINGS, ORGANISATION, TESTS, TEXTS
from engine.message.filters import FILTERS
from engine.message.formats import DATE_STYLES
from engine.message.mail_compile import FRONT_MATTER, compile_email
from engine.message.text_template import compile_text

PAGE = (Path(__file__).parents[3] / "docs" / "templates.md").read_text()


def test_every_filter_variable_and_key_is_documented() -> None:
    keys = [key for key, field in FRONT_MATTER.fields.items() if field.about != "(refused)"]
    for word in (*FILTERS, *MAPPINGS, *TEXTS, *LATER, *ORGANISATION, *LOOP, *TESTS, *DATE_STYLES, *keys):
        assert word in PAGE, word


def test_the_mail_of_the_page_compiles() -> None:
    mail = PAGE.partition("```mjml\n")[2].partition("```")[0]
    parts = {"parts/head.mjml": "<mj-head></mj-head>", "parts/footer.id.mjml": "<mj-section></mj-section>"}

    template = compile_email("keranjang", "id", mail, None, parts.__getitem__)

    assert template.variables == {"event.total", "event.cart_id"}


def test_the_jinja_of_the_page_compiles() -> None:
    assert compile_text("contoh", "id", PAGE.partition("```jinja\n")[2].partition("```")[0], "sms").variables
