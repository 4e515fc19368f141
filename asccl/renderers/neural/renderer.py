"""NED's second stage: a network that was taught one person paints the face as it should move.

It sees the condition images of three frames and its own last two pictures, so frames must come in order; it begins
anew after a gap and at a cut. Beside the edit it paints the source, so that `composite` knows what is the edit's.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from asccl.face.easing import smoothstep
from asccl.morphable.anny_head import AnnyHead
from asccl.nets.ned_renderer import INPUT_FRAMES, PREVIOUS_FRAMES, Generator
from asccl.renderers.neural.checkpoint import RendererMetadata
from asccl.renderers.neural.compositing import RenderedFace, composite
from asccl.renderers.neural.conditions import FaceSurface, Scene
from asccl.renderers.neural.gaze import GazeEstimator
from asccl.renderers.neural.lip_closure import LipClosureConstraint, lip_gap_cm
from asccl.types import Image, LazyImage, Motion, as_image

FADE = 0.5  # weight of an edit from which on the painted face shows fully
NOTICEABLE = 0.15  # change of a coefficient, in the liveliest frames of a clip, likewise


class NeuralRenderer:
    """Paints the face; see `Renderer`. net: frozen, on the device that it is to run on. card: of its checkpoint."""

    def __init__(self, head: AnnyHead, net: Generator, card: RendererMetadata):
        self._net, self._size = net, card.size
        self._surface = FaceSurface(head)
        self._gaze, self._lips = GazeEstimator(self._surface), LipClosureConstraint(self._surface)
        self._plan: _Plan | None = None
        self._context = _Context(net)

    def observe(self, image: Image, landmarks: np.ndarray) -> None:
        """The network has been taught the person; there is nothing to look for."""

    def plan(self, motion: Motion, new: Motion) -> None:
        scene = Scene.tracked(self._surface, motion, self._size)
        self._plan = _Plan(motion, new, scene, edit_opacity(motion, new))
        self._context.clear()

    def render(self, picture: LazyImage, landmarks: np.ndarray, t: int) -> LazyImage:
        assert self._plan is not None, "plan first"
        strength = float(self._plan.strength[t])
        if not np.isfinite(landmarks[0, 0]) or strength <= 0:
            self._context.clear()
            return picture
        return composite(as_image(picture), self.paint(landmarks, t), self.crop(t), strength)

    def crop(self, t: int) -> np.ndarray:
        """(2, 3) from the pixels of frame t to those of the square that is painted."""
        assert self._plan is not None, "plan first"
        return self._plan.scene.crops[t]

    def paint(self, landmarks: np.ndarray, t: int) -> RenderedFace:
        """The face of frame t alone, in its square."""
        assert self._plan is not None, "plan first"
        (motion, new, scene, _), surface = self._plan, self._surface
        view, crop, source = scene.views[t], scene.crops[t], motion.coefficients[t]
        looking = self._gaze(scene.rest, source, view, landmarks)
        before = surface.deform(scene.rest, looking)
        after = surface.deform(scene.rest, new.coefficients[t] + looking - source)
        gain = 1.0 if new.lip_gain is None else float(new.lip_gain[t])
        after = after + self._lips(
            before, after, gain, lip_gap_cm(landmarks, float(motion.scale[t]), motion.rotation[t])
        )
        seen, earlier = (surface.rasterize(vertices, view, crop, self._size) for vertices in (after, before))
        conditions = surface.condition_channels(after, seen, view, crop)
        as_it_is = surface.condition_channels(before, earlier, view, crop)
        face, source_face = self._context.draw(np.stack([conditions, as_it_is]), t, motion.shot)
        moved = np.zeros((self._size * self._size, 2), np.float32)
        moved[seen.pixel] = seen.interpolate(view.project(after)[0] - view.project(before)[0]).T
        moved = moved.reshape(self._size, self._size, 2)
        mask, mask_before = conditions[-1] > 0, as_it_is[-1] > 0
        shown = surface.visibility_mask(seen, earlier, (moved @ crop[:, :2].T).astype(np.float32)) & mask
        return RenderedFace(face, source_face, mask, mask_before, moved, shown)


class _Plan(NamedTuple):
    motion: Motion
    new: Motion
    scene: Scene
    strength: np.ndarray  # (T,)


class _Context:
    """The network with what it keeps from frame to frame, of several films of equal length at once."""

    def __init__(self, net: Generator):
        self._net = net
        self.clear()

    def clear(self) -> None:
        self._last: int | None = None
        self._conditions: list[torch.Tensor] = []
        self._pictures: list[torch.Tensor] = []

    def draw(self, conditions: np.ndarray, t: int, shot: np.ndarray | None) -> np.ndarray:
        """Conditions (B, 10, S, S) of frame t of each film -> (B, S, S, 3) uint8 RGB."""
        follows = self._last is not None and t == self._last + 1 and (shot is None or shot[t] == shot[self._last])
        if not follows:
            self.clear()
        device = next(self._net.parameters()).device
        here = torch.from_numpy(conditions).to(device)
        nothing = torch.full_like(here[:, :3], -1.0)
        seen = (self._conditions or [here] * (INPUT_FRAMES - 1)) + [here]  # before the first frame: as in it
        pictures = self._pictures or [nothing] * PREVIOUS_FRAMES
        with torch.inference_mode():
            made = self._net(torch.cat(seen, 1), torch.cat(pictures, 1))
        self._last, self._conditions, self._pictures = t, seen[1:], [*pictures[1:], made]
        levels = ((made.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        return levels.permute(0, 2, 3, 1).cpu().numpy()


def edit_opacity(motion: Motion, new: Motion) -> np.ndarray:
    """(T,) in [0, 1]: how much of the painted face shows. It fades in with the weight of the edit, and with what the
    edit does at all, so that a very small one is nearly the source."""
    change = np.abs(new.coefficients - motion.coefficients).max(1, initial=0.0)
    if new.lip_gain is not None:
        change = np.maximum(change, np.abs(new.lip_gain - 1))
    lively = float(np.quantile(change[motion.weight > 0], 0.9)) if (motion.weight > 0).any() else 0.0
    return smoothstep(motion.weight / FADE) * smoothstep(np.array(lively / NOTICEABLE))
