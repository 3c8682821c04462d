"""A browser for the tests that look at pages as people see them, and the example workspace to look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from engine.catalog import Catalog, load
from tests.browser.sample import KEYS, ROOT


@pytest.fixture(scope="session")
def browser(program: Callable[[str], Path]) -> Iterator[Browser]:
    """Chromium of the machine, without a window."""
    chromium = program("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of this test's own."""
    page = browser.new_page()
    yield page
    page.close()


@pytest.fixture(scope="session")
def workspace() -> Catalog:
    """The example workspace as it stands in the repository. The keys leave the environment again at once: it goes before
    the `.env` of every workspace that a later test of this process starts.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name, key in KEYS.items():
            patch.setenv(name, key)
        return load(ROOT)
