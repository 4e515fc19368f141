"""What a GPU computes, beside the CPU: `python -m benchmarks gpu` runs these tests on a machine with a card."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from accelerate.state import AcceleratorState

from asccl.metric.loss import ASCCLLoss
from asccl.nets.ned_renderer import INPUT_CHANNELS, INPUT_FRAMES, PREVIOUS_FRAMES, NedGenerator, RendererSizes
from asccl.zoo import load_embedder, load_metric
from training import train_icface, train_manipulator, train_metric, train_renderer
from training.engine.settings import parse_settings

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]


@pytest.fixture(autouse=True)
def full_precision():
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False


@pytest.fixture(autouse=True)
def own_accelerator():
    AcceleratorState._reset_state(reset_partial_state=True)  # a process has one precision


def loss_and_gradient(device: str, precision: torch.dtype = torch.float32) -> tuple[float, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    source = torch.rand(2, 3, 112, 112, generator=rng) * 2 - 1
    generated = (source + 0.1 * torch.randn(source.shape, generator=rng)).clamp(-1, 1).to(device).requires_grad_()
    loss_function = ASCCLLoss(load_metric(device=device))
    with torch.autocast("cuda", precision, enabled=precision != torch.float32):
        loss = loss_function(source.to(device), generated)
    loss.backward()
    return loss.item(), generated.grad.cpu()


def test_the_loss_and_its_gradient_are_those_of_the_cpu():
    expected, expected_gradient = loss_and_gradient("cpu")
    loss, gradient = loss_and_gradient("cuda")
    assert loss == pytest.approx(expected, rel=1e-3)
    assert (gradient - expected_gradient).norm() < 1e-2 * expected_gradient.norm()


def test_bfloat16_changes_the_loss_by_less_than_five_per_cent():
    expected, _ = loss_and_gradient("cuda")
    loss, _ = loss_and_gradient("cuda", torch.bfloat16)
    assert loss == pytest.approx(expected, rel=0.05)


def test_the_renderer_draws_the_frame_that_the_cpu_draws():
    torch.manual_seed(0)
    generator = NedGenerator(RendererSizes(ngf=16, blocks=3)).freeze()
    conditions = torch.rand(1, INPUT_FRAMES * INPUT_CHANNELS, 64, 64)
    previous = torch.rand(1, PREVIOUS_FRAMES * 3, 64, 64)
    with torch.inference_mode():
        expected = generator(conditions, previous)
        frame = generator.to("cuda")(conditions.cuda(), previous.cuda()).cpu()
    torch.testing.assert_close(frame, expected, rtol=1e-3, atol=1e-3)


def test_embeddings_are_those_of_the_cpu():
    images = torch.randint(
        0, 256, (2, 112, 112, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    ).numpy()
    expected, embedded = load_embedder().embed(images), load_embedder(device="cuda").embed(images)
    torch.testing.assert_close(torch.from_numpy(embedded), torch.from_numpy(expected), rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("precision", ["no", "bf16", "fp16"])
@pytest.mark.parametrize(
    "script", [train_metric, train_manipulator, train_renderer, train_icface], ids=lambda m: m.__name__
)
def test_a_training_runs_and_continues_from_its_checkpoint(script, precision, tmp_path):
    settings_type = {
        train_metric: train_metric.MetricSettings,
        train_manipulator: train_manipulator.ManipulatorSettings,
        train_renderer: train_renderer.RendererSettings,
        train_icface: train_icface.IcfaceTrainingSettings,
    }[script]
    arguments = ["--preset=smoke", f"--output={tmp_path / 'run'}", f"--weights={tmp_path / 'w.safetensors'}"]
    settings = parse_settings(settings_type, None, [*arguments, f"--precision={precision}"])
    script.main(replace(settings, steps=2))
    script.main(replace(settings, steps=2))
    assert (tmp_path / "w.safetensors").is_file()
