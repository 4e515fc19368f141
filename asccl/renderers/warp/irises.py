"""Irises: their size and colour, and the light that a lens before them reflects.

A lens before an eye may reflect coloured light, such as that of a screen. An iris that is completed would have its
colour: behind glasses, an iris that is redrawn gets the usual colour of the person's irises.
"""

from __future__ import annotations

import cv2
import numpy as np

from asccl.face import mesh
from asccl.renderers.warp.field import face_size
from asccl.types import Image

LASH_WIDTH = 0.016  # face sizes inside the line of the lid that belong to lid and lashes
MAX_IRIS_RADIUS_RATIO = 0.95  # distance from the centre, over the iris radius, up to which a pixel belongs to the iris
MIN_PIXELS = 6  # of an iris or eyeball, to be used at all
MASK_RESOLUTION = 100  # approximate width in pixels of the mask of an eye: in a small face lids move less than a pixel
RADIUS_RATIO_RANGE = (0.95, 1.3)  # radius of an iris over that of its landmarks
# difference of an iris from the usual tint, of colours over their mean, from which on it is a reflection, and fully so
MIN_REFLECTION, FULL_REFLECTION = 0.12, 0.2
MIN_LIKENESS, FULL_LIKENESS = 0.35, 0.7  # of the tint of a pixel to that of the reflection, to be changed, and fully so
REFLECTION_REACH = 0.2  # iris radii beyond its circle, within which a reflection ends: the circle is known roughly


class IrisModel:
    """The irises of a person, from observed frames.

    Attributes:
        radius_ratio: radius of the irises over that of their landmarks.
        colour: of the darker iris, on which less light is reflected, (3,) RGB; None if they were not visible.
    """

    def __init__(self) -> None:
        self._ratios: list[float] = []
        self._colours: list[np.ndarray] = []
        self.radius_ratio = 1.0
        self.colour: np.ndarray | None = None

    def observe(self, image: Image, landmarks: np.ndarray) -> None:
        """Measure the irises in a frame. landmarks: (478, 3) pixels."""
        colours = []
        size = face_size(landmarks)
        margin = round(0.05 * size)
        for lids, iris in mesh.EYES_AND_IRISES:
            loop = landmarks[list(lids), :2]
            x0, y0 = np.maximum(np.floor(loop.min(0)).astype(int) - margin, 0)
            x1, y1 = np.maximum(np.ceil(loop.max(0)).astype(int) + margin, 0)
            part = np.ascontiguousarray(image[y0:y1, x0:x1])
            if min(part.shape[:2]) < 4:
                continue
            corner = np.array([x0, y0], np.float32)
            eyeball = distance_inside(loop - corner, part.shape[:2]) > 1.3 * LASH_WIDTH * size
            circle = landmarks[list(iris), :2] - corner
            is_iris = eyeball & (distance_from_centre(circle, part.shape[:2]) < MAX_IRIS_RADIUS_RATIO)
            if np.count_nonzero(is_iris) >= MIN_PIXELS:
                colours.append(part[is_iris].mean(0))
            ratio = iris_radius_ratio(part, eyeball, circle)
            if ratio is not None:
                self._ratios.append(ratio)
                self.radius_ratio = float(np.median(self._ratios))
        if colours:
            self._colours.append(min(colours, key=np.mean))
            self.colour = np.median(self._colours, axis=0)


def iris_radius_ratio(image: Image, known: np.ndarray, circle: np.ndarray) -> float | None:
    """Estimate the radius of an iris from where its dark pixels end.

    Args:
        image: (h, w, 3) uint8.
        known: where the eyeball is visible, (h, w) bool.
        circle: centre and four rim points of the iris landmarks, (5, 2) pixels.

    Returns:
        Radius over that of the circle, within `RADIUS_RATIO_RANGE`. None if too few pixels are visible.
    """
    y, x = np.nonzero(known)
    radius = float(np.linalg.norm(circle[1:] - circle[0], axis=1).mean())
    distance = np.hypot(x - circle[0, 0], y - circle[0, 1]) / max(radius, 1.0)
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[y, x]
    iris, white = distance < 0.8, distance > RADIUS_RATIO_RANGE[1]
    edge = (distance > 0.8) & (distance < 1.1 * RADIUS_RATIO_RANGE[1])
    if min(map(np.count_nonzero, (iris, white, edge))) < MIN_PIXELS:
        return None
    order = np.argsort(distance[edge])
    is_dark = gray[edge][order] < 0.5 * (np.median(gray[iris]) + np.median(gray[white]))
    errors = np.cumsum(np.where(is_dark, -1, 1))  # misclassified pixels, up to a constant, for the radius at each pixel
    return float(np.clip(distance[edge][order[np.argmin(errors)]], *RADIUS_RATIO_RANGE))


def remove_reflection(image: Image, lids: np.ndarray, circle: np.ndarray, colour: np.ndarray, share: float) -> bool:
    """Give an iris under coloured reflections its usual colour, in place.

    Args:
        image: (h, w, 3) uint8.
        lids: loop around the eyeball, (16, 2) pixels.
        circle: centre and four rim points of the iris, (5, 2) pixels.
        colour: usual colour of the iris, (3,) RGB.
        share: of the reflection that is removed, in [0, 1].

    Returns:
        Whether there is one.
    """
    pad = int(np.ceil(REFLECTION_REACH * float(np.ptp(circle[:, 0])))) + 3
    x0, y0 = np.maximum(np.floor(circle.min(0)).astype(int) - pad, 0)
    x1, y1 = np.minimum(np.ceil(circle.max(0)).astype(int) + pad + 1, image.shape[1::-1])
    if x1 <= x0 or y1 <= y0:
        return False
    part, corner = image[y0:y1, x0:x1], np.array([x0, y0], np.float32)
    ratio = distance_from_centre(circle - corner, part.shape[:2])
    visible = np.zeros(part.shape[:2], np.uint8)
    cv2.fillPoly(visible, [np.round(16 * (lids - corner)).astype(np.int32)], 1, cv2.LINE_8, 4)
    visible[ratio >= MAX_IRIS_RADIUS_RATIO] = 0
    if cv2.countNonZero(visible) < MIN_PIXELS:
        return False
    mean_colour, tint = np.array(cv2.mean(part, visible)[:3]), colour / max(float(colour.mean()), 1.0)
    reflected = mean_colour / max(float(mean_colour.mean()), 1.0) - tint  # change of the tint
    difference = float(np.linalg.norm(reflected))
    share *= float(np.clip((difference - MIN_REFLECTION) / (FULL_REFLECTION - MIN_REFLECTION), 0, 1))
    if share == 0:
        return False
    gain = min(1.0, float(colour.mean()) / max(float(mean_colour.mean()), 1.0))
    pixels = part.astype(np.float32)
    mean, along = cv2.split(cv2.transform(pixels, np.stack([np.full(3, 1 / 3), reflected / difference**2])))
    likeness = cv2.GaussianBlur(along / np.maximum(mean, 1), (0, 0), 1.0) - float(tint @ reflected) / difference**2
    weight = np.clip((likeness - MIN_LIKENESS) / (FULL_LIKENESS - MIN_LIKENESS), 0, 1)
    weight *= share * np.clip((1 + 2 * REFLECTION_REACH - ratio) / REFLECTION_REACH, 0, 1)
    usual = cv2.transform(mean, (gain * tint)[:, None])
    part[:] = cv2.blendLinear(usual, pixels, weight, 1 - weight) + 0.5
    return True


def distance_from_centre(circle: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Distance of the pixels (h, w) of an image from the centre of an iris, over its radius. circle: (5, 2) pixels."""
    radius = float(np.linalg.norm(circle[1:] - circle[0], axis=1).mean())
    x = np.arange(shape[1], dtype=np.float32) - circle[0, 0]
    y = np.arange(shape[0], dtype=np.float32)[:, None] - circle[0, 1]
    return np.hypot(x, y) / max(radius, 1.0)


def distance_inside(polygon: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Measure the distance to the border of a polygon, inside of it.

    polygon: (n, 2) pixels. shape: (h, w). Returns (h, w) float32 pixels, 0 outside, exact to a fraction of a pixel.
    """
    scale = max(1, round(MASK_RESOLUTION / shape[1]))
    mask = np.zeros((shape[0] * scale, shape[1] * scale), np.uint8)
    corners = np.round(((polygon + 0.5) * scale - 0.5) * 16).astype(np.int32)
    cv2.fillPoly(mask, [corners], 255, cv2.LINE_8, 4)
    distance = cv2.distanceTransform(mask, cv2.DIST_L2, 5)
    return cv2.resize(distance, shape[::-1], interpolation=cv2.INTER_AREA) / scale
