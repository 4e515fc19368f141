"""A perspective camera in front of a synthetic head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from asccl.face.crop import CROP_SIZE, arcface_matrix

ANGLE_DEVIATION = (11, 7, 5)  # degrees of yaw, pitch and roll
MAX_ANGLE = (28, 18, 15)  # degrees
SCALE_RANGE = (0.028, 0.042)  # image sides per cm
DISTANCE_RANGE = (45, 130)  # cm
SHIFT_DEVIATION = 0.03  # image sides


@dataclass(frozen=True)
class Camera:
    """A camera and the pose of the head in front of it.

    Attributes:
        rotation: rotation of the head, (3, 3).
        distance: cm to the head's origin.
        matrix: (2, 3), cm at the head to pixels.
        size: (height, width) of the image in pixels.
    """

    rotation: np.ndarray
    distance: float
    matrix: np.ndarray
    size: tuple[int, int]

    @classmethod
    def from_angles(
        cls,
        yaw: float,
        pitch: float,
        roll: float,
        size: int,
        scale: float = 0.033,
        shift: tuple[float, float] = (0.0, 0.0),
        distance: float = 70.0,
    ) -> Camera:
        """Create a camera with a square image.

        Args:
            yaw: of the head to the image's right, in degrees.
            pitch: of the head downward, in degrees.
            roll: of the head clockwise, in degrees.
            size: side of the image in pixels.
            scale: image sides per cm.
            shift: of the head from the centre, in image sides.
            distance: cm to the head's origin.
        """
        y, p, r = np.deg2rad([yaw, pitch, roll])
        yaw_matrix = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
        pitch_matrix = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
        roll_matrix = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
        centre = (size - 1) / 2
        matrix = np.array([[scale * size, 0, centre + shift[0] * size], [0, scale * size, centre + shift[1] * size]])
        return cls(roll_matrix @ pitch_matrix @ yaw_matrix, distance, matrix, (size, size))

    @classmethod
    def sample(cls, rng: np.random.Generator, size: int) -> Camera:
        """Sample the camera of a head that looks approximately at it. size: side of the image in pixels."""
        limit = np.array(MAX_ANGLE)
        yaw, pitch, roll = np.clip(rng.normal(0, ANGLE_DEVIATION), -limit, limit)
        scale = rng.uniform(*SCALE_RANGE)
        shift = tuple(rng.normal(0, SHIFT_DEVIATION, 2))
        return cls.from_angles(yaw, pitch, roll, size, scale, shift, rng.uniform(*DISTANCE_RANGE))

    def project(self, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Project vertices (..., 3) cm to pixels (..., 2) and depth (...,), smaller is nearer."""
        rotated = vertices @ self.rotation.T
        depth = rotated[..., 2] + self.distance
        plane = rotated[..., :2] * (self.distance / depth)[..., None]
        return plane @ self.matrix[:, :2].T + self.matrix[:, 2], depth

    def arcface_view(self, landmarks: np.ndarray, size: int = CROP_SIZE) -> Camera:
        """Return the camera whose image is the ArcFace crop, at full resolution.

        Args:
            landmarks: (468 or more, 2 or more) pixels of this camera's image.
            size: side of the crop in pixels.
        """
        crop = arcface_matrix(landmarks, size)
        linear = crop[:, :2] @ self.matrix[:, :2]
        offset = crop[:, :2] @ self.matrix[:, 2] + crop[:, 2]
        return Camera(self.rotation, self.distance, np.column_stack([linear, offset]), (size, size))

    @property
    def pixels_per_cm(self) -> float:
        """Pixels per cm at the head."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix[:, :2]))))

    def with_resolution(self, factor: float) -> Camera:
        """Return the same view with `factor` times the pixels per side, rounded up to whole pixels."""
        height, width = (int(np.ceil(factor * side)) for side in self.size)
        factors = np.array([width / self.size[1], height / self.size[0]])
        matrix = factors[:, None] * self.matrix
        matrix[:, 2] += (factors - 1) / 2  # pixel centres have integer coordinates in both images
        return Camera(self.rotation, self.distance, matrix, (height, width))
