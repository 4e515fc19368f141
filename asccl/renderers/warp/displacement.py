"""Compute the landmark displacement of an edit and keep closed lips closed.

A change of the coefficients from w to w' moves the landmarks of a frame by

    d = s R sum_i (w'_i - w_i) E_i

with scale s and rotation R of the fitted weak perspective and the expression basis E: neutral shape and translation
cancel. Then d is corrected: the outline of the face and the skin along it are damped, brows keep their thickness, lids
open and close within bounds, and the gap of the lips changes by `lip_gain`, `lip_closing` and
`lip_parting` alone, see `lips.py`.
"""

from __future__ import annotations

import cv2
import numpy as np

from asccl.face import mesh
from asccl.morphable.head import HeadModel
from asccl.renderers.warp.field import face_size
from asccl.renderers.warp.lips import LipGap
from asccl.types import Motion

LID_FALLOFF = 0.5  # cm, Gaussian: how far a lid correction reaches
BROW_RIGIDITY = 0.85  # fraction of the displacement that both rows of a brow share
MAX_LID_OPENING, MAX_LID_CLOSING = 0.65, 0.45  # change of the eye's opening, over the opening in the source
MAX_EYE_ASPECT = 0.37  # eye opening over eye length to which lids open at most
MIN_EYE_ASPECT = 0.13  # likewise, to which they close: narrower eyes are slits
NARROW_LID_CLOSING = 0.2  # change of the opening of an eye that is as narrow in the source, over that opening
NARROW_LID_OPENING = 0.2  # likewise where such an eye opens: what lies behind the lids was never seen
OPEN_EYE_ASPECT = 0.17  # from which on an eye shows enough of its eyeball to open as far as others
SMILE_LIFT_REMOVAL = 1.0  # fraction of the lift of the middle of the lips that is taken out of a smile
# gain of one axis of a unit of the head model, x = 0 or y = 1: otherwise stretched lips frown, and a raised upper lip
# spreads over its corners and gets the shape of a box
UNIT_GAINS = (("mouthStretch", 1, 0.35), ("mouthUpperUp", 0, 0.5))
OUTLINE_GAIN = 0.05  # fraction of the displacement that the outline of the face keeps: hair and background stay
OUTLINE_RADIUS = 0.08  # face sizes: distance from the visible outline at which skin begins to move
# of a lid that moves: how far the change of its columns is the same share of their opening, and the change of the
# opening, over the opening, from which on it is
LID_EVENNESS, EVEN_CHANGE = 0.8, 0.15
LID_SPREAD = 0.3  # cm, Gaussian: how far a correction of one column reaches along the lid
MIN_CHANGE = 1e-6  # of a coefficient

LID_UNITS = ("eyeWideLeft", "eyeWideRight", "eyeBlinkLeft", "eyeBlinkRight")


class Displacement:
    """Displacement of the landmarks of one head model."""

    def __init__(self, head: HeadModel):
        self.expression = head.expression.astype(np.float32)
        neutral = head.neutral
        self._lips = LipGap(head)
        for name in ("mouthSmileLeft", "mouthSmileRight"):
            self._remove_lift(head.index[name])
        for name, axis, gain in UNIT_GAINS:
            for side in ("Left", "Right"):
                self.expression[head.index[name + side], :, axis] *= gain
        lids = [((*eye[8:16], eye[0]), eye[8::-1]) for eye in mesh.EYES]  # upper and lower, corner to corner
        spreads = [(_lid_spread(neutral, *pair), _lid_spread(neutral, *pair[::-1])) for pair in lids]
        self._lid_spreads = [(upper[:, :7], lower[:, :7]) for upper, lower in spreads]
        for eye, (upper, _) in zip(mesh.EYES, spreads, strict=True):
            for name in LID_UNITS:
                unit = self.expression[head.index[name], :, 1]
                unit -= upper[:, 7:] @ unit[[eye[8], eye[0]]]  # the corners of an eye do not move with its lids
        brows = neutral[list(mesh.BROWS), 1].min()
        self._forehead = np.flatnonzero(neutral[:, 1] < brows - 0.2)
        self._forehead_units = self.expression[:, self._forehead].reshape(len(head.names), -1)
        self._outline = np.ones((mesh.NUM_FACE_LANDMARKS, 1), np.float32)
        self._outline[list(mesh.FACE_OVAL)] = OUTLINE_GAIN

    def _remove_lift(self, unit: int) -> None:
        """Remove the lift of the middle of the lips from a unit, less and less towards the corners."""
        taper = np.sin(np.pi * np.arange(1, 10) / 10)
        for lip, weights in (
            (mesh.UPPER_INNER_LIP, self._lips.upper_weights),
            (mesh.LOWER_INNER_LIP, self._lips.lower_weights),
        ):
            lift = self.expression[unit, lip[4], 1]
            self.expression[unit, :, 1] -= SMILE_LIFT_REMOVAL * lift * (weights @ taper)

    def __call__(self, motion: Motion, edited_motion: Motion, t: int, landmarks: np.ndarray) -> np.ndarray:
        """Compute the displacement of the landmarks of one frame.

        At every column of the mouth, the gap of the lips beyond `MIN_SCALED_LIP_GAP` becomes `lip_gain` times as large,
        by less in a mouth that is wide open, after all columns have closed by the same share, `lip_closing` in the
        middle. Then the jaw opens it by `lip_parting` in the middle.

        Args:
            motion: of the source, T frames.
            edited_motion: of the edit, T frames.
            t: index of the frame.
            landmarks: of the source, (478, 3) pixels.

        Returns:
            (468, 3) pixels; z by the same scale.
        """
        change = edited_motion.coefficients[t] - motion.coefficients[t]
        units = np.flatnonzero(np.abs(change) > MIN_CHANGE)  # few of them, so that BLAS starts no threads
        head_displacement = np.einsum("k,knc->nc", change[units].astype(np.float32), self.expression[units])
        d = head_displacement @ (motion.scale[t] * motion.rotation[t]).T
        d *= self._outline
        for top, low in mesh.BROW_ROWS:
            top_rows, low_rows = list(top), list(low)
            shared = 0.6 * d[top_rows] + 0.4 * d[low_rows]
            d[top_rows] = BROW_RIGIDITY * shared + (1 - BROW_RIGIDITY) * d[top_rows]
            d[low_rows] = BROW_RIGIDITY * shared + (1 - BROW_RIGIDITY) * d[low_rows]
        outline = self._outline_weights(landmarks)
        d *= outline[:, None]
        gap_change = self._lips.change(motion, edited_motion, t, landmarks)
        self._lips.drop_jaw(d, gap_change, motion, t, outline)
        self._bound_lids(d, landmarks)
        gap_change = self._lips.close_corners(d, gap_change, landmarks)
        self._lips.round_smile(d, gap_change, motion.rotation[t], face_size(landmarks))
        self._lips.constrain(d, gap_change, motion.rotation[t])
        return d

    def _outline_weights(self, landmarks: np.ndarray) -> np.ndarray:
        return outline_weights(landmarks)

    def jaw_growth(self, motion: Motion, edited_motion: Motion, t: int, landmarks: np.ndarray) -> np.ndarray:
        """Compute by how much the jaw opens the lips, at nine columns along the mouth, (9,) pixels.

        Args:
            motion: of the source, T frames.
            edited_motion: of the edit, T frames.
            t: index of the frame.
            landmarks: of the source, (478, 3) pixels.
        """
        return self._lips.change(motion, edited_motion, t, landmarks).growth

    def stabilize_forehead(
        self, motion: Motion, t: int, edited_landmarks: np.ndarray, displacement: np.ndarray
    ) -> np.ndarray:
        """Replace the landmarks of the forehead by those of the fitted head.

        A tracker jitters on skin without features.

        Args:
            motion: of the source, T frames.
            t: index of the frame.
            edited_landmarks: (468, 3) pixels.
            displacement: (468, 3) pixels, as in the edited landmarks.

        Returns:
            A copy of the edited landmarks, (468, 3) pixels.
        """
        index, out = self._forehead, edited_landmarks.copy()
        shape = motion.identity[index] + (motion.coefficients[t] @ self._forehead_units).reshape(-1, 3)
        projected = shape @ (motion.scale[t] * motion.rotation[t]).T + motion.translation[t]
        out[index] = projected + displacement[index]
        return out

    def _bound_lids(self, d: np.ndarray, landmarks: np.ndarray) -> None:
        """Bound the change of the eyes' opening, in place: a narrow eye shows little eyeball to reveal or to hide.

        The opening changes by nearly the same share all along, or the line of a lid would be wavy.
        """
        for eye, (spread, lower_spread) in zip(mesh.EYES, self._lid_spreads, strict=True):
            upper, lower = list(eye[9:16]), list(eye[7:0:-1])
            axis = _across_eye(landmarks, eye)
            openings = (landmarks[lower, :2] - landmarks[upper, :2]) @ axis
            opening = max(float(openings.mean()), 1e-6)
            changes = (d[lower, :2] - d[upper, :2]) @ axis
            change = float(changes.mean())
            length = float(np.linalg.norm(landmarks[eye[8]] - landmarks[eye[0]]))
            visibility = (opening / length - MIN_EYE_ASPECT) / (OPEN_EYE_ASPECT - MIN_EYE_ASPECT)
            max_share = float(np.interp(visibility, (0, 1), (NARROW_LID_OPENING, MAX_LID_OPENING)))
            max_opening = min(max_share * opening, max(MAX_EYE_ASPECT * length - opening, 0.0))
            max_closing = max(NARROW_LID_CLOSING * opening, opening - MIN_EYE_ASPECT * length)
            max_closing = min(MAX_LID_CLOSING * opening, max_closing)
            bounded = min(max(change, -max_closing), max_opening)
            evenness = LID_EVENNESS * float(np.clip(abs(change) / (EVEN_CHANGE * opening), 0, 1))
            raised = bounded / change * changes if change else changes
            target = raised + evenness * (bounded * openings / opening - raised)
            excess = changes - target
            if np.abs(excess).max() > 0:
                d[:, :2] += (0.7 * (spread @ excess) - 0.3 * (lower_spread @ excess))[:, None] * axis


def outline_weights(landmarks: np.ndarray) -> np.ndarray:
    """Weights (468,) that hold the skin along the visible outline of a face, whose pixels mix with the background.

    Landmarks lie within two hundredths of a face size of the outline without being a part of it; a smile lifts them.

    landmarks: (468+, 2+) pixels.
    """
    points = landmarks[: mesh.NUM_FACE_LANDMARKS, :2].astype(np.float32)
    corners = cv2.convexHull(points, clockwise=True)[:, 0]
    edges = np.roll(corners, -1, axis=0) - corners
    edges /= np.maximum(np.linalg.norm(edges, axis=1, keepdims=True), 1e-6)
    inwards = np.stack([-edges[:, 1], edges[:, 0]], 1)
    distance = np.abs(points @ inwards.T - (corners * inwards).sum(1)).min(1)
    return 1 - np.exp(-((distance / (OUTLINE_RADIUS * face_size(landmarks))) ** 2))


def _across_eye(landmarks: np.ndarray, eye: tuple[int, ...]) -> np.ndarray:
    """Unit vector (2,) across an eye, from the upper lid to the lower one. landmarks: (478, 3) pixels."""
    along = landmarks[eye[8], :2] - landmarks[eye[0], :2]
    across = np.array([-along[1], along[0]]) / max(float(np.linalg.norm(along)), 1e-6)
    columns = landmarks[list(eye[1:8]), :2] - landmarks[list(eye[9:16]), :2]
    return across if columns.mean(0) @ across > 0 else -across


def _lid_spread(neutral: np.ndarray, lid: tuple[int, ...], other: tuple[int, ...]) -> np.ndarray:
    """(468, 9) weights that spread a correction of a lid and its two corners, last, over the skin on its side.

    lid: landmarks from corner to corner, 9 of them. other: of the other lid, likewise.
    """
    rows = [*lid[1:8], lid[0], lid[8]]
    distance = np.linalg.norm(neutral[:, None] - neutral[rows][None], axis=-1)
    opposite = np.linalg.norm(neutral[:, None] - neutral[list(other[1:8])][None], axis=-1).min(1)
    nearest = distance.min(1, keepdims=True)
    weights = np.exp(-(distance**2 - nearest**2) / LID_SPREAD**2)
    weights /= weights.sum(1, keepdims=True)
    weights *= np.exp(-((nearest / LID_FALLOFF) ** 2)) * (nearest[:, 0] <= opposite)[:, None]
    weights[rows] = np.eye(9)
    return weights.astype(np.float32)
