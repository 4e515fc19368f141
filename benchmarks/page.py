"""Measure the seconds from a click to a preview and to the result in the app's page, in a real browser.

python -m benchmarks.page [--root CHECKOUT ...] [--runs N] [--json FILE]

Each checkout is served by its own `app.py`, in turn. A clip of 5 s at 1280 x 720 is uploaded, emotions are clicked, and
an edit is made. Beside other programs, only the processor seconds of the server can be compared. Playwright and
Chromium are required.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.app_process import ROOT, ServedApp, served_app
from benchmarks.report import print_rows
from benchmarks.talking import talking_clip

CHROMIUM = "/usr/bin/chromium"
CLIP_SECONDS, CLIP_SIZE = 5.0, (1280, 720)
PREVIEW_EMOTIONS = ("angry", "fear", "sad")
WAIT_MS = 600_000
IDLE_SECONDS, IDLE_SHARE = 2.0, 0.1  # the server is idle if it computes for less than this share of this time
NEW_PREVIEW = "old => { const i = document.querySelector('#compare img.compare-edited'); return i && i.src !== old; }"


class Stopwatch:
    """Wall-clock seconds and the server's processor seconds of what a visitor waits for.

    Args:
        app: the server.
    """

    def __init__(self, app: ServedApp):
        self._app, self._seconds = app, dict[str, list[float]]()

    @contextmanager
    def measure(self, label: str) -> Iterator[None]:
        """Measure a block; several blocks of one label give their median."""
        start, computed = time.perf_counter(), self._app.processor_seconds()
        yield
        self._add(label, time.perf_counter() - start)
        self._add(f"{label}, processor", self._app.processor_seconds() - computed)

    def medians(self) -> dict[str, float]:
        """Seconds by label."""
        return {label: statistics.median(values) for label, values in self._seconds.items()}

    def _add(self, label: str, seconds: float) -> None:
        self._seconds.setdefault(label, []).append(seconds)


def measure_page(browser: Any, app: ServedApp, clip: Path) -> dict[str, float]:
    """Measure one visit of a page.

    Args:
        browser: Playwright's browser.
        app: that serves the page.
        clip: to upload.

    Returns:
        Seconds by what was measured.
    """
    watch = Stopwatch(app)
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(app.url)
    page.wait_for_selector("#render")
    with watch.measure("upload to the first preview"):
        page.set_input_files("#source input[type=file]", str(clip))
        page.wait_for_selector("#compare img")
    for emotion in PREVIEW_EMOTIONS:
        old = page.get_attribute("#compare img.compare-edited", "src")
        with watch.measure("click on an emotion to its preview"):
            page.locator(f"#emotion input[value={emotion}]").check()
            page.wait_for_function(NEW_PREVIEW, arg=old)
        page.wait_for_timeout(200)
    wait_until_idle(app)
    page.locator("#consent input").check()
    with watch.measure("click on the button to the result"):
        page.click("#render")
        page.wait_for_selector("#player video")
        page.wait_for_function("() => document.querySelector('#player [data-part=edited]').readyState >= 2")
    if page.locator("#move").is_visible():
        with watch.measure("click to the moving preview"):
            page.click("#move")
            page.wait_for_selector("#moving video")
    context.close()
    return watch.medians()


def wait_until_idle(app: ServedApp) -> None:
    """Wait until the server has ended the adaptation of the last preview, so that it does not count for the edit."""
    while True:
        computed = app.processor_seconds()
        time.sleep(IDLE_SECONDS)
        if app.processor_seconds() - computed < IDLE_SHARE * IDLE_SECONDS:
            return


def main() -> None:
    """Print the median seconds of each checkout."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, action="append", help="a checkout; default: this one")
    parser.add_argument("--runs", type=int, default=3, help="of each checkout; default: %(default)s")
    parser.add_argument("--json", type=Path, help="append the JSON line to this file as well")
    arguments = parser.parse_args()
    from playwright.sync_api import sync_playwright

    rows: dict[str, float | str] = {}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        clip = Path(folder, "clip.mp4")
        talking_clip(clip, *CLIP_SIZE, CLIP_SECONDS)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        roots = arguments.root or [ROOT]
        visits: dict[Path, list[dict[str, float]]] = {root: [] for root in roots}
        for _ in range(arguments.runs):
            for root in roots:
                with served_app(root) as app:
                    visits[root].append(measure_page(browser, app, clip))
        for root in roots:
            for label in visits[root][0]:
                rows[f"{root.name}: {label}, s"] = statistics.median(visit[label] for visit in visits[root])
        browser.close()
    print_rows("page", rows, arguments.json)


if __name__ == "__main__":
    main()
