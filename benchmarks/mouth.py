"""What the loss is for: change an expression by gradient descent, with and without ASCCL, where the truth is known.

A made-up speaker says a word without emotion. The truth is the same word with an emotion. What moves the picture is a
smooth warp that is optimised to make the expression network see what it sees in a reference: another speaker, other
words, that emotion. The network cares for the mouth of the reference as much as for its brows, so the mouth goes
astray. ASCCL between source and warped picture is to keep it. Lips are compared with the truth at equal emotion: at the
step where the distance to the reference's features has fallen by the same share.

    python -m benchmarks.mouth [--faces 24] [--steps 60] [--seed 1] [--json FILE]
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from asccl import LossSettings, load_metric
from asccl.data.person import SyntheticPerson
from asccl.data.studio import Camera, Sitting
from asccl.data.synthetic import words
from asccl.data.talk import draw_manner, with_emotion
from asccl.face.crop import SIZE
from asccl.face.mesh import LIPS, eye_distance
from asccl.metric.loss import asccl_loss
from asccl.morphable.anny_head import AnnyHead, load_anny_head
from asccl.types import EMOTIONS
from asccl.zoo import load_expression_net
from benchmarks.report import tell

KNOTS = 14  # of the warp, each way
REACHED = 0.8  # share of what the weakest variant reached, at which all are compared
BATCH = 8


@dataclass(frozen=True)
class Faces:
    """source, truth, reference: (B, 3, S, S) in [-1, 1]. source_landmarks, truth_landmarks: (B, 468, 2) pixels."""

    source: torch.Tensor
    truth: torch.Tensor
    reference: torch.Tensor
    source_landmarks: torch.Tensor
    truth_landmarks: torch.Tensor


def draw(seed: int, head: AnnyHead) -> Faces:
    """`BATCH` of them, the six emotions in turn."""
    rng = np.random.default_rng((seed, 5))
    pictures: list[list[torch.Tensor]] = [[], [], []]
    landmarks: list[list[torch.Tensor]] = [[], []]
    for n in range(BATCH):
        emotion = EMOTIONS[1 + n % (len(EMOTIONS) - 1)]
        sitting, camera = _seat(rng, head)
        spoken = words(rng, 40, head)[20:21]
        view = camera.aligned(sitting.landmarks(spoken[0], camera), SIZE)
        with_it = with_emotion(spoken, draw_manner(rng, emotion, head), head)
        for k, w in enumerate((spoken[0], with_it[0])):
            pictures[k].append(_tensor(sitting.picture(w, view)))
            landmarks[k].append(torch.tensor(sitting.landmarks(w, view)))
        sitting, camera = _seat(rng, head)
        other = with_emotion(words(rng, 40, head)[20:21], draw_manner(rng, emotion, head), head)[0]
        pictures[2].append(_tensor(sitting.picture(other, camera.aligned(sitting.landmarks(other, camera), SIZE))))
    return Faces(*(torch.stack(p) for p in pictures), *(torch.stack(p).float() for p in landmarks))


def _seat(rng: np.random.Generator, head: AnnyHead) -> tuple[Sitting, Camera]:
    camera = Camera.facing(*rng.normal(0, (6, 4, 3)), 256)
    return Sitting(SyntheticPerson.draw(rng, head), head, SIZE / 20), camera


def _tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image).permute(2, 0, 1).float() / 127.5 - 1


class Warp:
    """A smooth backward warp: the picture at p shows the source at p + displacement(p), pixels."""

    def __init__(self, batch: int):
        self.knots = torch.zeros(batch, 2, KNOTS, KNOTS, requires_grad=True)
        y, x = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
        self.here = torch.stack([x, y], -1).float()

    def field(self) -> torch.Tensor:
        return F.interpolate(self.knots, (SIZE, SIZE), mode="bicubic", align_corners=True)

    def picture(self, source: torch.Tensor) -> torch.Tensor:
        there = self.here + self.field().permute(0, 2, 3, 1)
        return F.grid_sample(source, there / (SIZE - 1) * 2 - 1, padding_mode="border", align_corners=True)

    @torch.no_grad()
    def landmarks(self, points: torch.Tensor) -> torch.Tensor:
        """Where points (B, N, 2) of the source have gone: p with p + displacement(p) = point."""
        field, p = self.field(), points.clone()
        for _ in range(12):
            at = F.grid_sample(field, (p / (SIZE - 1) * 2 - 1)[:, :, None], padding_mode="border", align_corners=True)
            p = points - at[..., 0].mT
        return p


def lips_off(landmarks: torch.Tensor, truth: torch.Tensor) -> np.ndarray:
    """(B,) mean distance of the lips' points, in percent of the eye distance."""
    lips = list(LIPS)
    distance = (landmarks[:, lips] - truth[:, lips]).norm(dim=-1).mean(-1)
    return 100 * distance.numpy() / eye_distance(truth.numpy())


def optimise(faces: Faces, loss: LossSettings | None, weight: float, heads: str, steps: int) -> tuple:
    """-> (steps + 1, B) distances of the expression features to the reference's, and of the lips to the truth's."""
    net, metric = load_expression_net().net, load_metric(heads=heads)  # type: ignore[attr-defined, arg-type]
    wanted = net.features(faces.reference)
    warp, emotion, lips = Warp(len(faces.source)), [], []
    optimizer = torch.optim.Adam([warp.knots], 0.15)
    for _ in range(steps + 1):
        picture = warp.picture(faces.source)
        far = 1 - F.cosine_similarity(net.features(picture), wanted)
        emotion.append(far.detach().numpy())
        lips.append(lips_off(warp.landmarks(faces.source_landmarks), faces.truth_landmarks))
        total = far.sum() + 0.002 * (warp.knots.diff(dim=2).square().sum() + warp.knots.diff(dim=3).square().sum())
        if loss is not None:
            total = total + weight * len(far) * asccl_loss(metric, faces.source, picture, loss)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    return np.array(emotion), np.array(lips)


def at_equal_emotion(runs: dict[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, np.ndarray]:
    """Name -> (B,) lip distance where every variant has come equally near to the reference for the first time."""
    best = np.max([emotion.min(0) for emotion, _ in runs.values()], 0)
    start = next(iter(runs.values()))[0][0]
    level = start + REACHED * (best - start)
    out = {}
    for name, (emotion, lips) in runs.items():
        first = (emotion <= level).argmax(0)
        out[name] = lips[first, np.arange(len(first))]
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=24)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--weight", type=float, default=0.05, help="of ASCCL beside the emotion's distance")
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
    still = []
    for n in range(-(-arguments.faces // BATCH)):
        faces = draw(arguments.seed * 1000 + n, head)
        still.append(lips_off(faces.source_landmarks, faces.truth_landmarks))
        runs = {name: optimise(faces, loss, arguments.weight, heads, arguments.steps)
                for name, (loss, heads) in variants.items()}  # fmt: skip
        for name, lips in at_equal_emotion(runs).items():
            found[name].append(lips)
    lips = {name: np.concatenate(values) for name, values in found.items()}
    rows: dict[str, float | str] = {
        "faces": float(len(lips["without"])),
        "lips, source as it is": np.concatenate(still).mean(),
    }
    for name, values in lips.items():
        rows[f"lips, {name}"] = float(values.mean())
        if name != "without":
            rows[f"{name} / without"] = float(values.mean() / lips["without"].mean())
            rows[f"faces better than without, {name}"] = float((values < lips["without"]).mean())
    tell("mouth", rows, arguments.json)


if __name__ == "__main__":
    main()
