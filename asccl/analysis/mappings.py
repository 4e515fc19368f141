"""The mappings f that disparities are compared through: trained, untrained, none."""

from __future__ import annotations

from typing import NamedTuple

from torch import nn

from asccl import hub
from asccl.metric.scc import Backbone, SCCMetric
from asccl.zoo import DEFAULT_METRIC, load_metric

BACKBONE = "mobilefacenet-arcface"


class MetricVariant(NamedTuple):
    """name: one of `HEAD_DEFINITIONS`. backbone: gives the metric's feature maps; heads whose backbones are equal share one."""

    name: str
    metric: SCCMetric
    backbone: Backbone


HEAD_DEFINITIONS = {
    "trained": "through the trained mapping f (eq. 3; the paper's Figure 6)",
    "untrained": "through a mapping f with random weights (eq. 3)",
    "bare": "without a mapping: differences of features (eq. 1; the paper's Figure 2)",
}


def load_variants(source: str) -> list[MetricVariant]:
    """All that can be compared with this metric, see `load_metric`; the first one leads. Raises WeightsError.

    Where the file holds a backbone alone, or the bundled metric does not exist yet, differences of features lead.
    """
    named = {"bare": load_metric(source, heads="identity"), "untrained": load_metric(source, heads="random")}
    if describe_weights(source)[0]["kind"] == "scc":
        named = {"trained": load_metric(source), "untrained": named["untrained"], "bare": named["bare"]}
    heads: list[MetricVariant] = []
    for label, metric in named.items():
        alike = (head.backbone for head in heads if _equal(metric.backbone, head.metric.backbone))
        heads.append(MetricVariant(label, metric, next(alike, metric.backbone)))
    return heads


def describe_weights(source: str) -> list[dict[str, str]]:
    """Name, file, kind and sha256 of what stands behind a metric's heads."""
    names = (
        [source]
        if source != DEFAULT_METRIC
        else [DEFAULT_METRIC, BACKBONE]
        if DEFAULT_METRIC in hub.WEIGHTS
        else [BACKBONE]
    )
    paths = {name: hub.resolve(name) for name in names}
    return [
        {
            "name": name,
            "file": path.name,
            "kind": hub.read_metadata(path).get("kind", "backbone"),
            "sha256": hub.sha256(path),
        }
        for name, path in paths.items()
    ]


def _equal(one: nn.Module, other: nn.Module) -> bool:
    a, b = one.state_dict(), other.state_dict()
    return a.keys() == b.keys() and all(a[key].equal(b[key]) for key in a)
