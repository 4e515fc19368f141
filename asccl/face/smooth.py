"""Take the network's tremble out of landmarks without lag and without shrinking what moves."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from asccl.face.mesh import RIGID_LANDMARKS, eye_distance
from asccl.face.pose import FRONTAL_HEAD

SMOOTHING_RADIUS = 4  # frames to either side that a smoothed frame depends on: give windows this much overlap
MAX_GAP = 2  # gaps of at most so many frames are interpolated
STRETCH = 1.6  # frames, standard deviation of the weights in time
# standard deviations of the weights in movement, as shares of the eye distance: what is smaller is tremble
HEAD_TREMBLE = 0.004
LOCAL_TREMBLE = 0.004


def interpolate_gaps(landmarks: np.ndarray, shot: np.ndarray) -> np.ndarray:
    """Interpolate gaps of at most BRIDGE frames within a shot.

    landmarks: (T, N, 3), NaN where missing. shot: (T,). Returns a copy.
    """
    out = landmarks.copy()
    have = np.flatnonzero(np.isfinite(landmarks[:, 0, 0]))
    for a, b in pairwise(have):
        if 1 < b - a <= MAX_GAP + 1 and shot[a] == shot[b]:
            share = (np.arange(1, b - a) / (b - a))[:, None, None]
            out[a + 1 : b] = (1 - share) * landmarks[a] + share * landmarks[b]
    return out


def smooth_landmarks(landmarks: np.ndarray, shot: np.ndarray) -> np.ndarray:
    """Zero-phase smoothing that fades out with movement (a bilateral filter in time), head and features apart.

    landmarks: (T, N, 3) pixels, NaN where missing; gaps up to BRIDGE frames are interpolated first. shot: (T,) int; no
    value crosses a cut. Returns (T, N, 3) of the same type. A frame depends on the REACH + BRIDGE frames on either side
    alone, so a long clip can be smoothed in windows that overlap by that much, with the same result.
    """
    x = interpolate_gaps(landmarks.astype(np.float64), shot)
    if len(x) < 2:
        return x.astype(landmarks.dtype)
    seen = np.isfinite(x[:, 0, 0])
    x[~seen] = 0.0
    scale = np.where(seen, np.maximum(eye_distance(x), 1e-6), 1.0)
    head = _similarity(x)  # (T, 4): where the head is, as centre and complex scale
    local = _into_head(x, head)
    size = np.hypot(head[:, 2], head[:, 3])
    smooth_head = _bilateral(head[:, None, :], shot, seen, scale * HEAD_TREMBLE)[:, 0]
    smooth_local = _bilateral(local, shot, seen, scale / np.maximum(size, 1e-9) * LOCAL_TREMBLE)
    out = _out_of_head(smooth_local, smooth_head)
    out[~seen] = np.nan
    return out.astype(landmarks.dtype)


def _similarity(x: np.ndarray) -> np.ndarray:
    """(T, N, 3) -> (T, 4): the head's centre (x, y) and its radius times its direction (x, y), in pixels."""
    points = x[:, list(RIGID_LANDMARKS), :2]
    centre = points.mean(1)
    z = (points[..., 0] - centre[:, None, 0]) + 1j * (points[..., 1] - centre[:, None, 1])
    gauge = FRONTAL_HEAD[:, 0] + 1j * FRONTAL_HEAD[:, 1]
    gauge = gauge - gauge.mean()
    turn = (z * gauge.conj()).sum(1) / (np.abs(gauge) ** 2).sum()
    return np.concatenate([centre, turn.real[:, None], turn.imag[:, None]], 1)


def _into_head(x: np.ndarray, head: np.ndarray) -> np.ndarray:
    turn = head[:, 2] + 1j * head[:, 3]
    turn = np.where(np.abs(turn) < 1e-9, 1.0, turn)
    z = (x[..., 0] - head[:, None, 0] + 1j * (x[..., 1] - head[:, None, 1])) / turn[:, None]
    return np.stack([z.real, z.imag, x[..., 2] / np.abs(turn)[:, None]], -1)


def _out_of_head(x: np.ndarray, head: np.ndarray) -> np.ndarray:
    turn = head[:, 2] + 1j * head[:, 3]
    z = (x[..., 0] + 1j * x[..., 1]) * turn[:, None]
    return np.stack([z.real + head[:, None, 0], z.imag + head[:, None, 1], x[..., 2] * np.abs(turn)[:, None]], -1)


def _bilateral(x: np.ndarray, shot: np.ndarray, seen: np.ndarray, tremble: np.ndarray) -> np.ndarray:
    """Weighted mean over time: a neighbour counts less the further off it is and the more the point has moved.

    x: (T, N, C). tremble: (T,), in the unit of x. shot, seen: (T,); nothing crosses a cut or comes from unseen frames.
    """
    total, weights = x.copy(), np.ones(x.shape[:2])
    frames = len(x)
    judged = slice(0, 2) if x.shape[-1] == 3 else slice(None)  # depth trembles most and says least
    for step in range(1, min(SMOOTHING_RADIUS, frames - 1) + 1):
        near = np.exp(-0.5 * (step / STRETCH) ** 2)
        a, b = slice(0, frames - step), slice(step, frames)
        same = (shot[a] == shot[b]) & seen[a] & seen[b]
        moved = np.linalg.norm((x[b] - x[a])[..., judged], axis=-1)
        weight = near * np.exp(-0.5 * (moved / np.sqrt(tremble[a] * tremble[b])[:, None]) ** 2) * same[:, None]
        total[a] += weight[..., None] * x[b]
        total[b] += weight[..., None] * x[a]
        weights[a] += weight
        weights[b] += weight
    return total / weights[..., None]
