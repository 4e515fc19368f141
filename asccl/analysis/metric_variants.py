"""The variants of a metric that a comparison uses: with a trained, a random and no mapping (f of eq. 3)."""

from __future__ import annotations

from typing import NamedTuple

from torch import nn

from asccl import hub, tensor_files
from asccl.metric.scc import Backbone, Heads, SCCMetric
from asccl.zoo import DEFAULT_BACKBONE, DEFAULT_METRIC, load_metric

REPORT_KEYS: dict[str, str] = {"trained": "trained", "random": "untrained", "identity": "bare"}  # mapping -> JSON, CSV
MAPPING_DEFINITIONS: dict[str, str] = {
    "trained": "through the trained mapping f (eq. 3; the paper's Figure 6)",
    "random": "through a mapping f with random weights (eq. 3)",
    "identity": "without a mapping: differences of features (eq. 1; the paper's Figure 2)",
}


class MetricVariant(NamedTuple):
    """A metric with one choice of its mapping f.

    Attributes:
        heads: "trained", "random" or "identity".
        metric: computes the disparities.
        backbone: computes the feature maps; variants with equal backbones share one object.
    """

    heads: Heads
    metric: SCCMetric
    backbone: Backbone


def load_variants(source: str) -> list[MetricVariant]:
    """Load all variants of a metric, the leading one first.

    A trained mapping leads. For a file that holds a backbone alone, feature differences ("identity") lead.

    Args:
        source: see `asccl.load_metric`.

    Raises:
        WeightsError: the weights cannot be loaded.
    """
    has_heads = describe_weights(source)[0]["kind"] == "scc"
    choices: tuple[Heads, ...] = ("trained", "random", "identity") if has_heads else ("identity", "random")
    variants: list[MetricVariant] = []
    for heads in choices:
        metric = load_metric(source, heads=heads)
        equal = (v.backbone for v in variants if _have_equal_weights(metric.backbone, v.metric.backbone))
        variants.append(MetricVariant(heads, metric, next(equal, metric.backbone)))
    return variants


def describe_weights(source: str) -> list[dict[str, str]]:
    """Return name, file, kind and sha256 of the weights that the variants of a metric use."""
    names = [DEFAULT_METRIC, DEFAULT_BACKBONE] if source == DEFAULT_METRIC else [source]
    paths = {name: hub.resolve(name) for name in names}
    return [
        {
            "name": name,
            "file": path.name,
            "kind": tensor_files.read_metadata(path).get("kind", "backbone"),
            "sha256": hub.sha256(path),
        }
        for name, path in paths.items()
    ]


def _have_equal_weights(a: nn.Module, b: nn.Module) -> bool:
    x, y = a.state_dict(), b.state_dict()
    return x.keys() == y.keys() and all(x[key].equal(y[key]) for key in x)
