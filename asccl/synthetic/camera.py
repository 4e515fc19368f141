"""Where a made-up person is seen from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from asccl.face.crop import CROP_SIZE, arcface_matrix


@dataclass(frozen=True)
class Camera:
    """rotation: (3, 3) of the head. distance: cm to the head's origin. matrix: (2, 3), from cm at the head to pixels.
    size: (height, width) pixels."""

    rotation: np.ndarray
    distance: float
    matrix: np.ndarray
    size: tuple[int, int]

    @classmethod
    def from_angles(cls, yaw: float, pitch: float, roll: float, side: int, scale: float = 0.033,
               shift: tuple[float, float] = (0.0, 0.0), distance: float = 70.0) -> Camera:  # fmt: skip
        """Square. yaw to the image's right, pitch downward, roll clockwise, in degrees. scale: sides of the picture per
        cm. shift: of the head, in sides."""
        y, p, r = np.deg2rad([yaw, pitch, roll])
        turn = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
        nod = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
        tilt = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
        middle = (side - 1) / 2
        matrix = np.array([[scale * side, 0, middle + shift[0] * side], [0, scale * side, middle + shift[1] * side]])
        return cls(tilt @ nod @ turn, distance, matrix, (side, side))

    @classmethod
    def sample(cls, rng: np.random.Generator, side: int) -> Camera:
        """Somebody who looks more or less into the camera."""
        yaw, pitch, roll = np.clip(rng.normal(0, (11, 7, 5)), (-28, -18, -15), (28, 18, 15))
        return cls.from_angles(yaw, pitch, roll, side, rng.uniform(0.028, 0.042), tuple(rng.normal(0, 0.03, 2)),
                          rng.uniform(45, 130))  # fmt: skip

    def project(self, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(..., 3) cm -> (..., 2) pixels and (...,) depth, smaller is nearer."""
        turned = vertices @ self.rotation.T
        depth = turned[..., 2] + self.distance
        flat = turned[..., :2] * (self.distance / depth)[..., None]
        return flat @ self.matrix[:, :2].T + self.matrix[:, 2], depth

    def arcface_view(self, landmarks: np.ndarray, size: int = CROP_SIZE) -> Camera:
        """The camera that sees what `arcface_crop` would cut out, at full sharpness. landmarks: pixels here."""
        crop = arcface_matrix(landmarks, size)
        linear = crop[:, :2] @ self.matrix[:, :2]
        offset = crop[:, :2] @ self.matrix[:, 2] + crop[:, 2]
        return Camera(self.rotation, self.distance, np.column_stack([linear, offset]), (size, size))

    @property
    def pixels_per_cm(self) -> float:
        """Pixels per cm at the head."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix[:, :2]))))

    def with_resolution(self, times: float) -> Camera:
        """The same view with more pixels, rounded up to whole ones; pixel centres lie at whole numbers in both."""
        height, width = (int(np.ceil(times * side)) for side in self.size)
        factor = np.array([width / self.size[1], height / self.size[0]])
        matrix = factor[:, None] * self.matrix
        matrix[:, 2] += (factor - 1) / 2
        return Camera(self.rotation, self.distance, matrix, (height, width))
