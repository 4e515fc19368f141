"""IResNet out of an ONNX graph, such as insightface's w600k_r50.onnx.

An exporter folds most batch normalisations into convolutions and renames tensors at will, so the names say nothing:
the layers are found by following the graph from its input. A layer that was folded comes back as one that only adds the
convolution's bias.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from asccl.errors import AscclError, InputError

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

EPSILON = 1e-5  # of our batch normalisations
IDLE = ("Identity", "Dropout")

State = dict[str, torch.Tensor]


class Unexpected(Exception):
    """The graph is not an IResNet's; the text says where it departs."""


def read_iresnet(path: Path) -> State:
    """The state dict of an IResNet of any depth, with its embedding. Raises InputError, and AscclError without onnx."""
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise AscclError(
            f"{path.name} needs the package onnx, which is not installed", "pip install 'onnx>=1.16,<1.23'"
        ) from error
    try:
        model = onnx.load(path)
    except (DecodeError, OSError, ValueError, onnx.checker.ValidationError) as error:
        raise InputError(f"{path} is not a whole ONNX file", "get it again, or give another") from error
    try:
        return _Walk(model).iresnet()
    except Unexpected as reason:
        raise InputError(f"{path} is not an IResNet: {reason}", "give insightface's w600k_r50.onnx") from reason


class _Walk:
    """Follows one tensor through the graph and collects the layers on its way."""

    def __init__(self, model: ModelProto):
        from onnx import numpy_helper

        graph = model.graph
        self.values = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in graph.initializer}
        self.values |= {
            node.output[0]: torch.from_numpy(numpy_helper.to_array(node.attribute[0].t).copy())
            for node in graph.node
            if node.op_type == "Constant" and node.attribute[0].name == "value"
        }
        self.users: dict[str, list[NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                self.users.setdefault(name, []).append(node)
        inputs = [value.name for value in graph.input if value.name not in self.values]
        if len(inputs) != 1:
            raise Unexpected(f"it has {len(inputs)} inputs")
        self.at = inputs[0]
        self.state: State = {}

    def iresnet(self) -> State:
        self._convolution("conv1", "bn1")
        self._prelu("prelu")
        layer = block = 0
        while len(self._next()) == 2:
            layer, block = (layer + 1, 0) if self._thins() else (layer, block + 1)
            self._block(f"layer{layer}.{block}")
        self._normalise("bn2")
        self._take("Flatten", "Reshape")
        self._normalise("features", self._linear("fc"))
        if self._next():
            raise Unexpected(f"{self._next()[0].op_type} follows the embedding")
        return self.state

    def _thins(self) -> bool:
        """Whether the block that begins here has a convolution beside it."""
        return any(node.op_type == "Conv" for node in self._next())

    def _block(self, name: str) -> None:
        start, thins = self.at, self._thins()
        self._normalise(f"{name}.bn1", needed=True)
        self._convolution(f"{name}.conv1", f"{name}.bn2")
        self._prelu(f"{name}.prelu")
        self._convolution(f"{name}.conv2", f"{name}.bn3")
        end, self.at = self.at, start
        if thins:
            self._convolution(f"{name}.downsample.0", f"{name}.downsample.1")
        beside = self.at
        if set(self._take("Add").input) != {end, beside}:
            raise Unexpected(f"{name} does not end in a sum with its input")

    def _next(self) -> list[NodeProto]:
        """The nodes that read the tensor here, idle ones passed over."""
        while len(users := self.users.get(self.at, [])) == 1 and users[0].op_type in IDLE:
            self.at = users[0].output[0]
        return users

    def _take(self, *kinds: str) -> NodeProto:
        """The one node here of these kinds; goes to its output."""
        found = [node for node in self._next() if node.op_type in kinds]
        if len(found) != 1:
            there = " and ".join(node.op_type for node in self._next()) or "the end"
            raise Unexpected(f"expected {' or '.join(kinds)} after {self.at}, found {there}")
        self.at = found[0].output[0]
        return found[0]

    def _value(self, node: NodeProto, index: int) -> torch.Tensor:
        try:
            return self.values[node.input[index]].float()
        except KeyError:
            raise Unexpected(f"{node.op_type} {node.name} takes what is no constant") from None

    def _convolution(self, name: str, norm: str) -> None:
        node = self._take("Conv")
        weight = self.state[f"{name}.weight"] = self._value(node, 1)
        bias = self._value(node, 2) if len(node.input) > 2 else torch.zeros(len(weight))
        self._normalise(norm, bias)

    def _normalise(self, name: str, bias: torch.Tensor | None = None, needed: bool = False) -> None:
        """Batch normalisation of what comes here plus a bias; where the graph has none, one that only adds the bias."""
        if needed or any(node.op_type == "BatchNormalization" for node in self._next()):
            node = self._take("BatchNormalization")
            weight, shift, mean, variance = (self._value(node, index) for index in range(1, 5))
            if bias is not None:
                mean = mean - bias
            variance = variance + _attribute(node, "epsilon", EPSILON) - EPSILON
        elif bias is not None:
            weight, shift = torch.ones(len(bias)), bias
            mean, variance = torch.zeros(len(bias)), torch.full((len(bias),), 1 - EPSILON)
        else:
            raise Unexpected(f"there is no {name}")
        parts = {"weight": weight, "bias": shift, "running_mean": mean, "running_var": variance}
        self.state |= {f"{name}.{part}": value for part, value in parts.items()}

    def _prelu(self, name: str) -> None:
        self.state[f"{name}.weight"] = self._value(self._take("PRelu"), 1).flatten()

    def _linear(self, name: str) -> torch.Tensor:
        """Returns zeros: its bias stays with it."""
        node = self._take("Gemm")
        weight = self._value(node, 1)
        self.state[f"{name}.weight"] = weight if _attribute(node, "transB", 0) else weight.T.contiguous()
        self.state[f"{name}.bias"] = self._value(node, 2)
        return torch.zeros(len(self.state[f"{name}.bias"]))


def _attribute(node: NodeProto, name: str, default: float) -> Any:
    from onnx.helper import get_attribute_value

    return next((get_attribute_value(a) for a in node.attribute if a.name == name), default)
