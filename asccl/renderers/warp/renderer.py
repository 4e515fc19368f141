"""The embedded renderer: warp the source frame by the projected 3D displacement, then shade turned and wrinkled skin.

It needs no training and no model of the person: identity, hair and background are the source's own pixels.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np

from asccl.face import mesh
from asccl.face.crop import quarter_turns
from asccl.morphable.head import HeadModel
from asccl.renderers.warp.brows import BrowModel
from asccl.renderers.warp.cavity import MouthModel
from asccl.renderers.warp.coverage import Coverage, coverage_weights
from asccl.renderers.warp.displacement import Displacement
from asccl.renderers.warp.edge_steps import smooth_lower_lip
from asccl.renderers.warp.eyes import restore_eyeballs
from asccl.renderers.warp.field import Box, FaceField, face_size, resample, sample_field, upsample
from asccl.renderers.warp.glasses import GlassesModel, limit_brow_displacement
from asccl.renderers.warp.hold import fade_to_source, lowest_weights, silhouette_weights
from asccl.renderers.warp.irises import IrisModel
from asccl.renderers.warp.jaw_drop import JawDrop, SteadySplit, drop_of
from asccl.renderers.warp.lid_edges import carry_lashes
from asccl.renderers.warp.lip_edges import sharpen_lip_edges
from asccl.renderers.warp.mouth_corners import close_corners
from asccl.renderers.warp.occluder import OccluderModel
from asccl.renderers.warp.shading import CREASE_GAIN, SkinModel
from asccl.renderers.warp.teeth import stabilize_teeth
from asccl.renderers.warp.upright import render_upright, turn_upright
from asccl.renderers.warp.warping import warp
from asccl.types import Image, LazyImage, Motion
from asccl.video.lazy_image import overlay_patch

MIN_COEFFICIENT_CHANGE = 1e-4  # smaller changes of coefficients and lip gain leave a frame as it is
MIN_DISPLACEMENT = 0.03  # pixels
MIN_BRIGHTNESS_CHANGE = 0.003
MIN_WRINKLE_DEPTH = 0.02  # in [0, 1]; shallower wrinkles do not deepen the skin's own creases
DETAIL_RANGE = (-25, 8)  # grey levels of the skin's own creases around the mean of their surroundings


@dataclass(frozen=True)
class WarpAppearance:
    """Measured appearance of a person: skin, brows, irises, mouth, glasses, occluders."""

    skin: SkinModel
    brows: BrowModel
    eyes: IrisModel
    mouth: MouthModel
    glasses: GlassesModel
    occluders: OccluderModel


class WarpObserver:
    """Measures a person's appearance and what lies before the face, frame by frame."""

    def __init__(self, head: HeadModel):
        models = SkinModel(head), BrowModel(), IrisModel(), MouthModel(), GlassesModel(), OccluderModel(head)
        self._appearance = WarpAppearance(*models)

    def add(self, image: Image, landmarks: np.ndarray) -> None:
        """Measure a frame, (H, W, 3) uint8 RGB, with its landmarks, (478, 3) pixels."""
        image, landmarks = turn_upright(image, landmarks)
        self._appearance.skin.observe(image, landmarks)
        self._appearance.brows.observe(image, landmarks)
        self._appearance.eyes.observe(image, landmarks)
        self._appearance.mouth.observe(image, landmarks)
        self._appearance.glasses.observe(image, landmarks)
        self._appearance.occluders.observe(image, landmarks)

    def appearance(self) -> WarpAppearance:
        """Copy what was measured so far."""
        return deepcopy(self._appearance)


@dataclass(frozen=True)
class WarpPlan:
    """Motion of the source and of the edit, T frames each."""

    motion: Motion
    edited: Motion


class WarpRenderer:
    """Warps the face backwards within its box; see `Renderer`."""

    def __init__(self, head: HeadModel, appearance: WarpAppearance):
        self._displacement = Displacement(head)
        self._field = FaceField(head)
        self._appearance = appearance
        self.occluders = appearance.occluders.detector()

    def plan(self, motion: Motion, edited: Motion) -> WarpPlan:
        """See `Renderer.plan`."""
        return WarpPlan(motion, edited)

    @property
    def glasses(self) -> str:
        """Glasses of the person: "none", "clear" or "dark"."""
        glasses = self._appearance.glasses
        return "dark" if glasses.has_dark_lenses else "clear" if glasses.detected else "none"

    def start(self, plan: WarpPlan) -> WarpSession:
        """See `Renderer.start`."""
        return WarpSession(self, plan)

    def changes(self, plan: WarpPlan, landmarks: np.ndarray, t: int) -> bool:
        """Whether a frame of a plan shows a face that is edited.

        Args:
            plan: made by `plan`.
            landmarks: of the face, (478, 3) pixels; NaN where there is none.
            t: index of the frame in the plan.
        """
        change = plan.edited.coefficients[t] - plan.motion.coefficients[t]
        lip_gain = 1.0 if plan.edited.lip_gain is None else float(plan.edited.lip_gain[t])
        closing = 0.0 if plan.edited.lip_closing is None else float(plan.edited.lip_closing[t])
        parting = 0.0 if plan.edited.lip_parting is None else float(plan.edited.lip_parting[t])
        amount = max(float(np.abs(change).max()), abs(lip_gain - 1), closing, parting)
        return bool(np.isfinite(landmarks[0, 0])) and amount >= MIN_COEFFICIENT_CHANGE

    def render(
        self,
        plan: WarpPlan,
        image: LazyImage,
        landmarks: np.ndarray,
        t: int,
        coverage: np.ndarray | None = None,
        split: SteadySplit | None = None,
    ) -> LazyImage:
        """Render one frame.

        Args:
            plan: made by `plan`.
            image: frame t of the source.
            landmarks: of its face, (478, 3) pixels; NaN where there is none.
            t: index of the frame in the plan.
            coverage: how far something covers the cells of the face's chart, see `Coverage`; None for nothing.
            split: of the rows of teeth in the frames before; None for a frame alone.

        Returns:
            Frame t of the edit; the same object where nothing changes.
        """
        motion, edited, skin = plan.motion, plan.edited, self._appearance.skin
        if not self.changes(plan, landmarks, t):
            return image
        if quarter_turns(landmarks) != 0:
            frame, render = np.array([t]), partial(self._render_motion, coverage, split)
            return render_upright(render, motion.select(frame), edited.select(frame), image, landmarks)
        change = edited.coefficients[t] - motion.coefficients[t]
        displacement = self._displacement(motion, edited, t, landmarks) * skin.skin_confidence
        points = landmarks[: mesh.NUM_FACE_LANDMARKS]
        edited_points = points + displacement
        box = self._field.edit_box(landmarks, edited_points, image.shape)
        if box.empty:
            return image
        weights = self._hold(landmarks, coverage, box)
        if weights is not None:
            point_weights = sample_field(weights, edited_points, box)[:, None]
            displacement = limit_brow_displacement(displacement, point_weights)
        brightness_change = skin.brightness_ratio(points, edited_points)[:, None] - 1
        values = np.concatenate([displacement[:, :2], brightness_change], 1)
        field = self._field.interpolate(landmarks, edited_points, values, box)
        if weights is not None:
            field *= weights[..., None]
            displacement = displacement * point_weights
            edited_points = points + displacement
        self._appearance.brows.stiffen(field, landmarks, edited_points, box, weights)
        box = changed_part(field, box)
        if box.empty:
            return image
        drop = drop_of(self._displacement.jaw_growth(motion, edited, t, landmarks), image, landmarks, split)
        source, warped = self._warp_part(image, landmarks, edited_points, field, box, drop)
        eyes, behind_glass = self._appearance.eyes, self._appearance.glasses.detected
        iris_colour = eyes.colour if behind_glass else None
        restore_eyeballs(source, warped, landmarks, edited_points, box, eyes.radius_ratio, iris_colour)
        skin_points = self._displacement.stabilize_forehead(motion, t, edited_points, displacement)
        part = self._relight_part(warped, skin_points, change, field, box, face_size(landmarks))
        if weights is not None:
            part = fade_to_source(source, part, weights, box)
        return overlay_patch(image, box.x0, box.y0, part)

    def _render_motion(self, coverage, split, motion: Motion, edited: Motion, image: LazyImage, landmarks) -> LazyImage:
        """Render a frame with motions of one frame."""
        return self.render(WarpPlan(motion, edited), image, landmarks, 0, coverage, split)

    def _hold(self, landmarks: np.ndarray, coverage: np.ndarray | None, box: Box) -> np.ndarray | None:
        """Weights (h, w) of the displacement that hold what is no skin: glasses, occluders, the background."""
        covered = None
        if coverage is not None:
            covered = coverage_weights(self.occluders.chart, coverage, landmarks, box)
        glasses = self._appearance.glasses.displacement_weights(landmarks, box)
        return lowest_weights(covered, glasses, silhouette_weights(landmarks, box))

    def _warp_part(
        self, image: LazyImage, landmarks, edited_points, field, box: Box, drop: JawDrop | None
    ) -> tuple[Image, Image]:
        """The pixels of a box before and after the warp, teeth unmoved and the cavity of the mouth shaded."""
        displacement = upsample(field[..., :2], box)
        sharpen_lip_edges(displacement, landmarks, edited_points, box)
        carry_lashes(displacement, landmarks, edited_points, box, self._appearance.brows.margins)
        cavity = stabilize_teeth(displacement, landmarks, edited_points, box, drop)
        source, warped = warp(image, displacement, box)
        if cavity is not None:
            cavity.reveal(image, warped, box)
        smooth_lower_lip(warped, landmarks, edited_points, box)
        close_corners(warped, landmarks, edited_points, box, self._appearance.mouth.lips)
        if cavity is not None:
            cavity.shade(warped, self._appearance.mouth.cavity)
        return source, warped

    def _relight_part(self, warped: Image, skin_points, change, field, box: Box, size: float) -> Image:
        """Shade the skin by its turn and its wrinkles. skin_points: (468, 3), with a stabilized forehead."""
        self._appearance.skin.smooth_creases(warped, skin_points, change, box, size)
        factor, creases, fine = self._appearance.skin.shade_wrinkles(skin_points, change, box, size)
        brightness = factor * (1 + resample(field[..., 2], box, fine))
        brightness, creases = cv2.split(upsample(cv2.merge([brightness, creases]), fine))
        return relight(warped, brightness, creases, size, self._appearance.skin.shadow_slopes)


class WarpSession:
    """Renders the frames of one plan in order; see `RenderSession`.

    Holds what covered the face in the last frame, and where its rows of teeth parted.
    """

    def __init__(self, renderer: WarpRenderer, plan: WarpPlan):
        self._renderer, self._plan = renderer, plan
        self._coverage, self._split = Coverage(), SteadySplit()
        self._covered_frames = 0

    def render(self, image: LazyImage, landmarks: np.ndarray, t: int) -> LazyImage:
        """Render one frame; see `RenderSession.render`.

        Args:
            image: frame t of the source.
            landmarks: of its face, (478, 3) pixels; NaN where there is none.
            t: index of the frame in the plan.

        Returns:
            Frame t of the edit; the same object where nothing changes.
        """
        if not self._renderer.changes(self._plan, landmarks, t):
            return image
        was_covered = self._coverage.was_covered(t)
        covered = self._renderer.occluders.covered_cells(image, landmarks, was_covered)
        coverage = self._coverage.update(covered, t)
        self._covered_frames += coverage is not None
        self._split.begin(t)
        return self._renderer.render(self._plan, image, landmarks, t, coverage, self._split)

    def report(self) -> dict[str, Any]:
        """See `RenderSession.report`."""
        return {"covered_frames": self._covered_frames, "glasses": self._renderer.glasses}


def changed_part(field: np.ndarray, box: Box) -> Box:
    """Find the part of a box in which its field (h, w, 3) moves a pixel or changes its brightness; empty if none."""
    x, y, light = cv2.split(np.abs(field))
    changed = (x > MIN_DISPLACEMENT) | (y > MIN_DISPLACEMENT) | (light > MIN_BRIGHTNESS_CHANGE)
    return box.around(changed)


def relight(image: Image, brightness: np.ndarray, creases: np.ndarray, size: float, slopes: np.ndarray) -> Image:
    """Change the brightness of skin and deepen its own creases inside of wrinkles.

    Args:
        image: (h, w, 3) uint8 RGB.
        brightness: factor of each pixel, (h, w) float32.
        creases: how far they deepen, (h, w) in [0, 1].
        size: of the face, pixels.
        slopes: of R, G and B over the brightness, (3,); see `SkinModel.shadow_slopes`.

    Returns:
        (h, w, 3) uint8 RGB.
    """
    if cv2.norm(creases, cv2.NORM_INF) > MIN_WRINKLE_DEPTH:
        rows, columns = (np.flatnonzero(cv2.reduce(creases, axis, cv2.REDUCE_MAX).ravel()) for axis in (1, 0))
        part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        side = 2 * max(1, round(0.03 * size)) + 1
        around = tuple(slice(max(k.start - side, 0), k.stop + side) for k in part)
        inner = tuple(slice(k.start - a.start, k.stop - a.start) for k, a in zip(part, around, strict=True))
        gray = cv2.cvtColor(image[around], cv2.COLOR_RGB2GRAY)
        smooth = cv2.blur(cv2.blur(gray, (side, side)), (side, side))
        grain = 2 * round(0.006 * size) + 1
        detail = cv2.subtract(cv2.blur(gray, (grain, grain))[inner], smooth[inner], dtype=cv2.CV_32F)
        brightness = brightness.copy()
        brightness[part] += CREASE_GAIN * creases[part] * np.clip(detail, *DETAIL_RANGE) / np.maximum(gray[inner], 16)
    gain = cv2.transform(brightness, np.stack([slopes, 1 - slopes], 1).astype(np.float32))
    return cv2.multiply(image, gain, dtype=cv2.CV_8U)
