"""What a frame costs with NED's renderer, and whether its rim shows: `python -m benchmarks.neural [--renderer FILE]`.

Without --renderer a network that was taught nothing paints: the cost is the same, the rim is harder to hide. Times are
of the processor, one thread. The seam is the mean change of brightness, in levels of 255 for each pixel, across the rim
of the painted face: in the source, in the edit, and where the painted face is put into the frame as it is.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch

from asccl import zoo
from asccl.directors.base import Target
from asccl.directors.manipulator import ManipulatorDirector
from asccl.editing.renderer_selection import read_metadata
from asccl.face.tracker import FaceMeshTracker
from asccl.morphable.anny_head import AnnyHead, load_anny_head
from asccl.morphable.fit import Fitter
from asccl.morphable.reconstruct import FittedClip, reconstruct
from asccl.nets.ned_renderer import (
    INPUT_CHANNELS,
    INPUT_FRAMES,
    PREVIOUS_FRAMES,
    Generator,
    RendererSizes,
)
from asccl.renderers.neural.checkpoint import EMBEDDING_SIZE, RendererMetadata
from asccl.renderers.neural.compositing import RenderedFace, compose_layers, composite
from asccl.renderers.neural.conditions import Scene
from asccl.renderers.neural.face_surface import FaceSurface
from asccl.renderers.neural.gaze import GazeEstimator
from asccl.renderers.neural.renderer import NeuralRenderer
from asccl.types import Image, Progress
from asccl.video import Limits, Reader
from benchmarks.report import print_rows

CLIP = Path(__file__).parent.parent / "examples" / "rendered.mp4"
SIZES = (64, 128, 256)
SMALL = RendererSizes(ngf=16, downsamplings=3, blocks=3, running=False)  # as the preset cpu, for 128 pixels
REPEATS = 20


def spent(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Milliseconds of processor time, the median."""
    took = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        took.append(time.process_time() - start)
    return 1e3 * float(np.median(took))


def network(net: Generator, size: int) -> Callable[[], object]:
    conditions, previous = (
        torch.rand(1, INPUT_FRAMES * INPUT_CHANNELS, size, size),
        torch.rand(1, PREVIOUS_FRAMES * 3, size, size),
    )

    def run() -> None:
        with torch.inference_mode():
            net(conditions, previous)

    return run


def costs(head: AnnyHead, clip: FittedClip) -> dict[str, float]:
    surface = FaceSurface(head)
    gaze, told = GazeEstimator(surface), {}
    landmarks = clip.landmarks.read(0, 1)[0]
    for size in SIZES:
        scene = Scene.tracked(surface, clip.motion, size)
        w = clip.motion.coefficients[0]
        told[f"conditions, {size} px, ms"] = spent(lambda scene=scene, w=w: scene.frame_channels(w, 0))
    told["gaze, ms"] = spent(lambda: gaze(scene.rest, clip.motion.coefficients[0], scene.views[0], landmarks))
    for size in SIZES[:2]:
        told[f"network of the preset cpu, {size} px, ms"] = spent(network(Generator(SMALL).freeze(), size))
    told["network of NED, 256 px, ms"] = spent(network(Generator(RendererSizes()).freeze(), 256), 2)
    return told


def across(picture: np.ndarray, alpha: np.ndarray, rim: np.ndarray) -> float:
    """Mean change of brightness along the gradient of alpha (h, w), over the rim (h, w)."""
    light = cv2.cvtColor(np.float32(picture), cv2.COLOR_RGB2GRAY)
    smooth = cv2.GaussianBlur(alpha, (0, 0), 2)
    nx, ny = np.gradient(smooth, axis=1), np.gradient(smooth, axis=0)
    length = np.maximum(np.hypot(nx, ny), 1e-9)
    change = (np.gradient(light, axis=1) * nx + np.gradient(light, axis=0) * ny) / length
    return float(np.abs(change[rim]).mean())


def seam(image: Image, painted: RenderedFace, crop: np.ndarray) -> tuple[float, float, float]:
    """Of the source, of the edit, of the face put in as it is."""
    layers = compose_layers(image, painted, crop)
    assert layers is not None
    shape = image.shape[1::-1]
    back = cv2.WARP_INVERSE_MAP | cv2.INTER_CUBIC
    face = cv2.warpAffine(painted.generated, crop, shape, flags=back, borderMode=cv2.BORDER_REPLICATE)
    mask = cv2.warpAffine(np.float32(painted.mask), crop, shape, flags=cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR)
    bare = np.where(mask[..., None] > 0.5, face, image)
    alpha = np.zeros(image.shape[:2], np.float32)
    alpha[layers.box.slices] = layers.alpha[..., 0]
    rim = (mask > 0.05) & (alpha < 0.95)
    source, edit, put = (across(picture, mask, rim) for picture in (image, composite(image, painted, crop), bare))
    return source, edit, put


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, default=CLIP, help="default: examples/rendered.mp4")
    parser.add_argument("--renderer", type=Path, help="file of training/train_renderer.py; of the clip's person")
    parser.add_argument("--emotion", default="happy")
    parser.add_argument("--json", type=Path, help="append the JSON line to this file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    head = load_anny_head()
    clip = reconstruct(arguments.clip, FaceMeshTracker(zoo.load_embedder().embed), Fitter(head), Progress(), Limits())
    if arguments.renderer is None:
        net, card = (
            Generator(SMALL).freeze(),
            RendererMetadata.from_embeddings(SMALL, 128, np.ones((1, EMBEDDING_SIZE), np.float32)),
        )
    else:
        net, card = zoo.load_renderer(arguments.renderer)[0], read_metadata(arguments.renderer)
    rows: dict[str, float | str] = {"renderer": arguments.renderer.name if arguments.renderer else "untaught"}
    rows |= costs(head, clip)
    with clip, Reader(arguments.clip, Limits()) as reader:
        rows |= edit_of(clip, reader, NeuralRenderer(head, net, card), head, arguments.emotion)
    print_rows("neural", rows, arguments.json)


def edit_of(
    clip: FittedClip, reader: Reader, renderer: NeuralRenderer, head: AnnyHead, emotion: str
) -> dict[str, float]:
    motion = replace(clip.motion, weight=np.ones_like(clip.motion.weight))
    plan = renderer.plan(motion, ManipulatorDirector(head, zoo.load_manipulator())(motion, Target(emotion)))
    session = renderer.start(plan)
    seams, pasting, whole = [], [], []
    for frame in reader:
        t = frame.index
        if t >= len(clip.times):
            break
        landmarks = clip.landmarks.read(t, t + 1)[0]
        if not np.isfinite(landmarks[0, 0]):
            continue
        start = time.process_time()
        painted = session.render_face(landmarks, t)
        middle = time.process_time()
        crop = plan.scene.crops[t]
        composite(frame.image, painted, crop)
        pasting.append(time.process_time() - middle)
        whole.append(time.process_time() - start)
        if t % 8 == 0:
            seams.append(seam(frame.image, painted, crop))
    source, edit, put = np.mean(seams, 0)
    return {
        "pasting, ms": 1e3 * float(np.median(pasting)), "a whole frame, ms": 1e3 * float(np.median(whole)),
        "seam of the source, levels": float(source), "seam of the edit, levels": float(edit),
        "seam of the face put in as it is, levels": float(put),
    }  # fmt: skip


if __name__ == "__main__":
    main()
