"""What the loss is for: change an expression by gradient descent, with and without ASCCL, where the truth is known.

A made-up speaker says a word without emotion: the source. The truth is the same word with an emotion, and nobody shows
it. What there is, as in the field, is the same speaker with that emotion and other words: the surrogate. The 52 units
of the face are optimised towards the surrogate's, which brings its emotion and its mouth as well. The picture follows
by a warp of the source. ASCCL between source and warped picture is to keep the mouth. Lips are compared with the truth
at equal emotion: at the step where brows and lids have come equally near to theirs.

    python -m benchmarks.mouth [--faces 48] [--steps 80] [--seed 1] [--share 1] [--json FILE]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from scipy.interpolate import LinearNDInterpolator

from asccl import LossSettings, load_metric
from asccl.face.crop import CROP_SIZE
from asccl.face.mesh import BROWS, LEFT_EYE, LIPS, RIGHT_EYE, eye_distance
from asccl.metric.loss import asccl_loss
from asccl.metric.scc import SCCMetric
from asccl.morphable.anny_head import AnnyHead, load_anny_head
from asccl.synthetic.datasets import talking_track
from asccl.synthetic.head_renderer import Camera, HeadRenderer
from asccl.synthetic.person import SyntheticPerson
from asccl.synthetic.speech import apply_emotion, sample_style
from asccl.types import EMOTIONS
from benchmarks.report import print_rows

RATE = 0.02  # of the optimiser
REACHED = 0.9  # share of what the weakest variant reached, at which all are compared
BATCH = 8
UPPER_FACE = [*BROWS, *RIGHT_EYE, *LEFT_EYE]


@dataclass(frozen=True)
class Faces:
    """B sources, and what can become of them.

    picture: (B, 3, S, S) in [-1, 1]. units, surrogate: (B, 52), where they are and where they are drawn to.
    landmarks, truth: (B, 468, 2) pixels. moves: (B, 52, 468, 2) pixels a unit moves them by.
    fields: (B, 52, 2, S, S) the same for every pixel.
    """

    picture: torch.Tensor
    units: torch.Tensor
    surrogate: torch.Tensor
    landmarks: torch.Tensor
    truth: torch.Tensor
    moves: torch.Tensor
    fields: torch.Tensor

    def at(self, units: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The picture and the landmarks of other units (B, 52)."""
        change = units - self.units
        field = torch.einsum("bu,bukhw->bhwk", change, self.fields)
        y, x = torch.meshgrid(torch.arange(CROP_SIZE), torch.arange(CROP_SIZE), indexing="ij")
        there = torch.stack([x, y], -1) - field
        picture = F.grid_sample(
            self.picture, there / (CROP_SIZE - 1) * 2 - 1, padding_mode="border", align_corners=True
        )
        return picture, self.landmarks + torch.einsum("bu,bunk->bnk", change, self.moves)


def draw(seed: int, head: AnnyHead) -> Faces:
    """`BATCH` of them, the six emotions in turn."""
    rng = np.random.default_rng((seed, 5))
    rows = [_face(rng, EMOTIONS[1 + n % (len(EMOTIONS) - 1)], head) for n in range(BATCH)]
    return Faces(*(torch.from_numpy(np.stack(column)).float() for column in zip(*rows, strict=True)))


def _face(rng: np.random.Generator, emotion: str, head: AnnyHead) -> tuple[np.ndarray, ...]:
    sitting = HeadRenderer(SyntheticPerson.sample(rng, head), head, CROP_SIZE / 20)
    camera = Camera.from_angles(*rng.normal(0, (6, 4, 3)), 256)
    track = talking_track(rng, 60, head)[[20, 50]]
    emotional = apply_emotion(track, sample_style(rng, emotion, head), head)
    view = camera.arcface_view(sitting.landmarks(track[0], camera), CROP_SIZE)
    landmarks = sitting.landmarks(track[0], view)
    moves = np.stack([sitting.landmarks(track[0] + unit, view) - landmarks for unit in np.eye(52)])
    edge = np.linspace(0, CROP_SIZE - 1, 12)
    frame = np.array([(x, y) for x in edge for y in edge if x in (0, CROP_SIZE - 1) or y in (0, CROP_SIZE - 1)])
    values = np.concatenate([moves.transpose(1, 0, 2).reshape(len(landmarks), -1), np.zeros((len(frame), 104))])
    grid = np.stack(np.meshgrid(np.arange(CROP_SIZE), np.arange(CROP_SIZE)), -1)
    fields = LinearNDInterpolator(np.concatenate([landmarks, frame]), values, 0.0)(grid)
    fields = fields.reshape(CROP_SIZE, CROP_SIZE, 52, 2).transpose(2, 3, 0, 1)
    picture = sitting.render(track[0], view).transpose(2, 0, 1) / 127.5 - 1
    return picture, track[0], emotional[1], landmarks, sitting.landmarks(emotional[0], view), moves, fields


def off(landmarks: torch.Tensor, truth: torch.Tensor, points: Sequence[int]) -> np.ndarray:
    """(B,) mean distance of some points, in percent of the eye distance."""
    distance = (landmarks[:, points] - truth[:, points]).norm(dim=-1).mean(-1)
    return 100 * distance.numpy() / eye_distance(truth.numpy())


def balanced(faces: Faces, metric: SCCMetric, loss: LossSettings) -> float:
    """The weight at which half way to the surrogate ASCCL pulls as hard as the surrogate does, so that variants whose
    losses are of different size are compared at the same pull."""
    half = ((faces.units + faces.surrogate) / 2).requires_grad_()
    pull = torch.autograd.grad((half - faces.surrogate).square().sum(), half)[0].norm()
    against = torch.autograd.grad(len(half) * asccl_loss(metric, faces.picture, faces.at(half)[0], loss), half)[0]
    return float(pull / against.norm())


def optimise(faces: Faces, loss: LossSettings | None, share: float, heads: str, steps: int) -> tuple:
    """-> (steps + 1, B) distances from the truth: of brows and lids, and of lips. share: of the balanced weight."""
    metric = load_metric(heads=heads)  # type: ignore[arg-type]
    weight = 0.0 if loss is None else share * balanced(faces, metric, loss)
    units, upper, lips = faces.units.clone().requires_grad_(), [], []
    optimizer = torch.optim.Adam([units], RATE)
    for _ in range(steps + 1):
        picture, landmarks = faces.at(units)
        upper.append(off(landmarks.detach(), faces.truth, UPPER_FACE))
        lips.append(off(landmarks.detach(), faces.truth, LIPS))
        total = (units - faces.surrogate).square().sum()
        if loss is not None:
            total = total + weight * len(picture) * asccl_loss(metric, faces.picture, picture, loss)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    return np.array(upper), np.array(lips)


def at_equal_emotion(runs: dict[str, tuple[np.ndarray, np.ndarray]]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Name -> (B,) lip distance where brows and lids of every variant have come equally near to the truth for the first
    time; and (B,) the share of their way that this is."""
    best = np.max([upper.min(0) for upper, _ in runs.values()], 0)
    start = next(iter(runs.values()))[0][0]
    level = start + REACHED * (best - start)
    out = {}
    for name, (upper, lips) in runs.items():
        first = (upper <= level).argmax(0)
        out[name] = lips[first, np.arange(len(first))]
    return out, 1 - level / start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=48)
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--share", type=float, default=1.0, help="of the weight at which ASCCL pulls as hard as the surrogate"
    )
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    paper = LossSettings(samples=256)
    variants = {
        "without": (None, "trained"),
        "ASCCL, no DAAS": (replace(paper, daas="off"), "trained"),
        "ASCCL": (paper, "trained"),
        "ASCCL, untrained": (paper, "random"),
    }
    head, found = load_anny_head(), {name: [] for name in variants}
    still, reached = [], []
    for n in range(-(-arguments.faces // BATCH)):
        faces = draw(arguments.seed * 1000 + n, head)
        still.append(off(faces.landmarks, faces.truth, LIPS))
        runs = {name: optimise(faces, loss, arguments.share, heads, arguments.steps)
                for name, (loss, heads) in variants.items()}  # fmt: skip
        equal, share = at_equal_emotion(runs)
        reached.append(share)
        for name, lips in equal.items():
            found[name].append(lips)
    all_lips = {name: np.concatenate(values).astype(float) for name, values in found.items()}
    rows: dict[str, float | str] = {"faces": float(len(all_lips["without"])), "share of the pull": arguments.share}
    rows["share of the emotion reached"] = float(np.concatenate(reached).mean())
    rows["lips, source as it is"] = float(np.concatenate(still).mean())
    for name, values in all_lips.items():
        rows[f"lips, {name}"] = float(values.mean())
        if name != "without":
            rows[f"{name} / without"] = float(values.mean() / all_lips["without"].mean())
            rows[f"faces better than without, {name}"] = float((values < all_lips["without"]).mean())
    print_rows("mouth", rows, arguments.json)


if __name__ == "__main__":
    main()
