"""Composite a rendered face into its frame so that neither a seam nor the old outline is visible.

1. The frame is warped along with the mesh. Each pixel of the generated face has a displacement to the same skin point
   in the source; outside the face it fades to zero. The old outline is therefore covered.
2. The network reconstructs the source's face as well. The difference between both faces is added to the warped frame,
   so that the network's constant errors, its tone, and the detail that it cannot draw cancel.
3. Points that the source does not show, behind lids and lips, come from the network alone.
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

# lengths are fractions of the side of the square, unless they have a unit
FEATHER = 0.05  # width of the transition from the edge of the mask inwards
TONE_SIGMA = 0.09  # Gaussian: colours that vary more slowly are those of the source
KEEP_LEVEL, REJECT_LEVEL = 24.0, 56.0  # changes of skin up to 24 grey levels are kept, above 56 rejected as artefacts
CHANGE_SIGMA = 1.2  # pixels, Gaussian: changes that vary faster are noise
FADE_FACTOR = 3.0  # length over which the displacement fades around the face, over its largest magnitude
MIN_FADE_LENGTH = 0.04  # minimum of that length
BORDER_FADE = 0.12  # distance from the border of the square at which the displacement beside the face begins to fade
MIN_DISPLACEMENT = 0.03  # pixels: smaller displacements count as none


class RenderedFace(NamedTuple):
    """The face of one frame in its square of S pixels.

    Attributes:
        generated: (S, S, 3) uint8 RGB, the edit; anything outside the mask.
        reconstruction: (S, S, 3) uint8 RGB, the source as the network draws it; anything outside its mask.
        mask: (S, S) bool.
        reconstruction_mask: (S, S) bool.
        displacement: (S, S, 2) float32, of each point of the mask from the source to the edit, pixels of the frame.
        visible: (S, S) bool, where the source shows the same point.
    """

    generated: Image
    reconstruction: Image
    mask: np.ndarray
    reconstruction_mask: np.ndarray
    displacement: np.ndarray
    visible: np.ndarray


@dataclass(frozen=True)
class CompositeLayers:
    """The layers of a composite over a box of the frame.

    Attributes:
        warped: (h, w, 3) float32, the warped frame.
        generated: (h, w, 3) float32, the face.
        alpha: (h, w, 1), opacity of the face.
        box: part of the frame.
    """

    warped: np.ndarray
    generated: np.ndarray
    alpha: np.ndarray
    box: Box


def composite(image: Image, face: RenderedFace, crop_matrix: np.ndarray, opacity: float = 1.0) -> Image:
    """Composite a rendered face into its frame.

    Args:
        image: the frame, (H, W, 3) uint8 RGB.
        face: the rendered face.
        crop_matrix: similarity from the frame to the square, (2, 3).
        opacity: of all that changes, in (0, 1].

    Returns:
        A new frame; the same object if the square lies outside of the frame.
    """
    layers = compose_layers(image, face, crop_matrix)
    if layers is None:
        return image
    edited = layers.warped + layers.alpha * (layers.generated - layers.warped)
    source = image[layers.box.slices]
    out = image.copy()
    out[layers.box.slices] = np.rint(np.clip(source + opacity * (edited - source), 0, 255)).astype(np.uint8)
    return out


def compose_layers(image: Image, face: RenderedFace, crop_matrix: np.ndarray) -> CompositeLayers | None:
    """Compute the layers of a composite.

    Args:
        image: the frame, (H, W, 3) uint8 RGB.
        face: the rendered face.
        crop_matrix: similarity from the frame to the square, (2, 3).

    Returns:
        The layers; None if the square lies outside of the frame.
    """
    displacement = spread_displacement(face.displacement, face.mask, crop_matrix)
    box = _frame_box(crop_matrix, face.mask | (np.abs(displacement) > MIN_DISPLACEMENT).any(-1), image.shape)
    if box.empty:
        return None
    box_to_square = crop_matrix.copy()
    box_to_square[:, 2] += crop_matrix[:, :2] @ (box.x0, box.y0)

    def to_box(values: np.ndarray, flags: int = cv2.INTER_LINEAR) -> np.ndarray:
        shape = (box.x1 - box.x0, box.y1 - box.y0)
        return cv2.warpAffine(values, box_to_square, shape, flags=flags | cv2.WARP_INVERSE_MAP)

    warped = _warp_frame(image, to_box(displacement), box)
    alpha, visible = cv2.split(to_box(cv2.merge([_feathered(face.mask), _eroded(face.visible)])))
    generated = _fill_outside(face.generated, face.mask)
    reconstruction = _fill_outside(face.reconstruction, face.reconstruction_mask)
    moved_reconstruction = _warp_square(reconstruction, face.displacement @ crop_matrix[:, :2].T)
    change = to_box(reject_artifacts(generated, moved_reconstruction))
    source = warp_crop(image, crop_matrix, len(generated))
    toned = match_tone(generated, reconstruction, source, face.reconstruction_mask)
    revealed = to_box(toned, cv2.INTER_CUBIC)
    colours = revealed + visible[..., None] * (warped + change - revealed)
    return CompositeLayers(warped, colours, alpha[..., None], box)


def reject_artifacts(generated: np.ndarray, reconstruction: np.ndarray) -> np.ndarray:
    """Compute what the network changed at each point of the skin, without changes larger than light and wrinkles cause.

    generated, reconstruction: (S, S, 3) float32 at the same points. Returns (S, S, 3) float32 grey levels.
    """
    change = cv2.GaussianBlur(generated - reconstruction, (0, 0), CHANGE_SIGMA)
    kept = (REJECT_LEVEL - _max_magnitude(change)) / (REJECT_LEVEL - KEEP_LEVEL)
    return change * np.clip(kept, 0, 1)[..., None]


def match_tone(generated: np.ndarray, reconstruction: np.ndarray, source: Image, mask: np.ndarray) -> np.ndarray:
    """Add to a generated face the low-frequency colours of the source that its reconstruction lacks.

    Args:
        generated: (S, S, 3) float32.
        reconstruction: (S, S, 3) float32.
        source: the same square of the source, (S, S, 3) uint8.
        mask: of the reconstruction, (S, S) bool.

    Returns:
        (S, S, 3) float32.
    """
    error = cv2.merge([(source - reconstruction) * mask[..., None], np.float32(mask)])
    smooth = cv2.GaussianBlur(error, (0, 0), TONE_SIGMA * len(generated), borderType=cv2.BORDER_CONSTANT)
    return generated + smooth[..., :3] / np.maximum(smooth[..., 3:], 1e-3)


def spread_displacement(displacement: np.ndarray, mask: np.ndarray, crop_matrix: np.ndarray) -> np.ndarray:
    """Continue the displacement of a face outside of its mask, fading out.

    Outside, the displacement is that of the nearest point of the mask. The larger it is, the longer the distance over
    which it fades, so that nothing folds.

    Args:
        displacement: (S, S, 2) float32 pixels of the frame.
        mask: (S, S) bool.
        crop_matrix: similarity from the frame to the square, (2, 3).

    Returns:
        (S, S, 2) float32 pixels of the frame.
    """
    size = len(mask)
    displacement = displacement * mask[..., None]
    scale = np.sqrt(abs(np.linalg.det(crop_matrix[:, :2])))
    distance, nearest = cv2.distanceTransformWithLabels(
        (~mask).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    displacement_by_label = np.zeros((nearest.max() + 1, 2), np.float32)
    displacement_by_label[nearest[mask]] = displacement[mask]
    outside = displacement_by_label[nearest]
    max_displacement = float(np.linalg.norm(outside, axis=-1)[distance < 2].max(initial=0.0)) * scale  # at the edge
    fade = np.exp(-((distance / max(FADE_FACTOR * max_displacement, MIN_FADE_LENGTH * size)) ** 2))
    spread = cv2.GaussianBlur(outside * fade[..., None], (0, 0), max(0.01 * size, 0.8))
    to_edge = np.minimum(np.arange(size), np.arange(size)[::-1])
    border = np.minimum.outer(to_edge, to_edge) / (BORDER_FADE * size)
    spread = spread * np.clip(border, 0, 1)[..., None]
    return (spread + _feathered(mask)[..., None] * (displacement - spread)).astype(np.float32)


def _max_magnitude(values: np.ndarray) -> np.ndarray:
    """(h, w, 3) -> (h, w), the largest magnitude; several times faster than numpy's along the last axis."""
    r, g, b = cv2.split(np.abs(values))
    return cv2.max(cv2.max(r, g), b)


def _frame_box(crop_matrix: np.ndarray, used: np.ndarray, shape: tuple[int, ...]) -> Box:
    """The part of a frame that shows the used part (S, S) bool of the square."""
    ys, xs = np.flatnonzero(used.any(1)), np.flatnonzero(used.any(0))
    if len(ys) == 0:
        return Box(0, 0, 0, 0, 1.0)
    x, y = (np.array([part[0] - 1, part[-1] + 1]) for part in (xs, ys))
    corners = np.array([[a, b] for a in x for b in y]) - crop_matrix[:, 2]
    corners = corners @ np.linalg.inv(crop_matrix[:, :2]).T
    low, high = np.floor(corners.min(0)).astype(int), np.ceil(corners.max(0)).astype(int) + 1
    return Box(max(0, low[0]), max(0, low[1]), min(shape[1], high[0]), min(shape[0], high[1]), 1.0)


def _warp_frame(image: Image, displacement: np.ndarray, box: Box) -> np.ndarray:
    """The box of a frame moved by (h, w, 2) pixels, (h, w, 3) float32; pixels without displacement stay exact."""
    source = image[box.slices].astype(np.float32)
    if np.abs(displacement).max(initial=0.0) < MIN_DISPLACEMENT:
        return source
    x = np.arange(box.x0, box.x1, dtype=np.float32)[None]
    y = np.arange(box.y0, box.y1, dtype=np.float32)[:, None]
    warped = cv2.remap(
        image, x - displacement[..., 0], y - displacement[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    static = (np.abs(displacement[..., 0]) < MIN_DISPLACEMENT) & (np.abs(displacement[..., 1]) < MIN_DISPLACEMENT)
    return np.where(static[..., None], source, warped.astype(np.float32))


def _warp_square(values: np.ndarray, displacement: np.ndarray) -> np.ndarray:
    """The values of a square moved by (S, S, 2) of its pixels."""
    y, x = np.mgrid[: len(values), : len(values)].astype(np.float32)
    map_x, map_y = np.float32(x - displacement[..., 0]), np.float32(y - displacement[..., 1])
    return cv2.remap(values, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _inner_distance(mask: np.ndarray) -> np.ndarray:
    """Distance of each pixel of a mask (S, S) bool from its edge, pixels. The border of the square is no edge."""
    padded = np.pad(mask, 1, mode="edge").astype(np.uint8)
    return cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1]


def _feathered(mask: np.ndarray) -> np.ndarray:
    """(S, S) bool -> float32: 0 at the edge of the mask, 1 from FEATHER inside."""
    return smoothstep((_inner_distance(mask) - 1.5) / max(FEATHER * len(mask), 1.0))


def _eroded(mask: np.ndarray) -> np.ndarray:
    """(S, S) bool -> float32: 1 inside, falling to 0 over the two pixels at its edge."""
    return np.clip(_inner_distance(mask) / 2 - 0.5, 0, 1)


def _fill_outside(face: Image, mask: np.ndarray) -> np.ndarray:
    """The face, float32, with the colour of the nearest pixel of the mask outside of it: resizing blends nothing in."""
    outside = (~mask).astype(np.uint8)
    _, nearest = cv2.distanceTransformWithLabels(outside, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    colours = np.zeros((nearest.max() + 1, 3), np.float32)
    colours[nearest[mask]] = face[mask]
    return colours[nearest]
