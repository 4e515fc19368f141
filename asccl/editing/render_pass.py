"""The second walk over a file: decode, render, look at the result, encode."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np

from asccl import zoo
from asccl.editing.report import Clock
from asccl.evaluation.edit_metrics import Readout
from asccl.face.facemesh import FaceMesh, Window
from asccl.morphable.reconstruct import Clip
from asccl.renderers.base import Renderer
from asccl.types import EditRequest, Frame, Picture, Progress
from asccl.video import Limits, Reader, StillWriter, Writer, draw_badge
from asccl.video.threads import Behind, ahead

LOOKS_A_SECOND = 15  # at which the read-out follows the lips, at most
READINGS = 16  # edited frames that the networks read, about


def rewrite(
    request: EditRequest, clip: Clip, renderer: Renderer, writer: Writer | StillWriter, limits: Limits,
    progress: Progress, clock: Clock,
) -> Readout:  # fmt: skip
    """Every frame of a clip through a renderer that has its plan, into a writer; what the read-out saw of it.

    Three threads: frames wait for each other, not the processor for a thread. Raises UnreadableError, LimitError,
    OutputError, Cancelled.
    """
    every = max(1, round(float(clip.info.frame_rate) / LOOKS_A_SECOND))
    readings = max(1, round(len(clip.times) / every / READINGS))
    readout = Readout(zoo.load_embedder().embed, zoo.load_expression_net().read, readings)
    mesh = FaceMesh()

    def finish(item: tuple[Frame, Picture, np.ndarray]) -> None:
        frame, edited, landmarks = item
        if edited is not frame.picture and frame.index % every == 0:
            with clock("read out"):
                after, _, _ = mesh.look(edited, Window.around(landmarks))
                readout.add(float(clip.times[frame.index]), frame.picture, edited, landmarks, after)
        with clock("encode"):
            writer.write(replace(frame, picture=draw_badge(edited) if request.badge else edited))

    try:
        with Reader(request.source, limits) as reader, Behind(finish) as behind:
            for frame in ahead(islice(reader, len(clip.times))):
                landmarks = clip.landmarks.read(frame.index, frame.index + 1)[0]
                with clock("render"):
                    edited = renderer.render(frame.picture, landmarks, frame.index)
                behind.put((frame, edited, landmarks))
                progress("render", (frame.index + 1) / len(clip.times))
    finally:
        mesh.close()
    return readout
