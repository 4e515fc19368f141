"""Brows: hair moves as one rigid curve, and only the skin between a brow and what lies below it unfolds.

The landmarks of a brow follow its middle. The hair of thick or low brows reaches beyond them, down to the lid or behind
the rim of glasses, which move less than the brow: a displacement that is interpolated between the two stretches the
hair, and a raised brow swells. So the extent of the hair is measured, everything within it moves like the middle of
the brow, and a brow rises only as far as the skin below it can unfold.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from asccl.face import mesh
from asccl.renderers.warp.brow_hair import LID_MARGIN, brow_axes, hair_margins, interpolate_lid
from asccl.renderers.warp.field import Box, face_size, sample_cells
from asccl.types import Image

BROWS_AND_LIDS = (  # landmarks of the upper and the lower row, outer end first, and of the upper lid below them
    (mesh.RIGHT_BROW_TOP, mesh.RIGHT_BROW_LOW, mesh.RIGHT_EYE[15:8:-1]),
    (mesh.LEFT_BROW_TOP, mesh.LEFT_BROW_LOW, mesh.LEFT_EYE[15:8:-1]),
)
COLUMNS = len(mesh.RIGHT_BROW_TOP)
# all of these in face sizes
EDGE_MARGIN = 0.012  # around measured hair: its edge is soft
UPPER_REACH, END_REACH = 0.12, 0.08  # skin above a brow and beside its ends, over which its movement fades
MIN_LOWER_REACH = 0.03  # skin below a brow, likewise

MAX_UNFOLDING = 1.7  # growth of the skin below a brow, over its height
FREE_UNFOLDING = 0.016  # face sizes by which it always may grow
HELD_WEIGHT, FREE_WEIGHT = 0.15, 0.4  # of the displacement: below the first skin is held, from the second on it is free
FULL_LIFT = 0.02  # face sizes, of a brow against its lid: from here on it is rigid; a brow that comes down is squeezed
MIN_LIFT = 0.02  # pixels, of a brow against its lid, that may swell it


class BrowModel:
    """How far the hair of a person's brows reaches beyond the landmarks, from observed frames."""

    def __init__(self) -> None:
        self._margins: list[np.ndarray] = []
        self.margins = np.full((2, COLUMNS, 2), EDGE_MARGIN)  # of both brows, above and below, face sizes

    def observe(self, image: Image, landmarks: np.ndarray) -> None:
        """Measure the brows in a frame. landmarks: (478, 3) pixels."""
        margins = [hair_margins(image, landmarks, *rows) for rows in BROWS_AND_LIDS]
        self._margins.append(np.stack(margins))
        self.margins = np.median(self._margins, axis=0) + EDGE_MARGIN

    def stiffen(
        self,
        field: np.ndarray,
        landmarks: np.ndarray,
        edited_landmarks: np.ndarray,
        box: Box,
        weights: np.ndarray | None = None,
    ) -> None:
        """Make brows rigid in a displacement field, in place.

        Args:
            field: displacement in the cells of the box, (h, w, 2+), at the edited positions.
            landmarks: (468+, 2+) pixels.
            edited_landmarks: (468, 2+) pixels.
            box: with the cells.
            weights: of the displacement that hold what is no skin, (h, w); already part of the field.
        """
        size = face_size(landmarks) / box.cell
        edited = (edited_landmarks[:, :2] - (box.x0, box.y0)) / box.cell
        displacement = np.ascontiguousarray(field[..., :2])
        lifts = [
            _BrowLift.of(_BrowShape.of(edited, rows, margins, size), displacement, box.cell, size, weights)
            for rows, margins in zip(BROWS_AND_LIDS, self.margins, strict=True)
        ]
        if max(float(np.abs(brow.lift).max()) for brow in lifts) < MIN_LIFT:
            return
        share = float(np.mean([brow.unfolding_share(box.cell, size) for brow in lifts]))
        for brow in lifts:
            _stiffen_brow(field, brow, share, (box.cell, size), weights)


@dataclass(frozen=True)
class _BrowShape:
    """An edited brow in cells, by columns from its inner end: `along` and `up` are unit vectors.

    Attributes:
        along: from the inner to the outer end, (2,).
        up: across the brow, towards the forehead, (2,).
        position: of each column along it, (COLUMNS,), increasing.
        middle: height of its landmarks, along `up`, (COLUMNS,).
        upper: height of the upper edge of the hair, likewise.
        lower: of its lower edge, likewise.
        lid: of the upper lid below it, likewise.
    """

    along: np.ndarray
    up: np.ndarray
    position: np.ndarray
    middle: np.ndarray
    upper: np.ndarray
    lower: np.ndarray
    lid: np.ndarray

    @classmethod
    def of(cls, points: np.ndarray, rows: tuple[tuple[int, ...], ...], margins: np.ndarray, size: float) -> _BrowShape:
        """Build it from landmarks.

        Args:
            points: (468, 2) cells.
            rows: landmarks of the upper and lower row, and of the lid.
            margins: of hair above and below the rows, (COLUMNS, 2) face sizes, outer end first.
            size: of the face, cells.
        """
        top, low, lid = (points[list(row)] for row in rows)
        along, up = brow_axes(top, low)
        position = np.maximum.accumulate((0.5 * (top + low) @ along)[::-1])
        middle = 0.5 * (top + low) @ up
        upper = top @ up + size * margins[:, 0]
        lower = low @ up - size * margins[:, 1]
        lid_height = interpolate_lid(lid @ along, lid @ up, position)
        return cls(along, up, position, middle[::-1], upper[::-1], np.maximum(lower[::-1], lid_height), lid_height)

    def points(self, heights: np.ndarray) -> np.ndarray:
        """Points (COLUMNS, 2) of the columns at some heights (COLUMNS,)."""
        return self.position[:, None] * self.along + heights[:, None] * self.up


@dataclass(frozen=True)
class _BrowLift:
    """How an edited brow moves.

    Attributes:
        shape: of the brow.
        shift: movement of the middle of each column, (COLUMNS, 2) pixels.
        lift: by how much it moves away from what lies below it, (COLUMNS,) pixels.
        reach: height of the skin below it, to the lid or to where skin is held, (COLUMNS,) cells.
    """

    shape: _BrowShape
    shift: np.ndarray
    lift: np.ndarray
    reach: np.ndarray

    @classmethod
    def of(
        cls, shape: _BrowShape, displacement: np.ndarray, cell: float, size: float, weights: np.ndarray | None
    ) -> _BrowLift:
        """Read it from a field.

        Args:
            shape: of the brow.
            displacement: in cells of a box, (h, w, 2) pixels.
            cell: pixels.
            size: of the face, cells.
            weights: of the displacement, (h, w), that hold what is no skin.
        """
        shift = sample_cells(displacement, shape.points(shape.middle)).astype(np.float64)
        lift = (shift - sample_cells(displacement, shape.points(shape.lid))) @ shape.up
        return cls(shape, shift, lift, _skin_below(shape, size, weights))

    def unfolding_share(self, cell: float, size: float) -> float:
        """Share of the lift up to which the skin below the brow unfolds, in [0, 1]. cell: pixels. size: cells."""
        lift = np.maximum(self.lift, MIN_LIFT)
        skin = np.maximum(self.reach - lift / cell, 0)  # in the source
        limit = (MAX_UNFOLDING * skin + FREE_UNFOLDING * size) * cell
        return float((1 / (1 + (lift / limit) ** 4) ** 0.25).mean())


def _stiffen_brow(
    field: np.ndarray, lifted: _BrowLift, share: float, scale: tuple[float, float], weights: np.ndarray | None
) -> None:
    """Make one brow rigid in a field, in place. share: of its lift. scale: pixels of a cell, cells of the face."""
    (cell, size), brow, reach = scale, lifted.shape, lifted.reach
    excess = (1 - share) * np.maximum(lifted.lift, 0)
    shift = lifted.shift - excess[:, None] * brow.up
    ends = np.array([-END_REACH, END_REACH]) * size
    corners = np.concatenate(
        [brow.points(brow.upper + UPPER_REACH * size), brow.points(brow.lower - np.maximum(reach, 0))]
    )
    corners = np.concatenate([corners + e * brow.along for e in ends])
    x0, y0 = np.maximum(np.floor(corners.min(0)).astype(int), 0)
    x1, y1 = np.minimum(np.ceil(corners.max(0)).astype(int) + 1, field.shape[1::-1])
    if x1 <= x0 or y1 <= y0:
        return
    x, y = np.arange(x0, x1, dtype=np.float32), np.arange(y0, y1, dtype=np.float32)[:, None]
    a, b = (x * axis[0] + y * axis[1] for axis in np.stack([brow.along, brow.up]).astype(np.float32))

    stiffness = np.clip(lifted.lift / (FULL_LIFT * size * cell), 0, 1)
    columns = np.stack([brow.upper, brow.lower, np.maximum(reach, MIN_LOWER_REACH * size), stiffness, *shift.T], 1)
    column = np.interp(a, brow.position, np.arange(COLUMNS)).astype(np.float32)
    values = cv2.remap(
        columns[None].astype(np.float32),
        column,
        np.zeros_like(column),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    upper, lower, skin, stiff, dx, dy = cv2.split(values)
    above = np.maximum(b - upper, 0) / (UPPER_REACH * size)
    below = np.maximum(lower - b, 0) / skin
    beside = np.maximum(np.maximum(brow.position[0] - a, a - brow.position[-1]), 0) / ends[1]
    weight = stiff * _fade(above) * np.clip(1 - below, 0, 1) * _fade(beside)
    if weights is not None:  # what is held stays so
        weight = weight * np.clip(weights[y0:y1, x0:x1] / FREE_WEIGHT, 0, 1)
    part = field[y0:y1, x0:x1]
    part[..., 0] += weight * (dx - part[..., 0])
    part[..., 1] += weight * (dy - part[..., 1])


def _skin_below(brow: _BrowShape, size: float, weights: np.ndarray | None) -> np.ndarray:
    """Height of the skin below each column of a brow, to the lid or to where skin is held, (COLUMNS,) cells."""
    reach = np.maximum(brow.lower - brow.lid - LID_MARGIN * size, 0)
    if weights is None:
        return reach
    steps = np.linspace(0, 1, 8)
    depths = (steps[:, None] * reach)[..., None] * brow.up
    points = (brow.points(brow.lower) - depths).reshape(-1, 2)
    held = sample_cells(weights, points).reshape(len(steps), -1).T < HELD_WEIGHT
    first = np.where(held.any(1), held.argmax(1), len(steps) - 1)
    return steps[first] * reach


def _fade(distance: np.ndarray) -> np.ndarray:
    """1 at a distance of 0, 0 from 1 on, smooth at both."""
    t = np.clip(distance, 0, 1)
    return 1 - t * t * (3 - 2 * t)
