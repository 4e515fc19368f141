"""From coefficients to pixels: how far each landmark moves in the image, with the lips locked to the source's."""

from __future__ import annotations

import numpy as np

from asccl.face import mesh
from asccl.morphable.head import HeadModel
from asccl.renderers.warp.field import face_size
from asccl.types import Motion

LID_FALLOFF = 0.5  # cm; likewise for a correction of the lids
LIP_FALLOFF = 0.9  # cm; a lip correction is carried this far into the skin around (Gaussian)
LIP_SPREAD = 0.5  # cm; and by so much along the lip (likewise)
BROW_RIGIDITY = 0.85  # both rows of a brow move together by this share: a brow keeps its thickness
MAX_LID_OPENING, MAX_LID_CLOSING = 0.4, 0.45  # of what the lids show in the source: the most that they open and close
MAX_EYE_ASPECT = 0.37  # of the eye's length: lids open no further than this, however wide they are in the source
CLOSED_LIP_GAP = 0.035  # of the face size: lips no further apart count as closed, and stay as they are
SMILE_LIFT_REMOVAL = (
    1.0  # of the lift that a smile gives the middle of the lips is taken back: a smile is in the corners
)
OUTLINE_SHARE = 0.05  # of the motion that the outline of the face keeps: hair and background stay


class Displacement:
    """Landmark displacement fields of one head model."""

    def __init__(self, head: HeadModel):
        self.expression = head.expression.astype(np.float32)
        neutral = head.neutral
        jaw = head.expression[head.names.index("jawOpen")][:, 1]
        lower = jaw > 0.5 * jaw[17]
        lower[list(mesh.LOWER_OUTER_LIP)] = True
        self._carry_upper = _carry(neutral, mesh.UPPER_INNER_LIP, ~lower)
        self._carry_lower = _carry(neutral, mesh.LOWER_INNER_LIP, lower)
        for name in ("mouthSmileLeft", "mouthSmileRight"):
            self._hold_middle(head.names.index(name))
        self._carry_lids = [_carry_lids(neutral, eye) for eye in (mesh.RIGHT_EYE, mesh.LEFT_EYE)]
        brows = neutral[list(mesh.BROWS), 1].min()
        self._forehead = np.flatnonzero(neutral[:, 1] < brows - 0.2)
        self._forehead_units = self.expression[:, self._forehead].reshape(len(head.names), -1)
        self._outline = np.ones((mesh.NUM_FACE_LANDMARKS, 1), np.float32)
        self._outline[list(mesh.FACE_OVAL)] = OUTLINE_SHARE

    def _hold_middle(self, unit: int) -> None:
        """Take the lift of the middle of the lips out of a unit, less and less towards the corners."""
        taper = np.sin(np.pi * np.arange(1, 10) / 10)
        for inner, carry in ((mesh.UPPER_INNER_LIP, self._carry_upper), (mesh.LOWER_INNER_LIP, self._carry_lower)):
            lift = self.expression[unit, inner[4], 1]
            self.expression[unit, :, 1] -= SMILE_LIFT_REMOVAL * lift * (carry @ taper)

    def __call__(self, motion: Motion, new: Motion, t: int, landmarks: np.ndarray) -> np.ndarray:
        """Frame t, its landmarks (478, 3) pixels -> (468, 3) pixels that each landmark moves; z by the same scale.

        At every column of the mouth, what the lips open beyond `CLOSED_LIP_GAP` becomes `lip_gain` times as much.
        """
        change = new.coefficients[t] - motion.coefficients[t]
        asked = np.flatnonzero(np.abs(change) > 1e-6)  # few of them, so that no thread of BLAS wakes up
        moved = np.einsum("k,knc->nc", change[asked].astype(np.float32), self.expression[asked])
        d = moved @ (motion.scale[t] * motion.rotation[t]).T
        d *= self._outline
        for top, low in (
            (mesh.RIGHT_BROW_TOP, mesh.RIGHT_BROW_LOW),
            (mesh.LEFT_BROW_TOP, mesh.LEFT_BROW_LOW),
        ):
            top_, low_ = list(top), list(low)
            both = 0.6 * d[top_] + 0.4 * d[low_]
            d[top_] = BROW_RIGIDITY * both + (1 - BROW_RIGIDITY) * d[top_]
            d[low_] = BROW_RIGIDITY * both + (1 - BROW_RIGIDITY) * d[low_]
        self._hold_lids(d, landmarks)
        gain = 1.0 if new.lip_gain is None else float(new.lip_gain[t])
        self._lock_lips(d, landmarks, motion.rotation[t], gain)
        return d

    def stabilize_forehead(self, motion: Motion, t: int, moved: np.ndarray, d: np.ndarray) -> np.ndarray:
        """Moved landmarks (468, 3) of frame t, with the forehead where the fitted head has it, moved likewise by d:
        on skin without features a tracker's landmarks tremble."""
        at, out = self._forehead, moved.copy()
        shape = motion.identity[at] + (motion.coefficients[t] @ self._forehead_units).reshape(-1, 3)
        out[at] = shape @ (motion.scale[t] * motion.rotation[t]).T + motion.translation[t] + d[at]
        return out

    def _hold_lids(self, d: np.ndarray, landmarks: np.ndarray) -> None:
        """A narrow eye has no eyeball to show, and soon none to hide: bound what its lids may open and close."""
        for k, eye in enumerate((mesh.RIGHT_EYE, mesh.LEFT_EYE)):
            upper, lower = list(eye[9:16]), list(eye[7:0:-1])
            column = landmarks[lower, :2] - landmarks[upper, :2]
            opening = np.linalg.norm(column, axis=1)
            axis = column.mean(0) / max(float(opening.mean()), 1e-6)
            opened = float(((d[lower, :2] - d[upper, :2]) @ axis).mean())
            shown = float(opening.mean())
            length = float(np.linalg.norm(landmarks[eye[8]] - landmarks[eye[0]]))
            most = min(MAX_LID_OPENING * shown, max(MAX_EYE_ASPECT * length - shown, 0.0))
            excess = opened - min(max(opened, -MAX_LID_CLOSING * shown), most)
            if excess != 0:
                d[:, :2] += excess * self._carry_lids[k][:, None] * axis

    def _lock_lips(self, d: np.ndarray, landmarks: np.ndarray, rotation: np.ndarray, gain: float) -> None:
        axis = rotation[:2, 1] / max(float(np.linalg.norm(rotation[:2, 1])), 1e-6)
        upper, lower = list(mesh.UPPER_INNER_LIP), list(mesh.LOWER_INNER_LIP)
        gap = (landmarks[lower, :2] - landmarks[upper, :2]) @ axis
        moved = (d[lower, :2] - d[upper, :2]) @ axis
        parted = np.clip(gap - CLOSED_LIP_GAP * face_size(landmarks), 0, None)
        excess = 0.5 * (moved - (gain - 1) * parted)
        d[:, :2] += (self._carry_upper @ excess - self._carry_lower @ excess)[:, None] * axis


def _carry(neutral: np.ndarray, inner: tuple[int, ...], side: np.ndarray) -> np.ndarray:
    """(468, 9) weights that hand a correction of 9 inner-lip points to the skin on their side of the mouth. The corners
    of the mouth take none, and the lips next to them little: lips must not slide past their corners."""
    line = [*inner, *mesh.INNER_LIP_CORNERS]
    distance = np.linalg.norm(neutral[:, None] - neutral[line][None], axis=-1)
    weights = np.exp(-((distance**2 - distance.min(1, keepdims=True) ** 2) / LIP_SPREAD**2))
    weights /= weights.sum(1, keepdims=True)
    weights *= np.minimum(1.0, np.exp(-((distance / LIP_FALLOFF) ** 2)).sum(1, keepdims=True)) * side[:, None]
    weights[line] = np.eye(len(line))
    return weights[:, : len(inner)].astype(np.float32)


def _carry_lids(neutral: np.ndarray, eye: tuple[int, ...]) -> np.ndarray:
    """(468,) share of a lid correction: most of it is taken back at the upper lid, the rest at the lower one."""
    share = np.zeros(len(neutral), np.float32)
    for row, part in ((eye[9:16], 0.7), (eye[1:8], -0.3)):
        nearest = np.linalg.norm(neutral[:, None] - neutral[list(row)][None], axis=-1).min(1)
        own = np.exp(-((nearest / LID_FALLOFF) ** 2))
        other = eye[1:8] if part > 0 else eye[9:16]
        beyond = np.linalg.norm(neutral[:, None] - neutral[list(other)][None], axis=-1).min(1) < nearest
        share += np.where(beyond, 0, part * own).astype(np.float32)
    return share
