"""Eyes: the lids move over an eyeball that stays round, and that turns down a little with a lid that comes down.

Gaze and upper lid are coupled: an eyeball that stayed in place under a lid that comes down would seem to roll up. Where
a lid opens the gaze stays, as in surprise.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from asccl.face.mesh import EYES_AND_IRISES
from asccl.renderers.warp.field import Box, face_size
from asccl.renderers.warp.irises import (
    LASH_WIDTH,
    MAX_IRIS_RADIUS_RATIO,
    MIN_PIXELS,
    distance_from_centre,
    distance_inside,
    remove_reflection,
)
from asccl.types import Image

LID_SHADOW = 0.05  # face sizes: how far into the eye a lid darkens it
SHADE_RANGE = (0.2, 0.6)  # darkening of a completed eyeball at the line of the lid
LID_BLUR = 0.016  # face sizes by which the edge of a lid that opens is softer
GAZE_SHARE = 1 / 3  # movement of the eyeball over that of an upper lid that comes down
UPPER_LID, LOWER_LID = slice(9, 16), slice(1, 8)  # of the loop of an eye
# face sizes: opening of the eye below which no eyeball is drawn, and from which on all of it, in the frame and the edit
LID_GAPS = ((0.035, 0.075), (0.015, 0.04))
IRIS_RINGS = 5  # rings of an iris, each of one colour
MIN_HIDDEN = 0.3  # how far an eyeball was hidden to be completed: lids that come down reveal a little at the corners
LASH_SHARE = 0.15  # of an opening, at most, that belongs to the lashes of a lid
CATCH_LIGHT = 12  # levels above the mean: brighter pixels are a catch light, which is not symmetric
FULL_REMOVAL_CHANGE = 0.02  # face sizes by which any part of a face moves for all of a reflection to be removed


def restore_eyeballs(
    source: Image,
    edited: Image,
    landmarks: np.ndarray,
    edited_landmarks: np.ndarray,
    box: Box,
    radius_ratio: float = 1.0,
    iris_colour: np.ndarray | None = None,
) -> None:
    """Redraw both eyeballs in the warped image, in place.

    Inside the new lids the source's eyeball is shown, moved by `GAZE_SHARE` of what the upper lid comes down.
    Where the lids reveal more of it than the source shows, the iris is completed to a circle, the white is continued,
    and the shadow of the lid moves from its old line to its new one.

    Args:
        source: pixels of the box before the warp, (h, w, 3) uint8.
        edited: pixels of the box after the warp, (h, w, 3) uint8, written to.
        landmarks: (478, 3) pixels of the frame.
        edited_landmarks: (468, 2+) pixels of the frame.
        box: part of the frame that the images show.
        radius_ratio: radius of the irises over that of their landmarks.
        iris_colour: usual colour of the irises, (3,) RGB, which replaces reflections; None without glasses.
    """
    size = face_size(landmarks)
    origin = np.array([box.x0, box.y0], np.float32)
    change = float(np.abs(edited_landmarks[:, :2] - landmarks[: len(edited_landmarks), :2]).max())
    share = min(change / (FULL_REMOVAL_CHANGE * size), 1.0)
    source = source if iris_colour is None else source.copy()
    for lids, iris in EYES_AND_IRISES:
        old, new = landmarks[list(lids), :2] - origin, edited_landmarks[list(lids), :2] - origin
        circle = landmarks[list(iris), :2] - origin
        circle = circle[0] + radius_ratio * (circle - circle[0])
        if iris_colour is not None and remove_reflection(source, old, circle, iris_colour, share):
            remove_reflection(edited, new, circle, iris_colour, share)
        if np.abs(new - old).max() < 0.1:
            continue
        across = old[8] - old[0]
        down = np.array([-across[1], across[0]]) / max(float(np.linalg.norm(across)), 1e-6)
        down = down if (old[LOWER_LID].mean(0) - old[UPPER_LID].mean(0)) @ down > 0 else -down
        openings = [float(np.ptp(loop @ down)) / size for loop in (old, new)]
        opacity = min(float(np.interp(o, gaps, (0, 1))) for o, gaps in zip(openings, LID_GAPS, strict=True))
        if opacity > 0:
            closing = max(0.0, float((new - old)[UPPER_LID].mean(0) @ down))
            shift = GAZE_SHARE * closing * down
            _redraw(source, edited, (old + shift, new), circle + shift, shift, down, size, opacity)


def _redraw(
    source: Image,
    edited: Image,
    lids: tuple[np.ndarray, np.ndarray],
    circle: np.ndarray,
    shift: np.ndarray,
    down: np.ndarray,
    size: float,
    opacity: float,
) -> None:
    """Redraw one eyeball in place.

    lids: loops before, moved with the eyeball, and after, (16, 2). circle: (5, 2) centre and rim of the iris, moved
    likewise. shift: (2,) pixels of that movement.
    """
    h, w = source.shape[:2]
    corners = np.concatenate(lids)
    pad = 2
    x0, y0 = np.maximum(np.floor(corners.min(0)).astype(int) - pad, 0)
    x1, y1 = np.minimum(np.ceil(corners.max(0)).astype(int) + pad, (w, h))
    if x1 - x0 < 4 or y1 - y0 < 4:
        return
    part = (slice(y0, y1), slice(x0, x1))
    origin = np.array([x0, y0], np.float32)
    margin, shadow = LASH_WIDTH * size, LID_SHADOW * size
    lash = min(margin, LASH_SHARE * float(np.ptp((lids[1] - origin) @ down)))
    before, after = (distance_inside(loop - origin, (y1 - y0, x1 - x0)) for loop in lids)
    known = before > margin
    if known.sum() < MIN_PIXELS:
        return
    revealed = np.clip((after - before) / margin, 0, 1)
    width = max(1.0, 0.012 * size) + LID_BLUR * size * revealed
    alpha = opacity * np.clip((after - lash) / width + 0.5 - 0.25 * revealed, 0, 1)
    moved = shift_image(source[part], shift) if shift.any() else source[part]
    eyeball = moved.astype(np.float32)
    hidden = revealed * np.clip(1.3 - (before - margin) / shadow, 0, 1)  # lashes and shadow of the old line
    hidden = np.maximum(hidden - MIN_HIDDEN, 0) / (1 - MIN_HIDDEN)
    if (hidden * alpha).max() > 0.02:
        depth = np.maximum(before - margin, 0) / shadow
        complete = reconstruct_eyeball(moved, known, np.square(np.minimum(depth, 1)), circle - origin, down)
        visibility = np.clip((before - margin) / margin, 0, 1)[..., None]
        complete += np.maximum(eyeball - complete, 0) * visibility  # keeps catch lights
        eyeball += (complete - eyeball) * hidden[..., None]
        shade = _lid_shade(moved, before, circle - origin, down, shadow)
        eyeball *= (1 - shade * revealed * np.square(np.clip(1 - (after - lash) / shadow, 0, 1)))[..., None]
    mixed = edited[part] + (eyeball - edited[part]) * alpha[..., None]
    edited[part] = np.minimum(mixed + 0.5, 255).astype(np.uint8)


def _lid_shade(image: Image, depth: np.ndarray, circle: np.ndarray, down: np.ndarray, reach: float) -> float:
    """Measure how far the upper lid darkens the white of an eye at its edge, within `SHADE_RANGE`.

    Args:
        image: (h, w, 3) uint8.
        depth: distance to the lids, (h, w) pixels.
        circle: centre and four rim points of the iris, (5, 2) pixels.
        down: unit vector across the eye, (2,).
        reach: of the shadow, pixels.
    """
    white = (distance_from_centre(circle, depth.shape) > 1.2) & (depth > 0.1 * reach)
    y, x = np.nonzero(white)
    upper = (x - circle[0, 0]) * down[0] + (y - circle[0, 1]) * down[1] < 0
    near, brightness = upper & (depth[y, x] < 0.5 * reach), image[y, x].mean(1)
    deep = depth[y, x] > 0.5 * reach
    if min(np.count_nonzero(near), np.count_nonzero(deep)) < MIN_PIXELS:
        return SHADE_RANGE[0]
    return float(np.clip(1 - brightness[near].mean() / max(float(brightness[deep].mean()), 1.0), *SHADE_RANGE))


def reconstruct_eyeball(
    image: Image, known: np.ndarray, depth: np.ndarray, circle: np.ndarray, down: np.ndarray
) -> np.ndarray:
    """Reconstruct an eyeball as it would look without lids and their shadow.

    Args:
        image: (h, w, 3) uint8.
        known: where the eyeball is visible, (h, w) bool.
        depth: 0 at the lids to 1 where they cast no shadow, (h, w).
        circle: centre and four rim points of the iris, (5, 2) pixels.
        down: unit vector across the eye, (2,).

    Returns:
        (h, w, 3) float32.
    """
    centre, radius = circle[0], float(np.linalg.norm(circle[1:] - circle[0], axis=1).mean())
    x = np.arange(known.shape[1], dtype=np.float32) - centre[0]
    y = np.arange(known.shape[0], dtype=np.float32)[:, None] - centre[1]
    distance = np.sqrt(x * x + y * y)
    eyeball = _extend_white(image, known * depth * (distance > 1.15 * radius), known, radius)
    iris = distance < 1.15 * radius
    visible = known & (distance < MAX_IRIS_RADIUS_RATIO * radius)
    if np.count_nonzero(visible) >= MIN_PIXELS:
        iris_distance = distance[iris]
        colours = _radial_profile(image[visible], distance[visible], radius)(iris_distance)
        # pixels whose mirror image, up or down, is visible take half of its deviation from the profile
        gy, gx = np.nonzero(iris)
        offset = 2 * ((gx - centre[0]) * down[0] + (gy - centre[1]) * down[1])
        mx = np.clip((gx - offset * down[0] + 0.5).astype(int), 0, known.shape[1] - 1)
        my = np.clip((gy - offset * down[1] + 0.5).astype(int), 0, known.shape[0] - 1)
        mirrored = known[my, mx] & (iris_distance < MAX_IRIS_RADIUS_RATIO * radius)
        deviation = image[my[mirrored], mx[mirrored]] - colours[mirrored]
        colours[mirrored] += 0.5 * np.clip(deviation, -30, CATCH_LIGHT)
        alpha = np.clip((1.05 * radius - iris_distance) / max(1.0, 0.25 * radius) + 0.5, 0, 1)[:, None]
        eyeball[iris] += (colours - eyeball[iris]) * alpha
    return eyeball


def shift_image(image: Image, shift: np.ndarray) -> Image:
    """Move the content of an image, (h, w, 3), by (x, y) pixels; the border is repeated."""
    matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32)
    return cv2.warpAffine(image, matrix, image.shape[1::-1], flags=cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE)


def _extend_white(image: Image, weight: np.ndarray, known: np.ndarray, radius: float) -> np.ndarray:
    """Continue the white of an eye from where it is visible, (h, w) weights, under the lids: (h, w, 3) float32."""
    if weight.sum() < 3:  # the iris fills the eye: take the brightest visible pixels
        bright = image.max(2) * known
        weight = known * (bright >= np.quantile(bright[known], 0.8))
    weight = weight.astype(np.float32)
    mean = np.tensordot(weight, image, 2) / weight.sum()
    width = 2 * max(1, round(0.6 * radius)) + 1
    local = cv2.merge([image * weight[..., None], weight])
    for _ in range(2):
        local = cv2.blur(local, (width, width), borderType=cv2.BORDER_CONSTANT)
    prior = 0.02  # weight of the mean
    return ((local[..., :3] + prior * mean) / (local[..., 3:] + prior)).astype(np.float32)


def _radial_profile(colours: np.ndarray, distance: np.ndarray, radius: float) -> Callable[[np.ndarray], np.ndarray]:
    """Fit the colour of an iris by distance from its centre, without catch lights.

    colours: (n, 3). distance: (n,) pixels. Returns a function: distances (m,) -> colours (m, 3).
    """
    colours = np.minimum(colours, colours.mean(0) + CATCH_LIGHT)
    ring = np.minimum((IRIS_RINGS / (MAX_IRIS_RADIUS_RATIO * radius) * distance).astype(int), IRIS_RINGS - 1)
    count = np.bincount(ring, minlength=IRIS_RINGS)
    filled = np.flatnonzero(count)
    means = np.stack([np.bincount(ring, colours[:, c], IRIS_RINGS)[filled] / count[filled] for c in range(3)], 1)
    middle = (filled + 0.5) * MAX_IRIS_RADIUS_RATIO * radius / IRIS_RINGS
    return lambda r: np.stack([np.interp(r, middle, means[:, c]) for c in range(3)], 1)
