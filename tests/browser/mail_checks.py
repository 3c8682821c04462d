"""What makes a mail good on a phone, checked in a real browser: for our templates and for any finished mail."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, Request

PHONE = 375
"""Width of a phone in CSS pixels."""

_PROBE = (Path(__file__).parent / "mail_probe.js").read_text(encoding="utf-8")


def check_mail(page: Page, html: str, *, button: bool = True) -> list[str]:
    """Everything that is wrong with the mail at 375 px, in light and in dark mode; an empty list if it is good.

    Good means: nothing is fetched; nothing is wider than the screen; visible text has at least 14 px and a contrast of at
    least 4.5 to what lies behind it (WCAG 2.2, 1.4.3); dark mode is dark; a language is named; pictures have an alternative
    text. With `button`, there is one call to action: at least 44 px high and wide, and all buttons lead to the same place.
    """
    fetched: list[str] = []

    def note(request: Request) -> None:
        fetched.append(request.url)

    page.on("request", note)
    page.route("**/*", lambda route: route.abort())
    page.set_viewport_size({"width": PHONE, "height": 800})
    page.set_content(html)
    faults: list[str] = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        faults += [f"{scheme}: {fault}" for fault in page.evaluate(_PROBE, {"scheme": scheme, "button": button})]
    page.unroute("**/*")
    page.remove_listener("request", note)
    return [*(f"fetches {url}" for url in fetched), *faults]
