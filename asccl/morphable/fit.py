"""Fit the head model to a track: one identity for the person, pose and bounded coefficients for every frame.

The camera is a weak perspective. Frame t of the landmarks y_t (N, 3) is modelled as

    y_t = s_t R_t (x + sum_i w_ti E_i) + translation_t,    0 <= w_ti <= 1

with the person's neutral shape x and the expression basis E. Pose and coefficients are fitted in turn: given the
shape, the pose has a closed form (Umeyama 1991, `fit_weak_perspective`); given the pose, landmarks are taken back into
the head's coordinates and all coefficients of a clip minimize one convex quadratic by FISTA (`bounded_least_squares`).

Identity and expression explain some of the same landmarks; `asccl.morphable.identity` separates them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from asccl.face import mesh
from asccl.morphable.head import HeadModel
from asccl.morphable.identity import IdentityFitter, expected_levels
from asccl.morphable.quadratic import bounded_least_squares
from asccl.types import Motion, Track

UNOBSERVABLE_UNITS = ("eyeLook", "tongueOut")  # the 468 landmarks do not show them
RARE_UNITS = (
    *("jawLeft", "jawRight", "jawForward", "mouthLeft", "mouthRight", "cheekPuff", "mouthClose"),
    *("mouthShrugLower", "mouthShrugUpper", "mouthRollUpper", "mouthRollLower"),
)
RARE_UNIT_PRIOR = 4.0  # prior of the rare units over that of the others
PRIOR_SCALE = 0.02  # a coefficient prior of 1, over the mean diagonal of the basis' Gram matrix
IDENTITY_PRIOR_SCALE = 0.004  # an identity prior of 1, over the sum of the landmark weights
TEMPORAL_SCALE = 20  # a temporal weight of 1, over a coefficient prior of 1
POSE_ITERATIONS = 3  # of pose and coefficients in turn, given the identity
POSE_SCALE_SMOOTHING = 1.0  # frames, standard deviation


@dataclass(frozen=True)
class FitSettings:
    """Weights and sizes of a fit.

    Attributes:
        identity_prior: weight of the squared identity coefficients.
        coefficient_prior: weight of the squared expression coefficients.
        temporal_weight: weight of the squared change of a coefficient between neighbouring frames.
        depth_weight: weight of FaceMesh's z; x and y have weight 1.
        iterations: of identity and coefficients in turn.
        identity_frames: number of frames that decide the identity, at most.
        chunk_frames: number of frames fitted at once.
        overlap_frames: frames on either side of a chunk that are fitted along with it.
    """

    identity_prior: float = 0.2
    coefficient_prior: float = 2.0
    temporal_weight: float = 0.6
    depth_weight: float = 0.15
    iterations: int = 6
    identity_frames: int = 240
    chunk_frames: int = 600
    overlap_frames: int = 30


def landmark_weights() -> np.ndarray:
    """(468,) weight of each landmark: high where emotion and speech show, low on the outline of the face."""
    w = np.ones(mesh.NUM_FACE_LANDMARKS)
    w[list(mesh.FACE_OVAL)] = 0.3
    w[list(mesh.LIPS + mesh.RIGHT_EYE + mesh.LEFT_EYE)] = 3.0
    w[list(mesh.BROWS)] = 2.5
    return w


def sample_indices(total: int, count: int) -> np.ndarray:
    """At most `count` indices below `total`, evenly spaced and including both ends."""
    return np.unique(np.linspace(0, total - 1, min(total, count)).round().astype(int))


def fit_weak_perspective(
    shape: np.ndarray, landmarks: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Fit scale, rotation and translation of each frame in closed form (Umeyama 1991).

    .. math:: \min_{s, R, t} \sum_n w_n \lVert y_n - (s R x_n + t) \rVert^2

    With the weighted means removed and :math:`\sum_n w_n y_n x_n^T = U \mathrm{diag}(\sigma) V^T`, the minimum is
    :math:`R = U S V^T`, :math:`s = \mathrm{tr}(\mathrm{diag}(\sigma) S) / \sum_n w_n \lVert x_n \rVert^2` and
    :math:`t = \bar y - s R \bar x`, where :math:`S = \mathrm{diag}(1, 1, \det U V^T)` excludes reflections.

    Args:
        shape: x, (T, N, 3) or (N, 3).
        landmarks: y, (T, N, 3).
        weights: w, (N,).

    Returns:
        Scale (T,), rotation (T, 3, 3) and translation (T, 3).
    """
    shape = np.broadcast_to(shape, landmarks.shape)
    w = weights / weights.sum()
    centre_x, centre_y = w @ shape, w @ landmarks
    x, y = shape - centre_x[:, None], landmarks - centre_y[:, None]
    weighted = w[:, None] * x
    u, sigma, vt = np.linalg.svd(y.transpose(0, 2, 1) @ weighted)
    sign = np.ones_like(sigma)
    sign[:, 2] = np.sign(np.linalg.det(u @ vt))
    rotation = (u * sign[:, None]) @ vt
    scale = (sigma * sign).sum(1) / (weighted * x).sum((1, 2))
    return scale, rotation, centre_y - scale[:, None] * (rotation @ centre_x[..., None])[..., 0]


class Fitter:
    """The constant matrices of a fit. Build once, use for any number of clips.

    With the landmark weights W and the expression basis E flattened to (units, 3 N), the coefficients minimize the
    quadratic of H = E W E^T + P and b_t = E W (local_t - x), with the diagonal prior P.
    """

    def __init__(self, head: HeadModel, settings: FitSettings | None = None):
        self.head = head
        self.settings = settings = settings or FitSettings()
        w = landmark_weights()
        self._weights = np.stack([w, w, settings.depth_weight * w], 1).ravel()  # (3 N,)
        self._pose_weights = np.full(mesh.NUM_FACE_LANDMARKS, 0.02)
        self._pose_weights[list(mesh.RIGID_LANDMARKS)] += 1.0
        self.expression = head.expression.astype(np.float64)
        self.upper = np.array([0.0 if n.startswith(UNOBSERVABLE_UNITS) else 1.0 for n in head.names])
        self._build_expression(self.expression.reshape(len(head.names), -1))
        noise = settings.identity_prior * self._weights.sum() * IDENTITY_PRIOR_SCALE
        self._identity = IdentityFitter(head, self._weights, noise, self.upper > 0)

    def _build_expression(self, basis: np.ndarray) -> None:
        settings, observable = self.settings, self.upper > 0
        gram = (basis * self._weights) @ basis.T
        self._prior_unit = np.trace(gram) / observable.sum() * PRIOR_SCALE
        rarity = np.array([RARE_UNIT_PRIOR if n in RARE_UNITS else 1.0 for n in self.head.names])
        self._hessian = gram + np.diag(rarity * settings.coefficient_prior * self._prior_unit)

    def fit_identity(self, landmarks: np.ndarray, emotion_probabilities: np.ndarray | None = None) -> np.ndarray:
        """Fit the neutral shape of a person.

        landmarks: (T, >=468, 3) pixels, no NaN, of one person. emotion_probabilities: mean probability of each emotion
        in the order of `EMOTIONS` in these frames, (7,), if it is known. Returns (468, 3) cm.
        """
        y = np.asarray(landmarks[:, : mesh.NUM_FACE_LANDMARKS], np.float64)
        y = y[sample_indices(len(y), self.settings.identity_frames)]
        names = self.head.names
        expected = None if emotion_probabilities is None else expected_levels(emotion_probabilities, names)
        shape = self.head.neutral.astype(np.float64)
        unexplained = np.zeros_like(shape)
        w = np.zeros((len(y), len(self.upper)))
        for _ in range(self.settings.iterations):
            local, w = self._fit_coefficients(y, shape, w, 0.0)
            shape, unexplained = self._identity.fit(local.mean(0), w, expected)
        return shape if len(y) == 1 else shape + self._identity.unexplained(unexplained)

    def _fit_pose(self, y: np.ndarray, shape: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return fit_weak_perspective(shape + np.tensordot(w, self.expression, 1), y, self._pose_weights)

    def _fit_coefficients(
        self, y: np.ndarray, shape: np.ndarray, w: np.ndarray, temporal_weight: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Landmarks in the head's own coordinates (T, 468, 3) cm, and coefficients (T, 52) given the shape."""
        scale, rotation, translation = self._fit_pose(y, shape, w)
        local = (y - translation[:, None]) @ (rotation / scale[:, None, None])
        offset = (local - shape).reshape(len(y), -1)
        linear = (offset * self._weights) @ self.expression.reshape(len(self.upper), -1).T
        temporal_weight = temporal_weight * self._prior_unit * TEMPORAL_SCALE
        return local, bounded_least_squares(self._hessian, linear, w, self.upper, temporal_weight)

    def _fit_frames(self, y: np.ndarray, shape: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Coefficients, scale, rotation and translation of one chunk."""
        w = np.zeros((len(y), len(self.upper)))
        for _ in range(POSE_ITERATIONS):
            _, w = self._fit_coefficients(y, shape, w, self.settings.temporal_weight)
        scale, rotation, translation = self._fit_pose(y, shape, w)
        if len(y) > 2:
            scale = gaussian_filter1d(scale, POSE_SCALE_SMOOTHING, mode="nearest")
        return w, scale, rotation, translation

    def fit_motion(
        self, track: Track, read_landmarks: Callable[[int, int], np.ndarray], identity: np.ndarray
    ) -> Motion:
        """Fit coefficients and pose of every frame with a face, in chunks.

        Frames without a face get the values of the nearest fitted frame, and weight 0.

        Args:
            track: T frames.
            read_landmarks: (first, last) -> landmarks of the frames first..last-1, (n, 478, 3) pixels, NaN where
                there is no face.
            identity: (468, 3) cm, from `fit_identity`.
        """
        total, settings = len(track.presence), self.settings
        coefficients = np.zeros((total, len(self.upper)), np.float32)
        scale, translation = np.ones(total, np.float32), np.zeros((total, 3), np.float32)
        rotation = np.repeat(np.eye(3, dtype=np.float32)[None], total, 0)
        spans = list(_spans_with_face(track))
        for first, last in spans:
            for start in range(first, last, settings.chunk_frames):
                stop = min(start + settings.chunk_frames, last)
                begin, end = max(first, start - settings.overlap_frames), min(last, stop + settings.overlap_frames)
                y = np.asarray(read_landmarks(begin, end)[:, : mesh.NUM_FACE_LANDMARKS], np.float64)
                chunk, inner = slice(start, stop), slice(start - begin, stop - begin)
                parts = self._fit_frames(y, identity)
                for out, part in zip((coefficients, scale, rotation, translation), parts, strict=True):
                    out[chunk] = part[inner]
        nearest = _nearest_fitted(spans, track.shot)
        return Motion(
            coefficients[nearest],
            scale[nearest],
            rotation[nearest],
            translation[nearest],
            identity.astype(np.float32),
            track.presence,
            shot=track.shot,
        )

    def landmark_error(self, motion: Motion, landmarks: np.ndarray) -> np.ndarray:
        """Mean distance (T,) of fitted and detected landmarks (T, >=468, 2+), in percent of the eye distance."""
        shape = motion.identity + np.tensordot(motion.coefficients, self.expression, 1)
        fitted = (
            motion.scale[:, None, None] * (shape @ motion.rotation.transpose(0, 2, 1)) + motion.translation[:, None]
        )
        xy = landmarks[:, : mesh.NUM_FACE_LANDMARKS, :2]
        return 100 * np.linalg.norm(fitted[..., :2] - xy, axis=-1).mean(1) / mesh.eye_distance(landmarks)


def _spans_with_face(track: Track) -> Iterator[tuple[int, int]]:
    """Spans (first, last + 1) of frames that have a face and belong to one shot."""
    visible = track.presence > 0
    edges = np.flatnonzero(np.diff(visible.astype(np.int8)) | np.diff(track.shot)) + 1
    for first, last in zip(np.r_[0, edges], np.r_[edges, len(visible)], strict=True):
        if last > first and visible[first]:
            yield int(first), int(last)


def _nearest_fitted(spans: list[tuple[int, int]], shot: np.ndarray) -> np.ndarray:
    """(T,) index of the nearest frame in one of the spans, of the same shot if it has one; itself inside them."""
    fitted = np.concatenate([np.arange(*span) for span in spans] or [np.arange(len(shot))])
    nearest = np.arange(len(shot))
    for t in np.setdiff1d(nearest, fitted):
        same_shot = fitted[shot[fitted] == shot[t]]
        candidates = same_shot if len(same_shot) else fitted
        nearest[t] = candidates[np.abs(candidates - t).argmin()]
    return nearest
