"""The checks find what they look for; without that, a mail that passes them proves nothing."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.browser.mail_checks import check_mail

HEAD = """<!doctype html><html lang="en"><head><meta name="color-scheme" content="light dark"><style>
:root { color-scheme: light dark } body { margin: 0; background: #fff; color: #222; font: 16px/24px sans-serif }
a.go { display: inline-block; padding: 12px 24px; background: #222; color: #fff }
@media (prefers-color-scheme: dark) { body { background: #111; color: #eee } a.go { background: #eee; color: #111 } }
</style></head><body>"""
GOOD = HEAD + '<p>Hello Ani,</p><a class="go" href="https://shop.example.com/">Look around</a></body></html>'


def test_a_good_mail_has_no_faults(page: Page) -> None:
    assert check_mail(page, GOOD) == []


@pytest.mark.parametrize(
    ("addition", "fault"),
    [
        ('<p style="font-size:13px">tiny</p>', 'light: text of 13 px: "tiny"'),
        ('<p style="color:#999">pale</p>', 'light: contrast 2.85: "pale"'),
        ('<p style="color:#333">only for the day</p>', 'dark: contrast 1.49: "only for the day"'),
        ('<p style="opacity:.4">faint</p>', "light: contrast 2."),
        ('<p style="background:linear-gradient(#fff,#222);color:#222">half hidden</p>', "light: contrast 1.00"),
        ('<p style="background:url(data:image/gif;base64,x)">over a picture</p>', "light: text on a picture"),
        ('<div style="width:500px">wide</div>', "light: the page is 500 px wide, the screen 375"),
        (
            '<div style="overflow:hidden"><p style="white-space:nowrap">' + "cut off " * 20 + "</p></div>",
            "light: text beyond the",
        ),
        ('<div style="margin-left:-30px">to the left</div>', 'light: text beyond the screen: "to the left"'),
        (
            '<a href="https://shop.example.com/" style="display:block;background:#b00;color:#fff">flat</a>',
            "light: button of 375 x 24",
        ),
        ('<a class="go" href="https://other.example.com/">Or this</a>', "light: buttons lead to different places"),
        (
            '<img src="https://shop.example.com/a.png" width="10" height="10" alt="a">',
            "fetches https://shop.example.com/a.png",
        ),
        (
            '<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=" width="1">',
            "light: picture without an alternative text",
        ),
        ("<style>body { background: #fff !important }</style>", "dark: the page stays light"),
    ],
)
def test_a_fault_is_found_and_named(addition: str, fault: str, page: Page) -> None:
    faults = check_mail(page, GOOD.replace("</body>", addition + "</body>"))
    assert any(found.startswith(fault) for found in faults), faults


@pytest.mark.parametrize(
    "addition",
    [
        '<div style="display:none;font-size:1px">what a list of mails shows</div>',
        '<div style="overflow:hidden;width:100px"><div style="width:500px;height:9px;background:#c00"></div></div>',
        '<p>A link in <a href="https://shop.example.com/help" style="color:inherit">running text</a> is no button.</p>',
    ],
)
def test_what_people_do_not_see_or_expect_otherwise_is_no_fault(addition: str, page: Page) -> None:
    assert check_mail(page, GOOD.replace("</body>", addition + "</body>")) == []


def test_a_mail_without_a_button_language_or_text_says_so(page: Page) -> None:
    assert "light: there is no button" in check_mail(page, HEAD + "<p>Hello</p>")
    assert check_mail(page, HEAD + "<p>Hello</p>", button=False) == []
    assert "light: no language is named (html lang)" in check_mail(page, GOOD.replace('lang="en"', 'lang="und"'))
    assert "light: there is no text to read" in check_mail(page, HEAD)
