"""NED's second stage: names, shapes and results are those of the published code."""

import official
import pytest
import torch

from asccl.nets.ned_renderer import DUPLICATE_TENSOR, NedDiscriminator, NedGenerator, RendererSizes

SMALL = RendererSizes(ngf=8, downsamplings=2, blocks=3, ndf=8, layers=2)
MASK_CHANNELS = [9, 19, 29]  # of the conditions


def random_inputs() -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(official.expected("ned_renderer")["seed"])
    conditions, previous = torch.rand(1, 30, 64, 64, generator=rng), torch.rand(1, 6, 64, 64, generator=rng) * 2 - 1
    conditions[:, MASK_CHANNELS] = (conditions[:, MASK_CHANNELS] > 0.3).float()
    return conditions, previous


@torch.inference_mode()
def test_both_compute_what_the_published_code_computes():
    expected, (conditions, previous) = official.expected("ned_renderer"), random_inputs()
    generator, discriminator = NedGenerator(), NedDiscriminator()
    for net, name in ((generator, "G"), (discriminator, "D")):
        net.load_state_dict(official.synthetic_weights(official.names("ned_renderer", name)))
        net.eval()
    generated = generator(conditions, previous)
    shape, *sums, values = expected["G"]
    assert list(generated.shape) == shape
    tolerance = {"rel": official.TOLERANCE, "abs": 1e-6}
    assert [generated.sum().item(), generated.abs().sum().item()] == pytest.approx(sums, **tolerance)
    assert generated.flatten()[2000:2008].tolist() == pytest.approx(values, **tolerance)
    scales = discriminator(conditions[:, :9], generated)
    assert [[list(layer.shape) for layer in scale] for scale in scales] == expected["D"][:2]
    assert [scale[-1].sum().item() for scale in scales] == pytest.approx(expected["D"][2:], **tolerance)


def test_names_and_shapes_are_the_published_ones():
    for net, name in ((NedGenerator(), "G"), (NedDiscriminator(), "D")):
        shapes = {key: tuple(value.shape) for key, value in net.state_dict().items()}
        published = official.names("ned_renderer", name)
        assert shapes == {key: shape for key, shape in published.items() if not DUPLICATE_TENSOR.search(key)}
        renamed = {DUPLICATE_TENSOR.sub(".conv_block.", key): shape for key, shape in published.items()}
        assert renamed == shapes


def test_nothing_is_rendered_outside_of_the_last_mask_and_other_masks_are_ignored():
    conditions, previous = torch.rand(2, 30, 32, 48), torch.rand(2, 6, 32, 48) * 2 - 1
    conditions[:, 29] = 1
    conditions[:, 29, :10] = 0
    net = NedGenerator(SMALL).eval()
    generated = net(conditions, previous)
    assert generated.shape == (2, 3, 32, 48)
    assert torch.equal(generated[:, 0] == -1, conditions[:, 29] == 0)
    conditions[:, [9, 19]] = 0
    assert torch.equal(generated, net(conditions, previous))


def test_an_image_is_normalised_by_its_own_statistics_on_demand():
    conditions, previous = torch.rand(2, 30, 32, 32), torch.rand(2, 6, 32, 32)
    for running in (True, False):
        net = NedGenerator(RendererSizes(ngf=8, downsamplings=2, blocks=2, running=running))
        trained = net(conditions, previous)
        assert torch.allclose(net.eval()(conditions, previous), trained, atol=1e-5) is not running


def test_at_the_start_of_a_clip_only_the_conditions_matter():
    net = NedGenerator(RendererSizes(ngf=8, downsamplings=2, blocks=3, running=False))
    conditions = torch.rand(1, 30, 32, 32)
    first = net(conditions, torch.full((1, 6, 32, 32), -1.0))
    first.sum().backward()
    assert all(p.grad.abs().sum() == 0 for p in net.model_down_img.parameters())
    for p in net.model_down_img.parameters():
        p.data += 1
    assert torch.equal(net(conditions, torch.full((1, 6, 32, 32), -1.0)), first)
    assert not torch.allclose(net(conditions, torch.rand(1, 6, 32, 32)), first)


def test_the_discriminator_returns_every_layer_of_every_scale():
    scales = NedDiscriminator(SMALL)(torch.rand(1, 9, 24, 32), torch.rand(1, 3, 24, 32))
    assert [len(scale) for scale in scales] == [4, 4]
    assert scales[1][0].shape[2:] == (7, 9)
    assert scales[0][0].shape[2:] == (13, 17)


def test_sizes_survive_a_file():
    sizes = RendererSizes(16, blocks=3, running=False)
    assert RendererSizes.from_metadata(sizes.to_metadata()) == sizes
