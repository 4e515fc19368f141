"""A browser for tests of pages, if one is installed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

CHROMIUM_PATHS = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
]


@pytest.fixture(scope="session")
def chromium() -> Iterator:
    """A running browser; skips if none is installed."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install -e .[dev]")
    path = next((path for path in CHROMIUM_PATHS if shutil.which(path)), None)
    if path is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@contextmanager
def expect_moment(page, condition: str) -> Iterator[None]:
    """Wait after the block until a condition was true at some moment since its start, however short that was.

    Args:
        page: Playwright's page.
        condition: function in JavaScript; evaluated after each change of the page.
    """
    page.evaluate(
        f"""() => {{
          const isMet = {condition};
          window.hadMoment = isMet();
          const note = () => {{ window.hadMoment ||= isMet(); }};
          const changes = {{ subtree: true, childList: true, attributes: true, characterData: true }};
          new MutationObserver(note).observe(document.documentElement, changes);
        }}"""
    )
    yield
    page.wait_for_function("() => window.hadMoment")
