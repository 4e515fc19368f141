"""Networks with four feature maps, by the name in the metadata of a file."""

from __future__ import annotations

from collections.abc import Mapping

from asccl.nets.blocks import Freezable
from asccl.nets.iresnet import DEPTHS, IResNet
from asccl.nets.mobilefacenet import MobileFaceNet


def build_backbone(metadata: Mapping[str, str]) -> Freezable:
    """Build the network that metadata name, with random weights. Raises ValueError."""
    network = metadata.get("backbone", "mobilefacenet")
    if network == "mobilefacenet":
        return MobileFaceNet()
    for depth in DEPTHS:
        if network == f"iresnet{depth}":
            return IResNet(depth, head=metadata.get("embedding") == "yes")
    raise ValueError(f"it is for the network {network!r}, which does not exist here")


def backbone_metadata(net: Freezable) -> dict[str, str]:
    """Return the metadata from which `build_backbone` builds this network.

    Raises ValueError for another network, and for one whose batch normalization is folded.
    """
    if isinstance(net, MobileFaceNet):
        return {"backbone": "mobilefacenet"}
    if not isinstance(net, IResNet):
        raise ValueError(f"expected MobileFaceNet or IResNet, got {type(net).__name__}")
    if net.is_folded:
        raise ValueError("expected a network whose batch normalization is not folded: load it by from_pretrained")
    return {"backbone": f"iresnet{net.depth}", **({"embedding": "yes"} if net.head else {})}
