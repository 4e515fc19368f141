"""Settings of the losses of eq. 4 to 7."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from asccl.metric.contrast import TEMPERATURE
from asccl.metric.daas import LAMBDA, POWER
from asccl.metric.scc import MAX_REGIONS, Samples

Negatives = Literal["neighbours", "all"]
Query = Literal["generated", "source", "both"]
Daas = Literal["paper", "off", "authors"]
MAX_TEMPORAL_REGIONS = 256  # of a map, in the temporal loss
CHOICES = {"negatives": get_args(Negatives), "query": get_args(Query), "daas": get_args(Daas)}


@dataclass(frozen=True)
class LossSettings:
    """Settings of the losses.

    Attributes:
        temperature: tau of eq. 4.
        negatives: pairs that a pair is contrasted with in eq. 4. "neighbours" are the other neighbours of the same
            region (the paper); "all" is every other sampled pair of the image (the authors' code), which needs a small
            `samples`.
        query: the image whose disparity is compared with the candidates of the other image. "generated" is the authors'
            choice; "both" is the mean of the two directions.
        daas: "paper" for a weight per pair (eq. 6), "off" for weight 1, "authors" for the authors' one weight per map.
        lambda_: factor lambda of the weight, eq. 6.
        power: exponent r of the sigmoid, eq. 6.
        samples: number of regions of each map, see `SCCMetric.sample_pairs`.
        temporal: compare clips, and add `temporal_weight` times the temporal loss to that of their frames (STCCL).
        temporal_weight: weight of the temporal loss.
        temporal_samples: number of regions of each map in the temporal loss, which compares each with each.
    """

    temperature: float = TEMPERATURE
    negatives: Negatives = "neighbours"
    query: Query = "generated"
    daas: Daas = "paper"
    lambda_: float = LAMBDA
    power: float = POWER
    samples: Samples = MAX_REGIONS
    temporal: bool = False
    temporal_weight: float = 0.02
    temporal_samples: Samples = MAX_TEMPORAL_REGIONS

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"expected {name} to be one of {', '.join(choices)}, got {getattr(self, name)!r}")
