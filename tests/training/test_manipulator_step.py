"""The manipulator's losses, on a small network."""

import pytest
import torch
from recordings import HEAD
from torch.utils.data import default_collate

from asccl.nets.ned_manipulator import Manipulator, ManipulatorSizes
from asccl.zoo import create_metric
from training.datasets.windows import ManipulatorWindow
from training.manipulator_step import ManipulatorObjective, RenderedASCCLLoss

JAW = HEAD.index["jawOpen"]


def compute_losses(net: Manipulator, *windows: ManipulatorWindow, paired: bool = True) -> dict[str, torch.Tensor]:
    batch, rng = default_collate(windows), torch.Generator().manual_seed(0)
    return ManipulatorObjective(net, JAW)(batch, rng, net.discriminator, paired)


@pytest.mark.parametrize(
    ("name", "network"),
    [
        ("adversarial", "mapping_network"),
        ("style", "style_encoder"),
        ("cycle", "style_encoder"),
        ("paired", "style_encoder"),
        ("mouth_forward", "generator"),
    ],
)
def test_every_loss_reaches_its_network(synthetic_windows, name, network):
    net = Manipulator(ManipulatorSizes(width=64, residual=True))
    compute_losses(net, *(synthetic_windows[i] for i in range(4)))[name].backward()
    gradients = [p.grad for p in getattr(net, network).parameters() if p.grad is not None]
    assert sum(gradient.abs().sum() for gradient in gradients) > 0


def test_the_paired_loss_does_not_change_the_others(synthetic_windows):
    net, windows = Manipulator(ManipulatorSizes(width=16, residual=True)), [synthetic_windows[i] for i in range(4)]
    with_paired, without = (compute_losses(net, *windows, paired=paired) for paired in (True, False))
    assert with_paired.keys() - without.keys() == {"paired"}
    assert with_paired["cycle"] == without["cycle"]


def test_only_windows_with_a_partner_have_a_paired_loss(recorded_windows):
    net = Manipulator(ManipulatorSizes(width=16, residual=True))
    paired, unpaired = recorded_windows["Ann"][0], recorded_windows["Bob"][0]
    pairs = ((unpaired, unpaired), (paired, unpaired), (paired, paired))
    none, one, two = (compute_losses(net, *windows)["paired"].item() for windows in pairs)
    assert none == 0 < one < two


def test_rendered_asccl_reaches_one_frame_of_each_generated_sequence(synthetic_windows):
    loss = RenderedASCCLLoss(HEAD, create_metric())
    source = torch.stack([synthetic_windows[i].source for i in (0, 1)])
    generated = torch.stack([synthetic_windows[i].target for i in (0, 1)]).requires_grad_()
    loss(source, generated, torch.Generator().manual_seed(0)).backward()
    frames = generated.grad.abs().sum(-1)
    assert ((frames > 0).sum(1) == 1).all()
    assert all(not p.requires_grad for p in loss.parameters())


def test_a_temporal_loss_reaches_two_consecutive_frames_of_half_as_many_sequences(synthetic_windows):
    loss = RenderedASCCLLoss(HEAD, create_metric(), images=2, size=32, temporal_weight=0.1)
    source = torch.stack([synthetic_windows[i].source for i in (0, 1)])
    generated = torch.stack([synthetic_windows[i].target for i in (0, 1)]).requires_grad_()
    loss(source, generated, torch.Generator().manual_seed(0)).backward()
    frames = (generated.grad.abs().sum(-1) > 0).nonzero().tolist()
    assert len(frames) == 2
    assert frames[0][0] == frames[1][0] == 0
    assert frames[1][1] == frames[0][1] + 1


def test_rendered_asccl_is_smaller_for_the_source_itself(synthetic_windows):
    loss = RenderedASCCLLoss(HEAD, create_metric())
    source, target = (getattr(synthetic_windows[0], name)[None] for name in ("source", "target"))
    same, other = (loss(source, x, torch.Generator().manual_seed(0)) for x in (source, target))
    assert same < other


def test_a_loss_in_a_share_of_the_steps_has_the_same_mean(synthetic_windows):
    source, target = (getattr(synthetic_windows[0], name)[None] for name in ("source", "target"))
    metric = create_metric()
    always, sometimes = (RenderedASCCLLoss(HEAD, metric, size=32, share=share) for share in (1.0, 0.25))
    values = [sometimes(source, target, torch.Generator().manual_seed(n)).item() for n in range(40)]
    expected = always(source, target, torch.Generator().manual_seed(0)).item()
    computed = [value for value in values if value]
    assert 5 <= len(computed) <= 16
    assert min(computed) > 2 * expected


def test_few_regions_are_drawn_anew_in_every_step(synthetic_windows):
    source, target = (getattr(synthetic_windows[0], name)[:1][None] for name in ("source", "target"))
    loss = RenderedASCCLLoss(HEAD, create_metric(), size=64, regions=32)
    first, second = (loss(source, target, torch.Generator().manual_seed(n)) for n in (0, 1))
    assert first != second


def test_outlines_change_the_gradient_and_not_the_loss(synthetic_windows):
    source, target = (getattr(synthetic_windows[0], name)[:1][None] for name in ("source", "target"))
    metric, losses, gradients = create_metric(), [], []
    for outlines in (False, True):
        generated = target.clone().requires_grad_()
        loss = RenderedASCCLLoss(HEAD, metric, size=32, outlines=outlines)
        losses.append(loss(source, generated, torch.Generator().manual_seed(0)))
        losses[-1].backward()
        gradients.append(generated.grad)
    assert torch.equal(*losses)
    assert not torch.allclose(*gradients)
