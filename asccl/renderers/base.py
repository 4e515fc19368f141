"""Renderers decide how the edited face looks: source frames and two motions in, edited frames out.

A renderer belongs to one person: it is made from measurements of that person's frames (`WarpObserver`) or from a
network trained on the person (`NeuralRenderer`). It does not change after it is made, so threads may share it:

    plan = renderer.plan(motion, edited)             # immutable, for a whole clip
    session = renderer.start(plan)                   # what a renderer carries from frame to frame
    image = session.render(frame, landmarks, t)      # in the order of the frames
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

import numpy as np

from asccl.types import LazyImage, Motion

RenderPlan = TypeVar("RenderPlan")  # of one kind of renderer; immutable


class RenderSession(Protocol):
    """Renders the frames of one plan. Sessions do not influence each other; threads must not share one."""

    def render(self, image: LazyImage, landmarks: np.ndarray, t: int) -> LazyImage:
        """Render one frame of the edit.

        Frames should come in order: a renderer with recurrent context clears it after a gap.

        Args:
            image: frame t of the source, (H, W, 3) uint8 RGB.
            landmarks: of the source's face in this frame, (478, 3) pixels; NaN where there is no face.
            t: index of the frame in the motions of the plan.

        Returns:
            Frame t of the edit, of the same size; `image` itself, the same object, where nothing changes. An array
            gives an array.
        """
        ...

    def report(self) -> dict[str, Any]:
        """What the renderer noticed in the frames so far, JSON-able; empty for a renderer that notices nothing.

        Keys: "covered_frames", the number of edited frames in which something lay before the face, and "glasses", one
        of "none", "clear" and "dark".
        """
        ...


class FrameToRender(NamedTuple):
    """The arguments of `RenderSession.render`.

    Attributes:
        image: frame t of the source, (H, W, 3) uint8 RGB.
        landmarks: of the source's face in this frame, (478, 3) pixels; NaN where there is no face.
        t: index of the frame in the motions of the plan.
    """

    image: LazyImage
    landmarks: np.ndarray
    t: int


@runtime_checkable
class BatchSession(RenderSession, Protocol):
    """A session whose network renders several frames at once faster than one after the other.

    Attributes:
        batch_size: number of frames to render at once.
    """

    batch_size: int

    def render_batch(self, frames: Sequence[FrameToRender]) -> list[LazyImage]:
        """Render several frames in order; see `render`."""
        ...


def batch_size(session: RenderSession) -> int:
    """Return the number of frames that a session renders at once."""
    return session.batch_size if isinstance(session, BatchSession) else 1


def render_batch(session: RenderSession, frames: Sequence[FrameToRender]) -> list[LazyImage]:
    """Render up to `batch_size` frames in their order, see `RenderSession.render`."""
    if isinstance(session, BatchSession):
        return session.render_batch(frames)
    return [session.render(*frame) for frame in frames]


class Renderer(Protocol[RenderPlan]):
    """Renders the edits of one person. Immutable: it keeps no plan and no frame."""

    def plan(self, motion: Motion, edited: Motion) -> RenderPlan:
        """Prepare the rendering of a clip.

        Args:
            motion: of the source, T frames.
            edited: what a director made of it, T frames.

        Returns:
            An immutable plan, to be given to `start` of the same renderer any number of times.
        """
        ...

    def start(self, plan: RenderPlan) -> RenderSession:
        """Start rendering the frames of a plan of this renderer."""
        ...
