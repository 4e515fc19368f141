"""Set the gap of the lips: closed lips stay closed, open ones open with the jaw, and a grin closes.

Lips that open further do so with the jaw, as a jaw drops: the lower lip and the chin go down, and the upper lip stays
with the skull. Whatever else an edit changes of the gap is taken back, half at each lip.

A smile pulls the lips apart beside the corners, where the frame shows a dark triangle. Where the corners come in, the
lips close beside them, or the triangle would be squeezed to a dark dot.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from asccl.face import mesh
from asccl.face.easing import smoothstep
from asccl.morphable.head import HeadModel
from asccl.renderers.warp.field import face_size
from asccl.types import Motion

LIP_FALLOFF = 0.55  # cm, Gaussian: how far a lip correction reaches into the skin beyond the lip
LIP_REACH = 0.5  # cm from an edge of the lip that count as lip, which keeps its height
LIP_SPREAD = 0.5  # cm, Gaussian: how far it reaches along the lip
MIN_SCALED_LIP_GAP = 0.035  # face sizes: lips with a smaller gap count as closed and stay as they are
FREE_LIP_GAP, MAX_LIP_GAP = 0.2, 0.45  # face sizes: from the first on a gain opens lips less, at the second no further
MEETING_GAP = 0.06  # face sizes: lips that a closing leaves closer than that close further
UPPER_CLOSING_SHARE = 0.75  # of the closing of a grin, which mostly raises the upper lip
CHIN_GAIN = 0.6  # of the outline of the chin, when the jaw drops
CHIN_REACH = 8  # points of the outline on each side of the chin, to which it fades
# share by which the gap closes beside the corners of a mouth that gets narrower, at nine columns
CORNER_CLOSING = np.array([0.8, 0.4, 0, 0, 0, 0, 0, 0.4, 0.8])
MIN_NARROWING, FULL_NARROWING = 0.04, 0.11  # face sizes by which a mouth gets narrower: none of it, and all
MAX_CHIN_TURN, FREE_CHIN_TURN = 0.5, 0.2  # sine of the head's turn at which the outline of the chin stays, and moves
FULL_SMILE = 0.02  # face sizes by which the middle of the lips goes down between the corners, for a full arc
ARC_POWER = 2.6  # of the arc of a smile along the mouth; a larger one is flatter in the middle, as lips over teeth are
MIDDLE = slice(3, 6)  # of the nine columns along the mouth
UPPER, LOWER = list(mesh.UPPER_INNER_LIP), list(mesh.LOWER_INNER_LIP)


class GapChange(NamedTuple):
    """Change of the gap of the lips at nine columns along the mouth, each (9,) pixels.

    growth: by gain and parting, at least 0. closing: of a grin, at most 0. shrinkage: by a gain below 1, at most 0.
    """

    growth: np.ndarray
    closing: np.ndarray
    shrinkage: np.ndarray


class LipGap:
    """The gap of the lips of one head model.

    Attributes:
        upper_weights: (468, 9), which spread a correction of the upper inner lip over the skin above it.
        lower_weights: (468, 9), likewise of the lower one.
    """

    def __init__(self, head: HeadModel):
        neutral, jaw = head.neutral, head.expression[head.index["jawOpen"]]
        lower = jaw[:, 1] > 0.5 * jaw[17, 1]
        lower[list(mesh.LOWER_OUTER_LIP)] = True
        self.upper_weights = _lip_weights(neutral, UPPER, mesh.UPPER_OUTER_LIP, ~lower)
        self.lower_weights = _lip_weights(neutral, LOWER, mesh.LOWER_OUTER_LIP, lower)
        gaps = jaw[LOWER, 1] - jaw[UPPER, 1]
        self._jaw = (jaw / gaps[MIDDLE].mean()).astype(np.float32)  # (468, 3), opens the middle of the lips by 1
        self._profile = gaps / gaps[MIDDLE].mean()
        line = neutral[[mesh.INNER_LIP_CORNERS[0], *UPPER, mesh.INNER_LIP_CORNERS[1]], 0]
        self._along = ((line - line[0]) / (line[-1] - line[0]))[1:-1]  # (9,) from corner to corner, 0 to 1
        steps = np.abs(np.arange(len(mesh.FACE_OVAL)) - mesh.FACE_OVAL.index(152))
        along = 0.5 + 0.5 * np.cos(np.pi * np.minimum(steps / CHIN_REACH, 1))
        oval = neutral[list(mesh.FACE_OVAL)]
        nearest = np.linalg.norm(neutral[:, None] - oval[None], axis=-1).argmin(1)
        self._chin = (CHIN_GAIN * along[nearest]).astype(np.float32)

    def change(self, motion: Motion, edited: Motion, t: int, landmarks: np.ndarray) -> GapChange:
        """Compute by how much an edit may change the gap.

        Args:
            motion: of the source, T frames.
            edited: of the edit, T frames.
            t: index of the frame.
            landmarks: of the source, (478, 3) pixels.
        """
        gain = 1.0 if edited.lip_gain is None else float(edited.lip_gain[t])
        closing_cm = 0.0 if edited.lip_closing is None else float(edited.lip_closing[t])
        parting_cm = 0.0 if edited.lip_parting is None else float(edited.lip_parting[t])
        scale = float(motion.scale[t])
        gap = (landmarks[LOWER, :2] - landmarks[UPPER, :2]) @ down_axis(motion.rotation[t])
        closing = -np.clip(gap, 0, None) * lip_closing_share(gap, closing_cm * scale)
        closing = _meet(gap, closing, MEETING_GAP * face_size(landmarks))
        scaled = (gain - 1) * np.clip(gap + closing - MIN_SCALED_LIP_GAP * face_size(landmarks), 0, None)
        room = np.clip((MAX_LIP_GAP - gap.max() / face_size(landmarks)) / (MAX_LIP_GAP - FREE_LIP_GAP), 0, 1)
        growth = room * np.clip(scaled, 0, None) + parting_cm * scale * self._profile
        return GapChange(growth, closing, np.minimum(scaled, 0))

    def drop_jaw(self, d: np.ndarray, change: GapChange, motion: Motion, t: int, outline: np.ndarray) -> None:
        """Add the displacement of a jaw that drops to the displacement (468, 3) of all landmarks, in place.

        Args:
            d: pixels.
            change: of the gap.
            motion: of the source, T frames.
            t: index of the frame.
            outline: weights (468,) that hold the outline of the face; that of the chin moves with the jaw.
        """
        opening = float(change.growth[MIDDLE].mean())
        if opening <= 0:
            return
        rotation = motion.rotation[t]
        turn = abs(float(rotation[0, 2]))
        free = np.clip((MAX_CHIN_TURN - turn) / (MAX_CHIN_TURN - FREE_CHIN_TURN), 0, 1)
        weights = outline + (1 - outline) * np.float32(free) * self._chin
        d += opening * (self._jaw @ rotation.T) * weights[:, None]

    def close_corners(self, d: np.ndarray, change: GapChange, landmarks: np.ndarray) -> GapChange:
        """Close the lips beside the corners of a mouth that gets narrower, as when a smile goes.

        Args:
            d: displacement of all landmarks, (468, 3) pixels.
            change: of the gap.
            landmarks: of the source, (478, 3) pixels.

        Returns:
            The change with a closing that includes the corners.
        """
        corners = list(mesh.INNER_LIP_CORNERS)
        before, after = (
            float(np.linalg.norm(np.diff(p[corners, :2], axis=0))) for p in (landmarks, landmarks[:468] + d)
        )
        narrowing = (before - after) / face_size(landmarks)
        share = CORNER_CLOSING * smoothstep(np.array((narrowing - MIN_NARROWING) / (FULL_NARROWING - MIN_NARROWING)))
        gap = np.linalg.norm(landmarks[LOWER, :2] - landmarks[UPPER, :2], axis=1)
        return change._replace(closing=np.minimum(change.closing, -share * gap))

    def round_smile(self, d: np.ndarray, change: GapChange, rotation: np.ndarray, size: float) -> None:
        """Bend the line between the lips of a smile as one arc, in place: its units together give it a pointed middle.

        Args:
            d: displacement of all landmarks, (468, 3) pixels.
            change: of the gap, whose growth lowers the lower lip alone.
            rotation: of the head, (3, 3).
            size: of the face, pixels.
        """
        axis = down_axis(rotation)
        right, left = d[list(mesh.INNER_LIP_CORNERS), :2] @ axis
        line = 0.5 * ((d[UPPER, :2] + d[LOWER, :2]) @ axis - change.growth)
        bend = line - (right + self._along * (left - right))
        arc = 0.25 * (1 - np.abs(2 * self._along - 1) ** ARC_POWER)
        depth = 0.5 * ((arc @ bend) / (arc @ arc) + bend[4] / arc[4])  # between that of the best arc and of the middle
        share = np.clip(depth * arc[4] / (FULL_SMILE * size), 0, 1)
        correction = share * (depth * arc - bend)
        d[:, :2] += ((self.upper_weights + self.lower_weights) @ correction)[:, None] * axis

    def constrain(self, d: np.ndarray, change: GapChange, rotation: np.ndarray) -> None:
        """Correct the displacement (468, 3) of all landmarks so that the gap changes as it may, in place.

        Args:
            d: pixels.
            change: of the gap.
            rotation: of the head, (3, 3).
        """
        axis = down_axis(rotation)
        excess = (d[LOWER, :2] - d[UPPER, :2]) @ axis - change.growth - change.shrinkage
        upper = 0.5 * excess - UPPER_CLOSING_SHARE * change.closing
        lower = 0.5 * excess - (1 - UPPER_CLOSING_SHARE) * change.closing
        d[:, :2] += (self.upper_weights @ upper - self.lower_weights @ lower)[:, None] * axis


def down_axis(rotation: np.ndarray) -> np.ndarray:
    """Unit vector (2,) in the image that points down the head. rotation: (3, 3)."""
    return rotation[:2, 1] / max(float(np.linalg.norm(rotation[:2, 1])), 1e-6)


def lip_closing_share(gap: np.ndarray, closing: float) -> float:
    """Share of their gap by which the lips close.

    gap: of nine columns along the mouth, (9,). closing: of its middle, in the same unit.
    """
    middle = float(gap[MIDDLE].mean())
    return min(closing / middle, 1.0) if middle > 0 else 0.0


def _meet(gap: np.ndarray, closing: np.ndarray, meeting_gap: float) -> np.ndarray:
    """Close lips further that a closing leaves less than a gap apart: a strip of teeth or a dark bar would remain.

    gap: of the source, (9,) pixels. closing: of it, (9,) pixels, at most 0. meeting_gap: pixels.
    """
    rest = np.clip(gap + closing, 0, None)
    share = np.clip(-closing / meeting_gap, 0, 1)
    return closing - share * rest * (1 - smoothstep(rest / meeting_gap))


def _lip_weights(neutral: np.ndarray, lip: list[int], outer_lip: tuple[int, ...], side: np.ndarray) -> np.ndarray:
    """(468, 9) weights that spread a correction of nine inner-lip points over the skin on their side (468,) bool.

    The lip moves as a whole, or it would be stretched and look pale. The corners of the mouth take none, and the lips
    beside them little: lips must not slide past their corners.
    """
    line = [*lip, *mesh.INNER_LIP_CORNERS]
    distance = np.linalg.norm(neutral[:, None] - neutral[line][None], axis=-1)
    weights = np.exp(-((distance**2 - distance.min(1, keepdims=True) ** 2) / LIP_SPREAD**2))
    weights /= weights.sum(1, keepdims=True)
    vermilion = neutral[[*lip, *outer_lip, *mesh.INNER_LIP_CORNERS, *mesh.OUTER_LIP_CORNERS]]
    beyond = np.maximum(np.linalg.norm(neutral[:, None] - vermilion[None], axis=-1).min(1) - LIP_REACH, 0)
    weights *= (np.exp(-((beyond / LIP_FALLOFF) ** 2)) * side)[:, None]
    weights[line] = np.eye(len(line))
    return weights[:, : len(lip)].astype(np.float32)
