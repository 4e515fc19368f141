"""The fit recovers the coefficients and poses that landmarks were computed from."""

from __future__ import annotations

import numpy as np
import pytest

from asccl.morphable.anny_head import load_anny_head
from asccl.morphable.fit import FitSettings, Fitter, fit_weak_perspective
from asccl.types import Motion, Track

HEAD = load_anny_head()
FITTER = Fitter(HEAD)


def rotation_matrix(yaw: float, pitch: float = 0.0) -> np.ndarray:
    y, p = np.deg2rad([yaw, pitch])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    return about_y @ about_x


def pose(t: int) -> np.ndarray:
    """A slowly turning head."""
    return rotation_matrix(15 * np.sin(t / 9), 5 * np.cos(t / 7))


def track_landmarks(coefficients: np.ndarray, identity: np.ndarray | None = None, scale: float = 10.0) -> np.ndarray:
    """(T, 52) -> (T, 478, 3) pixels of a head that turns as `pose` does."""
    shape = HEAD.landmarks(coefficients, identity)
    out = np.zeros((len(shape), 478, 3), np.float32)
    for t, points in enumerate(shape):
        out[t, :468] = scale * points @ pose(t).T + (200, 180 + t / 5, 0)
    return out


def units(frames: int, **values: float | np.ndarray) -> np.ndarray:
    w = np.zeros((frames, 52), np.float32)
    for name, value in values.items():
        w[:, HEAD.index[name]] = value
    return w


def fit(landmarks: np.ndarray, fitter: Fitter = FITTER) -> Motion:
    frames = len(landmarks)
    track = Track(np.ones(frames, np.float32), np.zeros(frames, np.int32))
    return fitter.fit_motion(track, lambda a, b: landmarks[a:b], fitter.fit_identity(landmarks))


def unit(motion: Motion, name: str) -> np.ndarray:
    return motion.coefficients[:, HEAD.index[name]]


def test_speech_and_a_steady_smile_are_recovered_on_an_unknown_person():
    rng = np.random.default_rng(1)
    jaw = 0.25 + 0.25 * np.sin(np.arange(80) / 3)
    w = units(80, jawOpen=jaw, mouthSmileLeft=0.5, mouthSmileRight=0.5, browInnerUp=0.6)
    landmarks = track_landmarks(w, rng.normal(0, 0.7, len(HEAD.identity)))
    motion = fit(landmarks)
    assert np.corrcoef(unit(motion, "jawOpen"), jaw)[0, 1] > 0.98
    assert unit(motion, "mouthSmileLeft").mean() > 0.25  # at least half of it is not attributed to the identity
    assert unit(motion, "browInnerUp").mean() > 0.25
    assert FITTER.landmark_error(motion, landmarks).mean() < 1.6


def test_a_shape_that_only_negative_units_explain_belongs_to_the_identity():
    short = -0.5 * HEAD.expression[HEAD.index["jawOpen"]]  # chin and lower lip higher than the basis allows
    frames = 60
    smile = 0.5 * (1 + np.sin(np.arange(frames) / 6)) / 2
    w = units(frames, mouthSmileLeft=smile, mouthSmileRight=smile, browInnerUp=0.5)
    landmarks = track_landmarks(w)
    for t in range(frames):
        landmarks[t, :468] += 10.0 * short @ pose(t).T
    motion = fit(landmarks)
    assert FITTER.landmark_error(motion, landmarks).mean() < 0.3
    assert np.corrcoef(unit(motion, "mouthSmileLeft"), smile)[0, 1] > 0.98
    assert np.abs(unit(motion, "mouthSmileLeft").mean() - smile.mean()) < 0.1
    assert unit(motion, "browInnerUp").mean() > 0.25


def test_a_face_at_rest_reads_as_rest():
    motion = fit(track_landmarks(units(20)))
    assert motion.coefficients.max() < 0.1


def test_pose_is_recovered():
    w = units(30)
    motion = fit(track_landmarks(w, scale=7.0))
    assert motion.scale == pytest.approx(np.full(30, 7.0), rel=0.02)
    assert motion.rotation[14] == pytest.approx(pose(14), abs=0.03)


def test_chunks_make_no_difference():
    jaw = 0.3 + 0.3 * np.sin(np.arange(150) / 4)
    landmarks = track_landmarks(units(150, jawOpen=jaw))
    at_once = fit(landmarks)
    chunked = fit(landmarks, Fitter(HEAD, FitSettings(chunk_frames=40, overlap_frames=20)))
    assert np.abs(at_once.coefficients - chunked.coefficients).max() < 0.02


def test_coefficients_stay_in_bounds_and_unobservable_units_at_rest():
    motion = fit(track_landmarks(units(12, jawOpen=1.6, mouthSmileLeft=1.5)))
    assert motion.coefficients.min() >= 0
    assert motion.coefficients.max() <= 1
    assert unit(motion, "eyeLookUpLeft").max() == 0


def test_one_frame_is_enough():
    motion = fit(track_landmarks(units(1, mouthSmileLeft=0.6, mouthSmileRight=0.6)))
    assert len(motion) == 1
    assert unit(motion, "mouthSmileLeft")[0] > 0.25


def test_frames_without_a_face_have_weight_zero():
    landmarks = track_landmarks(units(20))
    presence = np.ones(20, np.float32)
    presence[8:12] = 0
    landmarks[8:12] = np.nan
    track = Track(presence, np.zeros(20, np.int32))
    motion = FITTER.fit_motion(track, lambda a, b: landmarks[a:b], FITTER.fit_identity(landmarks[:8]))
    assert np.isfinite(motion.coefficients).all()
    assert (motion.weight[8:12] == 0).all()
    for values in (motion.coefficients, motion.scale, motion.rotation, motion.translation):
        np.testing.assert_array_equal(values[8:12], values[[7, 7, 12, 12]])  # as in the nearest frame with a face


def test_a_frame_without_a_face_takes_no_pose_from_another_shot():
    landmarks = track_landmarks(units(20))
    presence = np.ones(20, np.float32)
    presence[10:13] = 0
    landmarks[10:13] = np.nan
    shot = np.repeat(np.int32([0, 1]), [13, 7])
    motion = FITTER.fit_motion(Track(presence, shot), lambda a, b: landmarks[a:b], FITTER.fit_identity(landmarks[:8]))
    np.testing.assert_array_equal(motion.translation[10:13], motion.translation[[9, 9, 9]])


def test_a_weak_perspective_is_recovered():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(40, 3))
    rotation = rotation_matrix(25, -10)
    moved = 3.0 * points @ rotation.T + (1, 2, 3)
    scale, fitted_rotation, translation = fit_weak_perspective(points, moved[None], np.ones(40))
    assert scale[0] == pytest.approx(3.0)
    assert fitted_rotation[0] == pytest.approx(rotation)
    assert translation[0] == pytest.approx([1, 2, 3])


def test_the_motion_keeps_the_shots_of_the_track():
    shot = np.array([0, 0, 1, 1], np.int32)
    landmarks = track_landmarks(units(4))
    track = Track(np.ones(4, np.float32), shot)
    motion = FITTER.fit_motion(track, lambda a, b: landmarks[a:b], HEAD.neutral.astype(np.float64))
    assert np.array_equal(motion.shot, shot)
    assert np.array_equal(motion.select(np.array([1, 2])).shot, [0, 1])
