"""How a head is turned, read off its FaceMesh landmarks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from asccl.face.mesh import STABLE

# Where the points of `mesh.STABLE` lie on a frontal head (x right, y down, z away, root mean square radius 1): the mean
# of FaceMesh's own output over frontal frames of 15 speakers and their mirror images, aligned (generalised Procrustes).
FRONTAL = np.array(
    [
        *[(0, 0.561, -0.715), (0, 0.433, -0.751), (0, 0.271, -0.696), (0, -0.119, -0.356), (0, -0.265, -0.261)],
        *[(0, 0.014, -0.461), (0, 0.138, -0.578), (-0.864, -0.181, 0.161), (-0.336, -0.151, 0.058)],
        *[(0.336, -0.151, 0.058), (0.864, -0.181, 0.161), (0, -1.204, -0.108), (0, -0.903, -0.199)],
        *[(0, -0.578, -0.275), (0, -0.412, -0.262), (-1.344, -0.061, 1.128), (1.344, -0.061, 1.128)],
        *[(-1.332, 0.22, 1.198), (1.332, 0.22, 1.198), (-1.309, 0.504, 1.184), (1.309, 0.504, 1.184)],
        *[(-0.335, 0.657, -0.263), (0.335, 0.657, -0.263), (0, 0.688, -0.422), (-0.145, -0.253, -0.18)],
        *[(0.145, -0.253, -0.18), (-0.111, -0.088, -0.31), (0.111, -0.088, -0.31), (-0.105, 0.04, -0.433)],
        (0.105, 0.04, -0.433),
    ]
)


class Pose(NamedTuple):
    """Degrees. yaw > 0: the nose points to the right of the picture; pitch > 0: down; roll > 0: clockwise.

    misfit: root mean square distance from a rigid head over the head's radius; 0.02 to 0.06 on real faces.
    """

    yaw: float
    pitch: float
    roll: float
    misfit: float


def head_pose(landmarks: np.ndarray) -> Pose:
    """(468+, 3) pixels -> Pose, by a rigid fit (Kabsch) of the points that expressions hardly move."""
    points = landmarks[list(STABLE)].astype(np.float64)
    points -= points.mean(0)
    points /= max(np.sqrt((points**2).sum(1).mean()), 1e-9)
    frontal = FRONTAL - FRONTAL.mean(0)
    u, _, vt = np.linalg.svd(points.T @ frontal)
    rotation = u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))]) @ vt  # frontal -> seen
    nose = -rotation[:, 2]
    right = rotation[:, 0]
    yaw = np.degrees(np.arctan2(nose[0], -nose[2]))
    pitch = np.degrees(np.arcsin(np.clip(nose[1], -1, 1)))
    roll = np.degrees(np.arctan2(right[1], right[0]))
    misfit = np.sqrt(((frontal @ rotation.T - points) ** 2).sum(1).mean())
    return Pose(float(yaw), float(pitch), float(roll), float(misfit))
