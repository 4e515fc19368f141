from __future__ import annotations

import cv2
import numpy as np
import pytest
from evaluated_clips import ArrayStream, evaluate, face, networks, score

from asccl.evaluation.registry import build_measures

RNG = np.random.default_rng(1)
TEXTURE = cv2.GaussianBlur(RNG.integers(0, 256, (96, 96, 3)).astype(np.uint8), (5, 5), 1)
STILL = np.stack([face()] * 12)


def measure(name: str):
    return build_measures([name], networks())[0][0]


def alternating(step: int) -> list[np.ndarray]:
    return [np.full((96, 96, 3), 100 + step * (t % 2), np.uint8) for t in range(12)]


def test_flicker_is_the_ratio_of_second_differences():
    source, generated = ArrayStream(STILL, alternating(10)), ArrayStream(STILL, alternating(30))
    assert score(measure("flicker"), source, generated).value == pytest.approx(3, rel=1e-3)


def test_a_source_without_movement_has_no_flicker_ratio():
    result = evaluate(measure("flicker"), ArrayStream(STILL), ArrayStream(STILL))
    assert "does not move" in result.left_out["flicker"]


def jittery(size: float) -> np.ndarray:
    noise = np.random.default_rng(2).standard_normal(STILL.shape)
    noise[:, [33, 133, 362, 263, 168, 6, 197, 195, 5, 4, 1, 2, 98, 327]] = 0
    return (STILL + size * noise).astype(np.float32)


def test_twice_the_movement_of_every_landmark_is_twice_the_jitter():
    result = score(measure("jitter"), ArrayStream(jittery(0.1)), ArrayStream(jittery(0.2)))
    assert result.value == pytest.approx(2, rel=1e-3)


def test_a_moving_head_is_no_jitter():
    moved = jittery(0.1) + np.arange(12)[:, None, None].astype(np.float32) ** 2 * [0.3, 0.1, 0]
    result = score(measure("jitter"), ArrayStream(jittery(0.1)), ArrayStream(moved.astype(np.float32)))
    assert result.value == pytest.approx(1, rel=1e-3)


def test_blur_lowers_the_sharpness():
    blurred = [cv2.GaussianBlur(TEXTURE, (9, 9), 2)] * 12
    result = score(measure("sharpness"), ArrayStream(STILL, [TEXTURE] * 12), ArrayStream(STILL, blurred))
    assert result.value < 0.2


def test_the_background_change_is_the_mean_difference_outside_the_faces():
    changed = TEXTURE // 2 + 50
    result = score(
        measure("background-change"), ArrayStream(STILL, [TEXTURE // 2] * 12), ArrayStream(STILL, [changed] * 12)
    )
    assert result.value == 50


def test_a_change_inside_the_face_is_no_background_change():
    changed = TEXTURE.copy()
    changed[44:52, 44:52] = 0
    result = score(measure("background-change"), ArrayStream(STILL, [TEXTURE] * 12), ArrayStream(STILL, [changed] * 12))
    assert result.value == 0


def moving_mouth(amplitude: float) -> list[np.ndarray]:
    images = []
    for t in range(12):
        shift = np.float32([[1, 0, 0], [0, 1, amplitude * np.sin(t)]])
        image = TEXTURE.copy()
        image[60:] = cv2.warpAffine(TEXTURE, shift, (96, 96), borderMode=cv2.BORDER_REFLECT)[60:]
        images.append(image)
    return images


@pytest.mark.parametrize(("amplitude", "low", "high"), [(1.5, 0.99, 1), (-1.5, -1, -0.5), (0.0, -0.1, 0.1)])
def test_the_flow_of_the_mouth_follows_that_of_the_source(amplitude, low, high):
    source, generated = ArrayStream(STILL, moving_mouth(1.5)), ArrayStream(STILL, moving_mouth(amplitude))
    value = score(measure("mouth-flow"), source, generated).value
    assert low <= value <= high + 1e-9


def test_the_spatial_correlation_takes_every_fourth_frame():
    source = ArrayStream(STILL, [TEXTURE] * 12)
    assert score(measure("scc"), source, source).count == 3


def test_an_expression_gain_is_one_for_the_reference_itself():
    red, green = ([np.full((96, 96, 3), colour, np.uint8)] * 12 for colour in ((200, 10, 10), (10, 200, 10)))
    source, target = ArrayStream(STILL, red), ArrayStream(STILL, green)
    assert score(measure("expression-gain"), source, target, reference=target).value == pytest.approx(1)


def test_an_expression_gain_is_zero_for_a_copy():
    red, green = ([np.full((96, 96, 3), colour, np.uint8)] * 12 for colour in ((200, 10, 10), (10, 200, 10)))
    source, target = ArrayStream(STILL, red), ArrayStream(STILL, green)
    assert score(measure("expression-gain"), source, source, reference=target).value == 0


def test_csim_is_the_mean_cosine_of_all_pairs():
    mixed = [np.full((96, 96, 3), (200, 0, 0), np.uint8), np.full((96, 96, 3), (0, 200, 0), np.uint8)]
    clip = ArrayStream(STILL[:2], mixed)
    assert score(measure("csim"), clip, clip, reference=clip).value == pytest.approx(0.5)
