"""The mappings f that disparities are compared through: trained, untrained, none."""

from __future__ import annotations

from typing import NamedTuple

from torch import nn

from asccl import hub
from asccl.metric.scc import Backbone, SCCMetric
from asccl.zoo import load_metric

BUNDLED = "scc-mobilefacenet"


class Head(NamedTuple):
    """name: one of `HEADS`. backbone: gives the metric's feature maps; heads whose backbones are equal share one."""

    name: str
    metric: SCCMetric
    backbone: Backbone


HEADS = {
    "trained": "through the trained mapping f (eq. 3; the paper's Figure 6)",
    "untrained": "through a mapping f with random weights (eq. 3)",
    "bare": "without a mapping: differences of features (eq. 1; the paper's Figure 2)",
}


def heads_of(name: str) -> list[Head]:
    """All that can be compared with the metric of this name; the first one leads. Raises WeightsError.

    The bundled metric is left out while its file does not exist: then differences of features lead.
    """
    bare, untrained = load_metric(heads="none"), load_metric(heads="random")
    if name == BUNDLED and name not in hub.WEIGHTS:
        named = {"bare": bare, "untrained": untrained}
    else:
        named = {"trained": load_metric(name), "untrained": untrained, "bare": bare}
    heads: list[Head] = []
    for label, metric in named.items():
        alike = (head.backbone for head in heads if _equal(metric.backbone, head.metric.backbone))
        heads.append(Head(label, metric, next(alike, metric.backbone)))
    return heads


def _equal(one: nn.Module, other: nn.Module) -> bool:
    a, b = one.state_dict(), other.state_dict()
    return a.keys() == b.keys() and all(a[key].equal(b[key]) for key in a)
