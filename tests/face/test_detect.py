"""Detection in frames of unusual shape."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from media import astronaut

from asccl.face import detect
from asccl.face.detect import Detector
from asccl.face.facemesh import Window


@pytest.fixture(scope="module")
def detector() -> Iterator[Detector]:
    detector = Detector()
    yield detector
    detector.close()


def place(window: Window) -> list[float]:
    return [window.x, window.y, window.side]


def test_shrinking_before_padding_keeps_the_place_of_a_face(detector: Detector, monkeypatch) -> None:
    image = astronaut()
    expected = next(detector.levels(image))[0]
    monkeypatch.setattr(detect, "MAX_PADDED_SIDE", 180)
    assert place(next(detector.levels(image))[0]) == pytest.approx(place(expected), abs=8)


def test_shrinking_keeps_the_place_of_a_face_near_a_window(detector: Detector, monkeypatch) -> None:
    image = astronaut()
    window = next(detector.levels(image))[0]
    expected = detector.near(image, window)[0]
    monkeypatch.setattr(detect, "MAX_PADDED_SIDE", 180)
    assert place(detector.near(image, window)[0]) == pytest.approx(place(expected), abs=8)


def test_the_memory_of_padding_is_bounded(detector: Detector, monkeypatch) -> None:
    sizes: list[int] = []
    copy_make_border = cv2.copyMakeBorder

    def pad(*arguments: object) -> np.ndarray:
        padded = copy_make_border(*arguments)
        sizes.append(padded.nbytes)
        return padded

    monkeypatch.setattr(cv2, "copyMakeBorder", pad)
    strip = np.zeros((1000, 20_000, 3), np.uint8)
    next(detector.levels(strip))
    detector.near(strip, Window(10_000, 500, 8_000))
    assert len(sizes) > 1
    assert max(sizes) <= 3 * (detect.MAX_PADDED_SIDE + 2) ** 2
