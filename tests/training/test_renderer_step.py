"""The renderer's windows, losses and step, on one small made-up person."""

import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from asccl.errors import InputError
from asccl.face.mesh import LIPS
from asccl.metric.loss import ASCCLLoss
from asccl.morphable.anny_head import load_anny_head
from asccl.nets.ned_renderer import Discriminator, Generator, RendererSizes
from asccl.renderers.neural.face_surface import FaceSurface
from asccl.zoo import create_metric
from training import losses
from training.datasets.portraits import InMemory, Part, RendererWindow, RendererWindows, mouth_side
from training.datasets.synthetic_portraits import synthetic_portrait
from training.renderer_step import Discriminators, crop_mouths, generate_frames, generator_losses, select_targets

SIZES = RendererSizes(ngf=4, downsamplings=2, blocks=2, ndf=4, layers=2, running=False)
SIZE = 48


@pytest.fixture(scope="module")
def portrait() -> InMemory:
    return synthetic_portrait(5, 0, 50, SIZE, FaceSurface(load_anny_head()))


@pytest.fixture(scope="module")
def batch(portrait) -> RendererWindow:
    windows = RendererWindows([portrait], window_frames=2)
    return default_collate([windows[0], windows[30]])


@pytest.fixture
def nets() -> tuple[Generator, Discriminators]:
    torch.manual_seed(0)
    return Generator(SIZES), Discriminators(SIZES)


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def test_a_window_shows_frames_in_a_row_with_their_conditions(portrait, batch):
    assert len(RendererWindows([portrait, portrait], 2)) == 2 * 47
    assert batch.conditions.shape == (2, 4, 10, SIZE, SIZE) and batch.frames.shape == (2, 4, 3, SIZE, SIZE)
    assert torch.equal(batch.frames[1], torch.from_numpy(portrait.frames[30:34]).float() / 127.5 - 1)
    mask = batch.conditions[:, :, 9]
    assert set(mask.unique().tolist()) == {0, 1} and 0.2 < mask.mean() < 0.6
    assert (batch.conditions[:, :, :9] * (1 - mask[:, :, None])).abs().max() == 0


def test_conditions_fit_the_frames(portrait):
    window = portrait.window()
    grey, (white, iris) = window.frames.mean(1), window.conditions[:, 7:9].unbind(1)
    assert grey[iris > 0.7].mean() < grey[white > 0.7].mean() - 0.3
    lips = portrait.landmarks[:, list(LIPS)] - window.mouth.numpy()[:, None, ::-1]
    assert lips.min() >= 0 and lips.max() < mouth_side(SIZE)
    assert crop_mouths(grey[:, None], window.mouth).shape[2:] == (mouth_side(SIZE),) * 2


def test_what_does_not_fit_is_refused(portrait):
    for frames, conditions, landmarks, words in (
        (portrait.frames, portrait.conditions[:, :9], portrait.landmarks, "10 condition channels"),
        (portrait.frames[:, :, 1:], portrait.conditions, portrait.landmarks, "square RGB frames"),
        (portrait.frames[1:], portrait.conditions, portrait.landmarks, "prepare it anew"),
        (portrait.frames, portrait.conditions, portrait.landmarks * np.nan, "not finite"),
    ):
        with pytest.raises(InputError, match=words):
            InMemory(frames, conditions, landmarks, "one")
    with pytest.raises(InputError, match="has 9 frames in a row"):
        RendererWindows([Part(portrait, 0, 8)], 7)
    half = InMemory(portrait.frames[..., ::2, ::2], portrait.conditions[..., ::2, ::2], portrait.landmarks / 2)
    with pytest.raises(InputError, match=r"have \[24, 48\] pixels"):
        RendererWindows([portrait, half], 2)


def test_each_frame_sees_what_was_drawn_before_it_and_sends_no_gradient_back(batch):
    seen = []

    class Watched(torch.nn.Module):
        def forward(self, conditions, previous):
            seen.append((conditions, previous))
            return torch.full_like(previous[:, :3], len(seen) / 10).requires_grad_()

    made = generate_frames(Watched(), batch, torch.tensor([True, False]))
    assert made.shape == (2, 2, 3, SIZE, SIZE)
    (c0, p0), (c1, p1) = seen
    assert torch.equal(c0, batch.conditions[:, :3].flatten(1, 2)) and torch.equal(c1[:, 20:], batch.conditions[:, 3])
    assert (p0[0] == -1).all() and not p1.requires_grad
    mask = batch.conditions[1, 1, 9:]
    assert torch.equal(p0[1, 3:], batch.frames[1, 1] * mask - (1 - mask))
    assert torch.equal(p1[:, :3], p0[:, 3:]) and (p1[:, 3:] == 0.1).all()


def test_feature_matching_compares_layers_and_not_scores():
    critic = Discriminator(SIZES)
    seen, a, b = torch.rand(2, 9, 32, 32), torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)
    told, other = critic(seen, a), critic(seen, b)
    assert losses.feature_matching(told, told) == 0 and losses.feature_matching(told, other) > 0.01
    moved = [[*scale[:-1], scale[-1] + 5] for scale in told]
    assert losses.feature_matching(moved, told) == 0
    by_hand = [4 * sum((x - y).abs().mean() for x, y in zip(s[:-1], t[:-1], strict=True)) / 3
               for s, t in zip(told, other, strict=True)]  # fmt: skip
    assert losses.feature_matching(told, other).item() == pytest.approx(sum(by_hand).item() / 2, rel=1e-5)
    assert losses.on_scales(losses.lsgan_real, [[a, torch.ones(3)], [torch.zeros(2)]]) == 0.5


def test_only_what_is_inside_counts():
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., :2, :] = 1
    made, real = torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)
    real[..., 2:, :], real[..., 0, :] = 9, 1
    assert losses.inside(mask, made, real) == 0.5 and losses.inside(0 * mask, made, real) == 0


def test_every_loss_reaches_the_generator_and_nothing_else(batch, nets):
    generator, critics = nets
    asccl = ASCCLLoss(create_metric())
    found, made = generator_losses(generator, critics, batch, rng(), asccl)
    names = {"pixels", "adversarial", "features", "mouth_adversarial", "mouth_features", "asccl"}
    assert found.keys() == names and made.shape == (2, 2, 3, SIZE, SIZE)
    for name, value in found.items():
        generator.zero_grad()
        value.backward(retain_graph=True)
        assert generator.model_down_seg[1].weight.grad.abs().sum() > 0, name
        assert all(p.grad is None and p.requires_grad for p in critics.parameters()), name
    critics(batch, made)["fake"].backward()
    assert all(p.grad is not None for p in critics.parameters())
    alone, same = generator_losses(generator, None, batch, rng())
    assert alone.keys() == {"pixels"} and torch.equal(same, made)


def test_the_truth_itself_costs_nothing(batch, nets):
    there = select_targets(batch)
    truth = iter(there.face.unflatten(0, (2, 2)).unbind(1))

    class Knows(torch.nn.Module):
        def forward(self, conditions, previous):
            return next(truth)

    found, _ = generator_losses(Knows(), nets[1], batch, rng(), ASCCLLoss(create_metric()))
    other, _ = generator_losses(nets[0], nets[1], batch, rng(), ASCCLLoss(create_metric()))
    assert found["pixels"] == found["features"] == found["mouth_features"] == 0
    assert found["asccl"] < other["asccl"]


def test_a_few_steps_lower_the_losses(batch, nets):
    generator, critics = nets
    optimizer = torch.optim.Adam(generator.parameters(), 2e-3)
    seen = []
    for _ in range(25):
        found, _ = generator_losses(generator, critics, batch, rng())
        seen.append({name: value.item() for name, value in found.items()})
        optimizer.zero_grad()
        (10 * found["pixels"] + found["features"] + found["mouth_features"]).backward()
        optimizer.step()
    assert seen[-1]["pixels"] < 0.6 * seen[0]["pixels"] and seen[-1]["features"] < seen[0]["features"]
