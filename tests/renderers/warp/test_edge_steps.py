"""Edges of lips that an edit turns have no comb, on drawn mouths whose edges are staircases."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from asccl.face import mesh
from asccl.morphable.anny_head import load_anny_head
from asccl.renderers.warp.edge_steps import smooth_lower_lip
from asccl.renderers.warp.field import Box

HEAD = load_anny_head()
SIZE, SCALE = (360, 360), 22.0
LIP, DARK = (190, 110, 110), (30, 12, 12)
LOWER = list(mesh.LOWER_INNER_LIP)


def landmarks(slope: float) -> np.ndarray:
    """(478, 3) pixels of the average head whose lips slope to both sides from the middle."""
    points = np.zeros((478, 3), np.float32)
    points[:468] = SCALE * (HEAD.neutral - HEAD.neutral.mean(0))
    points[:, :2] += 180
    inner = list(mesh.INNER_LIPS)
    points[inner, 1] -= slope * np.abs(points[inner, 0] - points[14, 0])
    return points


def comb(points: np.ndarray, below: float = 0.0) -> np.ndarray:
    """A dark mouth, (360, 360, 3), whose lower edge has teeth of 3 pixels every 6 pixels.

    below: pixels from the line of the landmarks down to the edge.
    """
    image = np.full((*SIZE, 3), LIP, np.uint8)
    line = np.interp(np.arange(SIZE[1]), points[LOWER, 0], points[LOWER, 1]) + 1.5 * (-1) ** (np.arange(SIZE[1]) // 3)
    line += below
    y = np.arange(SIZE[0])[:, None]
    image[(y > points[13, 1] - 20) & (y < line)] = DARK
    return image


def height_of_comb(image: np.ndarray, points: np.ndarray) -> float:
    """Standard deviation of the height of the lower edge around its smooth course, pixels, without the corners."""
    columns = slice(round(float(points[LOWER[2], 0])), round(float(points[LOWER[6], 0])))
    height = (LIP[0] - image[:, columns, 0].astype(np.float32)).sum(0) / (LIP[0] - DARK[0])
    return float((height - cv2.blur(height[None], (13, 1))[0]).std())


@pytest.mark.parametrize(("slope", "share"), [(0.4, 0.5), (0.0, 1.0)])
def test_an_edge_that_an_edit_turns_loses_its_comb(slope, share):
    before, after = landmarks(slope), landmarks(0.0)
    image = comb(after)
    smoothed = image.copy()
    smooth_lower_lip(smoothed, before, after[:468], Box(0, 0, *SIZE, 1.0))
    assert height_of_comb(smoothed, after) <= share * height_of_comb(image, after)


def test_an_edge_that_is_seen_below_the_tracked_one_loses_its_comb_too():
    before, after = landmarks(0.4), landmarks(0.0)
    image = comb(after, below=6.0)
    smoothed = image.copy()
    smooth_lower_lip(smoothed, before, after[:468], Box(0, 0, *SIZE, 1.0))
    assert height_of_comb(smoothed, after) <= 0.6 * height_of_comb(image, after)


def test_only_the_edges_of_lips_are_smoothed():
    before, after = landmarks(0.4), landmarks(0.0)
    image = np.random.default_rng(0).integers(0, 255, (*SIZE, 3), np.uint8)
    smoothed = image.copy()
    smooth_lower_lip(smoothed, before, after[:468], Box(0, 0, *SIZE, 1.0))
    changed = np.flatnonzero((smoothed != image).any((1, 2)))
    assert changed.min() > after[13, 1] - 25
