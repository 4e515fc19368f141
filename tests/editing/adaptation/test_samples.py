"""Sample frames of an adaptation are small, and differ in viseme and head turn."""

from __future__ import annotations

import numpy as np
import pytest

from asccl.editing.adaptation.samples import (
    REDUCED_FACE_SIZE,
    AdaptationSample,
    FacePatch,
    attach_landmarks,
    patch_motion,
    select_samples,
)
from asccl.morphable.anny_head import load_anny_head
from asccl.renderers.warp.field import face_size
from asccl.types import Motion

HEAD = load_anny_head()


def motion(frames: int, **units: np.ndarray) -> Motion:
    w = np.zeros((frames, 52), np.float32)
    for name, value in units.items():
        w[:, HEAD.index[name]] = value
    eye = np.repeat(np.eye(3, dtype=np.float32)[None], frames, 0)
    ones = np.ones(frames, np.float32)
    return Motion(w, 30 * ones, eye, np.tile([400.0, 300, 0], (frames, 1)), HEAD.neutral, ones)


def landmarks(m: Motion, t: int = 0) -> np.ndarray:
    """(478, 3) pixels of the neutral head; the irises lie in the origin of the head."""
    points = np.concatenate([m.identity, np.zeros((10, 3))])
    return (m.scale[t] * points @ m.rotation[t].T + m.translation[t]).astype(np.float32)


def sample(m: Motion, t: int = 0) -> AdaptationSample:
    patch = FacePatch.cut(t, np.zeros((720, 1280, 3), np.uint8), landmarks(m, t))
    return attach_landmarks(patch, landmarks(m, t))


def test_a_large_face_is_reduced_to_the_size_that_the_networks_need():
    assert face_size(sample(motion(1)).landmarks) == pytest.approx(REDUCED_FACE_SIZE, abs=0.5)


def test_a_small_face_keeps_its_size():
    m = motion(1)
    small = Motion(m.coefficients, m.scale / 10, m.rotation, m.translation, m.identity, m.weight)
    assert sample(small).patch.scale == 1


def test_the_motion_of_a_patch_projects_to_its_landmarks():
    m = motion(3)
    placed = sample(m, 2)
    moved = patch_motion(m, [placed])
    assert landmarks(moved)[:468] == pytest.approx(placed.landmarks[:468], abs=0.01)


def test_the_chosen_frames_include_open_and_rounded_lips():
    jaw, pucker = np.zeros(12), np.zeros(12)
    jaw[5], pucker[8] = 0.8, 0.9
    m = motion(12, jawOpen=jaw, mouthPucker=pucker)
    chosen = select_samples([sample(m, t) for t in range(12)], m, HEAD.names, 3)
    assert {5, 8} < {s.patch.t for s in chosen}


def test_no_blink_is_chosen():
    blink = np.zeros(12)
    blink[4] = 1.0
    m = motion(12, eyeBlinkLeft=blink, eyeBlinkRight=blink)
    chosen = select_samples([sample(m, t) for t in range(12)], m, HEAD.names, 12)
    assert 4 not in {s.patch.t for s in chosen}


def test_a_still_gives_its_only_frame():
    m = motion(1, eyeBlinkLeft=np.ones(1))
    assert len(select_samples([sample(m)], m, HEAD.names, 4)) == 1
