"""Fit the 3DMM to a track: one identity for the person, pose and bounded coefficients for every frame.

The camera is a weak perspective, `landmarks = scale * R @ (identity + sum_i c_i E_i) + translation`. Identity and
expression explain some of the same landmarks. Three things keep expression out of the identity: the identity basis
is penalised far more than the coefficients; what the basis leaves over may only move the identity where no
expression unit could (units push one way: a chin that is shorter than the basis allows is the person's own, one that
is longer may be an open jaw); and a known neutral of the same person can be given.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import nnls

from asccl.face import mesh
from asccl.morphable.head import HeadModel
from asccl.types import Motion, Track

UNOBSERVABLE_UNITS = ("eyeLook", "tongueOut")  # not to be seen in the 468 points
RARE_UNITS = ("jawLeft", "jawRight", "jawForward", "mouthLeft", "mouthRight", "cheekPuff", "mouthClose", "mouthShrugLower",
        "mouthShrugUpper", "mouthRollUpper", "mouthRollLower")  # fmt: skip
UNEXPLAINED_IDENTITY_SHARE = 0.7  # of what neither basis nor expression explains, that counts as the person's own


@dataclass(frozen=True)
class FitSettings:
    """identity_prior, coefficient_prior: pull towards 0. coherence: pull towards the neighbouring frames.
    depth_trust: weight of FaceMesh's z beside x and y. samples: frames that decide the identity.
    chunk, overlap: frames fitted at once and shared with the chunk before."""

    identity_prior: float = 0.5
    coefficient_prior: float = 2.0
    temporal_weight: float = 0.6
    depth_weight: float = 0.15
    iterations: int = 6
    identity_frames: int = 240
    chunk_frames: int = 600
    overlap_frames: int = 30


def landmark_weights() -> np.ndarray:
    """(468,) trust in each landmark: much where emotion and speech show, little on the outline of the face."""
    w = np.ones(mesh.NUM_FACE_LANDMARKS)
    w[list(mesh.FACE_OVAL)] = 0.3
    w[list(mesh.LIPS + mesh.RIGHT_EYE + mesh.LEFT_EYE)] = 3.0
    w[list(mesh.BROWS)] = 2.5
    return w


def fit_weak_perspective(shape: np.ndarray, landmarks: np.ndarray, weights: np.ndarray):
    """Least-squares `landmarks ~ s R shape + t` for each frame (Umeyama 1991).

    shape: (T, N, 3) or (N, 3); landmarks: (T, N, 3); weights: (N,). Returns s (T,), R (T, 3, 3), t (T, 3).
    """
    shape = np.broadcast_to(shape, landmarks.shape)
    w = weights / weights.sum()
    centre_x, centre_y = np.einsum("n,tnk->tk", w, shape), np.einsum("n,tnk->tk", w, landmarks)
    x, y = shape - centre_x[:, None], landmarks - centre_y[:, None]
    u, sigma, vt = np.linalg.svd(np.einsum("tni,n,tnj->tij", y, w, x, optimize=True))
    flip = np.ones_like(sigma)
    flip[:, 2] = np.sign(np.linalg.det(u @ vt))
    rotation = (u * flip[:, None]) @ vt
    scale = (sigma * flip).sum(1) / np.einsum("n,tnk->t", w, x**2)
    return scale, rotation, centre_y - scale[:, None] * np.einsum("tij,tj->ti", rotation, centre_x)


def bounded_least_squares(
    hessian: np.ndarray, linear: np.ndarray, start: np.ndarray, upper: np.ndarray, coherence: float, steps: int = 120
) -> np.ndarray:
    """Minimise sum_t w_t'Hw_t/2 - b_t'w_t + coherence/2 |w_{t+1} - w_t|^2 over 0 <= w <= upper by FISTA.

    hessian: (K, K); linear, start: (T, K); upper: (K,). All frames at once, linear in T (Beck and Teboulle 2009).
    """
    step = 1.0 / (np.linalg.eigvalsh(hessian)[-1] + 4 * coherence)
    w, ahead, momentum = start, start, 1.0
    for _ in range(steps):
        slope = np.diff(ahead, axis=0) * coherence
        gradient = ahead @ hessian - linear
        gradient[:-1] -= slope
        gradient[1:] += slope
        new = np.clip(ahead - step * gradient, 0.0, upper)
        faster = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = new + (momentum - 1) / faster * (new - w)
        w, momentum = new, faster
    return w


class Fitter:
    """The fixed matrices of a fit; build once, use for any number of clips."""

    def __init__(self, head: HeadModel, settings: FitSettings | None = None):
        self.head = head
        self.settings = settings = settings or FitSettings()
        w = landmark_weights()
        self._w = np.stack([w, w, settings.depth_weight * w], 1).ravel()
        self._pose_weights = np.full(mesh.NUM_FACE_LANDMARKS, 0.02)
        self._pose_weights[list(mesh.RIGID_LANDMARKS)] += 1.0
        names = head.names
        self.expression = head.expression.astype(np.float64)
        flat = self.expression.reshape(len(names), -1)
        self.upper = np.array([0.0 if n.startswith(UNOBSERVABLE_UNITS) else 1.0 for n in names])
        gram = (flat * self._w) @ flat.T
        self._unit = np.trace(gram) / (self.upper > 0).sum() * 0.02
        prior = np.array([4.0 if n in RARE_UNITS else 1.0 for n in names]) * settings.coefficient_prior * self._unit
        self._hessian = gram + np.diag(prior)
        basis = head.identity.astype(np.float64).reshape(len(head.identity), -1)
        identity_gram = (basis * self._w) @ basis.T + np.eye(
            len(basis)
        ) * settings.identity_prior * self._w.sum() * 0.004
        self._identity_solver = np.linalg.solve(identity_gram, basis * self._w)
        self._identity_basis = basis
        self._root = np.sqrt(self._w)
        self._units = (flat[self.upper > 0] * self._root).T  # (3N, k)

    def fit_identity(self, landmarks: np.ndarray) -> np.ndarray:
        """(T, >=468, 3) pixels, no NaN, frames of one person -> (468, 3) cm, this person at rest."""
        y = np.asarray(landmarks[:, : mesh.NUM_FACE_LANDMARKS], np.float64)
        pick = np.unique(np.linspace(0, len(y) - 1, min(len(y), self.settings.identity_frames)).round().astype(int))
        y = y[pick]
        base = self.head.neutral.astype(np.float64)
        shape, w = base, np.zeros((len(y), len(self.upper)))
        rest = base
        for _ in range(self.settings.iterations):
            local, w = self._local(y, shape, w, 0.0)
            rest = (local - np.tensordot(w, self.expression, 1)).mean(0)
            a = self._identity_solver @ (rest - base).ravel()
            shape = base + (a @ self._identity_basis).reshape(-1, 3)
        return shape + UNEXPLAINED_IDENTITY_SHARE * self._unexplained(rest - shape) if len(y) > 1 else shape

    def _unexplained(self, offset: np.ndarray) -> np.ndarray:
        """The part of a landmark offset (468, 3) that no coefficients >= 0 can make or come nearer to."""
        v = offset.ravel() * self._root
        v = v - self._units @ nnls(self._units, v)[0]
        return (v / self._root).reshape(-1, 3)

    def _local(self, y: np.ndarray, shape: np.ndarray, w: np.ndarray, coherence: float):
        """Landmarks in the head's own frame, and coefficients given the shape."""
        scale, rotation, translation = fit_weak_perspective(
            shape + np.tensordot(w, self.expression, 1), y, self._pose_weights
        )
        local = np.einsum("tij,tni->tnj", rotation, y - translation[:, None]) / scale[:, None, None]
        linear = ((local - shape).reshape(len(y), -1) * self._w) @ self.expression.reshape(len(self.upper), -1).T
        w = bounded_least_squares(self._hessian, linear, w, self.upper, coherence * self._unit * 20)
        return local, w

    def _frames(self, y: np.ndarray, shape: np.ndarray):
        """Pose and coefficients of one chunk."""
        w = np.zeros((len(y), len(self.upper)))
        for _ in range(3):
            _, w = self._local(y, shape, w, self.settings.temporal_weight)
        scale, rotation, translation = fit_weak_perspective(
            shape + np.tensordot(w, self.expression, 1), y, self._pose_weights
        )
        if len(y) > 2:
            scale = gaussian_filter1d(scale, 1.0, mode="nearest")
        return w, scale, rotation, translation

    def fit_motion(self, track: Track, read, identity: np.ndarray) -> Motion:
        """Coefficients and pose of every frame with a face, in chunks.

        read(first, last) gives the landmarks of frames first..last-1, (n, 478, 3) pixels, NaN where there is no
        face; frames without one get the nearest fitted frame's values and weight 0.
        """
        total = len(track.presence)
        coefficients = np.zeros((total, len(self.upper)), np.float32)
        scale, translation = np.ones(total, np.float32), np.zeros((total, 3), np.float32)
        rotation = np.repeat(np.eye(3, dtype=np.float32)[None], total, 0)
        runs = list(_runs(track))
        for first, last in runs:
            at = first
            while at < last:
                stop = min(at + self.settings.chunk_frames, last)
                start = max(first, at - self.settings.overlap_frames)
                ahead = min(last, stop + self.settings.overlap_frames)
                y = np.asarray(read(start, ahead)[:, : mesh.NUM_FACE_LANDMARKS], np.float64)
                w, s, r, t = self._frames(y, identity)
                keep = slice(at - start, stop - start)
                coefficients[at:stop], scale[at:stop] = w[keep], s[keep]
                rotation[at:stop], translation[at:stop] = r[keep], t[keep]
                at = stop
        near = _nearest(runs, track.shot)
        coefficients, scale, rotation, translation = coefficients[near], scale[near], rotation[near], translation[near]
        person = identity.astype(np.float32)
        return Motion(coefficients, scale, rotation, translation, person, track.presence, shot=track.shot)

    def landmark_error(self, motion: Motion, landmarks: np.ndarray) -> np.ndarray:
        """Mean landmark distance of the fit in percent of the eye distance, (T,)."""
        shape = motion.identity + np.tensordot(motion.coefficients, self.expression, 1)
        fitted = (
            motion.scale[:, None, None] * (shape @ motion.rotation.transpose(0, 2, 1)) + motion.translation[:, None]
        )
        xy = landmarks[:, : mesh.NUM_FACE_LANDMARKS, :2]
        return 100 * np.linalg.norm(fitted[..., :2] - xy, axis=-1).mean(1) / mesh.eye_distance(landmarks)


def _runs(track: Track):
    """Stretches (first, last + 1) of frames that have a face and belong to one shot."""
    seen = track.presence > 0
    edges = np.flatnonzero(np.diff(seen.astype(np.int8)) | np.diff(track.shot)) + 1
    for first, last in zip(np.r_[0, edges], np.r_[edges, len(seen)], strict=True):
        if last > first and seen[first]:
            yield int(first), int(last)


def _nearest(runs: list[tuple[int, int]], shot: np.ndarray) -> np.ndarray:
    """(T,) number of the nearest frame in one of the runs, of the same shot where that has one; itself inside them."""
    fitted = np.concatenate([np.arange(*run) for run in runs] or [np.arange(len(shot))])
    out = np.arange(len(shot))
    missing = np.setdiff1d(out, fitted)
    for t in missing:
        own = fitted[shot[fitted] == shot[t]]
        near = own if len(own) else fitted
        out[t] = near[np.abs(near - t).argmin()]
    return out
