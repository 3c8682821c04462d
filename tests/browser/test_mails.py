"""Every mail that the example workspace sends, looked at on a phone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
from playwright.sync_api import Page

from engine.catalog import Catalog
from engine.message.mail_template import EmailTemplate
from engine.message.mime import RenderedEmail
from tests.browser.mail_checks import check_mail
from tests.browser.sample import BARE, LONG, MAILS, USUAL, values


def render(workspace: Catalog, mail: str, person: Mapping[str, Any]) -> RenderedEmail:
    name, language = mail.split(".")
    template = workspace.templates.get("email", name, language)
    assert isinstance(template, EmailTemplate)
    return template.render(values(workspace, name, person), locale=language, timezone="Asia/Jakarta")


@pytest.mark.parametrize("mail", MAILS)
def test_a_mail_is_good_on_a_phone_in_light_and_in_dark(mail: str, workspace: Catalog, page: Page) -> None:
    assert check_mail(page, render(workspace, mail, USUAL).html) == []


@pytest.mark.parametrize("mail", MAILS)
def test_long_and_missing_values_keep_a_mail_good(mail: str, workspace: Catalog, page: Page) -> None:
    assert check_mail(page, render(workspace, mail, LONG).html) == []
    assert check_mail(page, render(workspace, mail, BARE).html) == []


@pytest.mark.parametrize("mail", MAILS)
def test_a_mail_greets_by_name_says_who_sends_it_and_how_to_leave(mail: str, workspace: Catalog) -> None:
    rendered = render(workspace, mail, USUAL)
    for part in (rendered.html, rendered.text):
        assert re.search(r"(Halo|Hello) Kartika,", part)
        assert "Jl. Cikini Raya No. 45" in part
        assert values(workspace, mail.split(".", maxsplit=1)[0], USUAL)["unsubscribe_url"] in part
    assert 15 <= len(rendered.subject) <= 70
    assert 15 <= len(rendered.preheader) <= 110
    assert len(rendered.html.encode()) < 60_000  # Gmail cuts a mail at 102 kB


@pytest.mark.parametrize("mail", MAILS)
def test_without_a_first_name_the_greeting_still_reads_well(mail: str, workspace: Catalog) -> None:
    assert re.search(r"Halo kawan,|Hello friend,", render(workspace, mail, BARE).text)
