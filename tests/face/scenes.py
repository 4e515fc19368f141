"""Synthetic scenes with a real face: NASA's portrait of Eileen Collins, public domain."""

from __future__ import annotations

import cv2
import numpy as np
from skimage.data import astronaut, coffee

FACE_SIZE = 117.0  # pixels, larger side of the landmarks' box in the portrait
CENTRE = np.array([223.0, 120.0])  # of the face in the portrait


def backdrop(width: int = 640, height: int = 360) -> np.ndarray:
    """An image without a face."""
    return cv2.resize(coffee(), (width, height), interpolation=cv2.INTER_AREA)


def portrait(person: str = "collins") -> np.ndarray:
    """The portrait; for "other" it is mirrored and tinted blue, which `embed_colour` distinguishes."""
    image = astronaut()[0:260, 90:350]
    if person == "collins":
        return image
    tinted = image[:, ::-1].astype(np.float64) * (0.55, 0.75, 1.1)
    return np.clip(tinted, 0, 255).astype(np.uint8)


def put(scene: np.ndarray, x: float, y: float, size: float, person: str = "collins", roll: float = 0.0) -> np.ndarray:
    """Paste a head into a scene.

    Args:
        scene: (H, W, 3) uint8; it is not changed.
        x: of the centre of the face, pixels.
        y: of the centre of the face, pixels.
        size: of the face, pixels.
        person: see `portrait`.
        roll: degrees.
    """
    head = portrait(person)
    centre = CENTRE - (90, 0)
    if person != "collins":
        centre = np.array([head.shape[1] - 1 - centre[0], centre[1]])
    scale = size / FACE_SIZE
    warp_scale = scale
    if scale < 0.7:
        head = cv2.resize(head, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        centre, warp_scale = (centre + 0.5) * scale - 0.5, 1.0
    matrix = cv2.getRotationMatrix2D((float(centre[0]), float(centre[1])), roll, warp_scale)
    matrix[:, 2] += (x, y) - centre
    rows, columns = np.mgrid[0 : head.shape[0], 0 : head.shape[1]]
    radius = np.array([1.0, 1.25]) * 0.75 * size / warp_scale
    oval = ((columns - centre[0]) / radius[0]) ** 2 + ((rows - centre[1]) / radius[1]) ** 2
    mask = np.clip((1.15 - oval) / 0.3, 0, 1).astype(np.float32)
    shape = scene.shape[1::-1]
    mask = cv2.warpAffine(mask, matrix, shape)[..., None]
    warped = cv2.warpAffine(head, matrix, shape, borderMode=cv2.BORDER_REPLICATE)
    return np.rint(scene * (1 - mask) + warped * mask).astype(np.uint8)


def embed_colour(crops: np.ndarray) -> np.ndarray:
    """An embedding of length 1 that distinguishes the two people by their tint, in place of ArcFace."""
    middle = crops[:, 30:90, 30:80].astype(np.float64).mean((1, 2))
    warmth = np.log(middle[:, 0] / middle[:, 2])
    angle = np.where(warmth > 0.1, 0.0, np.pi / 2) + 0.1 * np.tanh(warmth)
    return np.stack([np.cos(angle), np.sin(angle)], 1)
