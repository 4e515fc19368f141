"""NED's second stage: the same names, shapes and numbers as the published code's."""

import official
import pytest
import torch

from asccl.nets.ned_renderer import DUPLICATE_TENSOR, Discriminator, Generator, RendererSizes

SMALL = RendererSizes(ngf=8, downsamplings=2, blocks=3, ndf=8, layers=2)
MASKS = [9, 19, 29]  # channels of the conditions


def drawn() -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(official.expected("ned_renderer")["seed"])
    conditions, previous = torch.rand(1, 30, 64, 64, generator=rng), torch.rand(1, 6, 64, 64, generator=rng) * 2 - 1
    conditions[:, MASKS] = (conditions[:, MASKS] > 0.3).float()
    return conditions, previous


@torch.inference_mode()
def test_both_compute_what_the_published_code_computes():
    expected, (conditions, previous) = official.expected("ned_renderer"), drawn()
    generator, discriminator = Generator(), Discriminator()
    for net, name in ((generator, "G"), (discriminator, "D")):
        net.load_state_dict(official.synthetic_weights(official.names("ned_renderer", name)))
        net.eval()
    made = generator(conditions, previous)
    shape, *sums, some = expected["G"]
    assert list(made.shape) == shape
    close = {"rel": official.TOLERANCE, "abs": 1e-6}
    assert [made.sum().item(), made.abs().sum().item()] == pytest.approx(sums, **close)
    assert made.flatten()[2000:2008].tolist() == pytest.approx(some, **close)
    told = discriminator(conditions[:, :9], made)
    assert [[list(layer.shape) for layer in scale] for scale in told] == expected["D"][:2]
    assert [scale[-1].sum().item() for scale in told] == pytest.approx(expected["D"][2:], **close)


def test_names_and_shapes_are_the_published_ones():
    for net, name in ((Generator(), "G"), (Discriminator(), "D")):
        shapes = {key: tuple(value.shape) for key, value in net.state_dict().items()}
        published = official.names("ned_renderer", name)
        assert shapes == {key: shape for key, shape in published.items() if not DUPLICATE_TENSOR.search(key)}
        twins = {
            DUPLICATE_TENSOR.sub(".conv_block.", key): shape
            for key, shape in published.items()
            if DUPLICATE_TENSOR.search(key)
        }
        assert twins.items() <= shapes.items()


def test_nothing_is_drawn_outside_of_the_last_mask_and_the_other_masks_say_nothing():
    conditions, previous = torch.rand(2, 30, 32, 48), torch.rand(2, 6, 32, 48) * 2 - 1
    conditions[:, 29] = 1
    conditions[:, 29, :10] = 0
    net = Generator(SMALL).eval()
    made = net(conditions, previous)
    assert made.shape == (2, 3, 32, 48) and (made[:, :, :10] == -1).all() and (made[:, :, 10:] > -1).all()
    conditions[:, [9, 19]] = 0
    assert torch.equal(made, net(conditions, previous))


def test_a_picture_is_normalised_by_itself_on_demand():
    conditions, previous = torch.rand(2, 30, 32, 32), torch.rand(2, 6, 32, 32)
    for running in (True, False):
        net = Generator(RendererSizes(ngf=8, downsamplings=2, blocks=2, running=running))
        trained = net(conditions, previous)
        assert torch.allclose(net.eval()(conditions, previous), trained, atol=1e-5) is not running


def test_at_the_start_of_a_clip_the_conditions_alone_speak():
    net = Generator(RendererSizes(ngf=8, downsamplings=2, blocks=3, running=False))
    conditions = torch.rand(1, 30, 32, 32)
    first = net(conditions, torch.full((1, 6, 32, 32), -1.0))
    first.sum().backward()
    assert all(p.grad.abs().sum() == 0 for p in net.model_down_img.parameters())
    for p in net.model_down_img.parameters():
        p.data += 1
    assert torch.equal(net(conditions, torch.full((1, 6, 32, 32), -1.0)), first)
    assert not torch.allclose(net(conditions, torch.rand(1, 6, 32, 32)), first)


def test_every_layer_of_every_scale_is_told():
    told = Discriminator(SMALL)(torch.rand(1, 9, 24, 32), torch.rand(1, 3, 24, 32))
    assert [len(scale) for scale in told] == [4, 4]
    assert told[1][0].shape[2:] == (7, 9) and told[0][0].shape[2:] == (13, 17)


def test_sizes_survive_a_file():
    sizes = RendererSizes(16, blocks=3, running=False)
    assert RendererSizes.from_metadata(sizes.to_metadata()) == sizes
