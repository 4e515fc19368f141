"""Little films with a face that may be shipped: NASA's portrait of Eileen Collins, public domain."""

from __future__ import annotations

import cv2
import numpy as np
from skimage.data import astronaut, coffee

FACE = 117.0  # pixels, larger side of the landmarks' box in the portrait
CENTRE = np.array([223.0, 120.0])  # of the face in the portrait


def backdrop(width: int = 640, height: int = 360) -> np.ndarray:
    return cv2.resize(coffee(), (width, height), interpolation=cv2.INTER_AREA)


def portrait(kind: str = "her") -> np.ndarray:
    """her; other: mirrored and tinted blue, which a fake embedder tells apart."""
    picture = astronaut()[0:260, 90:350]
    if kind == "her":
        return picture
    tint = picture[:, ::-1].astype(np.float64) * (0.55, 0.75, 1.1)
    return np.clip(tint, 0, 255).astype(np.uint8)


def put(scene: np.ndarray, x: float, y: float, size: float, kind: str = "her", turn: float = 0.0) -> np.ndarray:
    """Paste a head, its face of `size` pixels centred at (x, y), turned by degrees; what hangs over is cut off."""
    head = portrait(kind)
    centre = CENTRE - (90, 0)
    if kind != "her":
        centre = np.array([head.shape[1] - 1 - centre[0], centre[1]])
    scale = size / FACE
    shrunk = scale
    if scale < 0.7:
        head = cv2.resize(head, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        centre, shrunk = (centre + 0.5) * scale - 0.5, 1.0
    matrix = cv2.getRotationMatrix2D((float(centre[0]), float(centre[1])), turn, shrunk)
    matrix[:, 2] += (x, y) - centre
    rows, columns = np.mgrid[0 : head.shape[0], 0 : head.shape[1]]
    reach = np.array([1.0, 1.25]) * 0.75 * size / shrunk
    oval = ((columns - centre[0]) / reach[0]) ** 2 + ((rows - centre[1]) / reach[1]) ** 2
    mask = np.clip((1.15 - oval) / 0.3, 0, 1).astype(np.float32)
    shape = scene.shape[1::-1]
    mask = cv2.warpAffine(mask, matrix, shape)[..., None]
    moved = cv2.warpAffine(head, matrix, shape, borderMode=cv2.BORDER_REPLICATE)
    return np.rint(scene * (1 - mask) + moved * mask).astype(np.uint8)


def embed_colour(crops: np.ndarray) -> np.ndarray:
    """A stand-in for ArcFace that knows the two kinds of heads by their tint."""
    middle = crops[:, 30:90, 30:80].astype(np.float64).mean((1, 2))
    warm = np.log(middle[:, 0] / middle[:, 2])
    angle = np.where(warm > 0.1, 0.0, np.pi / 2) + 0.1 * np.tanh(warm)
    return np.stack([np.cos(angle), np.sin(angle)], 1)
