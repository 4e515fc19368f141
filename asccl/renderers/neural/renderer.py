"""NED's renderer, stage 2: a network trained on one person generates the face from condition images.

The network reads the condition images of three frames and its own last two outputs, so frames must come in order; this
context is cleared after a gap and at a cut. Beside the edited face the network reconstructs the source's face, so that
`composite` can separate the changes of the edit from the network's own errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from asccl.face.easing import smoothstep
from asccl.morphable.anny_head import AnnyHead
from asccl.nets.ned_renderer import INPUT_FRAMES, PREVIOUS_FRAMES, NedGenerator
from asccl.renderers.neural.checkpoint import RendererMetadata
from asccl.renderers.neural.compositing import RenderedFace, composite
from asccl.renderers.neural.conditions import Scene
from asccl.renderers.neural.face_surface import FaceSurface
from asccl.renderers.neural.gaze import GazeEstimator
from asccl.renderers.neural.lip_closure import LipClosureConstraint, lip_gap_cm
from asccl.renderers.warp.lips import lip_closing_share
from asccl.types import LazyImage, Motion, as_image

FULL_OPACITY_WEIGHT = 0.5  # weight of an edit from which the generated face covers the source fully
FULL_OPACITY_CHANGE = 0.15  # likewise the change of a coefficient, 90th percentile over the frames of a clip


@dataclass(frozen=True)
class NeuralPlan:
    """What the neural renderer needs of a clip.

    Attributes:
        motion: of the source, T frames.
        edited: of the edit, T frames.
        scene: the person at rest, cameras and crop_matrix matrices of T frames.
        opacity: of the generated face, (T,) in [0, 1].
    """

    motion: Motion
    edited: Motion
    scene: Scene
    opacity: np.ndarray


class NeuralRenderer:
    """Generates one person's face; see `Renderer`.

    Args:
        head: that the condition images show.
        net: trained on the person, frozen, on the device that it is to run on.
        metadata: of its checkpoint.
    """

    def __init__(self, head: AnnyHead, net: NedGenerator, metadata: RendererMetadata):
        self.net, self.size = net, metadata.size
        self.surface = FaceSurface(head)
        self._gaze, self._lips = GazeEstimator(self.surface), LipClosureConstraint(self.surface)

    def plan(self, motion: Motion, edited: Motion) -> NeuralPlan:
        """See `Renderer.plan`."""
        return NeuralPlan(motion, edited, Scene.tracked(self.surface, motion, self.size), edit_opacity(motion, edited))

    def start(self, plan: NeuralPlan) -> NeuralSession:
        """See `Renderer.start`."""
        return NeuralSession(self, plan)

    def vertices(self, plan: NeuralPlan, landmarks: np.ndarray, t: int) -> tuple[np.ndarray, np.ndarray]:
        """Shape the face of one frame before and after the edit.

        Args:
            plan: made by `plan`.
            landmarks: of frame t of the source, (478, 3) pixels; they give the gaze and the opening of the lips.
            t: index of the frame.

        Returns:
            Vertices of the source's and of the edited face, (V, 3) cm each.
        """
        motion, edited, scene = plan.motion, plan.edited, plan.scene
        coefficients = motion.coefficients[t]
        with_gaze = self._gaze(scene.rest, coefficients, scene.views[t], landmarks)
        before = self.surface.deform(scene.rest, with_gaze)
        after = self.surface.deform(scene.rest, edited.coefficients[t] + with_gaze - coefficients)
        lip_gain = 1.0 if edited.lip_gain is None else float(edited.lip_gain[t])
        lip_gap = lip_gap_cm(landmarks, float(motion.scale[t]), motion.rotation[t])
        if edited.lip_closing is not None:
            lip_gain *= 1 - lip_closing_share(lip_gap, float(edited.lip_closing[t]))
        return before, after + self._lips(before, after, lip_gain, lip_gap)


class NeuralSession:
    """Renders the frames of one plan in order; see `RenderSession`. Holds the network's recurrent context."""

    def __init__(self, renderer: NeuralRenderer, plan: NeuralPlan):
        self._renderer, self._plan = renderer, plan
        self._context = _RecurrentContext(renderer.net)

    def render(self, image: LazyImage, landmarks: np.ndarray, t: int) -> LazyImage:
        """Render one frame; see `RenderSession.render`.

        Args:
            image: frame t of the source.
            landmarks: of its face, (478, 3) pixels; NaN where there is none.
            t: index of the frame in the plan.

        Returns:
            Frame t of the edit; the same object where nothing changes.
        """
        opacity = float(self._plan.opacity[t])
        if not np.isfinite(landmarks[0, 0]) or opacity <= 0:
            self._context.clear()
            return image
        return composite(as_image(image), self.render_face(landmarks, t), self._plan.scene.crop_matrices[t], opacity)

    def report(self) -> dict[str, Any]:
        """See `RenderSession.report`."""
        return {}

    def render_face(self, landmarks: np.ndarray, t: int) -> RenderedFace:
        """Generate the face of frame t within its square, `scene.crop_matrices[t]`."""
        surface, scene, size = self._renderer.surface, self._plan.scene, self._renderer.size
        view, crop_matrix = scene.views[t], scene.crop_matrices[t]
        before, after = self._renderer.vertices(self._plan, landmarks, t)
        edited, source = (surface.rasterize(vertices, view, crop_matrix, size) for vertices in (after, before))
        edited_conditions = surface.condition_channels(after, edited, view, crop_matrix)
        source_conditions = surface.condition_channels(before, source, view, crop_matrix)
        conditions = np.stack([edited_conditions, source_conditions])
        face, reconstruction = self._context.generate(conditions, t, self._plan.motion.shot)
        displacement = np.zeros((size * size, 2), np.float32)
        displacement[edited.pixel] = edited.interpolate(view.project(after)[0] - view.project(before)[0]).T
        displacement = displacement.reshape(size, size, 2)
        mask, source_mask = edited_conditions[-1] > 0, source_conditions[-1] > 0
        square_displacement = (displacement @ crop_matrix[:, :2].T).astype(np.float32)
        visible = surface.visibility_mask(edited, source, square_displacement) & mask
        return RenderedFace(face, reconstruction, mask, source_mask, displacement, visible)


class _RecurrentContext:
    """The network with what it carries from frame to frame, for several sequences of equal length at once."""

    def __init__(self, net: NedGenerator):
        self._net = net
        self.clear()

    def clear(self) -> None:
        """Forget all frames."""
        self._last: int | None = None
        self._conditions: list[torch.Tensor] = []
        self._outputs: list[torch.Tensor] = []

    def generate(self, conditions: np.ndarray, t: int, shot: np.ndarray | None) -> np.ndarray:
        """Conditions (B, 10, S, S) of frame t of each sequence -> faces (B, S, S, 3) uint8 RGB."""
        follows = self._last is not None and t == self._last + 1 and (shot is None or shot[t] == shot[self._last])
        if not follows:
            self.clear()
        device = next(self._net.parameters()).device
        current = torch.from_numpy(conditions).to(device)
        blank = torch.full_like(current[:, :3], -1.0)
        inputs = (self._conditions or [current] * (INPUT_FRAMES - 1)) + [
            current
        ]  # the first frame stands for those before
        outputs = self._outputs or [blank] * PREVIOUS_FRAMES
        with torch.inference_mode():
            generated = self._net(torch.cat(inputs, 1), torch.cat(outputs, 1))
        self._last, self._conditions, self._outputs = t, inputs[1:], [*outputs[1:], generated]
        levels = ((generated.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        return levels.permute(0, 2, 3, 1).cpu().numpy()


def edit_opacity(motion: Motion, edited: Motion) -> np.ndarray:
    """Opacity of the generated face, (T,) in [0, 1].

    It grows with the weight of each frame, and with how much the edit changes in the clip at all, so that the result of
    a very weak edit is nearly the source.
    """
    change = np.abs(edited.coefficients - motion.coefficients).max(1, initial=0.0)
    if edited.lip_gain is not None:
        change = np.maximum(change, np.abs(edited.lip_gain - 1))
    if edited.lip_closing is not None:
        change = np.maximum(change, edited.lip_closing)
    editable = motion.weight > 0
    clip_change = float(np.quantile(change[editable], 0.9)) if editable.any() else 0.0
    return smoothstep(motion.weight / FULL_OPACITY_WEIGHT) * smoothstep(np.array(clip_change / FULL_OPACITY_CHANGE))
