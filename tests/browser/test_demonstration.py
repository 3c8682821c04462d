"""What the demonstration leaves to look at, in a real browser: its mails on a phone, and its page."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.mail_checks import PHONE, check_mail
from tests.demonstration import mails, play


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("looked-at") / "shop"
    play(folder, weeks=2)
    return folder


def test_every_mail_of_the_demonstration_is_good_on_a_phone(played: Path, page: Page) -> None:
    found = mails(played)
    assert len(found) > 200
    faults = {}
    for name, mail in found.items():
        html = mail.get_body(("html",))
        assert html is not None
        said = check_mail(page, html.get_content())
        if said:
            faults[name] = said
    assert faults == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, 1440])
def test_the_page_fits_its_screen_and_fetches_nothing(width: int, scheme: str, played: Path, page: Page) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: said.append(request.url) if request.url.startswith("http") else None)
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto((played / "index.html").as_uri())
    assert said == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("h1").inner_text()
    assert page.locator("iframe").count() > 20


def test_the_thumbnails_show_the_mails_themselves(played: Path, page: Page) -> None:
    page.goto((played / "index.html").as_uri())
    first = page.locator(".strip iframe").first
    first.scroll_into_view_if_needed()
    assert "Toko Nada" in first.content_frame.locator("body").inner_text()
