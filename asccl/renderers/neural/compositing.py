"""Puts a painted face back into its frame so that neither a seam nor the old outline shows.

The frame is first moved along with the mesh: each pixel that shows the new face knows where the source showed the same
point of the skin, and around the face that motion fades out. So the old chin comes to lie under the new one, with the
neck behind it. The network has painted the source's face as well, and what it changed from there is added to the moved
frame: its steady errors, its tone and the detail that it cannot draw fall out. What the source did not show, behind
lids and lips, is the network's alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from asccl.face.crop import warp_crop
from asccl.face.easing import smoothstep
from asccl.renderers.warp.field import Box
from asccl.types import Image

FEATHER = 0.05  # of the square's side: from the edge of the mask inwards the painted face fades in
TONE = 0.09  # likewise: deviation of the Gaussian below which colours are the source's
KEEP_LEVEL, REJECT_LEVEL = 24.0, 56.0  # levels that skin may change, all of it and none: a crease is never so dark
PATCH = 1.2  # pixels: deviation of a Gaussian; what changes more finely is noise
REACH = 3.0  # the motion fades over so many times itself ...
LEAST_REACH = 0.04  # ... or over this share of the side
BORDER = 0.12  # of the side: so far from the square's border the motion beside the face begins to end
STILL = 0.03  # pixels that count as no motion


class RenderedFace(NamedTuple):
    """One frame's face in its square of S pixels. face, before: (S, S, 3) uint8 RGB, of the edit and of the source.
    mask, mask_before: (S, S) bool; outside of them the faces hold anything. motion: (S, S, 2) float32, pixels of the
    frame that each point of the mask was moved by. shown: (S, S) bool, where the source shows the very same point."""

    generated: Image
    reconstruction: Image
    mask: np.ndarray
    reconstruction_mask: np.ndarray
    motion: np.ndarray
    visible: np.ndarray


@dataclass(frozen=True)
class CompositeLayers:
    """What a frame is put together from, over a box of it. moved: (h, w, 3) float32 the frame moved along. painted: the
    face. alpha: (h, w, 1) of the painted face."""

    warped: np.ndarray
    generated: np.ndarray
    alpha: np.ndarray
    box: Box


def composite(image: Image, painted: RenderedFace, crop: np.ndarray, strength: float = 1.0) -> Image:
    """The frame with the painted face in it. crop: (2, 3) frame -> square. strength: in (0, 1], of all that changes."""
    layers = compose_layers(image, painted, crop)
    if layers is None:
        return image
    whole = layers.warped + layers.alpha * (layers.generated - layers.warped)
    source = image[layers.box.slices]
    out = image.copy()
    out[layers.box.slices] = np.rint(np.clip(source + strength * (whole - source), 0, 255)).astype(np.uint8)
    return out


def compose_layers(image: Image, painted: RenderedFace, crop: np.ndarray) -> CompositeLayers | None:
    """None where the square lies outside of the frame."""
    around = spread_motion(painted.motion, painted.mask, crop)
    box = _box(crop, painted.mask | (np.abs(around) > STILL).any(-1), image.shape)
    if box.empty:
        return None
    to_box = crop.copy()
    to_box[:, 2] += crop[:, :2] @ (box.x0, box.y0)

    def out_of_square(values: np.ndarray, flags: int = cv2.INTER_LINEAR) -> np.ndarray:
        shape = (box.x1 - box.x0, box.y1 - box.y0)
        return cv2.warpAffine(values, to_box, shape, flags=flags | cv2.WARP_INVERSE_MAP)

    moved = _moved(image, out_of_square(around), box)
    alpha, shown = cv2.split(out_of_square(cv2.merge([_alpha(painted.mask), _shrunk(painted.visible)])))
    face, before = (
        _filled(painted.generated, painted.mask),
        _filled(painted.reconstruction, painted.reconstruction_mask),
    )
    change = out_of_square(reject_artifacts(face, _along(before, painted.motion @ crop[:, :2].T)))
    hidden = out_of_square(
        match_tone(face, before, warp_crop(image, crop, len(face)), painted.reconstruction_mask), cv2.INTER_CUBIC
    )
    whole = hidden + shown[..., None] * (moved + change - hidden)
    return CompositeLayers(moved, whole, alpha[..., None], box)


def reject_artifacts(face: np.ndarray, before: np.ndarray) -> np.ndarray:
    """(S, S, 3) float32, what the network changed at each point of the skin, none of it where that is more than light
    and creases do: there the network was not taught what it is to paint. before: at the same points."""
    change = cv2.GaussianBlur(face - before, (0, 0), PATCH)
    return change * np.clip((REJECT_LEVEL - _worst(change)) / (REJECT_LEVEL - KEEP_LEVEL), 0, 1)[..., None]


def match_tone(face: np.ndarray, before: np.ndarray, source: Image, mask: np.ndarray) -> np.ndarray:
    """The painted face (S, S, 3) with the broad colours of the source's square, as the face before lacks them."""
    missing = cv2.merge([(source - before) * mask[..., None], np.float32(mask)])
    broad = cv2.GaussianBlur(missing, (0, 0), TONE * len(face), borderType=cv2.BORDER_CONSTANT)
    return face + broad[..., :3] / np.maximum(broad[..., 3:], 1e-3)


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
    return smoothstep((inside - 1.5) / max(FEATHER * len(mask), 1.0))


def _shrunk(area: np.ndarray) -> np.ndarray:
    """(S, S) bool -> float32, 1 inside, falling to 0 over the two pixels at its edge."""
    inside = cv2.distanceTransform(np.pad(area, 1, mode="edge").astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    return np.clip(inside / 2 - 0.5, 0, 1)


def _along(picture: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """A square's picture moved by (S, S, 2) of its pixels."""
    y, x = np.mgrid[: len(picture), : len(picture)].astype(np.float32)
    at = np.float32(x - motion[..., 0]), np.float32(y - motion[..., 1])
    return cv2.remap(picture, *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _filled(face: Image, mask: np.ndarray) -> np.ndarray:
    """float32; outside of the mask its nearest pixel's colour, so that nothing else bleeds in when it is enlarged."""
    outside = (~mask).astype(np.uint8)
    _, labels = cv2.distanceTransformWithLabels(outside, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    colours = np.zeros((labels.max() + 1, 3), np.float32)
    colours[labels[mask]] = face[mask]
    return colours[labels]
