"""Measure how sharp a face is after an edit by ICface, beside the same face in the source.

    python -m benchmarks.icface_sharpness [--weights FILE] [--frames 4] [--json FILE]

The detail of the eyes is the standard deviation of the Laplacian around them (`training.icface_eval.eye_detail`), that
of the face the same inside its outline. Both are measured in the frame: of the source, of the edit by the networks of
--weights, and of the edit by networks without a shift and without colours, which shows what the resampling alone costs.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

from asccl.directors.base import Target
from asccl.directors.preset import PresetDirector
from asccl.editing.editor import Editor
from asccl.editing.icface_selection import BUNDLED
from asccl.editing.models import load_models
from asccl.editing.preview import PreviewSession
from asccl.face import mesh
from asccl.nets.icface import Icface
from asccl.renderers.base import FrameToRender
from asccl.renderers.icface.renderer import IcfaceRenderer
from asccl.types import as_image
from asccl.video import Limits
from asccl.zoo import load_icface
from benchmarks.report import print_rows
from training.icface_eval import eye_detail

EXAMPLES = Path(__file__).parent.parent / "examples"
EDITS = (
    ("astronaut.jpg", "happy"),
    ("rendered.mp4", "surprised"),
    ("maya.mp4", "happy"),
    ("paul.mp4", "happy"),
)
NO_OPACITY = -1e3  # of colours, before the sigmoid
OUTLINE_SCALE = 0.9  # of the outline of the face around its centre, so that its border does not count


def unchanging_networks(net: Icface) -> Icface:
    """Return networks of the same settings, but with group normalization, that change nothing."""
    copy = Icface(replace(net.settings, norm="group", synthesis="warp")).freeze()
    for generator in (copy.neutralizer, copy.animator):
        nn.init.constant_(generator.model[-1].bias[3], NO_OPACITY)
    return copy


def face_detail(images: np.ndarray, landmarks: np.ndarray) -> float:
    """Standard deviation of the Laplacian inside the outline of a face, in levels of 255.

    images: (T, H, W, 3) uint8 RGB. landmarks: (T, 468 or more, 2) pixels.
    """
    values = []
    for image, points in zip(images, landmarks, strict=True):
        outline = points[list(mesh.FACE_OVAL)]
        outline = outline.mean(0) + OUTLINE_SCALE * (outline - outline.mean(0))
        inside = np.zeros(image.shape[:2], np.uint8)
        cv2.fillConvexPoly(inside, cv2.convexHull(np.rint(outline).astype(np.int32)), 1)
        values.append(cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.CV_32F)[inside > 0].std())
    return float(np.mean(values))


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default=BUNDLED, help="name or file of networks of ICface that warp")
    parser.add_argument("--frames", type=int, default=4, help="of a video, at most 16")
    parser.add_argument("--json", type=Path, help="also append the JSON line to this file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    models, net = load_models(), load_icface(arguments.weights)
    renderers = {
        "edit": IcfaceRenderer(net, models.head.names),
        "resampled": IcfaceRenderer(unchanging_networks(net), models.head.names),
    }
    rows: dict[str, float | str] = {"weights": arguments.weights}
    for name, emotion in EDITS:
        clip = EXAMPLES / name
        frames = PreviewSession.open(clip, Editor().faces(clip)[0], models, Limits()).frames
        edited = PresetDirector(models.head)(frames.motion, Target(emotion))
        sampled = range(len(frames.images))[: arguments.frames]
        images = {"source": np.stack([as_image(frames.images[t]) for t in sampled])}
        for label, renderer in renderers.items():
            session = renderer.start(renderer.plan(frames.motion, edited))
            rendered = [session.render(*FrameToRender(frames.images[t], frames.landmarks[t], t)) for t in sampled]
            images[label] = np.stack([as_image(image) for image in rendered])
        points = np.stack([frames.landmarks[t][:, :2] for t in sampled])
        rows[f"{name}, {emotion}: width of the face, pixels"] = float(np.ptp(points[..., 0], 1).mean())
        for label, values in images.items():
            rows[f"{name}, {emotion}: eyes, {label}"] = eye_detail(values, points)
            rows[f"{name}, {emotion}: face, {label}"] = face_detail(values, points)
    print_rows("icface_sharpness", rows, arguments.json)


if __name__ == "__main__":
    main()
