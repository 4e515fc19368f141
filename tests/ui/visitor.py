"""A person's browser window on the page of the app, and a wait for what happens in the background."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

TIMEOUT = 60_000  # milliseconds; only a hang reaches it


class Visitor:
    """One browser window. It collects the errors of its console and its requests to other machines.

    A page that is left ends its open requests, which its own scripts report as errors. Leave a page by `reload`,
    `go_to` and `close`: what the old page reports from then on is not collected.

    Args:
        chromium: the browser.
        url: of the page.
        script: JavaScript that runs before the scripts of each page.
        settings: of the browser context.

    Attributes:
        context: the browser context; no other window shares its cookies.
        page: Playwright's page.
        errors: error messages of the console and of scripts.
        foreign_requests: URLs on other machines.
    """

    def __init__(self, chromium, url: str, script: str = "", **settings):
        self.context = chromium.new_context(accept_downloads=True, **settings)
        self.context.add_init_script(f"(() => {{{script}\n}})();")
        self.page = self.context.new_page()
        self.page.set_default_timeout(TIMEOUT)
        self.errors: list[str] = []
        self.foreign_requests: list[str] = []
        self._is_leaving = False
        self.page.on("console", lambda line: self._record_error(line.text) if line.type == "error" else None)
        self.page.on("pageerror", lambda error: self._record_error(str(error)))
        self.page.on("request", self._record_request)
        self.page.on("framenavigated", self._record_arrival)
        self.page.goto(url)
        self.page.wait_for_selector("#render")

    def _record_error(self, message: str) -> None:
        if not self._is_leaving:
            self.errors.append(message)

    def _record_arrival(self, frame) -> None:
        if frame == self.page.main_frame:
            self._is_leaving = False

    def _record_request(self, request) -> None:
        if not request.url.startswith(("http://127.0.0.1:", "http://localhost:", "data:", "blob:")):
            self.foreign_requests.append(request.url)

    def reload(self) -> None:
        self._is_leaving = True
        self.page.reload()

    def go_to(self, url: str) -> None:
        self._is_leaving = True
        self.page.goto(url)

    def close(self) -> None:
        self._is_leaving = True
        self.context.close()

    def upload(self, path: Path) -> None:
        """Choose another source in the Edit tab."""
        self.page.set_input_files("#source input[type=file]", str(path))

    def upload_and_wait(self, path: Path) -> None:
        """Choose another source and wait for its preview."""
        self.upload(path)
        self.page.wait_for_selector("#compare img")

    def choose_emotion(self, label: str) -> None:
        self.page.get_by_role("radio", name=label).check()

    def render(self) -> None:
        """Give consent and start the edit."""
        self.page.locator("#consent input").check()
        self.page.click("#render")

    def wait_for_setting(self, name: str, text: str) -> None:
        """Wait until the page has recorded a setting of the next edit. text: a part of its value as JSON."""
        self.page.wait_for_function(
            """([name, text]) => {
              const visit = JSON.parse(sessionStorage.getItem("asccl-visit") ?? "{}");
              return JSON.stringify(visit.settings?.[name] ?? null).includes(text);
            }""",
            arg=[name, text],
        )

    def wait_until_idle(self) -> None:
        """Wait until the button of the edit can be clicked: scripts and other buttons click it in vain before."""
        self.page.wait_for_selector("#render:not([disabled])")

    def text(self, selector: str) -> str:
        return self.page.locator(selector).inner_text()

    def download(self, selector: str) -> Path:
        with self.page.expect_download() as waiting:
            self.page.click(selector)
        return Path(waiting.value.path())


def wait_until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for a condition; only a hang reaches the limit."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition is still false"
        time.sleep(0.05)
