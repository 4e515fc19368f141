"""IResNet from ONNX graphs."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from asccl import zoo
from asccl.nets.iresnet import IResNet

onnx = pytest.importorskip("onnx", reason="pip install -e '.[import]'")


def export(net: IResNet, path: Path, folded: bool, identity: bool = False) -> Path:
    """Write a graph as PyTorch's exporter does: tensors without names, batch normalization folded into convolutions."""
    nodes: list = []
    constants: list = []

    def constant(value: torch.Tensor) -> str:
        constants.append(onnx.numpy_helper.from_array(value.detach().numpy(), str(900 - len(constants))))
        return constants[-1].name

    def node(kind: str, *inputs: str, **attributes: object) -> str:
        nodes.append(onnx.helper.make_node(kind, list(inputs), [f"t{len(nodes)}"], **attributes))
        return nodes[-1].output[0]

    def norm(x: str, bn: torch.nn.BatchNorm2d) -> str:
        values = (bn.weight, bn.bias, bn.running_mean, bn.running_var)
        return node("BatchNormalization", x, *map(constant, values), epsilon=bn.eps)

    def conv(x: str, layer: torch.nn.Conv2d, bn: torch.nn.BatchNorm2d) -> str:
        shape = {"kernel_shape": layer.kernel_size, "strides": layer.stride, "pads": layer.padding * 2}
        if not folded:
            return norm(node("Conv", x, constant(layer.weight), **shape), bn)
        fused = torch.nn.utils.fuse_conv_bn_eval(layer, bn)
        return node("Conv", x, constant(fused.weight), constant(fused.bias), **shape)

    def prelu(x: str, layer: torch.nn.PReLU) -> str:
        return node("PRelu", x, constant(layer.weight[:, None, None]))

    x = prelu(conv("input.1", net.conv1, net.bn1), net.prelu)
    for layer in (net.layer1, net.layer2, net.layer3, net.layer4):
        for block in layer:
            y = prelu(conv(norm(x, block.bn1), block.conv1, block.bn2), block.prelu)
            y = conv(y, block.conv2, block.bn3)
            x = node("Add", y, x if block.downsample is None else conv(x, *block.downsample))
    x = norm(x, net.bn2)
    x = node("Flatten", node("Identity", x) if identity else x, axis=1)
    if folded:
        x = node("Gemm", x, constant(net.fc.weight), constant(net.fc.bias), transB=1)
    else:
        x = node("Gemm", x, constant(net.fc.weight.T.contiguous()), constant(net.fc.bias))
    norm(x, net.features)
    nodes[-1].output[0] = "683"
    values = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (("input.1", ["None", 3, 112, 112]), ("683", [1, 512]))
    ]
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph(nodes, "net", values[:1], values[1:], constants)), path)
    return path


@pytest.mark.parametrize("folded", [True, False])
def test_arcface_from_onnx_gives_the_same_embedding(small_net, face, tmp_path, run_import, folded):
    path = export(small_net, tmp_path / "r18.onnx", folded, identity=folded)
    onnx.checker.check_model(onnx.load(path))
    status, output = run_import("arcface", path, "-o", tmp_path / "out.safetensors")
    assert status == 0, output
    net = zoo.load_backbone(tmp_path / "out.safetensors")
    with torch.inference_mode():
        for a, b in zip(
            [*net.feature_maps(face), net(face)], [*small_net.feature_maps(face), small_net(face)], strict=True
        ):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4 * float(b.abs().max()))


def test_the_hand_made_graph_is_the_network(small_net, face, tmp_path):
    """So that the test above compares with something true."""
    reference = pytest.importorskip("onnx.reference")
    for folded in (True, False):
        session = reference.ReferenceEvaluator(str(export(small_net, tmp_path / "net.onnx", folded)))
        (embedding,) = session.run(None, {"input.1": face.numpy()})
        np.testing.assert_allclose(embedding, small_net(face).numpy(), rtol=1e-3, atol=1e-3)


def test_another_graph_is_refused(small_net, tmp_path, run_import):
    path = export(small_net, tmp_path / "net.onnx", folded=True)
    model = onnx.load(path)
    model.graph.node[1].op_type = "Relu"
    onnx.save(model, path)
    status, output = run_import("arcface", path, "-o", tmp_path / "out.safetensors")
    assert status == 3
    assert "is not an IResNet: expected PRelu after t0, got Relu" in output
    assert not (tmp_path / "out.safetensors").exists()


def test_a_damaged_graph_is_refused(tmp_path, run_import):
    path = tmp_path / "net.onnx"
    path.write_bytes(b"not a graph")
    status, output = run_import("arcface", path, "-o", tmp_path / "out.safetensors")
    assert status == 3
    assert "is not a complete ONNX file" in output
    assert not (tmp_path / "out.safetensors").exists()


def test_without_onnx_the_error_names_the_command_that_installs_it(tmp_path, run_import, monkeypatch):
    (tmp_path / "net.onnx").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "onnx", None)
    status, output = run_import("arcface", tmp_path / "net.onnx", "-o", tmp_path / "out.safetensors")
    assert status == 1
    assert "net.onnx needs the package onnx" in output
    assert "pip install" in output
