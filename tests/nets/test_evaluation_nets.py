"""The networks of the evaluation, whose weights a user imports."""

from __future__ import annotations

import pytest
import torch
from official import TOLERANCE, expected, names, synthetic_weights

from asccl.nets.blocks import tensor_shapes
from asccl.nets.efficientface import EfficientFace, LocalFeatures, ShuffleBlock
from asccl.nets.face_resnet18 import FaceResNet18
from asccl.nets.syncnet import SyncNet


@pytest.fixture(scope="module")
def syncnet() -> SyncNet:
    net = SyncNet()
    net.load_state_dict(synthetic_weights(names("syncnet")))
    return net.freeze()


@pytest.fixture(scope="module")
def embeddings(syncnet) -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(expected("syncnet")["seed"])
    lips, sound = torch.rand(2, 3, 5, 224, 224, generator=rng) * 255, torch.randn(2, 1, 13, 20, generator=rng)
    with torch.inference_mode():
        return {"lip": syncnet.lips(lips), "aud": syncnet.sound(sound)}


@pytest.mark.parametrize("stream", ["lip", "aud"])
def test_syncnet_computes_what_the_published_code_computes(embeddings, stream):
    shape, total, first = expected("syncnet")[stream]
    values = embeddings[stream]
    assert list(values.shape) == shape
    assert [values.sum().item(), *values.flatten()[:6].tolist()] == pytest.approx([total, *first], rel=TOLERANCE)


@pytest.mark.parametrize(("net", "millions"), [(SyncNet, 13.63), (EfficientFace, 1.28), (FaceResNet18, 25.63)])
def test_a_network_has_the_published_number_of_parameters(net, millions):
    with torch.device("meta"):
        assert sum(p.numel() for p in net().parameters()) / 1e6 == pytest.approx(millions, abs=0.01)


@pytest.mark.parametrize(
    ("net", "name", "shape"),
    [
        (EfficientFace, "local.conv1_1.weight", (116, 1, 3, 3)),
        (EfficientFace, "stage3.7.branch2.3.weight", (116, 1, 3, 3)),
        (EfficientFace, "modulator.spatial_att.gate_s.gate_s_conv_di_1.weight", (7, 7, 3, 3)),
        (FaceResNet18, "fc5.weight", (512, 32768)),
        (FaceResNet18, "layer2.0.downsample.0.weight", (128, 64, 1, 1)),
        (FaceResNet18, "layer1.0.prelu.weight", (1,)),
    ],
)
def test_tensors_have_the_names_of_the_published_file(net, name, shape):
    with torch.device("meta"):
        assert tensor_shapes(net())[name] == shape


def test_a_shuffle_block_interleaves_both_halves():
    block = ShuffleBlock(4, 4, 1).eval()
    x = torch.arange(4.0).view(1, 4, 1, 1).expand(1, 4, 3, 3)
    assert block(x)[0, ::2, 0, 0].tolist() == [0, 1]


def test_each_quarter_of_the_face_has_convolutions_of_its_own():
    net = LocalFeatures(1, 1).eval()
    with torch.no_grad():
        net.conv3_1.weight.zero_()  # the upper right quarter
        x = net(torch.ones(1, 1, 8, 8))
    assert (x[0, 0, :2, 2:] == 0).all()


def test_the_gray_network_computes_512_values():
    with torch.inference_mode():
        assert FaceResNet18().freeze()(torch.zeros(1, 1, 128, 128)).shape == (1, 512)


def test_efficientface_computes_1024_features():
    with torch.inference_mode():
        assert EfficientFace().freeze().features(torch.zeros(1, 3, 224, 224)).shape == (1, 1024)
