"""Estimate the head pose from FaceMesh landmarks."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from asccl.face.mesh import RIGID_LANDMARKS

# Positions of `mesh.RIGID_LANDMARKS` on a frontal head (x right, y down, z away, root mean square radius 1): the mean
# of FaceMesh's output over frontal frames of 15 speakers and their mirror images, aligned by generalised Procrustes.
FRONTAL_HEAD = np.array(
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
CENTRED_FRONTAL_HEAD = FRONTAL_HEAD - FRONTAL_HEAD.mean(0)
RIGID_INDEX = np.array(RIGID_LANDMARKS)


class Pose(NamedTuple):
    """Head pose in degrees; yaw and pitch are those in the image turned by quarter turns until the head is upright.

    Attributes:
        yaw: positive if the nose points to the right of the image.
        pitch: positive if the nose points down.
        roll: positive if the head is rotated clockwise.
        misfit: root mean square distance from a rigid head over the head's radius; 0.02 to 0.06 on real faces.
    """

    yaw: float
    pitch: float
    roll: float
    misfit: float


def estimate_head_pose(landmarks: np.ndarray) -> Pose:
    """Fit a rigid head to landmarks (468+, 3) in pixels by Kabsch's method; uses points that hardly move."""
    points = landmarks[RIGID_INDEX].astype(np.float64)
    points -= points.mean(0)
    points /= max(math.sqrt(np.vdot(points, points) / len(points)), 1e-9)
    u, _, vt = np.linalg.svd(points.T @ CENTRED_FRONTAL_HEAD)
    (a, b, c), (d, e, f), (g, h, i) = (u @ vt).tolist()
    if a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g) < 0:  # the determinant; reflections are excluded
        u[:, 2] *= -1
    rotation = u @ vt  # from the frontal head to the landmarks
    (right_x, _, away_x), (right_y, _, away_y), (_, _, away_z) = rotation.tolist()  # the nose points towards -away
    for _ in range(round(math.atan2(right_y, right_x) / (math.pi / 2)) % 4):
        away_x, away_y = away_y, -away_x
    residuals = CENTRED_FRONTAL_HEAD @ rotation.T - points
    return Pose(
        math.degrees(math.atan2(-away_x, away_z)),
        math.degrees(math.asin(min(max(-away_y, -1.0), 1.0))),
        math.degrees(math.atan2(right_y, right_x)),
        math.sqrt(np.vdot(residuals, residuals) / len(points)),
    )
