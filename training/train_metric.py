"""Teach the SCC metric (paper, section 4.1): pairs of pictures of one person who says the same with two emotions.

    python -m training.train_metric --preset cpu          # ships checkpoints/scc-mobilefacenet.safetensors
    accelerate launch -m training.train_metric --preset paper

It goes on from the newest checkpoint in --output; delete that folder to begin anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset

from asccl.metric.loss import LossSettings, sccl_loss
from asccl.metric.scc import SCCMetric, Samples, similarity
from training import loop
from training.settings import parse


@dataclass(frozen=True)
class MetricSettings(loop.LoopSettings):
    """pairs: how many synthetic ones; the last `held_out` persons' are for evaluation. size: pixels, 112 or 224.
    train_backbone: the paper trains it, too. learning_rate: of Adam. samples: regions of each map in a step.
    weights: where the finished metric goes."""

    output: Path = Path("build/metric")
    weights: Path = Path("build/scc.safetensors")
    backbone: str = "mobilefacenet-arcface"
    train_backbone: bool = False
    size: int = 112
    learning_rate: float = 1e-3
    samples: int = 64
    pairs: int = 4096
    held_out: int = 128
