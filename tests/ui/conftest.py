"""Real files of the astronaut, a served page around the stand-in editor, and a browser where there is one."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
sys.path.insert(0, str(Path(__file__).parent))

from fake_editor import FakeEditor

CHROMIUM = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run", "--autoplay-policy=no-user-gesture-required",
)  # fmt: skip


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """talk.mp4 (2 s, 160 x 160, 10 fps), face.jpg, wall.png (empty), fake.mp4 (text), huge.mp4 (2 MB)."""
    import av
    from skimage.data import astronaut

    folder = tmp_path_factory.mktemp("media")
    face = np.ascontiguousarray(astronaut()[:200, 120:320])
    cv2.imwrite(str(folder / "face.jpg"), face[..., ::-1])
    cv2.imwrite(str(folder / "wall.png"), np.full((120, 120, 3), 128, np.uint8))
    (folder / "fake.mp4").write_text("this is no video\n" * 20, encoding="utf-8")
    (folder / "huge.mp4").write_bytes(bytes(2 * 2**20))
    with av.open(str(folder / "talk.mp4"), "w") as out:
        video = out.add_stream("libx264", 10)
        video.width = video.height = 160
        video.pix_fmt = "yuv420p"
        for index in range(20):
            part = np.ascontiguousarray(face[20:180, 10 + index : 170 + index])
            out.mux(video.encode(av.VideoFrame.from_ndarray(part, format="rgb24")))
        out.mux(video.encode())
    return folder


Serve = Callable[..., "Served"]


class Served:
    """A page on a free local port. folder: where its runs put their files; cache: Gradio's own."""

    def __init__(self, editor: FakeEditor, root: Path, **limits: int):
        from dataclasses import replace

        from asccl.ui.blocks import build
        from asccl.ui.limits import WEB_LIMITS
        from asccl.ui.serve import serve

        self.editor, self.folder, self.cache = editor, root / "runs", root / "cache"
        self.folder.mkdir()
        self.cache.mkdir()
        os.environ["GRADIO_TEMP_DIR"] = str(self.cache)
        accepted = replace(WEB_LIMITS, **limits)
        self.page = build(editor, accepted, self.folder)
        _, self.url, _ = serve(
            self.page, accepted, server_name="127.0.0.1", prevent_thread_lock=True, quiet=True, inbrowser=False
        )

    def leftovers(self) -> list[Path]:
        return list(self.folder.iterdir())


@pytest.fixture
def serve_page(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """serve_page(editor=..., max_bytes=...) -> Served."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")
    pages: list[Served] = []

    def make(editor: FakeEditor | None = None, **limits: int) -> Served:
        pages.append(Served(editor or FakeEditor(), tmp_path_factory.mktemp("served"), **limits))
        return pages[-1]

    yield make
    for page in pages:
        page.page.close()


@pytest.fixture(scope="session")
def chromium() -> Iterator:
    """A running browser; skips where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install -e .[dev]")
    path = next((path for path in CHROMIUM if shutil.which(path)), None)
    if path is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()
