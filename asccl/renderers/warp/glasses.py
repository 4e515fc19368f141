"""Glasses: they rest on the nose and do not move with the skin below them."""

from __future__ import annotations

import cv2
import numpy as np

from asccl.face import mesh
from asccl.renderers.warp.field import Box, face_size
from asccl.renderers.warp.glasses_frame import (
    RAY_ANGLES,
    RAY_COUNT,
    draw_thin_frame,
    frame_region,
    loop_polygon,
    strongest_loop,
    trace_loop,
)
from asccl.renderers.warp.hold import weights_at
from asccl.renderers.warp.lens_plane import (
    LENS_DISTANCE,
    PIXELS_PER_FACE_SIZE,
    LensEvidence,
    LensPlane,
    is_upper_half,
    lens_distance,
    measure_lenses,
)
from asccl.types import Image

# rims are searched along rays from the middle of each eye
MIN_RIM_RADIUS, MAX_RIM_RADIUS, RADIUS_STEPS = 0.13, 0.46, 36  # radii in face sizes
MAX_RIM_WIDTH = 0.035  # face sizes
MAX_BARE_FRAMES = 6  # after so many frames without glasses the search ends
MAX_OBSERVED_FRAMES = 24
# glasses are detected by thin lines around the eyes, by edges below them or by a bridge; `benchmarks/occlusion.py`
# measures what bare faces and glasses reach
MIN_LINE_CONTRAST = 2.3  # of lower rims to skin, 15th percentile over 75th
MIN_RIM, MIN_BRIDGE = 0.33, 0.62  # strength of edges, see `LensEvidence`
# weaker evidence counts where a weak bridge goes with a weak rim
MIN_WEAK_LINE_CONTRAST, MIN_WEAK_RIM, MIN_WEAK_BRIDGE = 1.3, 0.22, 0.3
MIN_LENS_DARKNESS = 0.3
MIN_STRUCTURE, STRUCTURE_RATIO = 0.25, 2.5  # strength of a rim's edges, absolute and over the skin's
EYE_RADIUS = 0.13  # face sizes around the middle of a lens: rims do not lie inside
RIM_CLOSING = 7  # pixels of a patch: the inside of the thickest rim
PADDING = 24  # pixels around a patch, in which the skin still begins to move
MAX_LOCATION_ERROR = 0.02  # face sizes; nothing moves so close to where glasses lie

LOWER_RAYS = (np.sin(RAY_ANGLES) > 0.35) & (np.abs(np.cos(RAY_ANGLES)) < 0.94)  # they meet no brow
RADII = np.linspace(MIN_RIM_RADIUS, MAX_RIM_RADIUS, RADIUS_STEPS)


class GlassesModel:
    """Whether a person wears glasses, and where they lie before the face, from observed frames."""

    def __init__(self) -> None:
        self._evidence: list[LensEvidence] = []
        self._rims: list[np.ndarray] = []  # (2, RAY_COUNT, 2) of each frame in the lens plane, y from the nose's bridge
        self._contrast: list[float] = []
        self._distance: np.ndarray | None = None  # face sizes from the glasses, padded patch, if detected

    def observe(self, image: Image, landmarks: np.ndarray) -> None:
        """Search a frame for glasses. landmarks: (478, 3) pixels."""
        if len(self._evidence) >= MAX_BARE_FRAMES and not self.detected:
            return
        if len(self._evidence) >= MAX_OBSERVED_FRAMES:
            return
        evidence = measure_lenses(image, landmarks)
        if evidence is None:
            return
        radii, contrast = _trace_rims(image, landmarks)
        self._evidence.append(evidence)
        self._rims.append(_rim_points(radii, evidence.plane))
        self._contrast.append(contrast)
        self._distance = _distance_from(self._build_mask()) if self._is_worn() else None

    @property
    def detected(self) -> bool:
        """Whether the person wears glasses."""
        return self._distance is not None

    @property
    def has_dark_lenses(self) -> bool:
        """Whether the eyes are hidden behind dark lenses."""
        return self.detected and self._median("darkness") > MIN_LENS_DARKNESS

    def distance(self, landmarks: np.ndarray, box: Box) -> np.ndarray | None:
        """Measure how far each cell of a box lies from the glasses, (h, w) face sizes; None without glasses."""
        if self._distance is None:
            return None
        plane = LensPlane.before(landmarks).resting_on(self._nose())
        return plane.to_box(self._distance, box, PADDING)

    def displacement_weights(self, landmarks: np.ndarray, box: Box) -> np.ndarray | None:
        """Weight the displacement of each cell of a box, (h, w): 0 at the glasses, 1 far away. None without glasses."""
        distance = self.distance(landmarks, box)
        return None if distance is None else weights_at(np.maximum(distance - MAX_LOCATION_ERROR, 0))

    def _nose(self) -> float:
        """Usual y of the bridge of the nose in the plane of the lenses."""
        return float(np.median([evidence.plane.nose for evidence in self._evidence]))

    def _median(self, name: str) -> float:
        return float(np.median([getattr(evidence, name) for evidence in self._evidence]))

    def _is_worn(self) -> bool:
        rim, bridge, skin = (self._median(name) for name in ("rim", "bridge", "skin"))
        line = float(np.median(self._contrast))
        return (
            line > MIN_LINE_CONTRAST
            or (rim > MIN_RIM and rim > 2.2 * skin)
            or (bridge > MIN_BRIDGE and bridge > 3 * skin)
            or (bridge > MIN_WEAK_BRIDGE and (line > MIN_WEAK_LINE_CONTRAST or rim > max(MIN_WEAK_RIM, 1.6 * skin)))
        )

    def _build_mask(self) -> np.ndarray:
        """The pixels of the lens plane that glasses cover: rims, bridge and temples, and dark lenses."""
        edges = np.median([evidence.edges for evidence in self._evidence], axis=0)
        centres = np.median([evidence.plane.centres for evidence in self._evidence], axis=0)
        is_dark = self._median("darkness") > MIN_LENS_DARKNESS
        loops = [trace_loop(edges, centre) for centre in centres]
        region = frame_region(edges, centres, loops)
        if self._median("rim") < MIN_RIM:  # thin rims are traced below, half-rims have no lower part
            region &= is_upper_half() & (self._median("bridge") > MIN_WEAK_BRIDGE)
        strong = (edges > max(MIN_STRUCTURE, STRUCTURE_RATIO * self._median("skin"))) & region
        kernel = np.ones((RIM_CLOSING,) * 2, np.uint8)
        mask = cv2.morphologyEx(strong.astype(np.uint8), cv2.MORPH_CLOSE, kernel) * region
        if np.median(self._contrast) > MIN_WEAK_LINE_CONTRAST:
            draw_thin_frame(mask, np.median(self._rims, axis=0) + np.array([0, self._nose()]))
        if is_dark:
            for centre, loop in zip(centres, loops, strict=True):
                cv2.fillPoly(mask, [loop_polygon(centre, loop)], 1)
        else:
            mask[np.min([lens_distance(centre) for centre in centres], axis=0) < EYE_RADIUS] = 0
        return mask


def _rim_points(radii: np.ndarray, plane: LensPlane) -> np.ndarray:
    """Points of both rims in the plane of the lenses, y from the bridge of the nose: (2, RAY_COUNT) -> (..., 2)."""
    x = np.array(plane.centres)[:, None] + radii * np.cos(RAY_ANGLES)
    y = np.array(plane.heights)[:, None] + radii * np.sin(RAY_ANGLES) - plane.nose
    return np.stack([x, y], -1)


def _distance_from(mask: np.ndarray) -> np.ndarray:
    """Distance of the pixels of a padded patch from a mask (h, w) of the patch, face sizes."""
    padded = cv2.copyMakeBorder(mask, *(PADDING,) * 4, cv2.BORDER_CONSTANT, value=0)
    return cv2.distanceTransform(1 - padded, cv2.DIST_L2, 5) / PIXELS_PER_FACE_SIZE


def limit_brow_displacement(displacement: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Slow the upper rows of the brows down to the lower ones, which lie closer to the rims.

    displacement: (468, C). weights: (468, 1), of each landmark's displacement, applied later. -> (468, C).
    """
    out = displacement.copy()
    for top, low in mesh.BROW_ROWS:
        upper, lower = weights[list(top)], weights[list(low)]
        out[list(top)] *= np.minimum(lower / np.maximum(upper, 1e-3), 1)
    return out


def lens_points(landmarks: np.ndarray, eye: tuple[int, ...], radii: np.ndarray) -> np.ndarray:
    """Project points of the plane of a lens into the frame.

    Args:
        landmarks: (478, 3) pixels.
        eye: landmarks of the lids.
        radii: distances from the centre of the lens along each ray, (R,) or (RAY_COUNT, R) face sizes.

    Returns:
        (RAY_COUNT, R, 2) float32 pixels.
    """
    across = landmarks[263] - landmarks[33]
    size = face_size(landmarks)
    across = across / size
    down = landmarks[mesh.FACE_OVAL[18]] - landmarks[mesh.FACE_OVAL[0]]
    down = down - (down @ across) * across
    down = down / max(float(np.linalg.norm(down)), 1e-6)
    normal = np.cross(across, down)
    normal = -normal if normal[2] > 0 else normal  # towards the camera
    centre = landmarks[list(eye)].mean(0) + LENS_DISTANCE * size * normal
    radii = np.broadcast_to(radii, (RAY_COUNT, np.shape(radii)[-1]))
    ray = np.cos(RAY_ANGLES)[:, None] * across + np.sin(RAY_ANGLES)[:, None] * down
    return (centre + size * radii[..., None] * ray[:, None])[..., :2].astype(np.float32)


def line_strength(image: Image, size: float) -> np.ndarray:
    """Measure thin lines, bright or dark: (h, w, 3) -> (h, w) float32 grey levels. size: of the face, pixels."""
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    kernel = np.ones((2 * max(1, round(0.5 * MAX_RIM_WIDTH * size)) + 1,) * 2, np.uint8)
    bright = cv2.morphologyEx(gray, cv2.MORPH_TOPHAT, kernel)
    dark = cv2.morphologyEx(gray, cv2.MORPH_BLACKHAT, kernel)
    return cv2.blur(cv2.max(bright, dark), (3, 3)).astype(np.float32)


def _trace_rims(image: Image, landmarks: np.ndarray) -> tuple[np.ndarray, float]:
    """Radii (2, RAY_COUNT) of thin rims around both eyes in face sizes, and the contrast of the weaker one to skin."""
    loops = [lens_points(landmarks, eye, RADII) for eye in mesh.EYES]
    corners = np.concatenate(loops).reshape(-1, 2)
    x0, y0 = np.maximum(np.floor(corners.min(0)).astype(int) - 9, 0)
    x1, y1 = np.maximum(np.ceil(corners.max(0)).astype(int) + 9, 0)
    part = np.ascontiguousarray(image[y0:y1, x0:x1])
    if min(part.shape[:2]) < 16:
        return np.full((2, RAY_COUNT), MIN_RIM_RADIUS), 0.0
    strength = line_strength(part, face_size(landmarks))
    rims = [_trace_rim(strength, loop - np.array([x0, y0], np.float32)) for loop in loops]
    return np.stack([radii for radii, _ in rims]), min(contrast for _, contrast in rims)


def _trace_rim(strength: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, float]:
    """Radii (RAY_COUNT,) of the rim along the rays (RAY_COUNT, RADIUS_STEPS, 2), and its contrast to the skin."""
    along_rays = cv2.remap(strength, points[..., 0], points[..., 1], cv2.INTER_LINEAR)
    path = strongest_loop(along_rays)
    rim = along_rays[np.arange(RAY_COUNT), path]
    skin = np.quantile(along_rays[LOWER_RAYS], 0.75)
    return RADII[path], float(np.quantile(rim[LOWER_RAYS], 0.15) / max(skin, 1.0))
