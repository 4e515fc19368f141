"""Remove the jitter of the landmark network without lag and without reducing movements."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from asccl.face.mesh import RIGID_LANDMARKS, eye_distance
from asccl.face.pose import FRONTAL_HEAD

SMOOTHING_RADIUS = 4  # frames on either side that a smoothed frame depends on; windows must overlap by this much
MAX_GAP = 2  # frames; longer gaps are not interpolated
TIME_SIGMA = 1.6  # frames, standard deviation of the weights in time
# standard deviations of the weights in movement, as fractions of the eye distance; smaller movements are jitter
HEAD_JITTER = 0.004
LOCAL_JITTER = 0.004


def interpolate_gaps(landmarks: np.ndarray, shot: np.ndarray) -> np.ndarray:
    """Interpolate gaps of at most `MAX_GAP` frames within a shot.

    Args:
        landmarks: (T, N, 3), NaN where missing.
        shot: (T,) index of the shot.

    Returns:
        A copy of the landmarks.
    """
    interpolated = landmarks.copy()
    present = np.flatnonzero(np.isfinite(landmarks[:, 0, 0]))
    for a, b in pairwise(present):
        if 1 < b - a <= MAX_GAP + 1 and shot[a] == shot[b]:
            fraction = (np.arange(1, b - a) / (b - a))[:, None, None]
            interpolated[a + 1 : b] = (1 - fraction) * landmarks[a] + fraction * landmarks[b]
    return interpolated


def smooth_landmarks(landmarks: np.ndarray, shot: np.ndarray) -> np.ndarray:
    """Smooth landmarks without lag, less where they move (a bilateral filter in time), head and features separately.

    A frame depends only on `SMOOTHING_RADIUS + MAX_GAP` frames on either side, so a long clip can be smoothed in
    windows that overlap by this much, with the same result.

    Args:
        landmarks: (T, N, 3) pixels, NaN where missing; gaps of up to `MAX_GAP` frames are interpolated first.
        shot: (T,) index of the shot; nothing is smoothed across a cut.

    Returns:
        (T, N, 3) of the same type.
    """
    x = interpolate_gaps(landmarks.astype(np.float64), shot)
    if len(x) < 2:
        return x.astype(landmarks.dtype)
    present = np.isfinite(x[:, 0, 0])
    x[~present] = 0.0
    scale = np.where(present, np.maximum(eye_distance(x), 1e-6), 1.0)
    head = _fit_heads(x)
    local = _to_head_coordinates(x, head)
    radius = np.hypot(head[:, 2], head[:, 3])
    smooth_head = _bilateral_filter(head[:, None, :], shot, present, scale * HEAD_JITTER)[:, 0]
    smooth_local = _bilateral_filter(local, shot, present, scale / np.maximum(radius, 1e-9) * LOCAL_JITTER)
    smoothed = _to_image_coordinates(smooth_local, smooth_head)
    smoothed[~present] = np.nan
    return smoothed.astype(landmarks.dtype)


def _fit_heads(x: np.ndarray) -> np.ndarray:
    """The head's centre (x, y) and its radius times its direction (x, y) in pixels, (T, 4), of landmarks (T, N, 3).

    This is the least-squares similarity of `crop.fit_similarity` for all frames at once, as centre and complex scale.
    """
    points = x[:, list(RIGID_LANDMARKS), :2]
    centre = points.mean(1)
    z = (points[..., 0] - centre[:, None, 0]) + 1j * (points[..., 1] - centre[:, None, 1])
    template = FRONTAL_HEAD[:, 0] + 1j * FRONTAL_HEAD[:, 1]
    template = template - template.mean()
    scale = (z * template.conj()).sum(1) / (np.abs(template) ** 2).sum()
    return np.concatenate([centre, scale.real[:, None], scale.imag[:, None]], 1)


def _to_head_coordinates(x: np.ndarray, head: np.ndarray) -> np.ndarray:
    scale = head[:, 2] + 1j * head[:, 3]
    scale = np.where(np.abs(scale) < 1e-9, 1.0, scale)
    z = (x[..., 0] - head[:, None, 0] + 1j * (x[..., 1] - head[:, None, 1])) / scale[:, None]
    return np.stack([z.real, z.imag, x[..., 2] / np.abs(scale)[:, None]], -1)


def _to_image_coordinates(x: np.ndarray, head: np.ndarray) -> np.ndarray:
    scale = head[:, 2] + 1j * head[:, 3]
    z = (x[..., 0] + 1j * x[..., 1]) * scale[:, None]
    return np.stack([z.real + head[:, None, 0], z.imag + head[:, None, 1], x[..., 2] * np.abs(scale)[:, None]], -1)


def _bilateral_filter(x: np.ndarray, shot: np.ndarray, present: np.ndarray, jitter: np.ndarray) -> np.ndarray:
    """Mean over time in which frames count less the further away they are and the more a point has moved.

    Args:
        x: (T, N, C).
        shot: (T,); nothing is smoothed across a cut.
        present: (T,) bool; other frames are ignored.
        jitter: (T,) standard deviation of the weights in movement, in the unit of x.
    """
    total, weights = x.copy(), np.ones(x.shape[:2])
    frames = len(x)
    compared = slice(0, 2) if x.shape[-1] == 3 else slice(None)  # depth is the least precise
    for offset in range(1, min(SMOOTHING_RADIUS, frames - 1) + 1):
        time_weight = np.exp(-0.5 * (offset / TIME_SIGMA) ** 2)
        a, b = slice(0, frames - offset), slice(offset, frames)
        is_valid = (shot[a] == shot[b]) & present[a] & present[b]
        movement = np.linalg.norm((x[b] - x[a])[..., compared], axis=-1)
        sigma = np.sqrt(jitter[a] * jitter[b])[:, None]
        weight = time_weight * np.exp(-0.5 * (movement / sigma) ** 2) * is_valid[:, None]
        total[a] += weight[..., None] * x[b]
        total[b] += weight[..., None] * x[a]
        weights[a] += weight
        weights[b] += weight
    return total / weights[..., None]
