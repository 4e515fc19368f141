"""Networks that measures of `asccl.evaluation` use. The importer states their origin and their terms."""

from __future__ import annotations

from collections.abc import Callable

import torch

from asccl.interop.base import ConvertedWeights, StateDict, match_tensors
from asccl.nets.blocks import BATCH_NORM_COUNTER, tensor_shapes
from asccl.nets.efficientface import EfficientFace
from asccl.nets.face_resnet18 import FaceResNet18
from asccl.nets.syncnet import SyncNet

SYNCNET_TERMS = (
    "origin: www.robots.ox.ac.uk/~vgg/software/lipsync (Chung and Zisserman, 2016)",
    "licence: code MIT; the page offers the weights for research under Creative Commons Attribution",
)
EFFICIENTFACE_TERMS = (
    "origin: github.com/zengqunzhao/EfficientFace (Zhao, Liu and Zhou, 2021)",
    "licence: code MIT; trained on AffectNet, whose terms allow non-commercial research only",
)
ARCFACE_RESNET18_TERMS = (
    "origin: github.com/ronghuaiyang/arcface-pytorch",
    "licence: none is stated, so nobody may pass the weights on",
)


def convert_syncnet(state: StateDict) -> ConvertedWeights:
    """Convert SyncNet, whose names are ours. Raises WeightsMismatchError."""
    return _convert(state, SyncNet, SYNCNET_TERMS)


def convert_efficientface(state: StateDict) -> ConvertedWeights:
    """Convert EfficientFace, whose names are ours. Raises WeightsMismatchError."""
    return _convert(state, EfficientFace, EFFICIENTFACE_TERMS)


def convert_arcface_resnet18(state: StateDict) -> ConvertedWeights:
    """Convert the grey-scale ResNet-18, whose names are ours. Raises WeightsMismatchError."""
    return _convert(state, FaceResNet18, ARCFACE_RESNET18_TERMS)


def _convert(state: StateDict, create: Callable[[], torch.nn.Module], terms: tuple[str, ...]) -> ConvertedWeights:
    with torch.device("meta"):
        net = create()
    tensors = match_tensors(state, tensor_shapes(net))
    counters = sum(name.endswith(BATCH_NORM_COUNTER) for name in state)
    notes = (*terms, *((f"dropped {counters} counters ({BATCH_NORM_COUNTER})",) if counters else ()))
    return ConvertedWeights(tensors, {"terms": "; ".join(terms)}, notes)
