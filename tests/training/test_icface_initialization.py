"""Initial weights of ICface's networks."""

import pytest
import torch

from asccl.errors import SettingError
from asccl.nets.icface import Discriminator, Icface
from asccl.nets.icface_settings import DiscriminatorSettings, IcfaceSettings
from training.datasets.controlled_clips import FramePairs, to_tensor
from training.datasets.synthetic_controlled import synthetic_clips
from training.icface_initialization import initialize_networks


@pytest.fixture(scope="module")
def pairs() -> FramePairs:
    return FramePairs(synthetic_clips(0, 2, 4, 32, 0.7), seed=0)


def build(width: int, downsamplings: int, initialization: str, pairs: FramePairs) -> Icface:
    torch.manual_seed(0)
    net = Icface(IcfaceSettings(width, 2, downsamplings, 0.0, 32))
    initialize_networks(net, Discriminator(DiscriminatorSettings(4, 32, 1)), pairs, initialization)
    return net


def mean_distance(net: Icface, images: torch.Tensor) -> float:
    """Mean absolute difference of images (B, 3, S, S) and what becomes of them."""
    _, generated = net(images, *torch.rand(2, len(images), 20))
    return (generated - images).abs().mean().item()


@pytest.mark.parametrize(("width", "downsamplings"), [(12, 1), (24, 2)])
def test_networks_that_start_as_a_copy_return_their_image(pairs, width, downsamplings):
    images = to_tensor(pairs.clips[0].content.images)
    assert mean_distance(build(width, downsamplings, "copy", pairs), images) < 0.1


def test_networks_that_start_as_a_copy_do_not_depend_on_the_batch(pairs):
    net, images = build(12, 1, "copy", pairs), to_tensor(pairs.clips[0].content.images)
    controls = torch.rand(2, len(images), 20)
    _, together = net(images, *controls)
    _, alone = net(images[:1], *controls[:, :1])
    torch.testing.assert_close(alone, together[:1])


def test_networks_of_default_weights_do_not_return_their_image(pairs):
    images = to_tensor(pairs.clips[0].content.images)
    assert mean_distance(build(6, 1, "default", pairs), images) > 0.2


def test_published_weights_have_the_published_deviation(pairs):
    weight = build(16, 2, "published", pairs).animator.model[1].weight
    assert weight.std().item() == pytest.approx(0.02, rel=0.05)


def test_too_narrow_a_network_cannot_start_as_a_copy(pairs):
    with pytest.raises(SettingError, match="width 16 with 2 downsamplings cannot carry an image: give a width of 24"):
        build(16, 2, "copy", pairs)
