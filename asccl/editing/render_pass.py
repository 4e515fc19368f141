"""Render a planned edit: the second of two passes over a file, which decodes, renders, measures and encodes.

The frames that the first pass kept in memory are not decoded again.

Each of the four has a thread: encoding takes longest, and must not wait for a measurement.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np

from asccl.editing.models import Models
from asccl.editing.plan import EditPlan
from asccl.editing.report import StageTimer
from asccl.evaluation.edit_metrics import EditMetrics
from asccl.face.facemesh import FaceMesh, Window
from asccl.morphable.reconstruct import FittedClip
from asccl.progress import Progress
from asccl.renderers.base import FrameToRender, batch_size, render_batch
from asccl.types import EditRequest, Frame, LazyImage
from asccl.video import Limits, Reader, StillWriter, Writer, draw_badge
from asccl.video.kept_frames import KeptFrames
from asccl.video.threads import BackgroundWriter, prefetch

MAX_LIP_SAMPLE_RATE = 15  # Hz
NETWORK_SAMPLES = 16  # edited frames that the networks measure, about


def render_edit(
    request: EditRequest,
    plan: EditPlan,
    clip: FittedClip,
    kept: KeptFrames,
    writer: Writer | StillWriter,
    models: Models,
    limits: Limits,
    progress: Progress,
    clock: StageTimer,
) -> tuple[EditMetrics, dict[str, Any]]:
    """Render every frame of a clip by its plan, measure the edit, and write the frames.

    Args:
        request: names the source and says whether to draw the badge.
        plan: of the whole clip.
        clip: with the landmarks of the source.
        kept: its last frames, which are freed.
        writer: of the output.
        models: measure identity and emotion.
        limits: of the source.
        progress: reports the stage "render".
        clock: measures the stages.

    Returns:
        The metrics of the edited frames, and what the renderer noticed in them, see `RenderSession.report`.

    Raises:
        UnreadableError, LimitError: the source cannot be read.
        OutputError: the output cannot be written.
        CancelledError: by the user.
    """
    stride = max(1, round(float(clip.info.frame_rate) / MAX_LIP_SAMPLE_RATE))
    network_stride = max(1, round(len(clip.times) / stride / NETWORK_SAMPLES))
    metrics = EditMetrics(models.embedder.embed, models.expression.predict, network_stride)
    session = plan.start()

    def encode(item: tuple[Frame, LazyImage]) -> None:
        frame, edited = item
        with clock("encode"):
            writer.write(replace(frame, pixels=draw_badge(edited) if request.badge else edited))

    with (
        Reader(request.source, limits) as reader,
        BackgroundWriter(encode) as encoder,
        closing(_FrameMeter(metrics, clip, clock)) as measure,
        BackgroundWriter(measure) as meter,
        closing(_read_frames(reader, kept, len(clip.times))) as frames,
    ):
        while batch := list(islice(frames, batch_size(session))):
            first, last = batch[0].index, batch[-1].index
            landmarks = clip.landmarks.read(first, last + 1)
            sources = [FrameToRender(f.pixels, points, f.index) for f, points in zip(batch, landmarks, strict=True)]
            with clock("render"):
                edited = render_batch(session, sources)
            for frame, source, image in zip(batch, sources, edited, strict=True):
                encoder.put((frame, image))
                if image is not frame.pixels and frame.index % stride == 0:
                    meter.put((frame, image, source.landmarks))
            progress("render", (last + 1) / len(clip.times))
    return metrics, session.report()


def _read_frames(reader: Reader, kept: KeptFrames, count: int) -> Generator[Frame, None, None]:
    """Yield the `count` frames of a clip: those before the kept ones are decoded, in a thread of their own."""
    with closing(prefetch(islice(reader, count - len(kept)))) as decoded:
        yield from decoded
    yield from kept.release()


class _FrameMeter:
    """Adds edited frames to metrics, all in one thread; its landmark network loads beside the first frames."""

    def __init__(self, metrics: EditMetrics, clip: FittedClip, clock: StageTimer):
        self._metrics, self._clip, self._clock = metrics, clip, clock
        self._mesh: FaceMesh | None = None

    def __call__(self, item: tuple[Frame, LazyImage, np.ndarray]) -> None:
        """Add a frame. item: of the source, its edited image, and its landmarks, (478, 3) pixels."""
        frame, edited, landmarks = item
        with self._clock("read out"):
            if self._mesh is None:
                self._mesh = FaceMesh()
            edited_landmarks, _, _ = self._mesh.detect(edited, Window.around(landmarks))
            time = float(self._clip.times[frame.index])
            self._metrics.add(time, frame.pixels, edited, landmarks, edited_landmarks)

    def close(self) -> None:
        """Free the network."""
        if self._mesh is not None:
            self._mesh.close()
