"""Teach the SCC metric (paper, section 4.1) on takes: one speaker says the same words with two emotions.

    python -m training.train_metric --preset cpu          # makes checkpoints/scc-mobilefacenet.safetensors
    accelerate launch -m training.train_metric --preset paper

It goes on from the newest checkpoint in --output; delete that folder to begin anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import nn
from torch.utils.data import Dataset

from asccl import hub
from asccl.data.takes import SyntheticTakes
from asccl.metric.loss import contrast, masked_mean
from asccl.metric.scc import Mapping, Samples, SCCMetric, unit
from asccl.zoo import new_metric
from training import loop
from training.losses import frames_contrast
from training.settings import parse
from training.weights_file import write

HELD_OUT = 1_000_000  # added to the seed of the speakers that are not trained on


@dataclass(frozen=True)
class MetricSettings(loop.LoopSettings):
    """backbone: name or file, see `asccl.zoo.new_metric`. train_backbone: the paper trains it, too.
    size: pixels of a crop, 112 or 224. takes, frames: speakers, and pictures of each with either emotion; a batch holds
    `batch` takes. held_out: takes that are only looked at. learning_rate: of Adam, falling along a cosine to nothing.
    samples: regions of each map in a step. negatives: of eq. 4, see `LossSettings`.
    frames_weight: of the contrast across frames; 0 leaves the paper's loss alone. weights: file for the finished
    metric."""

    output: Path = Path("build/metric")
    weights: Path = Path("build/scc.safetensors")
    backbone: str = "mobilefacenet-arcface"
    train_backbone: bool = False
    size: int = 112
    takes: int = 500
    frames: int = 8
    held_out: int = 24
    learning_rate: float = 1e-3
    samples: int = 64
    negatives: str = "ring"
    frames_weight: float = 1.0


class Remembered(Dataset):
    """Takes as (2, K, 3, S, S) uint8, source and target; each is rendered once in a process."""

    def __init__(self, takes: SyntheticTakes):
        self.takes = takes
        self._seen: dict[int, torch.Tensor] = {}

    def __len__(self) -> int:
        return len(self.takes)

    def __getitem__(self, index: int) -> torch.Tensor:
        if index not in self._seen:
            take = self.takes[index]
            both = torch.stack([torch.from_numpy(take.source), torch.from_numpy(take.target)])
            self._seen[index] = both.permute(0, 1, 4, 2, 3).contiguous()
        return self._seen[index]


class Learner(nn.Module):
    """The metric and its losses in one module, so that several devices keep step."""

    def __init__(self, metric: SCCMetric, samples: Samples, negatives: Literal["ring", "all"] = "ring"):
        super().__init__()
        self.metric, self.samples, self.negatives = metric, samples, negatives

    def forward(self, takes: torch.Tensor, rng: torch.Generator) -> dict[str, torch.Tensor]:
        """(B, 2, K, 3, S, S) uint8 -> losses "regions" (eq. 5) and "frames"."""
        batch, _, frames = takes.shape[:3]
        a, b = (self.metric.maps(takes[:, k].flatten(0, 1).float() / 127.5 - 1) for k in (0, 1))
        pairs = self.metric.pairs(a, self.samples, rng)
        regions, across = [], []
        for s, t in zip(self.metric.disparities(a, pairs), self.metric.disparities(b, pairs), strict=True):
            valid = s.pairs.inside.expand(len(s.values), -1, -1)
            for x, y in ((s.values, t.values), (t.values, s.values)):
                regions.append(masked_mean(contrast(x, y, valid, negatives=self.negatives), valid) / 2)
            takes_apart = (v.values.unflatten(0, (batch, frames)) for v in (s, t))
            across.append(frames_contrast(*takes_apart, s.pairs.inside))
        return {"regions": torch.stack(regions).sum(), "frames": torch.stack(across).sum()}


class HeldOut:
    """Speakers that are not trained on: what the metric says about them."""

    def __init__(self, settings: MetricSettings):
        takes = Remembered(SyntheticTakes(settings.seed + HELD_OUT, settings.size, settings.held_out, settings.frames))
        self.pictures = torch.stack([takes[n] for n in range(len(takes))])

    @torch.inference_mode()
    def __call__(self, metric: SCCMetric, samples: Samples = 64) -> dict[str, float]:
        """Mean cosine of corresponding and of non-corresponding pairs (Figures 2 and 6 of the paper), and the share of
        frames whose score is the highest among all frames of the other take."""
        positive, negative, right = [], [], []
        for take in self.pictures:
            a, b = (metric.maps(side.float() / 127.5 - 1) for side in take)
            pairs = metric.pairs(a, samples)
            score = torch.zeros(len(take[0]), len(take[0]))
            for s, t in zip(metric.disparities(a, pairs), metric.disparities(b, pairs), strict=True):
                x, y, inside = unit(s.values), unit(t.values), s.pairs.inside
                cosine = x @ y.mT
                others = inside[:, :, None] & inside[:, None, :] & ~torch.eye(8, dtype=torch.bool)
                positive.append(cosine.diagonal(dim1=-2, dim2=-1)[:, inside].mean())
                negative.append(cosine[:, others].mean())
                score += x[:, inside].flatten(1) @ y[:, inside].flatten(1).T / inside.sum()
            right.append((score.argmax(1) == torch.arange(len(score))).float().mean())
        return {
            "corresponding": torch.stack(positive).mean().item(),
            "non_corresponding": torch.stack(negative).mean().item(),
            "same_words_found": torch.stack(right).mean().item(),
        }


@torch.inference_mode()
def calibrate(metric: SCCMetric, pictures: torch.Tensor) -> None:
    """Scale each head so that the median root mean square of its disparities over `pictures` (N, 3, S, S) uint8 is 1.

    The cosines do not see that scale; eq. 6 does: now the median region weighs about 1, whatever the training did.
    """
    maps = metric.maps(pictures.float() / 127.5 - 1)
    for part, head in zip(metric.disparities(maps, metric.pairs(maps)), metric.heads, strict=True):
        assert isinstance(head, Mapping)
        middle = part.values[:, part.pairs.inside].square().mean(-1).sqrt().median()
        head[-1].weight /= middle
        head[-1].bias /= middle


def main(settings: MetricSettings) -> None:
    run = loop.accelerator(settings)
    metric = new_metric(settings.backbone)
    if not settings.train_backbone:
        metric.backbone.freeze()
    learner = Learner(metric, settings.samples, settings.negatives)
    trained = [p for p in learner.parameters() if p.requires_grad]
    learner, optimizer = run.prepare(learner, torch.optim.Adam(trained, settings.learning_rate))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.steps)
    run.register_for_checkpointing(schedule)
    held_out = HeldOut(settings) if run.is_main_process else None

    def losses(takes: torch.Tensor, rng: torch.Generator) -> dict[str, torch.Tensor]:
        return learner(takes, rng)

    turn = loop.Turn("metric", optimizer, losses, {"frames": settings.frames_weight}, schedule)
    takes = Remembered(SyntheticTakes(settings.seed, settings.size, settings.takes, settings.frames))
    loop.train(run, [learner], [turn], takes, settings, held_out and (lambda: held_out(metric)))
    if run.is_main_process:
        calibrate(metric, held_out.pictures[:, 0, ::4].flatten(0, 1))
        tensors = metric.state_dict()
        told = hub.metadata(hub.resolve(settings.backbone)).get("backbone", "mobilefacenet")
        write(settings.weights, tensors, {"kind": "scc", "backbone": told})


if __name__ == "__main__":
    main(parse(MetricSettings, __doc__))
