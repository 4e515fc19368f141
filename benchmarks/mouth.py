"""Optimize an expression by gradient descent with and without ASCCL, and compare its mouth with the known truth.

A synthetic speaker says a word without emotion: the source. The truth is the same word with an emotion, which the
optimization never sees. Instead it sees, as in practice, the same speaker with that emotion and other words: the
surrogate. The 52 units of the face are optimized towards those of the surrogate, which transfers both its emotion and
its mouth. The image follows by a warp of the source. ASCCL between the source and the warped image should preserve the
mouth. Lips are compared with the truth at equal emotion: at the step where brows and lids have the same distance from
the truth.

    python -m benchmarks.mouth [--faces 48] [--steps 80] [--seed 1] [--share 1] [--json FILE]
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from scipy.interpolate import LinearNDInterpolator

from asccl import LossSettings, load_metric
from asccl.face.crop import CROP_SIZE
from asccl.face.mesh import BROWS, LEFT_EYE, LIPS, RIGHT_EYE, eye_distance
from asccl.metric.loss import asccl_loss
from asccl.metric.scc import Heads, SCCMetric
from asccl.morphable.anny_head import AnnyHead, load_anny_head
from asccl.synthetic.camera import Camera
from asccl.synthetic.emotions import apply_emotion, sample_style
from asccl.synthetic.head_renderer import HeadRenderer
from asccl.synthetic.person import SyntheticPerson
from asccl.synthetic.speech import talking_track
from asccl.types import EMOTIONS
from benchmarks.report import print_rows

LEARNING_RATE = 0.02
PROGRESS_LEVEL = 0.9  # share of the weakest variant's progress towards the emotion, at which variants are compared
BATCH = 8
UNITS = 52
UPPER_FACE = [*BROWS, *RIGHT_EYE, *LEFT_EYE]


@dataclass(frozen=True)
class FaceBatch:
    """B sources with their truth and surrogate; S is `CROP_SIZE`.

    Attributes:
        source: (B, 3, S, S) RGB in [-1, 1].
        units: units of the source, (B, 52).
        surrogate: units of the surrogate, (B, 52).
        landmarks: of the source, (B, 468, 2) pixels.
        truth: landmarks of the truth, (B, 468, 2) pixels.
        landmark_motion: pixels by which each unit moves the landmarks, (B, 52, 468, 2).
        pixel_motion: the same for every pixel, (B, 52, 2, S, S).
    """

    source: torch.Tensor
    units: torch.Tensor
    surrogate: torch.Tensor
    landmarks: torch.Tensor
    truth: torch.Tensor
    landmark_motion: torch.Tensor
    pixel_motion: torch.Tensor

    def warp(self, units: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Warp the source to other units (B, 52). Returns the image and its landmarks."""
        change = units - self.units
        motion = torch.einsum("bu,bukhw->bhwk", change, self.pixel_motion)
        y, x = torch.meshgrid(torch.arange(CROP_SIZE), torch.arange(CROP_SIZE), indexing="ij")
        grid = (torch.stack([x, y], -1) - motion) / (CROP_SIZE - 1) * 2 - 1
        image = F.grid_sample(self.source, grid, padding_mode="border", align_corners=True)
        return image, self.landmarks + torch.einsum("bu,bunk->bnk", change, self.landmark_motion)


class Errors(NamedTuple):
    """Distances from the truth after every step, (steps + 1, B), in percent of the eye distance."""

    upper_face: np.ndarray
    lips: np.ndarray


def sample_faces(seed: int, head: AnnyHead) -> FaceBatch:
    """Sample `BATCH` faces, with the six emotions in turn."""
    rng = np.random.default_rng((seed, 5))
    rows = [_sample_face(rng, EMOTIONS[1 + n % (len(EMOTIONS) - 1)], head) for n in range(BATCH)]
    return FaceBatch(*(torch.from_numpy(np.stack(column)).float() for column in zip(*rows, strict=True)))


def _sample_face(rng: np.random.Generator, emotion: str, head: AnnyHead) -> tuple[np.ndarray, ...]:
    """Sample one row of a `FaceBatch`."""
    renderer = HeadRenderer(SyntheticPerson.sample(rng, head), head, CROP_SIZE / 20)
    yaw, pitch, roll = rng.normal(0, (6, 4, 3))
    camera = Camera.from_angles(yaw, pitch, roll, 256)
    track = talking_track(rng, 60, head)[[20, 50]]  # two frames with different words
    emotional = apply_emotion(track, sample_style(rng, emotion, head), head)
    view = camera.arcface_view(renderer.landmarks(track[0], camera), CROP_SIZE)
    landmarks = renderer.landmarks(track[0], view)
    motion = np.stack([renderer.landmarks(track[0] + unit, view) - landmarks for unit in np.eye(UNITS)])
    image = renderer.render(track[0], view).transpose(2, 0, 1) / 127.5 - 1
    truth = renderer.landmarks(emotional[0], view)
    return image, track[0], emotional[1], landmarks, truth, motion, _interpolate(landmarks, motion)


def _interpolate(landmarks: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """Interpolate the motion of landmarks, (52, 468, 2), to all pixels, (52, 2, S, S); the border does not move."""
    edge = np.linspace(0, CROP_SIZE - 1, 12)
    border = np.array([(x, y) for x in edge for y in edge if x in (0, CROP_SIZE - 1) or y in (0, CROP_SIZE - 1)])
    values = np.concatenate([motion.transpose(1, 0, 2).reshape(len(landmarks), -1), np.zeros((len(border), 2 * UNITS))])
    grid = np.stack(np.meshgrid(np.arange(CROP_SIZE), np.arange(CROP_SIZE)), -1)
    field = LinearNDInterpolator(np.concatenate([landmarks, border]), values, 0.0)(grid)
    return field.reshape(CROP_SIZE, CROP_SIZE, UNITS, 2).transpose(2, 3, 0, 1)


def landmark_error(landmarks: torch.Tensor, truth: torch.Tensor, points: Sequence[int]) -> np.ndarray:
    """Compute the mean distance of some landmarks.

    Args:
        landmarks: (B, 468, 2).
        truth: (B, 468, 2).
        points: indices of the landmarks to compare.

    Returns:
        (B,) in percent of the eye distance.
    """
    distance = (landmarks[:, points] - truth[:, points]).norm(dim=-1).mean(-1)
    return 100 * distance.numpy() / eye_distance(truth.numpy())


def balancing_weight(faces: FaceBatch, metric: SCCMetric, loss: LossSettings) -> float:
    """Compute the weight with which ASCCL and the surrogate have gradients of the same norm half way to the surrogate.

    With it, variants whose losses have different scales are compared at the same strength.

    Args:
        faces: the faces.
        metric: the metric of the loss.
        loss: settings of the loss.

    Returns:
        The weight.
    """
    units = ((faces.units + faces.surrogate) / 2).requires_grad_()
    surrogate_gradient = torch.autograd.grad((units - faces.surrogate).square().sum(), units)[0]
    asccl = len(units) * asccl_loss(metric, faces.source, faces.warp(units)[0], loss)
    return float(surrogate_gradient.norm() / torch.autograd.grad(asccl, units)[0].norm())


def optimize(faces: FaceBatch, loss: LossSettings | None, share: float, heads: Heads, steps: int) -> Errors:
    """Optimize the units towards the surrogate.

    Args:
        faces: the faces.
        loss: settings of the ASCCL loss; None for none.
        share: share of `balancing_weight`.
        heads: heads of the metric.
        steps: steps of Adam.

    Returns:
        The errors after every step.
    """
    metric = load_metric(heads=heads)
    weight = 0.0 if loss is None else share * balancing_weight(faces, metric, loss)
    units, upper_face, lips = faces.units.clone().requires_grad_(), [], []
    optimizer = torch.optim.Adam([units], LEARNING_RATE)
    for _ in range(steps + 1):
        image, landmarks = faces.warp(units)
        upper_face.append(landmark_error(landmarks.detach(), faces.truth, UPPER_FACE))
        lips.append(landmark_error(landmarks.detach(), faces.truth, LIPS))
        total = (units - faces.surrogate).square().sum()
        if loss is not None:
            total = total + weight * len(image) * asccl_loss(metric, faces.source, image, loss)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    return Errors(np.array(upper_face), np.array(lips))


def compare_at_equal_emotion(runs: Mapping[str, Errors]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Compare lips at the first step where brows and lids of every variant have the same distance from the truth.

    runs: variant -> errors. Returns variant -> lip error (B,), and the share of the way to the emotion at that step
    (B,).
    """
    best = np.max([errors.upper_face.min(0) for errors in runs.values()], 0)
    start = next(iter(runs.values())).upper_face[0]
    level = start + PROGRESS_LEVEL * (best - start)
    lips = {}
    for name, errors in runs.items():
        first = (errors.upper_face <= level).argmax(0)
        lips[name] = errors.lips[first, np.arange(len(first))]
    return lips, 1 - level / start


def main() -> None:
    """Print the lip errors of all variants."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=48)
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--share", type=float, default=1.0, help="of the weight at which both gradients are equal")
    parser.add_argument("--json", type=Path, help="append the JSON line to this file, too")
    arguments = parser.parse_args()
    paper = LossSettings(samples=256)
    variants: dict[str, tuple[LossSettings | None, Heads]] = {
        "without": (None, "trained"),
        "ASCCL, no DAAS": (replace(paper, daas="off"), "trained"),
        "ASCCL": (paper, "trained"),
        "ASCCL, random mapping": (paper, "random"),
    }
    head = load_anny_head()
    lip_errors: dict[str, list[np.ndarray]] = {name: [] for name in variants}
    source_errors, progress = [], []
    for n in range(-(-arguments.faces // BATCH)):
        faces = sample_faces(arguments.seed * 1000 + n, head)
        source_errors.append(landmark_error(faces.landmarks, faces.truth, LIPS))
        runs = {
            name: optimize(faces, loss, arguments.share, heads, arguments.steps)
            for name, (loss, heads) in variants.items()
        }
        lips, batch_progress = compare_at_equal_emotion(runs)
        progress.append(batch_progress)
        for name, errors in lips.items():
            lip_errors[name].append(errors)
    errors_of = {name: np.concatenate(batches).astype(float) for name, batches in lip_errors.items()}
    baseline = errors_of["without"]
    rows: dict[str, float | str] = {"faces": float(len(baseline)), "share of the balancing weight": arguments.share}
    rows["progress towards the emotion"] = float(np.concatenate(progress).mean())
    rows["lips, source"] = float(np.concatenate(source_errors).mean())
    for name, errors in errors_of.items():
        rows[f"lips, {name}"] = float(errors.mean())
        if name != "without":
            rows[f"{name} / without"] = float(errors.mean() / baseline.mean())
            rows[f"share of faces better than without, {name}"] = float((errors < baseline).mean())
    print_rows("mouth", rows, arguments.json)


if __name__ == "__main__":
    main()
