"""Seconds from a click to the first result in the app's page, and of its previews, in a real browser.

python -m benchmarks.page [--root CHECKOUT ...] [--runs N] [--json FILE]

Each checkout is served by its own `app.py`. A clip of 5 s at 1280 x 720 is uploaded, emotions are clicked, and an edit
is made. Playwright and Chromium are required.
"""

from __future__ import annotations

import argparse
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.report import print_rows
from benchmarks.talking import talking_clip

CHROMIUM = "/usr/bin/chromium"
CLIP_SECONDS, CLIP_SIZE = 5.0, (1280, 720)
PREVIEW_EMOTIONS = ("angry", "fear", "sad")
WAIT_MS = 600_000
NEW_PREVIEW = "old => { const i = document.querySelector('#compare img.compare-edited'); return i && i.src !== old; }"


@contextmanager
def served_app(root: Path) -> Iterator[str]:
    """Serve the app of a checkout until the end of the block. Yields its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
    command = [sys.executable, "app.py", "--port", url.rsplit(":", 1)[1].strip("/")]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            while True:
                try:
                    urllib.request.urlopen(url).close()
                    break
                except OSError:
                    if process.poll() is not None:
                        raise SystemExit(f"app.py of {root} ended at once: start it by hand to see why") from None
                    time.sleep(0.2)
            yield url
        finally:
            process.terminate()


def measure_page(browser: Any, url: str, clip: Path) -> dict[str, float]:
    """Measure one visit of a page.

    Args:
        browser: Playwright's browser.
        url: of the page.
        clip: to upload.

    Returns:
        Seconds by what was measured.
    """
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(url)
    page.wait_for_selector("#render")
    start = time.perf_counter()
    page.set_input_files("#source input[type=file]", str(clip))
    page.wait_for_selector("#compare img")
    seconds = {"upload to the first preview": time.perf_counter() - start}
    latencies = []
    for emotion in PREVIEW_EMOTIONS:
        old = page.get_attribute("#compare img.compare-edited", "src")
        start = time.perf_counter()
        page.locator(f"#emotion input[value={emotion}]").check()
        page.wait_for_function(NEW_PREVIEW, arg=old)
        latencies.append(time.perf_counter() - start)
        page.wait_for_timeout(200)
    seconds["click on an emotion to its preview"] = statistics.median(latencies)
    page.locator("#consent input").check()
    start = time.perf_counter()
    page.click("#render")
    page.wait_for_selector("#player video")
    page.wait_for_function("() => document.querySelector('#player [data-part=edited]').readyState >= 2")
    seconds["click on the button to the result"] = time.perf_counter() - start
    if page.locator("#move").is_visible():
        start = time.perf_counter()
        page.click("#move")
        page.wait_for_selector("#moving video")
        seconds["click to the moving preview"] = time.perf_counter() - start
    context.close()
    return seconds


def main() -> None:
    """Print the median seconds of each checkout."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, action="append", help="a checkout; default: this one")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path, help="append the JSON line to this file as well")
    arguments = parser.parse_args()
    from playwright.sync_api import sync_playwright

    rows: dict[str, float | str] = {}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        clip = Path(folder, "clip.mp4")
        talking_clip(clip, *CLIP_SIZE, CLIP_SECONDS)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for root in arguments.root or [Path(__file__).parent.parent]:
            with served_app(root) as url:
                visits = [measure_page(browser, url, clip) for _ in range(arguments.runs)]
            for label in visits[0]:
                rows[f"{root.name}: {label}, s"] = statistics.median(visit[label] for visit in visits)
        browser.close()
    print_rows("page", rows, arguments.json)


if __name__ == "__main__":
    main()
