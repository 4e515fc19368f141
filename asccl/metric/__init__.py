"""The paper's metric and losses (eq. 1 to 7). `asccl.metric.scc` is the module to read first.

| equation | function |
|---|---|
| 1, similarity of visual disparities | `cosine_similarity`, `cosine_table` |
| 2, feature maps | `SCCMetric.feature_maps` |
| 3, visual disparity | `visual_disparity` |
| 4, contrast | `contrastive_loss` |
| 5, loss that trains the metric | `sccl_loss` |
| 6, DAAS weight | `daas_weight` |
| 7, loss that trains a generator | `asccl_loss`, `ASCCLLoss` |

`asccl.metric.temporal` has the same for the changes from frame to frame (STCCL).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asccl.metric.align import estimate_affine, warp_affine
    from asccl.metric.daas import daas_weight
    from asccl.metric.loss import ASCCLLoss, RegionLoss, asccl_loss, asccl_region_losses
    from asccl.metric.loss_settings import LossSettings
    from asccl.metric.neighbours import NeighbourPairs, neighbour_pairs, sample_regions
    from asccl.metric.scc import Disparities, DisparityMapping, SCCMetric, cosine_similarity, visual_disparity
    from asccl.metric.sccl import contrastive_loss, sccl_loss
    from asccl.metric.statistics import cosine_table, similarity_sums
    from asccl.metric.temporal import temporal_contrast, temporal_disparity, temporal_weight

_MODULES = {
    "ASCCLLoss": "loss",
    "Disparities": "scc",
    "DisparityMapping": "scc",
    "LossSettings": "loss_settings",
    "NeighbourPairs": "neighbours",
    "RegionLoss": "loss",
    "SCCMetric": "scc",
    "asccl_loss": "loss",
    "asccl_region_losses": "loss",
    "contrastive_loss": "sccl",
    "cosine_similarity": "scc",
    "cosine_table": "statistics",
    "daas_weight": "daas",
    "estimate_affine": "align",
    "neighbour_pairs": "neighbours",
    "sample_regions": "neighbours",
    "sccl_loss": "sccl",
    "similarity_sums": "statistics",
    "temporal_contrast": "temporal",
    "temporal_disparity": "temporal",
    "temporal_weight": "temporal",
    "visual_disparity": "scc",
    "warp_affine": "align",
}
__all__ = [
    "ASCCLLoss",
    "Disparities",
    "DisparityMapping",
    "LossSettings",
    "NeighbourPairs",
    "RegionLoss",
    "SCCMetric",
    "asccl_loss",
    "asccl_region_losses",
    "contrastive_loss",
    "cosine_similarity",
    "cosine_table",
    "daas_weight",
    "estimate_affine",
    "neighbour_pairs",
    "sample_regions",
    "sccl_loss",
    "similarity_sums",
    "temporal_contrast",
    "temporal_disparity",
    "temporal_weight",
    "visual_disparity",
    "warp_affine",
]


def __getattr__(name: str) -> Any:
    """Import a function when it is first used, so that importing a light submodule does not import torch."""
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
