"""ICface's losses and step, on two small synthetic people."""

import pytest
import torch
from torch.utils.data import default_collate

from asccl.metric.loss import ASCCLLoss
from asccl.nets.icface import Icface, neutral_controls
from asccl.nets.icface_discriminator import IcfaceDiscriminator
from asccl.nets.icface_settings import DiscriminatorSettings, IcfaceSettings
from asccl.nets.icface_synthesis import INITIAL_OPACITY, ImageChange
from asccl.renderers.icface.controls import MOUTH_CORNERS, UPPER_FACE, control_index
from asccl.zoo import create_metric
from training.datasets.controlled_clips import FramePair, FramePairs
from training.datasets.synthetic_controlled import synthetic_clips
from training.icface_step import (
    AnimatorObjective,
    DiscriminatorObjective,
    GeneratorLosses,
    NeutralizerObjective,
    edit_controls,
    generate_images,
)

SIZE, PEOPLE = 32, 2
HEADS = {"adversarial", "attributes", "identity"}


@pytest.fixture(scope="module")
def batch() -> FramePair:
    pairs = FramePairs(synthetic_clips(0, PEOPLE, 4, SIZE, 0.7), seed=0)
    return default_collate([pairs[0], pairs[len(pairs) - 1]])


@pytest.fixture
def net() -> Icface:
    torch.manual_seed(0)
    return Icface(IcfaceSettings(width=4, blocks=1, downsamplings=1, dropout=0.0, size=SIZE))


@pytest.fixture
def discriminator() -> IcfaceDiscriminator:
    torch.manual_seed(1)
    return IcfaceDiscriminator(DiscriminatorSettings(4, SIZE, PEOPLE))


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def has_gradient(module: torch.nn.Module) -> bool:
    return any(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())


def test_an_edit_has_the_speech_and_pose_of_the_source_and_the_emotion_of_the_target(batch):
    controls = edit_controls(batch, 2)
    emotion = control_index((*UPPER_FACE, *MOUTH_CORNERS))
    speech = [i for i in range(controls.shape[1]) if i not in emotion]
    assert torch.equal(controls[:, emotion], batch.target_controls[:, emotion])
    assert torch.equal(controls[:, speech], batch.source_controls[:, speech])


def test_every_loss_of_the_animator_reaches_the_animator_alone(batch, net, discriminator):
    settings = GeneratorLosses(discriminator, edits=1, asccl=ASCCLLoss(create_metric()), asccl_size=32)
    objective = AnimatorObjective(net.animator, settings)
    losses = objective(batch, generate_images(net, batch).neutral, rng())
    assert losses.keys() == HEADS | {"reconstruction", "asccl"}
    for name, value in losses.items():
        objective.zero_grad()
        value.backward(retain_graph=True)
        assert has_gradient(net.animator), name
    assert not has_gradient(discriminator)
    assert not has_gradient(net.neutralizer)


def test_every_loss_of_the_neutralizer_reaches_the_neutralizer_alone(batch, net, discriminator):
    objective = NeutralizerObjective(net.neutralizer, GeneratorLosses(discriminator))
    losses = objective(batch, net.animator)
    assert losses.keys() == HEADS | {"reconstruction", "neutral"}
    for name, value in losses.items():
        objective.zero_grad()
        value.backward(retain_graph=True)
        assert has_gradient(net.neutralizer), name
    assert not has_gradient(discriminator)
    assert not has_gradient(net.animator)
    assert all(p.requires_grad for p in net.animator.parameters())


def test_the_discriminator_learns_from_real_and_generated_images_alone(batch, net, discriminator):
    objective = DiscriminatorObjective(discriminator, softmax_twice=True, penalize=True)
    losses = objective(batch, generate_images(net, batch))
    assert losses.keys() == {"real", "attributes", "identity", "fake", "fake_neutral", "r1"}
    for name, value in losses.items():
        objective.zero_grad()
        value.backward(retain_graph=True)
        assert has_gradient(discriminator), name
    assert not has_gradient(net)


def test_without_a_penalty_there_is_none(batch, net, discriminator):
    assert "r1" not in DiscriminatorObjective(discriminator, False, False)(batch, generate_images(net, batch))


class RecordingAnimator(torch.nn.Module):
    """Returns its images, and keeps its controls."""

    def forward(self, images: torch.Tensor, controls: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
        self.controls, self.own = controls, own
        return images

    def predict_change(self, images: torch.Tensor, controls: torch.Tensor, own: torch.Tensor) -> ImageChange:
        return ImageChange(self(images, controls, own))


def test_the_neutral_face_is_animated_by_the_target_and_by_neutral_controls(batch, net, discriminator):
    animator = RecordingAnimator()
    losses = NeutralizerObjective(net.neutralizer, GeneratorLosses(discriminator))(batch, animator)
    expected = torch.cat([batch.target_controls, neutral_controls(batch.source_controls)])
    assert torch.equal(animator.controls, expected)
    assert losses["neutral"] == 0


def test_a_perfect_animator_has_no_reconstruction_loss(batch, discriminator):
    objective = AnimatorObjective(RecordingAnimator(), GeneratorLosses(discriminator))
    assert objective(batch, batch.target, rng())["reconstruction"] == 0


def test_the_opacity_of_generated_colours_is_a_loss(batch, discriminator):
    net = Icface(IcfaceSettings(width=4, blocks=1, downsamplings=1, dropout=0.0, size=SIZE, synthesis="warp"))
    settings = GeneratorLosses(discriminator)
    animator = AnimatorObjective(net.animator, settings)(batch, batch.source, rng())
    neutralizer = NeutralizerObjective(net.neutralizer, settings)(batch, net.animator)
    opacities = torch.stack([animator["opacity"], neutralizer["opacity"]])
    assert torch.allclose(opacities, torch.full((2,), INITIAL_OPACITY))


def test_a_few_steps_lower_the_losses(batch, net, discriminator):
    objective = AnimatorObjective(net.animator, GeneratorLosses(discriminator))
    optimizer = torch.optim.Adam(objective.parameters(), 5e-3)
    neutral = generate_images(net, batch).neutral
    history = []
    for _ in range(25):
        loss = objective(batch, neutral, rng())["reconstruction"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    assert history[-1] < 0.7 * history[0]
