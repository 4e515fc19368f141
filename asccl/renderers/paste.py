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
STILL = 0.03  # pixels that count as no motion
DETAIL = 1.5  # pixels of the square: finer detail than this is the source's, where ...
AGREE = (2.5, 40.0)  # ... pictures smoothed by so many pixels of the square differ by less than so many levels


class Painted(NamedTuple):
    """One frame's face in its square of S pixels. face: (S, S, 3) uint8 RGB, anything outside of the mask. mask: (S, S)
    bool. skin: (S, S) bool, where the source shows the same skin. motion: (S, S, 2) float32, pixels of the frame that
    each point of the mask was moved by."""

    face: Image
    mask: np.ndarray
    skin: np.ndarray
    motion: np.ndarray


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
    box = _box(crop, size, image.shape)
    if box.empty:
        return None
    to_box = crop.copy()
    to_box[:, 2] += crop[:, :2] @ (box.x0, box.y0)

    def out_of_square(values: np.ndarray, flags: int = cv2.INTER_LINEAR, border: int = cv2.BORDER_CONSTANT):
        shape = (box.x1 - box.x0, box.y1 - box.y0)
        return cv2.warpAffine(values, to_box, shape, flags=flags | cv2.WARP_INVERSE_MAP, borderMode=border)

    motion = out_of_square(spread_motion(painted.motion, painted.mask, crop))
    moved = _moved(image, motion, box)
    alpha = out_of_square(_alpha(painted.mask))
    skin = out_of_square(_shrunk(painted.skin, SKIN_EDGE * size)) * alpha
    face = out_of_square(_filled(painted.face, painted.mask), cv2.INTER_CUBIC, cv2.BORDER_REPLICATE).astype(np.float32)
    pixel = 1 / np.sqrt(abs(np.linalg.det(crop[:, :2])))  # side of the square's pixel in the frame
    face = match_tone(face, moved, alpha, skin, TONE * size * pixel)
    face = lend_detail(face, moved, alpha, pixel)
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
    edge = _alpha(mask)[..., None]
    out = spread + edge * (motion - spread)
    border = np.minimum.outer(*(np.minimum(np.arange(size), np.arange(size)[::-1]),) * 2) / (0.04 * size)
    return (out * np.clip(border, 0, 1)[..., None]).astype(np.float32)


def match_tone(face: np.ndarray, moved: np.ndarray, alpha: np.ndarray, skin: np.ndarray, sigma: float) -> np.ndarray:
    """The painted face with the broad colours of the moved frame, as far as its skin tells them."""
    difference = moved - face
    trust = np.clip(2 - np.abs(difference).max(-1) / FAR * 2, 0, 1) * (skin + 1e-3 * alpha)
    small = 4 if sigma > 12 else 1
    weighted = cv2.merge([difference * trust[..., None], trust])
    coarse = cv2.resize(weighted, None, fx=1 / small, fy=1 / small, interpolation=cv2.INTER_AREA)
    coarse = cv2.GaussianBlur(coarse, (0, 0), sigma / small, borderType=cv2.BORDER_CONSTANT)
    coarse = cv2.resize(coarse, face.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return face + coarse[..., :3] / np.maximum(coarse[..., 3:], 1e-6) * np.clip(coarse[..., 3:] / 0.02, 0, 1)


def lend_detail(face: np.ndarray, moved: np.ndarray, alpha: np.ndarray, pixel: float) -> np.ndarray:
    """The painted face with the finest detail of the moved frame, where both show the same thing: not where a lid now
    opens or lips part. pixel: side of the square's pixel in pixels of the frame."""
    reach, most = AGREE
    if DETAIL * pixel < 0.5:
        return face
    apart = np.abs(cv2.GaussianBlur(moved - face, (0, 0), reach * pixel)).max(-1)
    same = alpha * np.clip(2 - 2 * apart / most, 0, 1)
    missing = moved - face
    return face + same[..., None] * (missing - cv2.GaussianBlur(missing, (0, 0), DETAIL * pixel))


def _box(crop: np.ndarray, size: int, shape: tuple[int, ...]) -> Box:
    """What the frame shows of the square."""
    back = np.linalg.inv(crop[:, :2])
    corners = (np.array([[0, 0], [size - 1, 0], [0, size - 1], [size - 1, size - 1]]) - crop[:, 2]) @ back.T
    low, high = np.floor(corners.min(0)).astype(int), np.ceil(corners.max(0)).astype(int) + 1
    return Box(max(0, low[0]), max(0, low[1]), min(shape[1], high[0]), min(shape[0], high[1]), 1.0)


def _moved(image: Image, motion: np.ndarray, box: Box) -> np.ndarray:
    source = image[box.slices].astype(np.float32)
    if np.abs(motion).max(initial=0.0) < STILL:
        return source
    x = np.arange(box.x0, box.x1, dtype=np.float32)[None]
    y = np.arange(box.y0, box.y1, dtype=np.float32)[:, None]
    moved = cv2.remap(image, x - motion[..., 0], y - motion[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.where((np.abs(motion) < STILL).all(-1, keepdims=True), source, moved.astype(np.float32))


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
