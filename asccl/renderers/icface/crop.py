"""The steady square around a face that ICface's networks read and generate.

ICface trains on the box of a face detector, enlarged about its centre. The box here is that of the outline of the
fitted neutral face, so that an open jaw does not change it; the head's roll stays: it is one of the control values.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from asccl.face import mesh
from asccl.face.crop import QUARTER_TURN
from asccl.types import Motion

BOX_ENLARGEMENT = 1.6  # of ICface, for the box of the detector
DETECTOR_BOX_SHARE = 0.85  # side of that detector's box over the longer side of the outline of FaceMesh
CROP_SMOOTHING = 4.0  # frames, standard deviation, within a shot


def face_crop_matrices(motion: Motion, size: int) -> np.ndarray:
    """Compute the square around a face in each frame.

    Centre and side are smoothed over time within each shot. A head on its side or upside down is turned by quarter
    turns.

    Args:
        motion: of the face, T frames.
        size: side of the square, pixels.

    Returns:
        Similarities from the frame to the square, (T, 2, 3).
    """
    outline = motion.identity[list(mesh.FACE_OVAL)].astype(np.float64)
    projected = np.einsum("t,tij,nj->tni", motion.scale, motion.rotation[:, :2], outline)
    projected += motion.translation[:, None, :2]
    low, high = projected.min(1), projected.max(1)
    side = BOX_ENLARGEMENT * DETECTOR_BOX_SHARE * np.maximum((high - low).max(1), 1e-3)
    boxes = np.column_stack([(low + high) / 2, np.log(side)])
    for frames in _shots(motion):
        boxes[frames] = gaussian_filter1d(boxes[frames], CROP_SMOOTHING, axis=0, mode="nearest")
    turns = np.array([np.linalg.matrix_power(QUARTER_TURN, count) for count in range(4)])[shot_quarter_turns(motion)]
    linear = size / np.exp(boxes[:, 2])[:, None, None] * turns
    shift = (size - 1) / 2 - np.einsum("tij,tj->ti", linear, boxes[:, :2])
    return np.concatenate([linear, shift[..., None]], -1)


def upright_rotations(motion: Motion) -> np.ndarray:
    """Return the rotations of the head (T, 3, 3) within its squares, after their quarter turns."""
    turns = np.tile(np.eye(3), (4, 1, 1))
    turns[:, :2, :2] = [np.linalg.matrix_power(QUARTER_TURN, count) for count in range(4)]
    return turns[shot_quarter_turns(motion)] @ motion.rotation


def shot_quarter_turns(motion: Motion) -> np.ndarray:
    """Count the quarter turns, counterclockwise, that bring the head closest to upright, (T,); one number per shot."""
    counts = np.zeros(len(motion), int)
    across = motion.rotation[:, 0, 0] + 1j * motion.rotation[:, 1, 0]
    for frames in _shots(motion):
        counts[frames] = round(float(np.angle(across[frames].sum())) / (np.pi / 2)) % 4
    return counts


def _shots(motion: Motion) -> list[np.ndarray]:
    """Indices of the frames of each shot."""
    if len(motion) == 0:
        return []
    if motion.shot is None:
        return [np.arange(len(motion))]
    return [np.flatnonzero(motion.shot == shot) for shot in np.unique(motion.shot)]
