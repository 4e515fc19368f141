"""Puts a painted face back into its frame so that neither a seam nor the old outline shows.

The frame is first moved along with the mesh: each pixel that shows the new face knows where the source showed the same
point of the skin, and around the face that motion fades out. So the old chin comes to lie under the new one, with the
neck behind it. That moved frame lends the painted face its broad colours and its finest detail (pores, hair), which a
small network cannot draw, and is what one sees beyond the face's edge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from asccl.renderers.field import Box
from asccl.types import Image

FEATHER = 0.05  # of the square's side: from the edge of the mask inwards the painted face fades in
TONE = 0.09  # likewise: deviation of the Gaussian below which colours are the source's
FAR = 48.0  # levels between painted and moved skin; where more, one of them is no skin, and tells nothing of colours
SKIN_EDGE = 0.02  # of the side, likewise: eyes and mouth keep this distance from what counts as skin
REACH = 3.0  # the motion fades over so many times itself ...
LEAST_REACH = 0.04  # ... or over this share of the side
BORDER = 0.12  # of the side: so far from the square's border the motion beside the face begins to end
STILL = 0.03  # pixels that count as no motion
DETAIL = 1.5  # pixels of the square: finer detail than this is the source's, where ...
AGREE = (2.5, 40.0)  # ... pictures smoothed by so many pixels of the square differ by less than so many levels


class Painted(NamedTuple):
    """One frame's face in its square of S pixels. face: (S, S, 3) uint8 RGB, anything outside of the mask. mask: (S, S)
    bool. skin: (S, S) bool, neither eyes nor mouth. motion: (S, S, 2) float32, pixels of the frame that each point of
    the mask was moved by. shown: (S, S) bool, where the source shows the very same point."""

    face: Image
    mask: np.ndarray
    skin: np.ndarray
    motion: np.ndarray
    shown: np.ndarray


@dataclass(frozen=True)
class Layers:
    """What a frame is put together from, over a box of it. moved: (h, w, 3) float32 the frame moved along. painted: the
    face, its colours matched. alpha: (h, w, 1) of the painted face."""

    moved: np.ndarray
    painted: np.ndarray
    alpha: np.ndarray
    box: Box


def paste(image: Image, painted: Painted, crop: np.ndarray, strength: float = 1.0) -> Image:
    """The frame with the painted face in it. crop: (2, 3) frame -> square. strength: in (0, 1], of all that changes."""
    layers = layered(image, painted, crop)
    if layers is None:
        return image
    whole = layers.moved + layers.alpha * (layers.painted - layers.moved)
    source = image[layers.box.slices]
    out = image.copy()
    out[layers.box.slices] = np.rint(np.clip(source + strength * (whole - source), 0, 255)).astype(np.uint8)
    return out


def layered(image: Image, painted: Painted, crop: np.ndarray) -> Layers | None:
    """None where the square lies outside of the frame."""
    size = len(painted.mask)
    around = spread_motion(painted.motion, painted.mask, crop)
    box = _box(crop, painted.mask | (np.abs(around) > STILL).any(-1), image.shape)
    if box.empty:
        return None
    to_box = crop.copy()
    to_box[:, 2] += crop[:, :2] @ (box.x0, box.y0)

    def out_of_square(values: np.ndarray, flags: int = cv2.INTER_LINEAR, border: int = cv2.BORDER_CONSTANT):
        shape = (box.x1 - box.x0, box.y1 - box.y0)
        return cv2.warpAffine(values, to_box, shape, flags=flags | cv2.WARP_INVERSE_MAP, borderMode=border)

    motion = out_of_square(around)
    moved = _moved(image, motion, box)
    alpha = out_of_square(_alpha(painted.mask))
    shown = out_of_square(_shrunk(painted.shown, 2.0)) * alpha
    skin = out_of_square(_shrunk(painted.skin & painted.shown, SKIN_EDGE * size)) * alpha
    face = out_of_square(_filled(painted.face, painted.mask), cv2.INTER_CUBIC, cv2.BORDER_REPLICATE).astype(np.float32)
    pixel = 1 / np.sqrt(abs(np.linalg.det(crop[:, :2])))  # side of the square's pixel in the frame
    face = match_tone(face, moved, alpha, skin, TONE * size * pixel)
    face = lend_detail(face, moved, shown, pixel)
    return Layers(moved, face, alpha[..., None], box)


def spread_motion(motion: np.ndarray, mask: np.ndarray, crop: np.ndarray) -> np.ndarray:
    """Goes on outside of the mask (S, S) as at its nearest point, less and less: (S, S, 2). What moves far fades over a
    longer way, so that nothing folds."""
    size = len(mask)
    motion = motion * mask[..., None]
    scale = np.sqrt(abs(np.linalg.det(crop[:, :2])))
    away, nearest = cv2.distanceTransformWithLabels(
        (~mask).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    rows = np.zeros((nearest.max() + 1, 2), np.float32)
    rows[nearest[mask]] = motion[mask]
    outside = rows[nearest]
    far = float(np.linalg.norm(outside, axis=-1)[away < 2].max(initial=0.0)) * scale
    fade = np.exp(-((away / max(REACH * far, LEAST_REACH * size)) ** 2))
    spread = cv2.GaussianBlur(outside * fade[..., None], (0, 0), max(0.01 * size, 0.8))
    border = np.minimum.outer(*(np.minimum(np.arange(size), np.arange(size)[::-1]),) * 2) / (BORDER * size)
    spread = spread * np.clip(border, 0, 1)[..., None]
    return (spread + _alpha(mask)[..., None] * (motion - spread)).astype(np.float32)


def match_tone(face: np.ndarray, moved: np.ndarray, alpha: np.ndarray, skin: np.ndarray, sigma: float) -> np.ndarray:
    """The painted face with the broad colours of the moved frame, as far as its skin tells them."""
    difference = moved - face
    trust = np.clip(2 - _worst(difference) / FAR * 2, 0, 1) * (skin + 1e-3 * alpha)
    coarse = _blurred(cv2.merge([difference * trust[..., None], trust]), sigma)
    return face + coarse[..., :3] / np.maximum(coarse[..., 3:], 1e-6) * np.clip(coarse[..., 3:] / 0.02, 0, 1)


def lend_detail(face: np.ndarray, moved: np.ndarray, shown: np.ndarray, pixel: float) -> np.ndarray:
    """The painted face with the finest detail of the moved frame, where that shows the same (h, w) and looks alike: not
    where a lid now opens or lips part. pixel: side of the square's pixel in pixels of the frame."""
    reach, most = AGREE
    if DETAIL * pixel < 0.5:
        return face
    missing = moved - face
    apart = _worst(_blurred(missing, reach * pixel))
    alike = shown * np.clip(2 - 2 * apart / most, 0, 1)
    return face + alike[..., None] * (missing - cv2.GaussianBlur(missing, (0, 0), DETAIL * pixel))


def _blurred(values: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian, 0 beyond the border; a wide one on fewer pixels, where it is as exact and many times faster."""
    small = max(1, int(sigma / 3))
    height, width = values.shape[:2]
    fewer = cv2.resize(values, (-(-width // small), -(-height // small)), interpolation=cv2.INTER_AREA)
    fewer = cv2.GaussianBlur(fewer, (0, 0), sigma / small, borderType=cv2.BORDER_CONSTANT)
    return cv2.resize(fewer, (width, height), interpolation=cv2.INTER_LINEAR)


def _worst(values: np.ndarray) -> np.ndarray:
    """(h, w, 3) -> (h, w), the greatest magnitude; several times faster than numpy's along the last axis."""
    r, g, b = cv2.split(np.abs(values))
    return cv2.max(cv2.max(r, g), b)


def _box(crop: np.ndarray, used: np.ndarray, shape: tuple[int, ...]) -> Box:
    """What the frame shows of the used part (S, S) of the square."""
    ys, xs = np.flatnonzero(used.any(1)), np.flatnonzero(used.any(0))
    if len(ys) == 0:
        return Box(0, 0, 0, 0, 1.0)
    x, y = (np.array([part[0] - 1, part[-1] + 1]) for part in (xs, ys))
    corners = np.array([[a, b] for a in x for b in y]) - crop[:, 2]
    corners = corners @ np.linalg.inv(crop[:, :2]).T
    low, high = np.floor(corners.min(0)).astype(int), np.ceil(corners.max(0)).astype(int) + 1
    return Box(max(0, low[0]), max(0, low[1]), min(shape[1], high[0]), min(shape[0], high[1]), 1.0)


def _moved(image: Image, motion: np.ndarray, box: Box) -> np.ndarray:
    source = image[box.slices].astype(np.float32)
    if np.abs(motion).max(initial=0.0) < STILL:
        return source
    x = np.arange(box.x0, box.x1, dtype=np.float32)[None]
    y = np.arange(box.y0, box.y1, dtype=np.float32)[:, None]
    moved = cv2.remap(image, x - motion[..., 0], y - motion[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    still = (np.abs(motion[..., 0]) < STILL) & (np.abs(motion[..., 1]) < STILL)
    return np.where(still[..., None], source, moved.astype(np.float32))


def _alpha(mask: np.ndarray) -> np.ndarray:
    """(S, S) bool -> float32: 0 at the mask's edge, 1 from FEATHER inside, eased. The square's border is no edge."""
    inside = cv2.distanceTransform(np.pad(mask, 1, mode="edge").astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    share = np.clip((inside - 1.5) / max(FEATHER * len(mask), 1.0), 0, 1)
    return share * share * (3 - 2 * share)


def _shrunk(area: np.ndarray, by: float) -> np.ndarray:
    """(S, S) bool -> float32, 1 inside, 0 up to `by` pixels from its edge."""
    inside = cv2.distanceTransform(area.astype(np.uint8), cv2.DIST_L2, 5)
    return np.clip(inside / max(by, 1.0) - 0.5, 0, 1)


def _filled(face: Image, mask: np.ndarray) -> Image:
    """Outside of the mask the colour of its nearest pixel, so that nothing else bleeds in when it is enlarged."""
    labels = cv2.distanceTransformWithLabels((~mask).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)[
        1
    ]
    colours = np.zeros((labels.max() + 1, 3), np.uint8)
    colours[labels[mask]] = face[mask]
    return colours[labels]
