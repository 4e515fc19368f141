"""The second walk over a file: decode, render, look at the result, encode."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np

from asccl import zoo
from asccl.editing.report import StageTimer
from asccl.evaluation.edit_metrics import EditMetrics
from asccl.face.facemesh import FaceMesh, Window
from asccl.morphable.reconstruct import FittedClip
from asccl.renderers.base import Renderer
from asccl.types import EditRequest, Frame, LazyImage, Progress
from asccl.video import Limits, Reader, StillWriter, Writer, draw_badge
from asccl.video.threads import BackgroundWriter, prefetch

MAX_LIP_SAMPLE_RATE = 15  # at which the read-out follows the lips, at most
NETWORK_SAMPLES = 16  # edited frames that the networks read, about


def render_clip(
    request: EditRequest, clip: FittedClip, renderer: Renderer, writer: Writer | StillWriter, limits: Limits,
    progress: Progress, clock: StageTimer,
) -> EditMetrics:  # fmt: skip
    """Every frame of a clip through a renderer that has its plan, into a writer; what the read-out saw of it.

    Three threads: frames wait for each other, not the processor for a thread. Raises UnreadableError, LimitError,
    OutputError, CancelledError.
    """
    every = max(1, round(float(clip.info.frame_rate) / MAX_LIP_SAMPLE_RATE))
    readings = max(1, round(len(clip.times) / every / NETWORK_SAMPLES))
    readout = EditMetrics(zoo.load_embedder().embed, zoo.load_expression_net().predict, readings)
    mesh = FaceMesh()

    def finish(item: tuple[Frame, LazyImage, np.ndarray]) -> None:
        frame, edited, landmarks = item
        if edited is not frame.pixels and frame.index % every == 0:
            with clock("read out"):
                after, _, _ = mesh.detect(edited, Window.around(landmarks))
                readout.add(float(clip.times[frame.index]), frame.pixels, edited, landmarks, after)
        with clock("encode"):
            writer.write(replace(frame, pixels=draw_badge(edited) if request.badge else edited))

    try:
        with Reader(request.source, limits) as reader, BackgroundWriter(finish) as behind:
            for frame in prefetch(islice(reader, len(clip.times))):
                landmarks = clip.landmarks.read(frame.index, frame.index + 1)[0]
                with clock("render"):
                    edited = renderer.render(frame.pixels, landmarks, frame.index)
                behind.put((frame, edited, landmarks))
                progress("render", (frame.index + 1) / len(clip.times))
    finally:
        mesh.close()
    return readout
