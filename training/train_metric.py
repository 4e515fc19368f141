"""Train the SCC metric (paper, section 4.1) on takes: one speaker says the same words with two emotions.

    python -m training.train_metric --preset cpu          # like the bundled one, into build/
    accelerate launch -m training.train_metric --preset paper --data /data/prepared

The training resumes from the newest checkpoint in --output; delete that folder to start again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn
from torch.utils.data import Dataset

from asccl import hub, tensor_files
from asccl.metric.loss_settings import LossSettings
from asccl.metric.scc import Disparities, DisparityMapping, SCCMetric, normalize
from asccl.metric.sccl import sccl_from_disparities
from asccl.metric.statistics import cosine_table, similarity_sums
from asccl.morphable.anny_head import load_anny_head
from asccl.nets.blocks import saved_tensors
from asccl.synthetic.paired_takes import SyntheticTakes
from asccl.zoo import create_metric
from training.datasets import HELD_OUT_SEED_OFFSET
from training.datasets.recorded import RecordedTakes, clips_with_partner, load_labelled_clips, split_clips
from training.engine import loop
from training.engine.loop import Phase, PhaseResult
from training.engine.settings import LoopSettings, run_command
from training.engine.weights import write_weights
from training.losses import frame_contrast_loss
from training.metric_images import check_image_size

EVALUATED_REGIONS = 64  # of each map


@dataclass(frozen=True)
class MetricSettings(LoopSettings):
    """Settings of `training.train_metric`.

    Attributes:
        weights: file of the finished metric.
        batch_size: takes on each device.
        data: folder of `training.prepare`; without one, takes are synthetic.
        people: labels of the people to use, separated by commas; with ! before a label all but that one.
        verify: compare the files of the folder with its manifest before the training.
        backbone: name or file of the face-recognition network.
        train_backbone: train the backbone too, as the paper does.
        size: side of a face crop, pixels: a multiple of 16, 112 or 224 in the presets.
        synthetic_takes: number of synthetic speakers, each with one take.
        frames_per_take: frames of each take with either emotion.
        held_out_takes: largest number of takes in an evaluation.
        learning_rate: learning rate of Adam, decays to 0 along a cosine.
        regions: regions of each feature map that a step samples.
        negatives: negatives of eq. 4: "neighbours" of the same region (the paper), or "all" sampled pairs.
        frames_weight: weight of the contrast across frames; 0 leaves the paper's loss alone.
    """

    minimums = LoopSettings.minimums | {
        **dict.fromkeys(("synthetic_takes", "frames_per_take", "held_out_takes", "regions"), 1),
        **dict.fromkeys(("learning_rate", "frames_weight"), 0),
    }

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
    negatives: Literal["neighbours", "all"] = "neighbours"
    frames_weight: float = 1.0


class CachedTakes(Dataset):
    """Synthetic takes as (2, K, 3, S, S) uint8, source and target; a process renders each of them once."""

    def __init__(self, takes: SyntheticTakes):
        self.takes = takes
        self._cache: dict[int, torch.Tensor] = {}

    def __len__(self) -> int:
        return len(self.takes)

    def __getitem__(self, index: int) -> torch.Tensor:
        """Return take `index`."""
        if index not in self._cache:
            take = self.takes[index]
            both = torch.stack([torch.from_numpy(take.source), torch.from_numpy(take.target)])
            self._cache[index] = both.permute(0, 1, 4, 2, 3).contiguous()
        return self._cache[index]


Takes = CachedTakes | RecordedTakes


def load_takes(settings: MetricSettings) -> tuple[Takes, Takes]:
    """Return the takes to train on and the held-out ones. Raises InputError."""
    size, frames = settings.size, settings.frames_per_take
    if settings.data is None:
        train = SyntheticTakes(settings.seed, size, settings.synthetic_takes, frames)
        held_out = SyntheticTakes(settings.seed + HELD_OUT_SEED_OFFSET, size, settings.held_out_takes, frames)
        return CachedTakes(train), CachedTakes(held_out)
    clips = load_labelled_clips(settings.data, load_anny_head(), settings.people, settings.verify)
    train_clips, held_out_clips = split_clips(clips_with_partner(clips))
    return RecordedTakes(train_clips, size, frames), RecordedTakes(held_out_clips, size, frames)


class MetricObjective(nn.Module):
    """The metric with its losses in one module, so that devices synchronize its gradients."""

    def __init__(self, metric: SCCMetric, settings: MetricSettings):
        super().__init__()
        self.metric, self.settings = metric, settings

    def forward(self, takes: torch.Tensor, rng: torch.Generator) -> dict[str, torch.Tensor]:
        """Takes (B, 2, K, 3, S, S) uint8 -> losses "regions" (eq. 5) and "frames"."""
        batch, _, frames = takes.shape[:3]
        source_maps, target_maps = (self.metric.feature_maps(_to_image(takes[:, k].flatten(0, 1))) for k in (0, 1))
        pairs = self.metric.sample_pairs(source_maps, self.settings.regions, rng)
        source, target = self.metric.disparities(source_maps, pairs), self.metric.disparities(target_maps, pairs)
        contrast = LossSettings(query="both", negatives=self.settings.negatives)
        losses = {"regions": sccl_from_disparities(source, target, contrast)}
        if self.settings.frames_weight:

            def by_take(disparities: Disparities) -> torch.Tensor:
                return disparities.values.unflatten(0, (batch, frames))

            of_maps = [
                frame_contrast_loss(by_take(x), by_take(y), p.inside)
                for x, y, p in zip(source, target, pairs, strict=True)
            ]
            losses["frames"] = torch.stack(of_maps).sum()
        return losses


def _to_image(levels: torch.Tensor) -> torch.Tensor:
    """Convert uint8 to [-1, 1]."""
    return levels.float() / 127.5 - 1


@torch.inference_mode()
def evaluate_metric(metric: SCCMetric, takes: torch.Tensor) -> dict[str, float]:
    """Evaluate a metric on held-out takes (N, 2, K, 3, S, S) uint8.

    Returns:
        "corresponding" and "non_corresponding", the mean cosines of such pairs (Figures 2 and 6 of the paper);
        "same_words_found", the share of frames whose score is the highest among all frames of the other take.
    """
    corresponding, non_corresponding, same_words = [], [], []
    was_training = metric.training
    metric.eval()
    device = next(metric.parameters()).device
    for take in takes.to(device):
        source_maps, target_maps = (metric.feature_maps(_to_image(side)) for side in take)
        pairs = metric.sample_pairs(source_maps, EVALUATED_REGIONS)
        frame_scores = torch.zeros(len(take[0]), len(take[0]), device=device)
        for s, t in zip(metric.disparities(source_maps, pairs), metric.disparities(target_maps, pairs), strict=True):
            inside = s.pairs.inside
            sums = similarity_sums(cosine_table(s.values, t.values), inside.expand(len(s.values), -1, -1)).sum(0)
            corresponding.append(sums[0, 1] / sums[0, 0])
            non_corresponding.append(sums[1, 1] / sums[1, 0])
            x, y = (normalize(side.values)[:, inside].flatten(1) for side in (s, t))
            frame_scores += x @ y.T / inside.sum()
        same_words.append((frame_scores.argmax(1) == torch.arange(len(frame_scores), device=device)).float().mean())
    metric.train(was_training)
    return {
        "corresponding": torch.stack(corresponding).mean().item(),
        "non_corresponding": torch.stack(non_corresponding).mean().item(),
        "same_words_found": torch.stack(same_words).mean().item(),
    }


@torch.inference_mode()
def calibrate_mappings(metric: SCCMetric, images: torch.Tensor) -> None:
    """Scale each mapping so that the median root mean square of its disparities over images (N, 3, S, S) uint8 is 1.

    The cosines do not depend on that scale, but eq. 6 does: now the median region has a DAAS weight of about 1,
    whatever the training did.
    """
    metric.eval()
    maps = metric.feature_maps(_to_image(images.to(next(metric.parameters()).device)))
    for disparities, head in zip(metric.disparities(maps, metric.sample_pairs(maps)), metric.heads, strict=True):
        assert isinstance(head, DisparityMapping)
        median = disparities.values[:, disparities.pairs.inside].square().mean(-1).sqrt().median()
        head[-1].weight /= median
        head[-1].bias /= median


def freeze_unused_parameters(backbone: Any) -> None:
    """Freeze the parameters that no feature map depends on, such as an embedding's: they get no gradient."""
    parameters = [p for p in backbone.parameters() if p.requires_grad]
    total = sum(m.sum() for m in backbone.feature_maps(torch.zeros(2, 3, 32, 32)))
    for parameter, gradient in zip(parameters, torch.autograd.grad(total, parameters, allow_unused=True), strict=True):
        parameter.requires_grad_(gradient is not None)


def main(settings: MetricSettings) -> None:
    """Train a metric and write its file. Raises AscclError."""
    check_image_size("size", settings.size)
    accelerator = loop.create_accelerator(settings)
    metric = create_metric(settings.backbone)
    if settings.train_backbone:
        freeze_unused_parameters(metric.backbone)
    else:
        metric.backbone.freeze()
    parameters = [p for p in metric.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(parameters, settings.learning_rate)
    objective, optimizer = accelerator.prepare(MetricObjective(metric, settings), optimizer)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.steps)
    accelerator.register_for_checkpointing(schedule)

    train_takes, held_out_takes = load_takes(settings)
    held_out = torch.empty(0)  # needed on the main process alone
    if accelerator.is_main_process:
        count = min(len(held_out_takes), settings.held_out_takes)
        held_out = torch.stack([held_out_takes[n] for n in range(count)])

    def metric_phase(takes: torch.Tensor, _: None, rng: torch.Generator) -> PhaseResult:
        return PhaseResult(objective(takes, rng))

    weights = {"regions": 1.0, "frames": settings.frames_weight}
    phase = Phase("metric", optimizer, metric_phase, weights, schedule)
    loop.train(accelerator, [objective], [phase], train_takes, settings, partial(evaluate_metric, metric, held_out))
    if accelerator.is_main_process:
        calibrate_mappings(metric, held_out[:, 0, ::4].flatten(0, 1))
        backbone = tensor_files.read_metadata(hub.resolve(settings.backbone)).get("backbone", "mobilefacenet")
        write_weights(settings.weights, saved_tensors(metric), {"kind": "scc", "backbone": backbone})


if __name__ == "__main__":
    run_command(main, MetricSettings, __doc__)
