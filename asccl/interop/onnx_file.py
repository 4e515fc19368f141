"""Read the weights of an IResNet from an ONNX graph, such as insightface's w600k_r50.onnx.

An exporter folds most batch normalizations into convolutions and gives tensors arbitrary names, so the layers are
identified by following the graph from its input. A batch normalization that was folded is restored as one that only
adds the bias of the convolution.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from asccl.errors import AscclError, InputError
from asccl.interop.base import StateDict

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

EPSILON = 1e-5  # of our batch normalizations
IDENTITY_NODES = ("Identity", "Dropout")


class UnexpectedGraphError(Exception):
    """The graph is not that of an IResNet; the text says where it differs."""


def read_iresnet(path: Path) -> StateDict:
    """Read the state dict of an IResNet of any depth, with its embedding.

    Raises InputError, and AscclError where the package onnx is not installed.
    """
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
        raise InputError(f"{path} is not a complete ONNX file", "download it again, or give another") from error
    try:
        return _GraphReader(model).iresnet()
    except UnexpectedGraphError as reason:
        raise InputError(f"{path} is not an IResNet: {reason}", "give insightface's w600k_r50.onnx") from reason


class _GraphReader:
    """Follows one tensor through the graph and collects the layers on the way.

    `tensor` is the name of the current tensor.
    """

    def __init__(self, model: ModelProto):
        from onnx import numpy_helper

        graph = model.graph
        self.constants = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in graph.initializer}
        self.constants |= {
            node.output[0]: torch.from_numpy(numpy_helper.to_array(node.attribute[0].t).copy())
            for node in graph.node
            if node.op_type == "Constant" and node.attribute[0].name == "value"
        }
        self.consumers: dict[str, list[NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                self.consumers.setdefault(name, []).append(node)
        inputs = [value.name for value in graph.input if value.name not in self.constants]
        if len(inputs) != 1:
            raise UnexpectedGraphError(f"it has {len(inputs)} inputs")
        self.tensor = inputs[0]
        self.state: StateDict = {}

    def iresnet(self) -> StateDict:
        self._convolution("conv1", "bn1")
        self._prelu("prelu")
        layer = block = 0
        while len(self._next_nodes()) == 2:
            layer, block = (layer + 1, 0) if self._has_downsample() else (layer, block + 1)
            self._block(f"layer{layer}.{block}")
        self._batch_norm("bn2")
        self._step("Flatten", "Reshape")
        self._batch_norm("features", self._linear("fc"))
        if self._next_nodes():
            raise UnexpectedGraphError(f"{self._next_nodes()[0].op_type} follows the embedding")
        return self.state

    def _has_downsample(self) -> bool:
        """Return whether the block that begins here has a convolution on its shortcut."""
        return any(node.op_type == "Conv" for node in self._next_nodes())

    def _block(self, name: str) -> None:
        start, has_downsample = self.tensor, self._has_downsample()
        self._batch_norm(f"{name}.bn1", required=True)
        self._convolution(f"{name}.conv1", f"{name}.bn2")
        self._prelu(f"{name}.prelu")
        self._convolution(f"{name}.conv2", f"{name}.bn3")
        end, self.tensor = self.tensor, start
        if has_downsample:
            self._convolution(f"{name}.downsample.0", f"{name}.downsample.1")
        shortcut = self.tensor
        if set(self._step("Add").input) != {end, shortcut}:
            raise UnexpectedGraphError(f"{name} does not end in a sum with its input")

    def _next_nodes(self) -> list[NodeProto]:
        """Return the nodes that read the current tensor, after identity nodes."""
        while len(nodes := self.consumers.get(self.tensor, [])) == 1 and nodes[0].op_type in IDENTITY_NODES:
            self.tensor = nodes[0].output[0]
        return nodes

    def _step(self, *kinds: str) -> NodeProto:
        """Return the only next node of these kinds, and continue at its output."""
        nodes = self._next_nodes()
        matching = [node for node in nodes if node.op_type in kinds]
        if len(matching) != 1:
            actual = " and ".join(node.op_type for node in nodes) or "the end"
            raise UnexpectedGraphError(f"expected {' or '.join(kinds)} after {self.tensor}, got {actual}")
        self.tensor = matching[0].output[0]
        return matching[0]

    def _constant(self, node: NodeProto, index: int) -> torch.Tensor:
        try:
            return self.constants[node.input[index]].float()
        except KeyError:
            raise UnexpectedGraphError(f"input {index} of {node.op_type} {node.name} is not a constant") from None

    def _convolution(self, name: str, norm: str) -> None:
        node = self._step("Conv")
        weight = self.state[f"{name}.weight"] = self._constant(node, 1)
        bias = self._constant(node, 2) if len(node.input) > 2 else torch.zeros(len(weight))
        self._batch_norm(norm, bias)

    def _batch_norm(self, name: str, bias: torch.Tensor | None = None, required: bool = False) -> None:
        """Read a batch normalization and fold the bias before it in; without a node, build one that adds the bias."""
        if required or any(node.op_type == "BatchNormalization" for node in self._next_nodes()):
            node = self._step("BatchNormalization")
            weight, shift, mean, variance = (self._constant(node, index) for index in range(1, 5))
            if bias is not None:
                mean = mean - bias
            variance = variance + _attribute(node, "epsilon", EPSILON) - EPSILON
        elif bias is not None:
            weight, shift = torch.ones(len(bias)), bias
            mean, variance = torch.zeros(len(bias)), torch.full((len(bias),), 1 - EPSILON)
        else:
            raise UnexpectedGraphError(f"{name} is missing")
        tensors = {"weight": weight, "bias": shift, "running_mean": mean, "running_var": variance}
        self.state |= {f"{name}.{suffix}": value for suffix, value in tensors.items()}

    def _prelu(self, name: str) -> None:
        self.state[f"{name}.weight"] = self._constant(self._step("PRelu"), 1).flatten()

    def _linear(self, name: str) -> torch.Tensor:
        """Read a linear layer. Returns a zero bias for the normalization after it, because the layer keeps its own."""
        node = self._step("Gemm")
        weight = self._constant(node, 1)
        self.state[f"{name}.weight"] = weight if _attribute(node, "transB", 0) else weight.T.contiguous()
        self.state[f"{name}.bias"] = self._constant(node, 2)
        return torch.zeros(len(self.state[f"{name}.bias"]))


def _attribute(node: NodeProto, name: str, default: float) -> Any:
    from onnx.helper import get_attribute_value

    return next((get_attribute_value(a) for a in node.attribute if a.name == name), default)
