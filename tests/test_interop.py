"""Published checkpoints through `python -m asccl import-weights`: stand-ins with made-up weights, nothing of theirs."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from official import names, synthetic_weights
from safetensors.torch import load_file

from asccl import hub, zoo
from asccl.__main__ import main
from asccl.errors import WeightsError
from asccl.interop.kinds import KINDS
from asccl.nets.iresnet import IResNet

onnx = pytest.importorskip("onnx", reason="pip install -e '.[import]'")


def shapes(net: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in net.state_dict().items()}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Several would wait for each other on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def face() -> torch.Tensor:
    return torch.rand(1, 3, 112, 112, generator=torch.Generator().manual_seed(5)) * 2 - 1


@pytest.fixture(scope="module")
def small() -> IResNet:
    """IResNet-18 with its embedding: as IResNet-50, but quick."""
    net = IResNet(18, head=True)
    net.load_state_dict(synthetic_weights(shapes(net)))
    return net.freeze()


@pytest.fixture(scope="module")
def authors(tmp_path_factory) -> Path:
    """A stand-in for the authors' metric."""
    path = tmp_path_factory.mktemp("authors") / "metric.pth"
    torch.save(synthetic_weights(names("scc")), path)
    return path


def save(state: dict, path: Path) -> Path:
    torch.save(state, path)
    return path


def run(capsys, *arguments: object) -> tuple[int, str]:
    """Exit status, and what it said."""
    try:
        status = main(["import-weights", *map(str, arguments)])
    except SystemExit as stop:
        status = int(stop.code or 0)
    said = capsys.readouterr()
    return status, said.out + said.err


def test_scc(authors, tmp_path, capsys):
    output = tmp_path / "scc.safetensors"
    status, said = run(capsys, "scc", authors, "-o", output)
    assert status == 0
    assert "from BGR" in said and "dropped resnet50.bn2.bias, resnet50.bn2.num" not in said
    assert "dropped resnet50.bn2.bias" in said and "counters" in said
    told, tensors, theirs = hub.read_metadata(output), load_file(output), torch.load(authors, weights_only=True)
    assert told == {
        "kind": "scc", "backbone": "iresnet50", "colours": "RGB", "origin": "metric.pth",
        "origin_sha256": hashlib.sha256(authors.read_bytes()).hexdigest(),
    }  # fmt: skip
    first = "backbone.conv1.weight"
    assert torch.equal(tensors.pop(first), theirs["resnet50.conv1.weight"].flip(1))
    assert torch.equal(tensors["heads.3.2.bias"], theirs["mlp.11.bias"])
    assert torch.equal(tensors["heads.1.0.weight"], theirs["mlp.3.weight"])
    assert torch.equal(tensors["backbone.layer4.2.bn3.running_var"], theirs["resnet50.layer4.2.bn3.running_var"])
    own = {f"backbone.{name}" for name in shapes(IResNet(50)) if not name.endswith("tracked")}
    assert tensors.keys() == own - {first} | {f"heads.{i}.{j}.{k}" for i in range(4) for j in (0, 2) for k in
                                              ("weight", "bias")}  # fmt: skip
    again = tmp_path / "again.safetensors"
    run(capsys, "scc", authors, "-o", again)
    assert again.read_bytes() == output.read_bytes()


@pytest.mark.parametrize(("head", "prefix"), [(True, ""), (False, "module.")])
def test_arcface_from_pytorch_gives_the_same_network(small, face, tmp_path, capsys, head, prefix):
    state = {prefix + name: value for name, value in small.state_dict().items() if head or not name.startswith("fea")}
    output = tmp_path / "arcface.safetensors"
    status, said = run(capsys, "arcface", save(state, tmp_path / "r18.pth"), "-o", output)
    assert status == 0, said
    assert "IResNet-18 " + ("with its" if head else "without an") in said and "insightface feeds RGB" in said
    if not head:
        assert "took 'module.' off" in said and "dropped bn2.bias" in said
    net = zoo.load_backbone(output)
    assert net is zoo.load_backbone(str(output))
    with torch.inference_mode():
        for a, b in zip(net.feature_maps(face), small.feature_maps(face), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4 * float(b.abs().max()))
    assert net.head is head and net.MAP_CHANNELS == (64, 128, 256, 512)
    net.train()
    assert not any(part.training for part in net.modules())


def test_the_authors_backbone_is_an_iresnet_50(tmp_path, capsys):
    path = save(synthetic_weights(shapes(IResNet(50))), tmp_path / "backbone.pth")
    status, said = run(capsys, "arcface", path, "-o", tmp_path / "out.safetensors")
    assert status == 0 and "IResNet-50 without" in said
    assert hub.read_metadata(tmp_path / "out.safetensors")["backbone"] == "iresnet50"


def exported(net: IResNet, path: Path, folded: bool, idle: bool = False) -> Path:
    """What PyTorch's exporter makes of the network, by hand: nameless tensors, batch normalisation in convolutions."""
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
    x = node("Flatten", node("Identity", x) if idle else x, axis=1)
    if folded:
        x = node("Gemm", x, constant(net.fc.weight), constant(net.fc.bias), transB=1)
    else:
        x = node("Gemm", x, constant(net.fc.weight.T.contiguous()), constant(net.fc.bias))
    norm(x, net.features)
    nodes[-1].output[0] = "683"
    ends = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (("input.1", ["None", 3, 112, 112]), ("683", [1, 512]))
    ]
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph(nodes, "net", ends[:1], ends[1:], constants)), path)
    return path


@pytest.mark.parametrize("folded", [True, False])
def test_arcface_from_onnx_gives_the_same_embedding(small, face, tmp_path, capsys, folded):
    path = exported(small, tmp_path / "r18.onnx", folded, idle=folded)
    onnx.checker.check_model(onnx.load(path))
    status, said = run(capsys, "arcface", path, "-o", tmp_path / "out.safetensors")
    assert status == 0, said
    net = zoo.load_backbone(tmp_path / "out.safetensors")
    with torch.inference_mode():
        for a, b in zip([*net.feature_maps(face), net(face)], [*small.feature_maps(face), small(face)], strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4 * float(b.abs().max()))


def test_the_hand_made_graph_is_the_network(small, face, tmp_path):
    """So that the test above compares with something true."""
    reference = pytest.importorskip("onnx.reference")
    for folded in (True, False):
        session = reference.ReferenceEvaluator(str(exported(small, tmp_path / "net.onnx", folded)))
        (answer,) = session.run(None, {"input.1": face.numpy()})
        np.testing.assert_allclose(answer, small(face).numpy(), rtol=1e-3, atol=1e-3)


def test_another_graph_is_refused(small, tmp_path, capsys):
    path = exported(small, tmp_path / "net.onnx", folded=True)
    model = onnx.load(path)
    model.graph.node[1].op_type = "Relu"
    onnx.save(model, path)
    status, said = run(capsys, "arcface", path, "-o", tmp_path / "out.safetensors")
    assert status == 3 and "is not an IResNet: expected PRelu after t0, found Relu" in said
    path.write_bytes(b"no graph at all")
    status, said = run(capsys, "arcface", path, "-o", tmp_path / "out.safetensors")
    assert status == 3 and "is not a whole ONNX file" in said
    assert not (tmp_path / "out.safetensors").exists()


def test_without_onnx_the_command_that_helps(tmp_path, capsys, monkeypatch):
    (tmp_path / "net.onnx").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "onnx", None)
    status, said = run(capsys, "arcface", tmp_path / "net.onnx", "-o", tmp_path / "out.safetensors")
    assert status == 1 and "net.onnx needs the package onnx" in said and "pip install" in said


class Evil:
    def __reduce__(self):
        return print, ("this ran",)


def test_what_is_refused(small, authors, tmp_path, capsys):
    def refused(status: int, words: str, *arguments: object) -> None:
        before = {path.name for path in tmp_path.iterdir()}
        answer, said = run(capsys, *arguments)
        assert answer == status and words in said and said.count("\n") == 1, said
        assert "this ran" not in said
        assert {path.name for path in tmp_path.iterdir()} == before

    out = ("-o", tmp_path / "out.safetensors")
    state = dict(small.state_dict())
    plain = save(state, tmp_path / "plain.pth")
    refused(2, "there is no kind 'acrface': choose one of scc, arcface", "acrface", plain, *out)
    refused(2, "does not end in .safetensors: name it x.safetensors", "arcface", plain, "-o", tmp_path / "x.pth")
    refused(2, "arguments are required: -o", "arcface", plain)
    refused(3, "is missing", "arcface", tmp_path / "none.pth", *out)
    refused(3, "is a folder", "arcface", tmp_path, *out)
    refused(3, "looks like the kind scc, not arcface: run `import-weights scc`", "arcface", authors, *out)
    refused(3, "looks like the kind arcface, not scc", "scc", plain, *out)
    refused(1, "does not exist", "arcface", plain, "-o", tmp_path / "no" / "out.safetensors")
    evil = save({"conv1.weight": Evil()}, tmp_path / "evil.pth")
    refused(3, "holds more than tensors, and reading that could run any program", "arcface", evil, *out)
    nested = save({"generator": state, "step": 3}, tmp_path / "nested.pth")
    refused(3, "it holds generator, step", "arcface", nested, *out)
    cut = tmp_path / "cut.pth"
    for size in (0, 5, 1000, plain.stat().st_size - 100):
        cut.write_bytes(plain.read_bytes()[:size])
        refused(3, "cut.pth is", "arcface", cut, *out)
    wrong = {"layer1.0.conv1.weight": torch.zeros(64, 64, 1, 1)}
    refused(3, "layer1.0.conv1.weight is (64, 64, 1, 1), not (64, 64, 3, 3)", "arcface",
            save(state | wrong, tmp_path / "shape.pth"), *out)  # fmt: skip
    more = save(state | {"layer5.weight": torch.zeros(1)}, tmp_path / "more.pth")
    refused(3, "it lacks nothing and has layer5.weight too much", "arcface", more, *out)
    lacking = save({name: value for name, value in state.items() if name != "prelu.weight"}, tmp_path / "less.pth")
    refused(3, "it lacks prelu.weight and has nothing too much", "arcface", lacking, *out)
    endless = save(state | {"prelu.weight": torch.full((64,), torch.nan)}, tmp_path / "nan.pth")
    refused(3, "prelu.weight holds numbers that are not finite", "arcface", endless, *out)


def test_help_lists_what_works(capsys):
    status, said = run(capsys, "--help")
    assert status == 0 and all(f"  {name} " in said for name in KINDS)


def test_backbones(tmp_path, authors, capsys):
    bundled = zoo.load_backbone()
    assert bundled is zoo.load_backbone("mobilefacenet-arcface") and bundled.frozen
    assert [m.shape[1] for m in bundled.feature_maps(torch.zeros(1, 3, 32, 32))] == list(bundled.MAP_CHANNELS)
    output = tmp_path / "scc.safetensors"
    run(capsys, "scc", authors, "-o", output)
    metric, first = zoo.load_metric(output), torch.load(authors, weights_only=True)["mlp.0.weight"]
    assert torch.equal(metric.heads[0][0].weight, first) and metric.frozen
    assert len(metric.feature_maps(torch.zeros(1, 3, 32, 32))) == 4
    assert not torch.equal(zoo.load_metric(output, heads="random").heads[0][0].weight, first)
    assert not list(zoo.load_metric(output, heads="identity").heads.parameters())
    assert len(zoo.load_metric(heads="random").heads) == 4
    with pytest.raises(WeightsError, match=r"is a backbone without learned heads"):
        zoo.load_metric("mobilefacenet-arcface")
    with pytest.raises(WeightsError, match=r"is a metric.*load_metric"):
        zoo.load_backbone(output)
