"""Render an edit by ICface: neutralize the face of each frame, animate it with the control values of the edit, paste.

The networks know no person and carry nothing from frame to frame, so that frames are generated in batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from asccl.face.crop import warp_crop
from asccl.nets.icface import Icface
from asccl.nets.icface_synthesis import ImageChange
from asccl.renderers.base import FrameToRender
from asccl.renderers.icface import controls
from asccl.renderers.icface.compositing import match_outline, paste_face, soft_face_mask
from asccl.renderers.icface.controls import MeasuredControls
from asccl.renderers.icface.crop import face_crop_matrices
from asccl.renderers.icface.frame_change import FIELDS, apply_change, between_squares, pixel_square
from asccl.renderers.neural.renderer import edit_opacity
from asccl.renderers.warp.lips import lip_closing_share
from asccl.types import Image, LazyImage, Motion, as_image

CPU_BATCH, ACCELERATOR_BATCH = 4, 16  # frames that are generated at once
MAX_SIDE = 512  # pixels of the square that networks read, and reduce to their size


@dataclass(frozen=True)
class IcfacePlan:
    """What ICface needs of a clip.

    Attributes:
        motion: of the source, T frames.
        edited: of the edit, T frames.
        side: of the square around the face that the networks read, pixels: their size, or a multiple.
        crop_matrices: similarities from the frames to that square, (T, 2, 3).
        source: control values of the source, (T, 20); AU 25 is measured when a frame is rendered.
        driving: control values of the edit, (T, 20); likewise.
        opacity: of the generated face, (T,) in [0, 1].
    """

    motion: Motion
    edited: Motion
    side: int
    crop_matrices: np.ndarray
    source: np.ndarray
    driving: np.ndarray
    opacity: np.ndarray


class IcfaceRenderer:
    """Generates anybody's face by ICface; see `Renderer`.

    Args:
        net: frozen, on the device that it is to run on.
        names: of the 52 units.
        measured: control values of the source by another program; None computes them from the motion.
    """

    def __init__(self, net: Icface, names: tuple[str, ...], measured: MeasuredControls | None = None):
        self.net, self.names, self.measured = net, names, measured

    def plan(self, motion: Motion, edited: Motion) -> IcfacePlan:
        """See `Renderer.plan`."""
        limit = self.net.settings.pose_limit
        source = controls.motion_controls(motion, self.names, 0.0, limit)
        directed = controls.motion_controls(edited, self.names, 0.0, limit)
        measured = self.measured or MeasuredControls(source, controls.person_offsets(source, motion.weight))
        change = controls.speech_preserving_change(directed - source, motion.weight)
        driving = np.clip(measured.values - measured.offsets + change, 0, 1)
        side = self._square_side(motion)
        matrices = face_crop_matrices(motion, side)
        return IcfacePlan(motion, edited, side, matrices, measured.values, driving, edit_opacity(motion, edited))

    def _square_side(self, motion: Motion) -> int:
        """Choose the side of the square: networks that change their image reduce one as large as in the frame."""
        size = self.net.settings.size
        if self.net.settings.synthesis == "colours" or len(motion) == 0:
            return size
        in_frame = 1 / np.hypot(*face_crop_matrices(motion, 1)[:, :, 0].T).min()
        return size * int(np.clip(np.ceil(in_frame / size), 1, max(MAX_SIDE // size, 1)))

    def start(self, plan: IcfacePlan) -> IcfaceSession:
        """See `Renderer.start`."""
        return IcfaceSession(self, plan)

    def generate(self, crops: np.ndarray, source: np.ndarray, driving: np.ndarray) -> list[np.ndarray]:
        """Generate faces, or say what changes in them.

        Args:
            crops: squares of the source, (B, S, S, 3) uint8 RGB.
            source: control values of the source, (B, 20) in [0, 1].
            driving: control values of the edit, (B, 20) in [0, 1].

        Returns:
            Of each face its colours, (S, S, 3) float32 in 0 to 255; of networks that change their image, the fields of
            `apply_change`.
        """
        device = next(self.net.parameters()).device
        images = torch.from_numpy(crops).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1
        values = [torch.from_numpy(rows.astype(np.float32)).to(device) for rows in (source, driving)]
        with torch.inference_mode():
            settings = self.net.settings
            changes = self.net.predict_change if settings.synthesis == "colours" else self.net.predict_symmetric_change
            fields = change_fields(changes(images, *values))
        return list(fields.permute(0, 2, 3, 1).contiguous().cpu().numpy())


def draw_face(
    image: LazyImage, crop: Image, fields: np.ndarray, crop_matrix: np.ndarray
) -> tuple[np.ndarray, Image, np.ndarray]:
    """Draw a face that `IcfaceRenderer.generate` returned: colours as they are, a change in the pixels of the frame.

    Args:
        image: the frame.
        crop: the square that the networks read, (S, S, 3) uint8 RGB.
        fields: what `generate` returned for it.
        crop_matrix: similarity from the frame to that square, (2, 3).

    Returns:
        The face, (N, N, 3) float32 in 0 to 255, the same square of the source, uint8, and the similarity from the frame
        to that square.
    """
    if fields.shape[-1] != FIELDS:
        return fields, crop, crop_matrix
    square, side = pixel_square(crop_matrix, len(crop))
    pixels = warp_crop(image, square, side)
    changed = apply_change(pixels, fields, between_squares(crop_matrix, len(crop), square, len(fields)))
    return changed, pixels, square


def change_fields(change: ImageChange) -> torch.Tensor:
    """Stack the parts of a change, as `apply_change` reads them: (B, 6, S, S), or (B, 3, S, S) for colours alone."""
    colours = ((change.colours.float() + 1) * 127.5).clamp(0, 255)
    if change.opacity is None:
        return colours
    opacity = change.opacity.float()
    shift = torch.zeros_like(opacity).repeat(1, 2, 1, 1) if change.shift is None else change.shift.float()
    return torch.cat([shift, opacity, colours], 1)


@dataclass
class IcfaceSession:
    """Renders the frames of one plan; see `RenderSession` and `BatchSession`.

    Attributes:
        renderer: that made the plan.
        plan: of the clip.
        batch_size: number of frames to render at once.
    """

    renderer: IcfaceRenderer
    plan: IcfacePlan
    batch_size: int = field(init=False)

    def __post_init__(self) -> None:
        on_cpu = next(self.renderer.net.parameters()).device.type == "cpu"
        self.batch_size = CPU_BATCH if on_cpu else ACCELERATOR_BATCH

    def render(self, image: LazyImage, landmarks: np.ndarray, t: int) -> LazyImage:
        """Render one frame; see `RenderSession.render`.

        Args:
            image: frame t of the source.
            landmarks: of its face, (478, 3) pixels; NaN where there is none.
            t: index of the frame in the plan.

        Returns:
            Frame t of the edit; the same object where nothing changes.
        """
        return self.render_batch([FrameToRender(image, landmarks, t)])[0]

    def render_batch(self, frames: Sequence[FrameToRender]) -> list[LazyImage]:
        """Render several frames; see `BatchSession.render_batch`."""
        edited = [frame.image for frame in frames]
        changed = [i for i, frame in enumerate(frames) if self._is_edited(frame)]
        if not changed:
            return edited
        plan = self.plan
        crops = np.stack([warp_crop(frames[i].image, plan.crop_matrices[frames[i].t], plan.side) for i in changed])
        source, driving = (np.stack(rows) for rows in zip(*(self._controls(frames[i]) for i in changed), strict=True))
        generated = self.renderer.generate(crops, source, driving)
        for i, crop, fields in zip(changed, crops, generated, strict=True):
            edited[i] = self._paste(frames[i], crop, fields)
        return edited

    def report(self) -> dict[str, Any]:
        """See `RenderSession.report`."""
        return {}

    def _is_edited(self, frame: FrameToRender) -> bool:
        return bool(np.isfinite(frame.landmarks[0, 0]) and self.plan.opacity[frame.t] > 0)

    def _controls(self, frame: FrameToRender) -> tuple[np.ndarray, np.ndarray]:
        """Control values of the source and of the edit, (20,) each."""
        plan, t = self.plan, frame.t
        source, driving = plan.source[t].copy(), plan.driving[t].copy()
        lips = controls.control_index((controls.LIPS_PART,))
        if self.renderer.measured is None:
            gap = controls.middle_lip_gap(frame.landmarks, float(plan.motion.scale[t]), plan.motion.rotation[t])
            source[lips] = driving[lips] = controls.lips_part(np.array(gap))
        driving[lips] *= self._lip_gain(driving[lips] * controls.FULL_LIP_GAP, t)
        if plan.edited.lip_parting is not None:
            driving[lips] += controls.lips_part(plan.edited.lip_parting[t])
        return source, np.clip(driving, 0, 1)

    def _lip_gain(self, gap_cm: np.ndarray, t: int) -> float:
        """Lip opening of the edit over that of the source; closed lips stay closed."""
        edited = self.plan.edited
        gain = 1.0 if edited.lip_gain is None else float(edited.lip_gain[t])
        if edited.lip_closing is not None:
            gain *= 1 - lip_closing_share(np.repeat(gap_cm, 9), float(edited.lip_closing[t]))
        return gain

    def _paste(self, frame: FrameToRender, crop: Image, fields: np.ndarray) -> Image:
        matrix = self.plan.crop_matrices[frame.t]
        face, pixels, matrix = draw_face(frame.image, crop, fields, matrix)
        mask = soft_face_mask(frame.landmarks, matrix, len(face))
        toned = match_outline(face, pixels, mask)
        return paste_face(as_image(frame.image), toned, mask * np.float32(self.plan.opacity[frame.t]), matrix)
