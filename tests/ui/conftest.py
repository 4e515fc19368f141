"""Small media files, a served page around the fake editor, and windows of a browser on it."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
sys.path.insert(0, str(Path(__file__).parent))

from fake_editor import FakeEditor
from served_page import ServedPage
from visitor import Visitor


@pytest.fixture(scope="session", autouse=True)
def temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the empty folders that `gradio_client` leaves, one for each file that it receives, with the tests' files."""
    with pytest.MonkeyPatch.context() as changes:
        changes.setattr(tempfile, "tempdir", str(tmp_path_factory.getbasetemp()))
        yield


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """talk.mp4 (2 s, 160 x 160, 10 fps), tall.mp4 (90 x 160), face.jpg, wall.png, fake.mp4 (text), huge.mp4 (2 MB)."""
    import av
    from skimage.data import astronaut

    folder = tmp_path_factory.mktemp("media")
    face = np.ascontiguousarray(astronaut()[:200, 120:320])
    cv2.imwrite(str(folder / "face.jpg"), face[..., ::-1])
    cv2.imwrite(str(folder / "wall.png"), np.full((120, 120, 3), 128, np.uint8))
    (folder / "fake.mp4").write_text("this is no video\n" * 20, encoding="utf-8")
    (folder / "huge.mp4").write_bytes(bytes(2 * 2**20))
    for name, left, width in (("talk.mp4", 10, 160), ("tall.mp4", 45, 90)):
        with av.open(str(folder / name), "w") as container:
            stream = container.add_stream("libx264", 10)
            stream.width, stream.height = width, 160
            stream.pix_fmt = "yuv420p"
            for index in range(20):
                crop = np.ascontiguousarray(face[20:180, left + index : left + index + width])
                container.mux(stream.encode(av.VideoFrame.from_ndarray(crop, format="rgb24")))
            container.mux(stream.encode())
    return folder


@pytest.fixture
def serve_page(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., ServedPage]]:
    """serve_page(editor=..., max_bytes=...) -> ServedPage."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")
    pages: list[ServedPage] = []

    def start(editor: FakeEditor | None = None, **limits: Any) -> ServedPage:
        pages.append(ServedPage(editor or FakeEditor(), tmp_path_factory.mktemp("served"), **limits))
        return pages[-1]

    yield start
    for page in pages:
        page.close()


@pytest.fixture(scope="module")
def shared_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedPage]:
    """One page for all tests of a module."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("GRADIO_TEMP_DIR", "")
        page = ServedPage(FakeEditor(), tmp_path_factory.mktemp("shared"))
        yield page
        page.close()


@pytest.fixture
def visit(chromium) -> Iterator[Callable[..., Visitor]]:
    """visit(url, **context settings) -> Visitor. Afterwards, no window may have asked another machine."""
    visitors: list[Visitor] = []

    def open_window(url: str, **settings) -> Visitor:
        visitors.append(Visitor(chromium, url, **settings))
        return visitors[-1]

    yield open_window
    for visitor in visitors:
        visitor.close()
        assert visitor.foreign_requests == []
