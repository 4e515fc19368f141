"""Measure the cost of a frame with NED's renderer, and the visibility of the seam around the generated face.

    python -m benchmarks.neural [--renderer FILE]

Without --renderer an untrained network generates the face: the cost is the same, the seam is harder to hide. Times are
processor times of one thread. The seam is the mean change of brightness, in levels of 255 for each pixel, across the
rim of the generated face: in the source, in the edit, and where the generated face replaces the source without
compositing.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch

from asccl import zoo
from asccl.directors.base import Target
from asccl.directors.manipulator import ManipulatorDirector
from asccl.editing.renderer_selection import read_renderer_metadata
from asccl.face.tracker import FaceMeshTracker
from asccl.morphable.anny_head import AnnyHead, load_anny_head
from asccl.morphable.fit import Fitter
from asccl.morphable.reconstruct import FittedClip, reconstruct
from asccl.nets.ned_renderer import INPUT_CHANNELS, INPUT_FRAMES, PREVIOUS_FRAMES, NedGenerator, RendererSizes
from asccl.progress import Progress
from asccl.renderers.neural.checkpoint import EMBEDDING_SIZE, RendererMetadata
from asccl.renderers.neural.compositing import RenderedFace, compose_layers, composite
from asccl.renderers.neural.conditions import Scene
from asccl.renderers.neural.face_surface import FaceSurface
from asccl.renderers.neural.gaze import GazeEstimator
from asccl.renderers.neural.renderer import NeuralRenderer
from asccl.types import Image
from asccl.video import Limits, Reader
from benchmarks.report import print_rows

CLIP = Path(__file__).parent.parent / "examples" / "rendered.mp4"
SIZES = (64, 128, 256)  # sides of the condition images, pixels
SMALL_SIZES = RendererSizes(ngf=16, downsamplings=3, blocks=3, running=False)  # of the preset cpu, for 128 pixels
SMALL_SIDE = 128  # pixels
REPEATS = 20
SEAM_STRIDE = 8  # frames


def median_milliseconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Median processor time of a call, ms."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return 1e3 * float(np.median(seconds))


def forward_pass(sizes: RendererSizes, side: int) -> Callable[[], object]:
    """One forward pass of an untrained generator on random images."""
    net = NedGenerator(sizes).freeze()
    conditions = torch.rand(1, INPUT_FRAMES * INPUT_CHANNELS, side, side)
    previous = torch.rand(1, PREVIOUS_FRAMES * 3, side, side)

    def run() -> None:
        with torch.inference_mode():
            net(conditions, previous)

    return run


def measure_costs(head: AnnyHead, clip: FittedClip) -> dict[str, float]:
    """Cost of the parts of a frame, rows of the report."""
    surface = FaceSurface(head)
    gaze, rows = GazeEstimator(surface), {}
    coefficients, landmarks = clip.motion.coefficients[0], clip.landmarks.read(0, 1)[0]
    for size in SIZES:
        scene = Scene.tracked(surface, clip.motion, size)
        rows[f"conditions, {size} px, ms"] = median_milliseconds(partial(scene.frame_channels, coefficients, 0))
    rows["gaze, ms"] = median_milliseconds(lambda: gaze(scene.rest, coefficients, scene.views[0], landmarks))
    for size in SIZES[:2]:
        rows[f"network of the preset cpu, {size} px, ms"] = median_milliseconds(forward_pass(SMALL_SIZES, size))
    rows["network of NED, 256 px, ms"] = median_milliseconds(forward_pass(RendererSizes(), 256), 2)
    return rows


def brightness_change(image: np.ndarray, alpha: np.ndarray, rim: np.ndarray) -> float:
    """Mean change of brightness along the gradient of an opacity.

    Args:
        image: (H, W, 3) RGB.
        alpha: opacity, (H, W).
        rim: pixels that count, (H, W) bool.

    Returns:
        Levels for each pixel.
    """
    brightness = cv2.cvtColor(np.float32(image), cv2.COLOR_RGB2GRAY)
    smooth = cv2.GaussianBlur(alpha, (0, 0), 2)
    nx, ny = np.gradient(smooth, axis=1), np.gradient(smooth, axis=0)
    length = np.maximum(np.hypot(nx, ny), 1e-9)
    change = (np.gradient(brightness, axis=1) * nx + np.gradient(brightness, axis=0) * ny) / length
    return float(np.abs(change[rim]).mean())


def measure_seam(image: Image, face: RenderedFace, crop_matrix: np.ndarray) -> tuple[float, float, float]:
    """Change of brightness across the rim of a generated face.

    Args:
        image: the source frame.
        face: generated for it.
        crop_matrix: from the pixels of the frame to those of the face's square, (2, 3).

    Returns:
        The change in the source, in the edit, and where the face replaces the source without compositing.
    """
    layers = compose_layers(image, face, crop_matrix)
    assert layers is not None
    shape = image.shape[1::-1]
    flags = cv2.WARP_INVERSE_MAP | cv2.INTER_CUBIC
    generated = cv2.warpAffine(face.generated, crop_matrix, shape, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    mask = cv2.warpAffine(np.float32(face.mask), crop_matrix, shape, flags=cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR)
    replaced = np.where(mask[..., None] > 0.5, generated, image)
    alpha = np.zeros(image.shape[:2], np.float32)
    alpha[layers.box.slices] = layers.alpha[..., 0]
    rim = (mask > 0.05) & (alpha < 0.95)
    source, edit, without = (
        brightness_change(x, mask, rim) for x in (image, composite(image, face, crop_matrix), replaced)
    )
    return source, edit, without


def measure_edit(
    clip: FittedClip, reader: Reader, renderer: NeuralRenderer, head: AnnyHead, emotion: str
) -> dict[str, float]:
    """Render every frame of an edit by the manipulator.

    Args:
        clip: fitted.
        reader: of its frames.
        renderer: to measure.
        head: that the clip was fitted with.
        emotion: of the edit.

    Returns:
        Rows of the report.
    """
    motion = replace(clip.motion, weight=np.ones_like(clip.motion.weight))
    plan = renderer.plan(motion, ManipulatorDirector(head, zoo.load_manipulator())(motion, Target(emotion)))
    session = renderer.start(plan)
    seams, composite_seconds, frame_seconds = [], [], []
    for frame in reader:
        t = frame.index
        if t >= len(clip.times):
            break
        landmarks = clip.landmarks.read(t, t + 1)[0]
        if not np.isfinite(landmarks[0, 0]):
            continue
        start = time.process_time()
        face = session.render_face(landmarks, t)
        middle = time.process_time()
        composite(frame.image, face, plan.scene.crop_matrices[t])
        composite_seconds.append(time.process_time() - middle)
        frame_seconds.append(time.process_time() - start)
        if t % SEAM_STRIDE == 0:
            seams.append(measure_seam(frame.image, face, plan.scene.crop_matrices[t]))
    source, edit, without = map(float, np.mean(seams, 0))
    return {
        "compositing, ms": 1e3 * float(np.median(composite_seconds)),
        "a whole frame, ms": 1e3 * float(np.median(frame_seconds)),
        "seam of the source, levels": source,
        "seam of the edit, levels": edit,
        "seam of the generated face without compositing, levels": without,
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, default=CLIP, help="default: examples/rendered.mp4")
    parser.add_argument("--renderer", type=Path, help="file of training/train_renderer.py for the clip's person")
    parser.add_argument("--emotion", default="happy")
    parser.add_argument("--json", type=Path, help="append the JSON line to this file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    head = load_anny_head()
    clip = reconstruct(arguments.clip, FaceMeshTracker(zoo.load_embedder().embed), Fitter(head), Progress(), Limits())
    if arguments.renderer is None:
        person = np.ones((1, EMBEDDING_SIZE), np.float32)
        net = NedGenerator(SMALL_SIZES).freeze()
        metadata = RendererMetadata.from_embeddings(SMALL_SIZES, SMALL_SIDE, person)
    else:
        net, metadata = zoo.load_renderer(arguments.renderer)[0], read_renderer_metadata(arguments.renderer)
    rows: dict[str, float | str] = {"renderer": arguments.renderer.name if arguments.renderer else "untrained"}
    rows |= measure_costs(head, clip)
    with clip, Reader(arguments.clip, Limits()) as reader:
        rows |= measure_edit(clip, reader, NeuralRenderer(head, net, metadata), head, arguments.emotion)
    print_rows("neural", rows, arguments.json)


if __name__ == "__main__":
    main()
