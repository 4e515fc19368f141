"""The fit finds again what landmarks were made from."""

from __future__ import annotations

import numpy as np
import pytest

from asccl.morphable.anny_head import load_anny_head
from asccl.morphable.fit import FitSettings, Fitter, fit_weak_perspective
from asccl.types import Track

HEAD = load_anny_head()
FITTER = Fitter(HEAD)


def turn(yaw: float, pitch: float = 0.0) -> np.ndarray:
    y, p = np.deg2rad([yaw, pitch])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    return about_y @ about_x


def make(coefficients: np.ndarray, identity: np.ndarray | None = None, scale: float = 10.0) -> np.ndarray:
    """(T, 52) -> (T, 478, 3) pixels, a slowly turning head."""
    shape = HEAD.landmarks(coefficients, identity)
    out = np.zeros((len(shape), 478, 3), np.float32)
    for t, points in enumerate(shape):
        out[t, :468] = scale * points @ turn(15 * np.sin(t / 9), 5 * np.cos(t / 7)).T + (200, 180 + t / 5, 0)
    return out


def units(frames: int, **values: float | np.ndarray) -> np.ndarray:
    w = np.zeros((frames, 52), np.float32)
    for name, value in values.items():
        w[:, HEAD.names.index(name)] = value
    return w


def track(frames: int) -> Track:
    return Track(np.ones(frames, np.float32), np.zeros(frames, np.int32))


def fitted(landmarks: np.ndarray, fitter: Fitter = FITTER):
    return fitter.fit_motion(track(len(landmarks)), lambda a, b: landmarks[a:b], fitter.fit_identity(landmarks))


def test_speech_and_a_steady_smile_are_found_on_a_stranger():
    rng = np.random.default_rng(1)
    jaw = 0.25 + 0.25 * np.sin(np.arange(80) / 3)
    w = units(80, jawOpen=jaw, mouthSmileLeft=0.5, mouthSmileRight=0.5, browInnerUp=0.6)
    landmarks = make(w, rng.normal(0, 0.7, len(HEAD.identity)))
    motion = fitted(landmarks)
    found = {n: motion.coefficients[:, HEAD.names.index(n)] for n in ("jawOpen", "mouthSmileLeft", "browInnerUp")}
    assert np.corrcoef(found["jawOpen"], jaw)[0, 1] > 0.98
    assert found["mouthSmileLeft"].mean() > 0.25  # half of it at least is not taken for identity
    assert found["browInnerUp"].mean() > 0.25
    assert FITTER.landmark_error(motion, landmarks).mean() < 1.6


def test_a_face_that_only_negative_units_could_make_is_the_person():
    short = -0.5 * HEAD.expression[HEAD.names.index("jawOpen")]  # chin and lower lip higher than the basis allows
    frames = 60
    smile = 0.5 * (1 + np.sin(np.arange(frames) / 6)) / 2
    w = units(frames, mouthSmileLeft=smile, mouthSmileRight=smile, browInnerUp=0.5)
    landmarks = make(w)
    landmarks[:, :468] += 10.0 * np.einsum("tij,nj->tni", np.stack([turn(15 * np.sin(t / 9), 5 * np.cos(t / 7))
                                                                  for t in range(frames)]), short)  # fmt: skip
    motion = fitted(landmarks)
    assert FITTER.landmark_error(motion, landmarks).mean() < 0.3
    found = motion.coefficients[:, [HEAD.names.index(n) for n in ("mouthSmileLeft", "browInnerUp")]]
    assert np.corrcoef(found[:, 0], smile)[0, 1] > 0.98
    assert np.abs(found[:, 0].mean() - smile.mean()) < 0.1 and found[:, 1].mean() > 0.25


def test_a_face_at_rest_reads_as_rest():
    motion = fitted(make(units(20)))
    assert motion.coefficients.max() < 0.1


def test_pose_is_found():
    w = units(30)
    motion = fitted(make(w, scale=7.0))
    assert motion.scale == pytest.approx(np.full(30, 7.0), rel=0.02)
    assert motion.rotation[14] == pytest.approx(turn(15 * np.sin(14 / 9), 5 * np.cos(2.0)), abs=0.03)


def test_chunks_make_no_difference():
    jaw = 0.3 + 0.3 * np.sin(np.arange(150) / 4)
    landmarks = make(units(150, jawOpen=jaw))
    whole = fitted(landmarks)
    pieces = fitted(landmarks, Fitter(HEAD, FitSettings(chunk_frames=40, overlap_frames=20)))
    assert np.abs(whole.coefficients - pieces.coefficients).max() < 0.02


def test_coefficients_stay_in_bounds_and_unseen_units_at_rest():
    motion = fitted(make(units(12, jawOpen=1.6, mouthSmileLeft=1.5)))
    assert motion.coefficients.min() >= 0 and motion.coefficients.max() <= 1
    assert motion.coefficients[:, HEAD.names.index("eyeLookUpLeft")].max() == 0


def test_one_frame_is_enough():
    motion = fitted(make(units(1, mouthSmileLeft=0.6, mouthSmileRight=0.6)))
    assert len(motion) == 1
    assert motion.coefficients[0, HEAD.names.index("mouthSmileLeft")] > 0.25


def test_frames_without_a_face_are_left_at_weight_nought():
    landmarks = make(units(20))
    presence = np.ones(20, np.float32)
    presence[8:12] = 0
    landmarks[8:12] = np.nan
    where = Track(presence, np.zeros(20, np.int32))
    motion = FITTER.fit_motion(where, lambda a, b: landmarks[a:b], FITTER.fit_identity(landmarks[:8]))
    assert np.isfinite(motion.coefficients).all()
    assert (motion.weight[8:12] == 0).all()
    for values in (motion.coefficients, motion.scale, motion.rotation, motion.translation):
        np.testing.assert_array_equal(values[8:12], values[[7, 7, 12, 12]])  # as in the nearest frame with a face


def test_a_frame_without_a_face_takes_no_pose_from_another_shot():
    landmarks = make(units(20))
    presence = np.ones(20, np.float32)
    presence[10:13] = 0
    landmarks[10:13] = np.nan
    shot = np.repeat(np.int32([0, 1]), [13, 7])
    motion = FITTER.fit_motion(Track(presence, shot), lambda a, b: landmarks[a:b], FITTER.fit_identity(landmarks[:8]))
    np.testing.assert_array_equal(motion.translation[10:13], motion.translation[[9, 9, 9]])


def test_similarity_returns_what_was_applied():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(40, 3))
    rotation = turn(25, -10)
    moved = 3.0 * points @ rotation.T + (1, 2, 3)
    scale, found, translation = fit_weak_perspective(points, moved[None], np.ones(40))
    assert scale[0] == pytest.approx(3.0)
    assert found[0] == pytest.approx(rotation)
    assert translation[0] == pytest.approx([1, 2, 3])
