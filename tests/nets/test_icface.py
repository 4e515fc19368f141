"""ICface: names, shapes and results are those of the published code."""

import official
import pytest
import torch

from asccl.nets.blocks import tensor_shapes
from asccl.nets.icface import Icface, IcfaceGenerator, initialize, neutral_controls
from asccl.nets.icface_discriminator import IcfaceDiscriminator
from asccl.nets.icface_settings import DiscriminatorSettings, IcfaceSettings

SMALL = IcfaceSettings(width=4, blocks=2, downsamplings=2, size=32)


def state_shapes(net: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in net.state_dict().items()}


@torch.inference_mode()
def test_neutralizer_and_animator_compute_what_the_published_code_computes():
    expected = official.expected("icface")
    rng = torch.Generator().manual_seed(expected["seed"])
    image, controls = torch.rand(1, 3, 128, 128, generator=rng) * 2 - 1, torch.rand(1, 20, generator=rng)
    net = Icface()
    weights = official.synthetic_weights(official.names("icface", "G"))
    net.neutralizer.load_state_dict(weights)
    net.animator = net.neutralizer  # the published results were computed with the same weights in both
    for generated, name in zip(net.eval()(image, controls, controls), ("neutral", "out"), strict=True):
        *sums, values = expected[name]
        tolerance = {"rel": official.TOLERANCE, "abs": 1e-6}
        assert [generated.sum().item(), generated.abs().sum().item()] == pytest.approx(sums, **tolerance)
        assert generated.flatten()[5000:5008].tolist() == pytest.approx(values, **tolerance)


def test_names_and_shapes_of_the_networks_are_the_published_ones():
    with torch.device("meta"):
        generator, discriminator = IcfaceGenerator(), IcfaceDiscriminator()
    assert state_shapes(generator) == official.names("icface", "G")
    assert state_shapes(discriminator) == official.names("icface", "D")


def test_a_discriminator_has_three_heads_for_any_image_size():
    net = IcfaceDiscriminator(DiscriminatorSettings(width=4, size=64, identities=5))
    output = net(torch.zeros(2, 3, 64, 64))
    assert output.scores.shape == (2, 1, 3, 3)
    assert output.controls.shape == (2, 20)
    assert output.identities.shape == (2, 5)
    with pytest.raises(ValueError, match="expected images of 64 pixels"):
        net(torch.zeros(1, 3, 32, 32))


def test_the_neutralizer_hardly_reads_the_controls_of_its_image():
    controls = torch.rand(2, 20)
    neutral = neutral_controls(controls)
    assert neutral[:, :3].tolist() == [[0.5] * 3] * 2
    assert neutral[:, 3:].abs().max() <= 1e-5


@torch.no_grad()
def test_dropout_acts_only_while_training():
    net = IcfaceGenerator(SMALL)
    image, controls = torch.rand(1, 3, 32, 32), torch.rand(1, 20)
    assert not torch.equal(net(image, controls), net(image, controls))
    assert torch.equal(net.eval()(image, controls), net(image, controls))


def test_settings_survive_the_metadata_of_a_file():
    for settings in (SMALL, IcfaceSettings(dropout=0.0, size=256, pose_limit=0.5)):
        assert IcfaceSettings.from_metadata(settings.to_metadata()) == settings
    discriminator = DiscriminatorSettings(width=8, size=64, identities=3)
    assert DiscriminatorSettings.from_metadata(discriminator.to_metadata()) == discriminator


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "scc"}, "its kind is scc"),
        ({"controls": "openface-0"}, "its controls are openface-0"),
        ({"size": "30"}, "images of 30 pixels"),
        ({"width": "0"}, "no network of the sizes"),
        ({"width": "999999"}, "no network of the sizes"),
        ({"downsamplings": "999999999"}, "no network of the sizes"),
        ({"pose_limit": "inf"}, "pose limit inf"),
        ({"pose_limit": "nan"}, "pose limit nan"),
    ],
)
def test_settings_of_another_file_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        IcfaceSettings.from_metadata(SMALL.to_metadata() | change)


def test_initial_weights_are_small_and_biases_zero():
    net = IcfaceGenerator(IcfaceSettings(width=16, blocks=1, size=32))
    initialize(net)
    assert 0.018 < net.model[4].weight.std() < 0.022
    assert net.model[-1].bias.abs().max() == 0
    assert abs(net.model[2].weight.mean() - 1) < 0.02


def test_a_file_contains_the_weights_of_both_networks():
    names = tensor_shapes(Icface(SMALL))
    assert {name.partition(".")[0] for name in names} == {"neutralizer", "animator"}
