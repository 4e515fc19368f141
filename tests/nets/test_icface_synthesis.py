"""ICface's networks that change their image instead of generating all colours."""

import pytest
import torch

from asccl.nets.icface import Icface, IcfaceGenerator, initialize, mirror_controls
from asccl.nets.icface_settings import IcfaceSettings
from asccl.nets.icface_synthesis import INITIAL_OPACITY, MAP_GAIN, warp_image

SIZES = {"width": 4, "blocks": 1, "downsamplings": 1, "size": 32, "dropout": 0.0}


def settings(**changes: str) -> IcfaceSettings:
    return IcfaceSettings(**SIZES, **changes)


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1


@torch.no_grad()
@pytest.mark.parametrize("synthesis", ["blend", "warp"])
@pytest.mark.parametrize("draw", [lambda _: None, initialize])
def test_a_network_that_changes_its_image_starts_as_a_copy(images, synthesis, draw):
    net = IcfaceGenerator(settings(synthesis=synthesis))
    draw(net)
    difference = net(images, torch.rand(3, 20)) - images
    assert difference.abs().max() <= INITIAL_OPACITY + 1e-5


@torch.no_grad()
def test_a_map_moves_the_image_by_the_difference_of_its_control_value(images):
    net = IcfaceGenerator(settings(synthesis="warp"))
    net.shift_maps.maps[5] = 1.0
    own, controls = torch.zeros(3, 20), torch.zeros(3, 20)
    controls[:, 5] = 0.1
    shift = net.predict_small_change(images, controls, own).shift
    torch.testing.assert_close(shift, torch.full_like(shift, 0.1 * MAP_GAIN))
    assert net.predict_small_change(images, controls, controls).shift.abs().max() == 0


@torch.no_grad()
def test_group_normalization_does_not_depend_on_the_batch(images):
    net, controls = IcfaceGenerator(settings(norm="group")), torch.rand(3, 20)
    torch.testing.assert_close(net(images, controls)[:1], net(images[:1], controls[:1]))


@torch.no_grad()
def test_batch_normalization_depends_on_the_batch(images):
    net, controls = IcfaceGenerator(settings()), torch.rand(3, 20)
    assert (net(images, controls)[:1] - net(images[:1], controls[:1])).abs().max() > 0.01


@pytest.mark.parametrize("axis", [0, 1])
def test_a_shift_says_where_a_colour_comes_from(images, axis):
    shift = torch.zeros(3, 2, 32, 32)
    shift[:, axis] = 2 / 32  # one pixel
    expected = images.roll(-1, 3 - axis)
    inside = (slice(None), slice(None), slice(1, -1), slice(1, -1))
    torch.testing.assert_close(warp_image(images, shift)[inside], expected[inside], atol=1e-5, rtol=0)


@torch.no_grad()
def test_a_larger_image_keeps_its_details():
    net = Icface(settings(synthesis="warp")).eval()
    large = torch.rand(1, 3, 96, 96) * 2 - 1
    neutral, generated = net(large, *torch.rand(2, 1, 20))
    assert neutral.shape == large.shape
    assert (generated - large).abs().max() <= 2.1 * INITIAL_OPACITY


@torch.no_grad()
def test_a_change_is_the_same_at_every_resolution(images):
    net = IcfaceGenerator(settings(synthesis="warp"))
    torch.nn.init.normal_(net.model[-1].weight, 0, 0.05)
    change = net.predict_small_change(images, torch.rand(3, 20))
    large = torch.nn.functional.interpolate(images, scale_factor=3, mode="bilinear", align_corners=False)
    small = torch.nn.functional.avg_pool2d(change.apply(large), 3)
    smooth = torch.nn.functional.avg_pool2d(change.apply(images), 5, 1) - torch.nn.functional.avg_pool2d(small, 5, 1)
    assert smooth.abs().mean() < 0.02


@torch.no_grad()
@pytest.mark.parametrize("synthesis", ["blend", "warp"])
def test_two_changes_become_one_that_samples_the_image_once(images, synthesis):
    net = Icface(settings(synthesis=synthesis)).eval()
    for generator in (net.neutralizer, net.animator):
        torch.nn.init.normal_(generator.model[-1].weight, 0, 0.02)
    smooth = torch.nn.functional.interpolate(images[..., :4, :4], images.shape[-2:], mode="bicubic").clamp(-1, 1)
    controls, driving = torch.rand(2, 3, 20)
    _, expected = net(smooth, controls, driving)
    assert (expected - smooth).abs().mean() > 0.02
    assert (net.predict_change(smooth, controls, driving).apply(smooth) - expected).abs().mean() < 0.003


@torch.no_grad()
def test_the_change_of_a_mirrored_face_is_the_mirrored_change(images):
    net = Icface(settings(norm="group", synthesis="warp")).eval()
    for generator in (net.neutralizer, net.animator):
        torch.nn.init.normal_(generator.model[-1].weight, 0, 0.02)
    controls, driving = torch.rand(2, 3, 20)
    change = net.predict_symmetric_change(images, controls, driving)
    mirrored = net.predict_symmetric_change(images.flip(-1), mirror_controls(controls), mirror_controls(driving))
    assert change.shift.abs().max() > 0.001
    for part, other in zip(change, mirrored.mirrored(), strict=True):
        torch.testing.assert_close(part, other, atol=1e-5, rtol=0)


def test_a_mirrored_head_turns_and_rolls_the_other_way():
    controls = torch.tensor([[0.4, 0.3, 0.8] + 17 * [0.1]])
    torch.testing.assert_close(mirror_controls(controls), torch.tensor([[0.4, 0.7, 0.2] + 17 * [0.1]]))


def test_files_without_these_settings_are_those_of_the_published_networks():
    metadata = settings(norm="group", synthesis="warp").to_metadata()
    assert IcfaceSettings.from_metadata(metadata) == settings(norm="group", synthesis="warp")
    older = {name: value for name, value in metadata.items() if name not in {"norm", "synthesis"}}
    assert IcfaceSettings.from_metadata(older) == settings()


@pytest.mark.parametrize("change", [{"norm": "layer"}, {"synthesis": "flow"}])
def test_unknown_layers_are_refused(change):
    (name,) = change
    with pytest.raises(ValueError, match=f"there is no {name} '{change[name]}', only"):
        settings(**change)
