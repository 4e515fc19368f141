"""NED's first stage: names, shapes and results are those of the published code."""

import official
import pytest
import safetensors.torch
import torch

from asccl.nets.ned_manipulator import Manipulator, ManipulatorSizes, sample_mean_styles

NETS = ("generator", "mapping_network", "style_encoder", "discriminator")


@pytest.fixture(scope="module")
def theirs() -> Manipulator:
    net = Manipulator(ManipulatorSizes(51))
    for name in NETS:
        getattr(net, name).load_state_dict(official.synthetic_weights(official.names("ned_manipulator", name)))
    return net.freeze()


def summary(values: torch.Tensor) -> list:
    """Sum, absolute sum and the first values, as in the file of expected results."""
    return [values.sum().item(), values.abs().sum().item(), values.flatten()[:8].tolist()]


def test_all_four_compute_what_the_published_code_computes(theirs):
    expected = official.expected("ned_manipulator")
    rng = torch.Generator().manual_seed(expected["seed"])
    x, z = torch.randn(3, 10, 51, generator=rng), torch.randn(3, 4, generator=rng)
    emotions = torch.tensor([0, 3, 6])
    style = theirs.mapping_network(z, emotions)
    results = {
        "style": style,
        "fake": theirs.generator(x, style),
        "enc": theirs.style_encoder(x),
        "d": theirs.discriminator(x, emotions),
    }
    for name, values in results.items():
        for a, b in zip(summary(values), expected[name], strict=True):
            assert a == pytest.approx(b, rel=official.TOLERANCE, abs=1e-6), name


def test_names_and_shapes_are_the_published_ones(theirs):
    for name in NETS:
        shapes = {key: tuple(value.shape) for key, value in getattr(theirs, name).state_dict().items()}
        assert shapes == official.names("ned_manipulator", name)


def test_any_number_of_coefficients_and_frames():
    net = Manipulator(ManipulatorSizes(52, width=16, residual=True)).freeze()
    x = torch.rand(2, 7, 52)
    assert net.generator(x, net.style_encoder(x)).shape == x.shape
    assert net.discriminator(x, torch.tensor([1, 2])).shape == (2,)
    with torch.no_grad():
        net.generator.seq2[-1].weight.zero_()
        net.generator.seq2[-1].bias.zero_()
    assert torch.equal(net.generator(x, net.mean_style[:2]), x)  # residual


def test_tensors_of_the_lstm_that_cudnn_keeps_in_one_can_be_saved():
    net = Manipulator(ManipulatorSizes(52, width=16))
    parameters = list(net.generator.LSTM.parameters())
    buffer = torch.cat([p.detach().flatten() for p in parameters])  # as cuDNN does on a GPU
    for parameter, part in zip(parameters, buffer.split([p.numel() for p in parameters]), strict=True):
        parameter.data = part.view(parameter.shape)
    saved = safetensors.torch.load(safetensors.torch.save(net.state_dict()))
    assert torch.equal(saved["generator.LSTM.weight_hh_l1"], net.generator.LSTM.weight_hh_l1)


def test_sizes_survive_a_file():
    sizes = ManipulatorSizes(51, 64, residual=True)
    assert ManipulatorSizes.from_metadata(sizes.to_metadata()) == sizes


def test_mean_styles_are_those_of_the_mapping_network(theirs):
    styles = sample_mean_styles(theirs.mapping_network, 4)
    assert styles.shape == (7, 16)
    assert torch.equal(styles, sample_mean_styles(theirs.mapping_network, 4))
    z = torch.randn(4000, 4, generator=torch.Generator().manual_seed(1))
    other = theirs.mapping_network(z, torch.full((4000,), 5)).mean(0)
    assert (styles[5] - other).abs().max() < 0.1
    assert (styles[5] - styles[4]).abs().max() > 0.3
