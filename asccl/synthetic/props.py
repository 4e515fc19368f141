"""Draw things that lie before a face, with their true masks: glasses, hands, microphones, cups, spoons.

Every function returns the image, (H, W, 3) uint8 RGB, and how far each pixel is covered, (H, W) float32 in [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from asccl.face import mesh
from asccl.types import Image

ByteColour = tuple[int, int, int]
SUBPIXEL_BITS = 4  # of the coordinates that OpenCV draws
LENS_DISTANCE = 0.2  # eye distances from the lids to a lens
RIM_POINTS = 64  # corners of a drawn rim
SHADING = 0.25  # how much darker a prop is at its lower right end
GRAIN = 3.0  # grey levels, standard deviation of a prop's texture
PROPS = ("hand", "microphone", "cup", "spoon")


@dataclass(frozen=True)
class GlassesStyle:
    """How a pair of glasses looks; lengths are in eye distances.

    Attributes:
        rim: thickness of the rims.
        colour: of rims, bridge and temples, RGB.
        half_width: of a lens.
        half_height: of a lens.
        squareness: exponent of the superellipse of a lens; 2 is an ellipse.
        lens_opacity: 0 is clear, 1 is black.
        lower_rim: False draws half-rims.
        rim_opacity: below 1 for clear plastic.
    """

    rim: float = 0.03
    colour: ByteColour = (25, 20, 20)
    half_width: float = 0.29
    half_height: float = 0.22
    squareness: float = 2.4
    lens_opacity: float = 0.0
    lower_rim: bool = True
    rim_opacity: float = 1.0


GLASSES = {
    "thin metal": GlassesStyle(rim=0.018, colour=(90, 85, 80)),
    "dark": GlassesStyle(),
    "thick": GlassesStyle(rim=0.07, colour=(20, 16, 14), squareness=3.0),
    "very thick": GlassesStyle(rim=0.10, colour=(30, 18, 12), half_height=0.24, squareness=3.5),
    "half rims": GlassesStyle(rim=0.035, colour=(30, 26, 30), lower_rim=False, squareness=3.0),
    "clear": GlassesStyle(rim=0.06, colour=(215, 205, 195), rim_opacity=0.6),
    "red": GlassesStyle(rim=0.045, colour=(150, 30, 40)),
    "round": GlassesStyle(rim=0.03, half_width=0.25, half_height=0.25, squareness=2.0, colour=(60, 45, 30)),
    "dark lenses": GlassesStyle(rim=0.04, lens_opacity=0.92, half_height=0.2, squareness=3.5),
    "brown lenses": GlassesStyle(rim=0.02, colour=(160, 130, 60), lens_opacity=0.7, half_height=0.25, squareness=2.6),
}


def draw_glasses(image: Image, landmarks: np.ndarray, style: GlassesStyle) -> tuple[Image, np.ndarray]:
    """Draw glasses on a face.

    Args:
        image: (H, W, 3); it is not changed.
        landmarks: of the face, (468+, 3) pixels.
        style: of the glasses.

    Returns:
        The image, and the coverage of rims, bridge, temples and dark lenses.
    """
    size, across, down, normal = _lens_axes(landmarks)
    angle = 2 * np.pi * np.arange(RIM_POINTS) / RIM_POINTS
    power = 2 / style.squareness
    x = style.half_width * np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** power
    y = style.half_height * np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** power
    outline = size * (x[:, None] * across + y[:, None] * down)
    lenses, rims = (np.zeros(image.shape[:2], np.uint8) for _ in range(2))
    thickness = max(1, round(style.rim * size))
    ends = []
    for eye, side in ((mesh.RIGHT_EYE, -1), (mesh.LEFT_EYE, 1)):
        loop = landmarks[list(eye)].mean(0) + LENS_DISTANCE * size * normal + outline
        cv2.fillPoly(lenses, [_fixed_point(loop)], 255, cv2.LINE_AA, SUBPIXEL_BITS)
        rim = loop if style.lower_rim else np.roll(loop, RIM_POINTS // 2 - 3, axis=0)[: RIM_POINTS // 2 + 5]
        cv2.polylines(rims, [_fixed_point(rim)], style.lower_rim, 255, thickness, cv2.LINE_AA, SUBPIXEL_BITS)
        order = np.argsort(side * ((loop - loop.mean(0)) @ across) + 0.5 * ((loop - loop.mean(0)) @ down))
        ends.append((loop[order[0]] - 0.04 * size * down, loop[order[-1]] - 0.1 * size * down))
    temples = [(ends[0][1], landmarks[127]), (ends[1][1], landmarks[356]), (ends[0][0], ends[1][0])]
    for ends_of_line in temples:
        cv2.polylines(rims, [_fixed_point(np.stack(ends_of_line))], False, 255, thickness, cv2.LINE_AA, SUBPIXEL_BITS)
    rim_alpha = rims.astype(np.float32) / 255 * style.rim_opacity
    lens_alpha = lenses.astype(np.float32) / 255 * style.lens_opacity
    out = _blend(_blend(image.astype(np.float32), (12, 12, 14), lens_alpha), style.colour, rim_alpha)
    return np.rint(out).astype(np.uint8), np.maximum(rims.astype(np.float32) / 255, lens_alpha)


def draw_prop(
    image: Image, kind: str, centre: tuple[float, float], size: float, colour: ByteColour, angle: float = 0.0
) -> tuple[Image, np.ndarray]:
    """Draw an object.

    Args:
        image: (H, W, 3); it is not changed.
        kind: one of `PROPS`.
        centre: of its upper part (fingers, head of the microphone, rim of the cup, bowl of the spoon), pixels.
        size: of the object, about the width of a face, pixels.
        colour: RGB.
        angle: degrees, counterclockwise.

    Returns:
        The image and the coverage.
    """
    alpha = np.zeros(image.shape[:2], np.uint8)
    turn = np.deg2rad(-angle)
    axes = size * np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])

    def place(points: np.ndarray) -> np.ndarray:
        return _fixed_point(np.array(centre) + np.array(points, float) @ axes)

    for points in _prop_polygons(kind):
        cv2.fillPoly(alpha, [place(points)], 255, cv2.LINE_AA, SUBPIXEL_BITS)
    coverage = cv2.GaussianBlur(alpha, (0, 0), 0.7).astype(np.float32) / 255
    y, x = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32)
    light = 1 - SHADING * np.clip(0.5 + ((x - centre[0]) + 0.5 * (y - centre[1])) / (1.5 * size), 0, 1)
    grain = np.random.default_rng(0).normal(0, GRAIN, image.shape[:2]).astype(np.float32)
    paint = np.clip(np.array(colour, np.float32) * light[..., None] + grain[..., None], 0, 255)
    out = image + coverage[..., None] * (paint - image)
    return np.rint(out).astype(np.uint8), coverage


def _prop_polygons(kind: str) -> list[np.ndarray]:
    """Outlines (n, 2) of a prop, in sizes around its centre, y down."""
    if kind == "hand":
        fingers = [_ellipse(0.16 * (k - 1.5), 0.02 + 0.05 * abs(k - 1.3), 0.075, 0.42) for k in range(4)]
        return [*fingers, _ellipse(0, 0.55, 0.36, 0.38), _ellipse(0.42, 0.42, 0.09, 0.3)]
    if kind == "microphone":
        return [_ellipse(0, 0, 0.2, 0.24), np.array([(-0.09, 0.15), (0.09, 0.15), (0.06, 1.6), (-0.06, 1.6)])]
    if kind == "cup":
        body = np.array([(-0.36, 0), (0.36, 0), (0.3, 0.7), (-0.3, 0.7)])
        return [body, _ellipse(0, 0, 0.36, 0.07), _ellipse(0.4, 0.3, 0.14, 0.2)]
    if kind == "spoon":
        return [_ellipse(0, 0, 0.13, 0.18), np.array([(-0.03, 0.1), (0.03, 0.1), (0.03, 1.4), (-0.03, 1.4)])]
    raise ValueError(f"there is no prop {kind!r}; choose one of {', '.join(PROPS)}")


def _ellipse(x: float, y: float, half_width: float, half_height: float) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    return np.stack([x + half_width * np.cos(angle), y + half_height * np.sin(angle)], 1)


def _lens_axes(landmarks: np.ndarray) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    """Distance of the outer eye corners, and the unit vectors across, down and out of a face."""
    across = landmarks[263] - landmarks[33]
    size = float(np.linalg.norm(across))
    across = across / size
    down = landmarks[152] - landmarks[10]
    down = down - (down @ across) * across
    down = down / np.linalg.norm(down)
    normal = np.cross(across, down)
    return size, across, down, -normal if normal[2] > 0 else normal


def _fixed_point(points: np.ndarray) -> np.ndarray:
    return np.round(points[:, :2] * 2**SUBPIXEL_BITS).astype(np.int32)


def _blend(image: np.ndarray, colour: ByteColour, alpha: np.ndarray) -> np.ndarray:
    return image + alpha[..., None] * (np.array(colour, np.float32) - image)
