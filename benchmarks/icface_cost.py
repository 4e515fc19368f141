"""Measure the cost of a frame with ICface on the CPU, beside the warp and NED, and the seam around its face.

    python -m benchmarks.icface_cost [--weights FILE] [--threads 1] [--frames 8] [--json FILE]

All renderers render the same frames of one clip, directed by one preset; networks but the small one of ICface have
random weights: the cost is the same as of trained ones. Times are processor times for a frame, medians, and their
ratios to that of the warp; for ICface also with a batch of frames at once. The published networks have 128 channels and
6 blocks at 128 pixels; the small ones are bundled, or those of --weights. The seam is the mean change of brightness
across the outline of the face, in levels of 255: in the source, in the edit, and where the generated face is pasted
without the correction of its tone.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from asccl.directors.base import Target
from asccl.directors.preset import PresetDirector
from asccl.editing.editor import Editor
from asccl.editing.icface_selection import BUNDLED
from asccl.editing.models import Models, load_models
from asccl.editing.preview import PreviewSession
from asccl.face import mesh
from asccl.face.crop import warp_crop
from asccl.nets.icface import Icface, IcfaceGenerator
from asccl.nets.icface_settings import IcfaceSettings
from asccl.nets.ned_renderer import NedGenerator, RendererSizes
from asccl.renderers.base import FrameToRender, Renderer, render_batch
from asccl.renderers.icface.compositing import paste_face, soft_face_mask
from asccl.renderers.icface.renderer import CPU_BATCH, IcfacePlan, IcfaceRenderer, draw_face
from asccl.renderers.neural.checkpoint import EMBEDDING_SIZE, RendererMetadata
from asccl.renderers.neural.renderer import NeuralRenderer
from asccl.types import Image, Motion, as_image
from asccl.video import Limits
from asccl.zoo import load_icface
from benchmarks.report import print_rows

CLIP = Path(__file__).parent.parent / "examples" / "rendered.mp4"
NED_SMALL, NED_SMALL_SIDE = RendererSizes(ngf=16, downsamplings=3, blocks=3, running=False), 128
NED_SIDE = 256
SEAM_WIDTH = 2.0  # pixels on either side of the outline


def random_ned(models: Models, sizes: RendererSizes, side: int) -> NeuralRenderer:
    """Build NED's renderer with random weights.

    Args:
        models: of the editor.
        sizes: of the network.
        side: of its images, pixels.
    """
    metadata = RendererMetadata.from_embeddings(sizes, side, np.ones((1, EMBEDDING_SIZE), np.float32))
    net = NedGenerator(sizes).freeze().to(memory_format=torch.channels_last)
    return NeuralRenderer(models.head, net, metadata)


def random_icface(settings: IcfaceSettings) -> Icface:
    """Build ICface's networks with random weights, as the zoo loads them."""
    return Icface(settings).freeze().to(memory_format=torch.channels_last)


def milliseconds(work: Callable[[], object]) -> tuple[float, float]:
    """Wall-clock and processor time of a call, ms."""
    clock, cpu = time.perf_counter(), time.process_time()
    work()
    return 1e3 * (time.perf_counter() - clock), 1e3 * (time.process_time() - cpu)


def measure(renderer: Renderer, motion: Motion, edited: Motion, frames: list[FrameToRender]) -> tuple[float, float]:
    """Median wall-clock and processor time of rendering one frame, ms.

    Args:
        renderer: of the person.
        motion: of the source.
        edited: of the edit.
        frames: to render; the first one warms up.
    """
    session = renderer.start(renderer.plan(motion, edited))
    times = [milliseconds(partial(session.render, *frame)) for frame in frames]
    return tuple(np.median(times[1:], axis=0))


def measure_batch(renderer: IcfaceRenderer, motion: Motion, edited: Motion, frames: list[FrameToRender]) -> float:
    """Measure the processor time of one frame in a batch of `CPU_BATCH`, ms.

    Args:
        renderer: of the face.
        motion: of the source.
        edited: of the edit.
        frames: to render.
    """
    session = renderer.start(renderer.plan(motion, edited))
    batch = frames[:CPU_BATCH]
    render_batch(session, batch[:1])
    return milliseconds(lambda: render_batch(session, batch))[1] / len(batch)


def seam_step(image: Image, landmarks: np.ndarray) -> float:
    """Mean change of brightness across the outline of a face, levels of 255.

    image: (H, W, 3) uint8. landmarks: (478, 3) pixels of the face in the source.
    """
    outline = cv2.convexHull(landmarks[list(mesh.FACE_OVAL), :2].astype(np.float32))[:, 0]
    centre = outline.mean(0)
    points = np.concatenate([outline + (np.roll(outline, -1, 0) - outline) * f for f in np.linspace(0, 1, 8)])
    outward = (points - centre) / np.linalg.norm(points - centre, axis=1, keepdims=True)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    inside, outside = (
        cv2.remap(grey, maps[:, :1], maps[:, 1:], cv2.INTER_LINEAR)
        for maps in ((points + side * SEAM_WIDTH * outward).astype(np.float32) for side in (-1, 1))
    )
    return float(np.abs(inside - outside).mean())


def paste_plainly(renderer: IcfaceRenderer, plan: IcfacePlan, frame: FrameToRender) -> Image:
    """Paste the generated face of a frame without correcting its tone.

    Args:
        renderer: of the face.
        plan: made by it.
        frame: to render.
    """
    matrix = plan.crop_matrices[frame.t]
    crop = warp_crop(frame.image, matrix, plan.side)
    (fields,) = renderer.generate(crop[None], plan.source[frame.t][None], plan.driving[frame.t][None])
    face, _, matrix = draw_face(frame.image, crop, fields, matrix)
    return paste_face(as_image(frame.image), face, soft_face_mask(frame.landmarks, matrix, len(face)), matrix)


def measure_seam(
    renderer: IcfaceRenderer, motion: Motion, edited: Motion, frames: list[FrameToRender]
) -> dict[str, float]:
    """Measure the seam in the source, in the edit, and without the correction of the tone.

    Args:
        renderer: of the face.
        motion: of the source.
        edited: of the edit.
        frames: to render.
    """
    plan = renderer.plan(motion, edited)
    session = renderer.start(plan)
    steps = [
        [
            seam_step(as_image(image), frame.landmarks)
            for image in (frame.image, session.render(*frame), paste_plainly(renderer, plan, frame))
        ]
        for frame in frames
    ]
    labels = ("seam in the source", "seam in the edit", "seam without correction of the tone")
    return dict(zip(labels, np.mean(steps, 0).tolist(), strict=True))


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default=BUNDLED, help="name or file of small networks of ICface")
    parser.add_argument("--clip", type=Path, default=CLIP)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--frames", type=int, default=8, help="at most 16")
    parser.add_argument("--json", type=Path, help="also append the JSON line to this file")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    models = load_models()
    person = Editor().faces(arguments.clip)[0]
    session = PreviewSession.open(arguments.clip, person, models, Limits())
    motion = session.frames.motion
    edited = PresetDirector(models.head)(motion, Target("happy"))
    pairs = zip(session.frames.images, session.frames.landmarks, strict=True)
    frames = [FrameToRender(image, points, t) for t, (image, points) in enumerate(pairs)][: arguments.frames]
    small = load_icface(arguments.weights)
    height, width = frames[0].image.shape[:2]
    published = sum(p.numel() for p in IcfaceGenerator().parameters()) / 1e6
    rows: dict[str, float | str] = {
        "clip": f"{arguments.clip.name}, {width} x {height}",
        "threads": float(arguments.threads),
        "published: million parameters of each network": published,
        "small: million parameters of each network": sum(p.numel() for p in small.animator.parameters()) / 1e6,
        "small: side, channels, blocks": f"{small.settings.size}, {small.settings.width}, {small.settings.blocks}",
    }
    icface = {
        "ICface, published size": IcfaceRenderer(random_icface(IcfaceSettings()), models.head.names),
        "ICface, small": IcfaceRenderer(small, models.head.names),
    }
    renderers: dict[str, Renderer[Any]] = {
        "warp": session.face.warp,
        "NED, published size": random_ned(models, RendererSizes(), NED_SIDE),
        "NED, small": random_ned(models, NED_SMALL, NED_SMALL_SIDE),
        **icface,
    }
    for label, renderer in renderers.items():
        clock, cpu = measure(renderer, motion, edited, frames)
        rows |= {f"{label}: ms": clock, f"{label}: CPU ms": cpu}
        rows[f"{label}: CPU time over the warp's"] = cpu / float(rows["warp: CPU ms"])
    for label, renderer in icface.items():
        rows[f"{label}: CPU ms in a batch of {CPU_BATCH}"] = measure_batch(renderer, motion, edited, frames)
    seams = measure_seam(icface["ICface, small"], motion, edited, frames)
    print_rows(
        "icface_cost", rows | {f"ICface, small: {label}": value for label, value in seams.items()}, arguments.json
    )


if __name__ == "__main__":
    main()
