from __future__ import annotations

import numpy as np
import pytest

from asccl.face.mesh import LOWER_INNER_LIP, RIGID_LANDMARKS, UPPER_INNER_LIP, eye_distance
from asccl.face.pose import FRONTAL_HEAD, estimate_head_pose
from asccl.face.smooth import MAX_GAP, SMOOTHING_RADIUS, smooth_landmarks

SIZE = 40.0  # pixels per head radius


def head(frames: int) -> np.ndarray:
    """(T, 478, 3): a still head with its stable points where they belong and a closed mouth."""
    points = np.random.default_rng(1).uniform(-1, 1, (478, 3))
    points[list(RIGID_LANDMARKS)] = FRONTAL_HEAD
    for upper, lower in zip(UPPER_INNER_LIP, LOWER_INNER_LIP, strict=True):
        points[upper] = points[lower] = (0.0, 1.0, -0.5)
    return np.repeat((points * SIZE + (200, 150, 0))[None], frames, 0)


def one_shot(x) -> np.ndarray:
    return np.zeros(len(x), np.int32)


def test_jitter_is_removed_and_a_still_head_stays():
    x = head(60)
    assert np.allclose(smooth_landmarks(x, one_shot(x)), x, atol=1e-6)
    noisy = x + np.random.default_rng(0).normal(0, 0.001 * eye_distance(x[0]), x.shape)
    smoothed = smooth_landmarks(noisy, one_shot(x))
    assert smoothed.std(0)[:, :2].mean() < 0.6 * noisy.std(0)[:, :2].mean()
    assert np.abs(smoothed.mean(0) - x[0]).max() < 0.3


@pytest.mark.parametrize("hertz", [2, 4, 6])
def test_lips_keep_their_amplitude_and_their_closures(hertz):
    t = np.arange(90) / 30
    x = head(90)
    gap = 0.12 * eye_distance(x[0]) * (0.5 - 0.5 * np.cos(2 * np.pi * hertz * t))
    x[:, list(LOWER_INNER_LIP), 1] += gap[:, None]
    y = smooth_landmarks(x, one_shot(x))
    smoothed_gap = (y[:, list(LOWER_INNER_LIP), 1] - y[:, list(UPPER_INNER_LIP), 1]).mean(1)
    inner = slice(SMOOTHING_RADIUS, -SMOOTHING_RADIUS)
    assert np.ptp(smoothed_gap[inner]) > 0.97 * np.ptp(gap[inner])
    assert np.abs(smoothed_gap - gap).max() < 0.03 * gap.max()
    assert np.corrcoef(smoothed_gap, gap)[0, 1] > 0.999


def test_no_lag_when_the_head_moves():
    x = head(60)
    x[..., 0] += (np.clip(np.arange(60) - 20, 0, 20) * 2.0)[:, None]
    y = smooth_landmarks(x, one_shot(x))
    assert np.abs(y - x)[..., :2].max() < 0.35


def test_overlapping_windows_give_the_same_as_the_complete_clip():
    rng = np.random.default_rng(2)
    x = head(80) + rng.normal(0, 0.3, (80, 478, 3))
    x[..., 0] += np.cumsum(rng.normal(0, 1, 80))[:, None]
    x[33:35] = np.nan
    cuts = (np.arange(80) > 50).astype(np.int32)
    expected = smooth_landmarks(x, cuts)
    overlap = SMOOTHING_RADIUS + MAX_GAP
    for a in range(0, 80, 20):
        low, high = max(a - overlap, 0), min(a + 20 + overlap, 80)
        part = smooth_landmarks(x[low:high], cuts[low:high])[a - low : a - low + 20]
        assert np.allclose(part, expected[a : a + 20], atol=1e-6)


def test_gaps_and_cuts():
    x = head(20)
    x[10:] += (50, 0, 0)
    x[5:7] = np.nan
    x[14:18] = np.nan
    y = smooth_landmarks(x.astype(np.float32), (np.arange(20) >= 10).astype(np.int32))
    assert y.dtype == np.float32
    assert np.isfinite(y[:14]).all()
    assert np.isnan(y[14:18]).all()
    assert np.allclose(y[9], head(1)[0], atol=1e-3)
    assert np.allclose(y[10], head(1)[0] + (50, 0, 0), atol=1e-3)


def test_head_pose_recovers_a_rotation():
    for yaw, pitch in [(0, 0), (30, 0), (-50, 0), (0, 25), (0, -20)]:
        a, b = np.radians([yaw, pitch])
        # yaw about the vertical axis (nose to the right of the image), pitch about the horizontal one (nose down)
        yaw_rotation = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
        pitch_rotation = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
        x = np.zeros((478, 3))
        x[list(RIGID_LANDMARKS)] = FRONTAL_HEAD @ (yaw_rotation @ pitch_rotation).T * 70 + (300, 200, 5)
        pose = estimate_head_pose(x)
        assert pose.yaw == pytest.approx(yaw, abs=0.5)
        assert pose.pitch == pytest.approx(pitch, abs=0.5)
        assert pose.misfit < 1e-3
