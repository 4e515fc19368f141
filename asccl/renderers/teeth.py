"""Teeth: the lips move over rows of teeth that stay where they are, the upper with the skull, the lower with the jaw.

What the moved lips reveal and the frame itself does not show comes from donors: other frames of the same clip.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from asccl.face import mesh
from asccl.face.crop import similarity
from asccl.renderers.field import Box, face_size
from asccl.types import Image

PARTED = 0.09  # lip opening over the face size from which a frame may be a donor
CLOSED, OPEN = 0.05, 0.11  # likewise: below the mouth is left to the warp, above it is redrawn whole
LIP = 0.012  # of the face size: this much inside the lip's line belongs to the moved lip
RIM = 0.035  # likewise, and more: the rim of a lip that hides teeth, and its shadow on them, which must not stay behind
LEAST_TEETH = 0.0015  # of the face size squared: teeth that a donor must show
SURE_OVERLAP = 0.004  # of the face size squared: what frame and donor must share for a full match of their light
AGREE, DISAGREE = 0.18, 0.38  # mean difference of the two there, over the brightness: fully used, not used
BRIGHT_REACH = 0.045  # of the face size
DONORS = 5
ACROSS = 0.3  # share of the middle of the mouth that is teeth, above which the rows do not part there
DEEP = 0.7  # of the way to the lower lip: teeth down to there fill the mouth, and a donor must agree with all of it
RIGID = (2, 98, 327, 94, 168, 6, 33, 263)  # the base of the nose, near the teeth, and what gives scale and turn
CHIN = (152, 148, 377, 176, 400, 199, 175)
REACH = 0.62, 0.34  # half width and height of a row's picture, of the face size


@dataclass(frozen=True)
class _Donor:
    """A row of teeth, upright at a common place and scale: (h, w, 3) uint8, (h, w) in [0, 1] where it shows."""

    teeth: float
    picture: Image
    shown: np.ndarray


@dataclass(frozen=True)
class Fit:
    """A row laid on a frame: (h, w, 3) float32, (h, w) in [0, 1] where it is known, and how far it agrees with it."""

    picture: np.ndarray
    shown: np.ndarray
    trust: float


class Row:
    """The upper or the lower row of one person, as far as the studied frames show it."""

    def __init__(self, lower: bool):
        self.lower = lower
        self._size = 0.0
        self._donors: list[_Donor] = []
        self._whole: tuple[np.ndarray, np.ndarray] | None = None

    def study(self, image: Image, landmarks: np.ndarray) -> None:
        """Keep the row that a frame shows, if it shows more teeth than what is kept."""
        size = face_size(landmarks)
        inside, depth = mouth(landmarks[: mesh.POINTS, :2])
        if depth.max() < PARTED * size:
            return
        self._size = self._size or size
        matrix = self.placed(landmarks)
        shape = self._shape
        picture = cv2.warpAffine(image, matrix, shape, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        ring = inside @ matrix[:, :2].T + matrix[:, 2]
        shown = _inside(ring, shape[::-1]) > RIM * self._size
        shown &= self.half(ring, shape[::-1]) > 0
        skin = skin_colour(image, landmarks)
        if self.lower and upper_teeth_cover(picture, ring, skin):
            return
        teeth = float((tooth_like(picture, skin) & shown).sum()) / self._size**2
        if teeth < LEAST_TEETH:
            return
        soft = cv2.GaussianBlur(shown.astype(np.float32), (0, 0), max(0.7, 0.01 * self._size))
        donor = _Donor(teeth, picture, soft * shown)
        self._donors = sorted([*self._donors, donor], key=lambda d: -d.teeth)[:DONORS]
        self._whole = None

    @property
    def known(self) -> bool:
        return bool(self._donors)

    @property
    def _shape(self) -> tuple[int, int]:
        return int(2 * REACH[0] * self._size), int(2 * REACH[1] * self._size)

    def half(self, ring: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """(h, w) uint8, 1 in the half of the mouth (20, 2) on this row's side."""
        upper, lower = ring[1:10], ring[11:][::-1]
        middle = 0.5 * (upper + lower)
        side = np.concatenate([ring[:1], lower if self.lower else upper, ring[10:11], middle[::-1]])
        return cv2.fillPoly(np.zeros(shape, np.uint8), [np.round(side).astype(np.int32)], 1)

    def placed(self, landmarks: np.ndarray) -> np.ndarray:
        """(2, 3) from the frame to the row's picture. The skull, or the jaw, is at the same place in every frame."""
        xy = landmarks[..., :2].astype(np.float64)
        upright = np.array([[-0.5, 0.0], [0.5, 0.0]]) * self._size
        matrix = similarity(xy[[33, 263]], upright)
        fixed = CHIN if self.lower else (2, 98, 327, 94)
        anchor = xy[list(fixed)].mean(0)
        w, h = self._shape
        place = np.array([w / 2, 0.72 * h if self.lower else 0.18 * h])
        scale = self._size / face_size(landmarks)  # a turn of the head narrows the eyes, not the scale
        turn = matrix[:, :2] / max(float(np.hypot(*matrix[:, 0])), 1e-9) * scale
        return np.column_stack([turn, place - turn @ anchor])

    def whole(self) -> tuple[np.ndarray, np.ndarray]:
        """The donors together, best on top, in the light of the best: (h, w, 3) float32, (h, w) in [0, 1]."""
        if self._whole is None:
            best = self._donors[0]
            picture, shown = best.picture.astype(np.float32), best.shown.copy()
            for donor in self._donors[1:]:
                both = (shown > 0.5) & (donor.shown > 0.5)
                if both.sum() < SURE_OVERLAP * self._size**2:
                    continue
                light = np.clip(picture[both].mean() / max(donor.picture[both].mean(), 1.0), 0.6, 1.6)
                share = ((1 - shown) * donor.shown)[..., None]
                picture = picture * (1 - share) + light * donor.picture * share
                shown = np.maximum(shown, donor.shown)
            self._whole = picture, shown
        return self._whole

    def fitted(
        self, frame: Image, known: np.ndarray, side: np.ndarray, landmarks: np.ndarray, corner: np.ndarray
    ) -> Fit | None:
        """The row where this frame has it, in the frame's light; frame: (h, w, 3), the pixels from corner (2,) on.
        known: (h, w) where it shows what lies between its lips, side: (h, w) or () what of that is this row's."""
        if not self._donors:
            return None
        matrix = self.placed(landmarks)
        matrix[:, 2] += matrix[:, :2] @ corner
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        size = known.shape[::-1]
        picture, shown = (cv2.warpAffine(x, matrix, size, flags=flags) for x in self.whole())
        both = shown * known * side
        if (area := float(both.sum())) < 4:
            return None
        here, there = ((x * both[..., None]).sum((0, 1)) / area for x in (frame, picture))
        picture = picture * np.clip(here / np.maximum(there, 1.0), 0.1, 1.15)
        difference = float((np.abs(picture - frame).mean(-1) * both).sum() / area / max(here.mean(), 1.0))
        trust = np.clip((DISAGREE - difference) / (DISAGREE - AGREE), 0, 1)
        return Fit(picture, shown, float(trust * min(area / (SURE_OVERLAP * face_size(landmarks) ** 2), 1.0)))


class Teeth:
    """Both rows of one person; filled by `study`."""

    def __init__(self) -> None:
        self.rows = Row(lower=False), Row(lower=True)

    def study(self, image: Image, landmarks: np.ndarray) -> None:
        for row in self.rows:
            row.study(image, landmarks)

    def keep(self, source: Image, edited: Image, landmarks: np.ndarray, moved: np.ndarray, box: Box) -> None:
        """Redraw what lies between the moved lips, in place; without a donor the warp's picture stays.

        source, edited: (h, w, 3) uint8, the pixels of the box before and after the warp. landmarks: (478, 3), moved:
        (468, 2+) pixels of the frame. What the source's lips show stays unmoved; what is revealed is a donor's, in
        the light that the two share. Where donor and frame do not agree the warp's picture stays, too.
        """
        size = face_size(landmarks)
        origin = np.array([box.x0, box.y0], np.float32)
        (old, depth), (new, _) = (mouth(p[: mesh.POINTS, :2] - origin) for p in (landmarks, moved))
        showing = float(np.clip((depth.max() / size - CLOSED) / (OPEN - CLOSED), 0, 1))
        if showing == 0 or np.abs(new - old).max() < 0.1 or not any(row.known for row in self.rows):
            return
        corners = np.concatenate([old, new])
        x0, y0 = np.maximum(np.floor(corners.min(0)).astype(int) - 3, 0)
        x1, y1 = np.minimum(np.ceil(corners.max(0)).astype(int) + 4, (source.shape[1], source.shape[0]))
        if x1 - x0 < 4 or y1 - y0 < 4:
            return
        part, shift = (slice(y0, y1), slice(x0, x1)), np.array([x0, y0], np.float32)
        known = np.clip((_inside(old - shift, (y1 - y0, x1 - x0)) - RIM * size) / max(1.0, 0.015 * size), 0, 1)
        skin = skin_colour(source, landmarks[:, :2] - origin)
        rows = self.rows[:1] if upper_teeth_cover(source, old, skin) else self.rows
        full = len(rows) == 1 and upper_teeth_cover(source, old, skin, DEEP)
        sides = [np.ones(()) if full else row.half(old - shift, known.shape) for row in rows]
        fits = [r.fitted(source[part], known, s, landmarks, origin + shift) for r, s in zip(rows, sides, strict=True)]
        trust = max((fit.trust for fit in fits if fit), default=0.0)
        if trust == 0:
            return
        deep = _inside(new - shift, known.shape)
        picture = self._behind(source[part], edited[part], known, fits, new - shift, deep, trust, size)
        within = np.clip((deep - LIP * size) / max(1.0, 0.012 * size) + 0.5, 0, 1)
        mixed = _mix(edited[part], picture, trust * showing * within)
        edited[part] = np.round(np.clip(mixed, 0, 255)).astype(np.uint8)

    def _behind(self, frame, warped, known, fits, ring, deep, trust: float, size: float) -> np.ndarray:
        """What lies behind the moved lips (20, 2), (h, w, 3) float32."""
        stretched = warped.astype(np.float32)
        picture, brightest = _mix(stretched, frame, known), nearby_light(stretched, deep > RIM * size, size)
        for row, fit in zip(self.rows, fits, strict=False):  # without the lower row where it is covered
            if fit:
                half = row.half(ring, known.shape)
                lit = np.minimum(fit.picture, brightest)
                picture = _mix(picture, lit, fit.trust / trust * fit.shown * (1 - known) * half)
        return picture


def mouth(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(468, 2) -> the loop of the inner lips (20, 2), and how far they are apart at nine columns (9,)."""
    depth = np.linalg.norm(points[list(mesh.LOWER_INNER)] - points[list(mesh.UPPER_INNER)], axis=1)
    return points[list(mesh.INNER_LIPS)], depth


def skin_colour(image: Image, landmarks: np.ndarray) -> np.ndarray:
    """(3,) median colour beside nose and chin."""
    at = np.round(landmarks[[50, 280, 205, 425, 101, 330, 199, 5, 4], :2]).astype(int)
    at = np.clip(at, 0, np.array(image.shape[1::-1]) - 1)
    return np.median(image[at[:, 1], at[:, 0]].astype(np.float32), axis=0)


def tooth_like(picture: Image, skin: np.ndarray) -> np.ndarray:
    """(..., 3) -> (...) bool: about as bright as the skin or brighter, and less red than it."""
    p = picture.astype(np.float32)
    total = p.sum(-1)
    return (total > 0.65 * skin.sum()) & (p[..., 0] / np.maximum(total, 1) < 0.97 * skin[0] / max(skin.sum(), 1.0))


def upper_teeth_cover(picture: Image, ring: np.ndarray, skin: np.ndarray, down: float = 0.5) -> bool:
    """Whether teeth reach across the mouth (20, 2) this far down: then its lower half shows the upper row, too."""
    middle = ((1 - down) * ring[1:10] + down * ring[11:][::-1])[2:7]
    at = np.clip(np.round(middle).astype(int), 0, np.array(picture.shape[1::-1]) - 1)
    return bool(tooth_like(picture[at[:, 1], at[:, 0]], skin).mean() > ACROSS)


def nearby_light(picture: np.ndarray, within: np.ndarray, size: float) -> np.ndarray:
    """(h, w, 3): how bright it may be next to what the warp shows well within the lips (h, w). The corners of a mouth
    lie in the shade."""
    reach = 2 * max(1, round(BRIGHT_REACH * size)) + 1
    brightest = cv2.dilate(picture * within[..., None], np.ones((reach, reach), np.uint8))
    return cv2.GaussianBlur(brightest, (0, 0), 0.5 * reach)


def _mix(below: np.ndarray, above: np.ndarray, share: np.ndarray) -> np.ndarray:
    return below + share[..., None] * (above.astype(np.float32) - below)


def _inside(polygon: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Distance to the polygon's line, 0 outside, in pixels."""
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.round(polygon * 16).astype(np.int32)], 255, cv2.LINE_8, 4)
    return cv2.distanceTransform(mask, cv2.DIST_L2, 5)
