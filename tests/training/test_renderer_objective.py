"""Edits of a batch without a true answer: what ASCCL and the discriminators say about them."""

import pytest
import torch
from torch.utils.data import default_collate

from asccl.metric.loss import ASCCLLoss
from asccl.metric.loss_settings import LossSettings
from asccl.morphable.anny_head import load_anny_head
from asccl.nets.ned_renderer import NedGenerator, RendererSizes
from asccl.renderers.neural.face_surface import FaceSurface
from asccl.types import EMOTIONS
from asccl.zoo import create_metric, load_manipulator
from training.datasets.edited_windows import EditedWindow, EditedWindows, manipulator_edit, preset_edit
from training.datasets.portraits import RendererWindows
from training.datasets.synthetic_portraits import synthetic_portrait
from training.renderer_objective import FrozenLosses, RendererObjective, edited_losses
from training.renderer_settings import RendererSettings
from training.renderer_step import Discriminators, batch_frames, compare_crops, select_targets

SIZES = RendererSizes(ngf=4, downsamplings=2, blocks=2, ndf=4, layers=2, running=False)
HEAD = load_anny_head()
HAPPY = EMOTIONS.index("happy")


@pytest.fixture(scope="module")
def windows() -> EditedWindows:
    portrait = synthetic_portrait(5, 0, 12, 48, FaceSurface(HEAD))
    return EditedWindows(RendererWindows([portrait], window_frames=2), manipulator_edit(load_manipulator()), seed=0)


@pytest.fixture(scope="module")
def batch(windows) -> EditedWindow:
    return default_collate([windows[0], windows[7]])


@pytest.fixture
def networks() -> tuple[NedGenerator, Discriminators]:
    torch.manual_seed(0)
    return NedGenerator(SIZES), Discriminators(SIZES)


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def test_an_edit_has_the_frames_of_its_source_and_other_conditions(windows):
    window = windows[0]
    assert torch.equal(window.window().frames, windows.windows[0].frames)
    assert window.conditions.shape == window.source.conditions.shape
    assert (window.conditions - window.source.conditions).abs().mean() > 1e-3


def test_the_source_s_own_coefficients_give_its_own_conditions(windows):
    portrait = windows.windows.portraits[0]
    conditions = portrait.edited_conditions(3, portrait.coefficients[3:5])
    expected = portrait.window(3, 5).conditions
    assert (torch.from_numpy(conditions) - expected).abs().max() < 1 / 255


def test_an_edit_depends_on_its_index_alone(windows):
    again = EditedWindows(windows.windows, windows.edit, windows.seed)
    assert torch.equal(windows[5].conditions, again[5].conditions)


def test_a_preset_edit_smiles(windows):
    coefficients = windows.windows.portraits[0].coefficients
    smile = [n for n, name in enumerate(HEAD.names) if "mouthSmile" in name]
    assert preset_edit(HEAD)(coefficients, HAPPY)[:, smile].mean() > coefficients[:, smile].mean() + 0.2


def test_the_losses_of_an_edit_reach_the_generator_and_nothing_else(batch, networks):
    generator, discriminators = networks
    result = edited_losses(generator, discriminators, batch, rng(), ASCCLLoss(create_metric()))
    assert result.losses.keys() == {"edited_adversarial", "edited_mouth_adversarial", "edited_asccl"}
    for name, value in result.losses.items():
        generator.zero_grad()
        value.backward(retain_graph=True)
        assert generator.model_down_seg[1].weight.grad.abs().sum() > 0, name
        assert all(p.grad is None and p.requires_grad for p in discriminators.parameters()), name


def test_the_discriminators_learn_from_edited_faces(batch, networks):
    generator, discriminators = networks
    edited = edited_losses(generator, None, batch, rng()).generated
    losses = discriminators(batch.source, edited, (batch.window(), edited))
    losses["edited_fake"].backward()
    assert all(p.grad is not None for p in discriminators.parameters())
    assert all(p.grad is None for p in generator.parameters())


def test_the_source_face_itself_has_a_lower_loss_than_a_random_face(batch):
    asccl, targets = ASCCLLoss(create_metric()), select_targets(batch.source)
    frames = batch_frames(batch.source)
    same = compare_crops(asccl, targets, targets.face, rng(), frames)
    assert same < compare_crops(asccl, targets, torch.rand_like(targets.face) * 2 - 1, rng(), frames)


def test_pixels_that_are_not_comparable_do_not_count(batch):
    asccl, targets = ASCCLLoss(create_metric(), LossSettings(samples=None)), select_targets(batch.source)
    comparable = torch.ones_like(targets.mask, dtype=torch.bool)
    comparable[..., 24:, :] = False
    changed = targets.face.clone()
    changed[..., 40:, :] = 0.9
    losses = [compare_crops(asccl, targets, x, rng(), 2, None, comparable) for x in (targets.face, changed)]
    everywhere = compare_crops(asccl, targets, changed, rng(), 2)
    assert abs(losses[1] - losses[0]) < 0.2 * abs(everywhere - losses[0])


def test_crops_of_another_size_show_the_same_region(batch):
    class CropRecorder:
        settings = LossSettings()

        def __call__(self, source, *_):
            return source

    targets = select_targets(batch.source)
    large, small = (compare_crops(CropRecorder(), targets, targets.face, rng(), 2, size=size) for size in (112, 56))
    assert small.shape[-2:] == (56, 56)
    same_pixels = large[..., ::2, ::2]  # pixel centres of a matrix that is scaled are those of every other pixel
    torch.testing.assert_close(small, same_pixels, atol=1e-3, rtol=0)


def test_a_temporal_loss_compares_whole_windows(batch):
    asccl, targets = ASCCLLoss(create_metric(), LossSettings(temporal=True)), select_targets(batch.source)
    face = targets.face.clone().requires_grad_()
    compare_crops(asccl, targets, face, rng(), 2, max_images=3).backward()
    assert (face.grad.abs().sum((1, 2, 3)) > 0).tolist() == [True, True, False, False]


def test_an_edited_step_leaves_the_reconstruction_as_it_is(batch, networks):
    generator, discriminators = networks
    plain = RendererObjective(generator, RendererSettings())
    edited = RendererObjective(generator, RendererSettings(asccl_on="edited", edited_share=1.0))
    arguments = discriminators, batch, rng(), FrozenLosses(None, None)
    result = edited(*arguments)
    expected = plain(discriminators, batch.source, rng(), FrozenLosses(None, None))
    assert result.edited is not None
    assert torch.equal(result.generated, expected.generated)
    assert all(result.losses[name] == value for name, value in expected.losses.items())


def test_only_a_share_of_the_steps_renders_an_edit(batch, networks):
    objective = RendererObjective(networks[0], RendererSettings(asccl_on="edited", edited_share=0.5))
    steps = [objective(None, batch, rng().manual_seed(n), FrozenLosses(None, None)) for n in range(12)]
    assert 2 <= sum(step.edited is not None for step in steps) <= 10
