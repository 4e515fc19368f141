"""Take the pictures of the app: those of the documentation, or every tab at several widths to look at.

python -m benchmarks.screenshots --docs
python -m benchmarks.screenshots --out FOLDER [--widths 390x844 1280x800 ...] [--locale de-DE]

The pictures show the examples with their finished results; nothing is edited. Playwright and Chromium are required.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from asccl.ui.preview_handlers import FITTING_NOTE
from benchmarks.app_process import ROOT, served_app
from benchmarks.page import CHROMIUM
from benchmarks.talking import EXAMPLE

DOCS_FOLDER = ROOT / "docs"
WIDTHS = ("390x844", "768x1024", "1280x800", "1366x650", "2560x1300")
THEMES = ("light", "dark")
WAIT_MS = 240_000
SETTLE_MS = 900  # after the last change, for pictures and fonts
NUM_COLOURS = 256  # of a picture of the documentation, which keeps the repository small


def open_tab(page: Any, number: int) -> None:
    """Open a tab; a phone has the last ones in a menu."""
    tabs = page.locator("#tabs [role=tab]:visible")
    if number < tabs.count():
        tabs.nth(number).click()
    else:
        page.click("#tabs .overflow-menu > button")
        page.locator("#tabs .overflow-dropdown button").nth(number - tabs.count()).click()


def show_empty(page: Any) -> None:
    """Show the Edit tab as a visitor finds it."""
    page.wait_for_selector("#examples img")


def show_file(page: Any) -> None:
    """Show an uploaded video with its preview."""
    page.set_input_files("#source input[type=file]", str(EXAMPLE.with_suffix(".mp4")))
    page.wait_for_selector("#compare img")


def show_result(page: Any) -> None:
    """Show the finished result of an example."""
    page.locator("#examples button").first.click()
    page.wait_for_selector("#compare img")
    page.wait_for_function("() => [...document.querySelectorAll('#player video')].every(v => v.readyState >= 2)")
    page.get_by_text(FITTING_NOTE).wait_for(state="hidden")
    page.evaluate("() => { document.querySelector('#player [data-part=edited]').currentTime = 1.1; }")


def show_batch(page: Any) -> None:
    """Show the tab of several files with two files."""
    open_tab(page, 1)
    files = [str(EXAMPLE.with_suffix(".mp4")), str(EXAMPLE.with_suffix(".jpg"))]
    page.set_input_files("#batch-files input[type=file]", files)
    page.wait_for_selector("#batch-files :text('astronaut')")


def show_correlation(page: Any) -> None:
    """Show the comparison of the example pair."""
    open_tab(page, 2)
    page.click("#c-example")
    page.wait_for_selector("#c-source-card img")
    page.wait_for_selector("#c-generated-card img")
    page.click("#compare-two")
    page.wait_for_selector("#charts .chart-maps .main-svg")
    page.wait_for_selector("#face .main-svg")


def show_evaluation(page: Any) -> None:
    """Show the Evaluation tab."""
    open_tab(page, 3)


def show_about(page: Any) -> None:
    """Show the About tab."""
    open_tab(page, 4)


VIEWS: dict[str, Callable[[Any], None]] = {
    "edit-empty": show_empty,
    "edit-file": show_file,
    "edit-result": show_result,
    "batch": show_batch,
    "correlation": show_correlation,
    "evaluation": show_evaluation,
    "about": show_about,
}


def open_page(browser: Any, url: str, size: str, theme: str, locale: str) -> Any:
    """Open the app in a window of its own.

    Args:
        browser: of Playwright.
        url: of the app.
        size: WIDTHxHEIGHT in pixels.
        theme: light or dark.
        locale: language of the browser.

    Returns:
        Playwright's page.
    """
    width, height = map(int, size.split("x"))
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=theme, locale=locale, has_touch=width < 800
    )
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(url)
    page.wait_for_selector("#render")
    return page


def take_docs(browser: Any, url: str) -> Iterator[Path]:
    """Take the pictures of the documentation. Yields their paths."""
    for name, view, size in (("app", show_result, "1366x900"), ("correlation", show_correlation, "1440x1000")):
        page = open_page(browser, url, size, "light", "en-US")
        view(page)
        page.evaluate("() => scrollTo(0, 0)")
        page.wait_for_timeout(SETTLE_MS)
        path = DOCS_FOLDER / f"{name}.png"
        page.screenshot(path=path, full_page=True)
        page.context.close()
        with Image.open(path) as picture:
            picture.convert("RGB").quantize(NUM_COLOURS).save(path, optimize=True)
        yield path


def take_views(browser: Any, url: str, arguments: argparse.Namespace) -> Iterator[Path]:
    """Take every view at every width. Yields their paths.

    Args:
        browser: of Playwright.
        url: of the app.
        arguments: of the command line.
    """
    for name in arguments.views:
        for size in arguments.widths:
            for theme in arguments.themes:
                page = open_page(browser, url, size, theme, arguments.locale)
                VIEWS[name](page)
                page.wait_for_timeout(SETTLE_MS)
                path = arguments.out / f"{name}-{size}-{theme}.png"
                page.screenshot(path=path, full_page=arguments.full)
                page.context.close()
                yield path


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--docs", action="store_true", help="write docs/app.png and docs/correlation.png")
    target.add_argument("--out", type=Path, metavar="FOLDER", help="write every view into this folder")
    parser.add_argument("--views", nargs="+", choices=VIEWS, default=list(VIEWS), help="default: all")
    parser.add_argument("--widths", nargs="+", default=list(WIDTHS), metavar="WxH", help="of the window, pixels")
    parser.add_argument("--themes", nargs="+", choices=THEMES, default=list(THEMES), help="default: both")
    parser.add_argument("--locale", default="en-US", help="language of the browser; default: %(default)s")
    parser.add_argument("--full", action="store_true", help="the whole page instead of the window")
    arguments = parser.parse_args()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, served_app() as app:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        if arguments.out:
            arguments.out.mkdir(parents=True, exist_ok=True)
        for path in take_views(browser, app.url, arguments) if arguments.out else take_docs(browser, app.url):
            print(path, flush=True)
        browser.close()


if __name__ == "__main__":
    main()
