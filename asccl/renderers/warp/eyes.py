"""Eyes: the lids move over an eyeball that stays where it is and stays round."""

from __future__ import annotations

import cv2
import numpy as np

from asccl.face import mesh
from asccl.renderers.warp.field import Box, face_size
from asccl.types import Image

EYES = ((mesh.RIGHT_EYE, mesh.RIGHT_IRIS), (mesh.LEFT_EYE, mesh.LEFT_IRIS))
LASHES = 0.016  # of the face size: this much inside the lid's line belongs to lid and lashes
SHADE = 0.05  # of the face size: so far into the eye a lid darkens it
CLOSED, OPEN = 0.035, 0.075  # lid opening over the face size: below, no eyeball shows; above, all of it
FINE = 100  # pixels across the mask of an eye, about: lids move by less than a pixel of a small face
RINGS, RIM = 5, 0.95  # of an iris; of its radius: what lies inside is surely not the white
RADIUS = (0.95, 1.3)  # an iris's over that of the mesh
CATCH_LIGHT = 12  # levels above the mean: so much brighter is a catch light, which has no twin on the other side


class IrisModel:
    """The eyes of one person; filled by `study`."""

    def __init__(self) -> None:
        self._radius: list[float] = []
        self.radius_ratio = 1.0  # of the irises, over that of the mesh's

    def observe(self, image: Image, landmarks: np.ndarray) -> None:
        """Measure the irises in a frame. landmarks: (478, 3)."""
        reach = round(0.05 * face_size(landmarks))
        for lids, iris in EYES:
            loop = landmarks[list(lids), :2]
            x0, y0 = np.maximum(np.floor(loop.min(0)).astype(int) - reach, 0)
            x1, y1 = np.maximum(np.ceil(loop.max(0)).astype(int) + reach, 0)
            part = np.ascontiguousarray(image[y0:y1, x0:x1])
            if min(part.shape[:2]) < 4:
                continue
            corner = np.array([x0, y0], np.float32)
            shown = distance_inside(loop - corner, part.shape[:2]) > 1.3 * LASHES * face_size(landmarks)
            radius = iris_radius_ratio(part, shown, landmarks[list(iris), :2] - corner)
            if radius is not None:
                self._radius.append(radius)
                self.radius_ratio = float(np.median(self._radius))


def restore_eyeballs(
    source: Image, edited: Image, landmarks: np.ndarray, moved: np.ndarray, box: Box, radius: float = 1.0
) -> None:
    """Redraw both eyeballs in `edited`, in place.

    source, edited: (h, w, 3) uint8, the pixels of the box before and after the warp. landmarks: (478, 3), moved:
    (468, 2+) pixels of the frame. radius: of the irises over that of the mesh's. Inside the new lids the source's
    eyeball shows unmoved. Where the lids now reveal more of it than the source shows, the iris is completed round, the
    white goes on, and the shade of the lid, which the source has along the old line, comes to lie along the new one.
    """
    size = face_size(landmarks)
    origin = np.array([box.x0, box.y0], np.float32)
    for lids, iris in EYES:
        old, new = landmarks[list(lids), :2] - origin, moved[list(lids), :2] - origin
        if np.abs(new - old).max() < 0.1:
            continue
        across = old[8] - old[0]
        down = np.array([-across[1], across[0]]) / max(float(np.linalg.norm(across)), 1e-6)
        opening = min(float(np.ptp(old @ down)), float(np.ptp(new @ down))) / size
        showing = float(np.clip((opening - CLOSED) / (OPEN - CLOSED), 0, 1))
        if showing > 0:
            circle = landmarks[list(iris), :2] - origin
            circle = circle[0] + radius * (circle - circle[0])
            _redraw(source, edited, old, new, circle, down, size, showing)


def _redraw(source, edited, old, new, circle, down, size, showing) -> None:
    h, w = source.shape[:2]
    corner = np.concatenate([old, new])
    pad = 2
    x0, y0 = np.maximum(np.floor(corner.min(0)).astype(int) - pad, 0)
    x1, y1 = np.minimum(np.ceil(corner.max(0)).astype(int) + pad, (w, h))
    if x1 - x0 < 4 or y1 - y0 < 4:
        return
    part = (slice(y0, y1), slice(x0, x1))
    shift = np.array([x0, y0], np.float32)
    margin = LASHES * size
    before, after = (distance_inside(line - shift, (y1 - y0, x1 - x0)) for line in (old, new))
    known = before > margin
    if known.sum() < 6:
        return
    revealed = np.clip((after - before) / margin, 0, 1)
    # where a lid opens, the warp has carried its shade along: it fades into the eye
    alpha = np.clip(
        (after - margin) / (max(1.0, 0.012 * size) + 0.85 * SHADE * size * revealed) + 0.5 - 0.4 * revealed, 0, 1
    )
    alpha *= showing
    eyeball = source[part].astype(np.float32)
    unsure = revealed * np.clip(1 - (before - margin) / (SHADE * size), 0, 1)  # lashes and shade of the old line
    if (unsure * alpha).max() > 0.02:
        depth = np.maximum(before - margin, 0) / (SHADE * size)
        whole = reconstruct_eyeball(source[part], known, np.minimum(depth, 1), circle - shift, down)
        whole = np.maximum(whole, eyeball * known[..., None])  # catch lights
        eyeball += (whole - eyeball) * unsure[..., None]
    mixed = edited[part] + (eyeball - edited[part]) * alpha[..., None]
    edited[part] = np.minimum(mixed + 0.5, 255).astype(np.uint8)


def reconstruct_eyeball(
    image: Image, known: np.ndarray, depth: np.ndarray, circle: np.ndarray, down: np.ndarray
) -> np.ndarray:
    """The eyeball as it would look without lids and their shade.

    image: (h, w, 3), known: (h, w) bool, where it shows. depth: (h, w), 0 at the lids, 1 where they shade it no more.
    circle: (5, 2) iris centre and rim. down: (2,) unit vector. -> (h, w, 3) float32.
    """
    centre, radius = circle[0], float(np.linalg.norm(circle[1:] - circle[0], axis=1).mean())
    x = np.arange(known.shape[1], dtype=np.float32) - centre[0]
    y = np.arange(known.shape[0], dtype=np.float32)[:, None] - centre[1]
    distance = np.sqrt(x * x + y * y)
    whole = _white(image, known * depth * (distance > 1.15 * radius), known, radius)
    iris = distance < 1.15 * radius
    shown = known & (distance < RIM * radius)
    if np.count_nonzero(shown) >= 6:
        away = distance[iris]
        colours = _radial_profile(image[shown], distance[shown], radius)(away)
        gy, gx = np.nonzero(iris)
        twice = 2 * ((gx - centre[0]) * down[0] + (gy - centre[1]) * down[1])
        mx = np.clip((gx - twice * down[0] + 0.5).astype(int), 0, known.shape[1] - 1)
        my = np.clip((gy - twice * down[1] + 0.5).astype(int), 0, known.shape[0] - 1)
        twin = known[my, mx] & (away < RIM * radius)
        colours[twin] += 0.5 * np.clip(image[my[twin], mx[twin]] - colours[twin], -30, CATCH_LIGHT)
        rim = np.clip((1.05 * radius - away) / max(1.0, 0.25 * radius) + 0.5, 0, 1)[:, None]
        whole[iris] += (colours - whole[iris]) * rim
    return whole


def iris_radius_ratio(image: Image, known: np.ndarray, circle: np.ndarray) -> float | None:
    """An iris's radius over that of a circle (5, 2), in `RADIUS`: where the dark ends. None where too little shows.

    image: (h, w, 3). known: (h, w) bool, where the eyeball shows.
    """
    y, x = np.nonzero(known)
    radius = float(np.linalg.norm(circle[1:] - circle[0], axis=1).mean())
    away = np.hypot(x - circle[0, 0], y - circle[0, 1]) / max(radius, 1.0)
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[y, x]
    dark, white, edge = away < 0.8, away > RADIUS[1], (away > 0.8) & (away < 1.1 * RADIUS[1])
    if min(map(np.count_nonzero, (dark, white, edge))) < 6:
        return None
    order = np.argsort(away[edge])
    is_dark = gray[edge][order] < 0.5 * (np.median(gray[dark]) + np.median(gray[white]))
    wrong = np.cumsum(np.where(is_dark, -1, 1))  # white inside less dark inside, were the radius here
    return float(np.clip(away[edge][order[np.argmin(wrong)]], *RADIUS))


def _white(image: Image, weight: np.ndarray, known: np.ndarray, radius: float) -> np.ndarray:
    """The white of an eye, from where it shows, carried on under the lids: (h, w, 3) float32."""
    if weight.sum() < 3:  # an iris from corner to corner: the brightest of what shows
        bright = image.max(2) * known
        weight = known * (bright >= np.quantile(bright[known], 0.8))
    weight = weight.astype(np.float32)
    mean = np.tensordot(weight, image, 2) / weight.sum()
    reach = 2 * max(1, round(0.6 * radius)) + 1
    near = cv2.merge([image * weight[..., None], weight])
    for _ in range(2):
        near = cv2.blur(near, (reach, reach), borderType=cv2.BORDER_CONSTANT)
    little = 0.02
    return ((near[..., :3] + little * mean) / (near[..., 3:] + little)).astype(np.float32)


def _radial_profile(colours: np.ndarray, distance: np.ndarray, radius: float):
    """Colour of an iris by distance from its centre, catch lights left out: (n, 3), (n,) -> function (m,) -> (m, 3)."""
    colours = np.minimum(colours, colours.mean(0) + CATCH_LIGHT)
    ring = np.minimum((RINGS / (RIM * radius) * distance).astype(int), RINGS - 1)
    count = np.bincount(ring, minlength=RINGS)
    full = np.flatnonzero(count)
    means = np.stack([np.bincount(ring, colours[:, c], RINGS)[full] / count[full] for c in range(3)], 1)
    middle = (full + 0.5) * RIM * radius / RINGS
    return lambda r: np.stack([np.interp(r, middle, means[:, c]) for c in range(3)], 1)


def distance_inside(polygon: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Distance to a polygon's line in pixels, positive inside, 0 outside: (n, 2) -> (h, w) float32, exact to a
    fraction of a pixel."""
    fine = max(1, round(FINE / shape[1]))
    mask = np.zeros((shape[0] * fine, shape[1] * fine), np.uint8)
    corners = np.round(((polygon + 0.5) * fine - 0.5) * 16).astype(np.int32)
    cv2.fillPoly(mask, [corners], 255, cv2.LINE_8, 4)
    into = cv2.distanceTransform(mask, cv2.DIST_L2, 5)
    return cv2.resize(into, shape[::-1], interpolation=cv2.INTER_AREA) / fine
