"""Measure what the ASCCL loss costs in the trainings of NED, and how large its gradient is, at both levels.

    python -m benchmarks.ned_cost [--steps 60] [--threads 1] [--repeats 5] [--preset cpu]
                                  [--pretraining cpu-pretraining] [--json FILE]

The networks are trained for some steps of the ablation's pretraining first, without the loss. Cost: processor time of a
whole step of its recipe, both phases, with the loss over that without it, in one run; with as many images as a step of
the ablation has, then with as many as the preset of a training has. Gradient: norm of the loss's gradient in the
generator's weights, at weight 1, for each supervision of the ablation (of a renderer on reconstructed frames), over
that of the trained metric with DAAS; for the latter also over the norm of the gradient of all other losses together.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset, default_collate

from asccl.face.crop import CROP_SIZE
from asccl.morphable.anny_head import load_anny_head
from asccl.nets.ned_renderer import NedGenerator
from asccl.zoo import load_manipulator, load_metric
from benchmarks.report import print_rows
from training import losses, train_manipulator, train_renderer
from training.ablation.design import SUPERVISIONS, TrainingStage
from training.datasets.portraits import RendererWindow, RendererWindows
from training.datasets.windows import ManipulatorWindow, SyntheticWindows
from training.engine.settings import PRESETS, load_preset
from training.manipulator_step import ManipulatorObjective, RenderedASCCLLoss
from training.renderer_files import load_initial_weights
from training.renderer_settings import RendererSettings
from training.renderer_step import Discriminators, generator_losses
from training.train_manipulator import ManipulatorSettings

LossTerms = Mapping[str, torch.Tensor]
LARGE_BATCH = (8, CROP_SIZE)  # images of the head in a step of a training, and their side in pixels


def load_batch(data: Dataset, kind: type, size: int, number: int) -> Any:
    """Collate a batch of a data set, the same one for the same number.

    Args:
        data: to draw from.
        kind: class of its items.
        size: of the batch.
        number: of the batch.

    Returns:
        The batch, of the same class.
    """
    rng = torch.Generator().manual_seed(number)
    length = len(data)  # type: ignore[arg-type]  # the data sets of the trainings have a length
    indices = torch.randint(length, (size,), generator=rng).tolist()
    return kind(*default_collate([data[index] for index in indices]))


class ManipulatorStage:
    """Stage 1 after a short training.

    Args:
        settings: of the steps that are measured.
        pretraining: of the training before them.
    """

    stage: TrainingStage = "manipulator"

    def __init__(self, settings: ManipulatorSettings, pretraining: ManipulatorSettings):
        train_manipulator.main(pretraining)
        self.settings, self.head = settings, load_anny_head()
        net = deepcopy(load_manipulator(pretraining.weights)).requires_grad_(True)
        self.objective = ManipulatorObjective(net, self.head.index["jawOpen"]).train()
        self.discriminator = net.discriminator.train()
        self.generator = net.generator
        self.data = SyntheticWindows(settings.seed, settings.synthetic_sequences)
        self.weights = settings.loss_weights() | {"asccl": 1.0}

    def supervision(
        self, heads: Any, daas: Any, images: int, size: int, temporal_weight: float = 0.0
    ) -> RenderedASCCLLoss:
        """The ASCCL loss of this stage.

        Args:
            heads: mapping f of the metric, see `load_metric`.
            daas: see `LossSettings`.
            images: rendered in a step.
            size: their side, pixels.
            temporal_weight: of the comparison over time, 0 for none.

        Returns:
            The loss on images of the head.
        """
        details = temporal_weight, self.settings.asccl_regions
        return RenderedASCCLLoss(self.head, load_metric(heads=heads), daas, images, size, *details)

    def losses(self, number: int, asccl: RenderedASCCLLoss | None) -> LossTerms:
        """LossTerms of the generator on a batch by number."""
        batch, rng = self._batch(number), torch.Generator().manual_seed(number)
        return self.objective(batch, rng, self.discriminator, self.settings.paired_weight > 0, asccl)

    def train_discriminator(self, number: int) -> None:
        """Backward pass of the other phase on a batch by number."""
        batch, rng = self._batch(number), torch.Generator().manual_seed(number)
        with torch.no_grad():
            generated, _ = self.objective.generate(batch, rng)
        samples, emotions = torch.cat([batch.target, generated]), torch.cat([batch.target_emotion] * 2)
        real, fake = self.discriminator(samples, emotions).chunk(2)
        (losses.lsgan_real(real) + losses.lsgan_fake(fake)).backward()

    def _batch(self, number: int) -> ManipulatorWindow:
        return load_batch(self.data, ManipulatorWindow, self.settings.batch_size, number)


class RendererStage:
    """Stage 2 after a short training.

    Args:
        settings: of the steps that are measured.
        pretraining: of the training before them.
    """

    stage: TrainingStage = "renderer"

    def __init__(self, settings: RendererSettings, pretraining: RendererSettings):
        train_renderer.main(pretraining)
        self.settings = settings
        self.generator, self.discriminators = NedGenerator(settings.sizes()), Discriminators(settings.sizes())
        load_initial_weights(str(pretraining.weights), self.generator, self.discriminators)
        self.data = RendererWindows(train_renderer.load_portraits(settings)[0], settings.window_frames)
        self.weights = settings.loss_weights()

    def supervision(
        self, heads: Any, daas: Any, images: int, size: int, temporal_weight: float = 0.0
    ) -> tuple[Any, int, int]:
        """The ASCCL loss of this stage, and the crops that it is computed on.

        Args:
            heads: mapping f of the metric, see `load_metric`.
            daas: see `LossSettings`.
            images: frames in a step.
            size: side of their crops, pixels.
            temporal_weight: of the comparison over time, 0 for none.

        Returns:
            The loss, the number of frames and the side of their crops.
        """
        settings = replace(self.settings, heads=heads, daas=daas, temporal_weight=temporal_weight)
        return train_renderer.build_asccl_loss(settings, torch.device("cpu")), images, size

    def losses(self, number: int, supervision: tuple[Any, int, int] | None) -> LossTerms:
        """LossTerms of the generator on a batch by number; keeps what was generated for the other phase."""
        asccl, *crops = supervision or (None, None, CROP_SIZE)
        rng, cold = torch.Generator().manual_seed(number), self.settings.cold_start_share
        terms, self.generated = generator_losses(
            self.generator, self.discriminators, self._batch(number), rng, asccl, None, cold, *crops
        )
        return terms

    def train_discriminator(self, number: int) -> None:
        """Backward pass of the other phase on a batch by number."""
        torch.stack(list(self.discriminators(self._batch(number), self.generated).values())).sum().backward()

    def _batch(self, number: int) -> RendererWindow:
        return load_batch(self.data, RendererWindow, self.settings.batch_size, number)


NedStage = ManipulatorStage | RendererStage


def weighted_sum(stage: NedStage, terms: LossTerms) -> torch.Tensor:
    """Sum of named losses with the weights of a stage."""
    return torch.stack([stage.weights[name] * value for name, value in terms.items()]).sum()


def measure_seconds(stage: NedStage, supervisions: Sequence[Any], repeats: int) -> list[float]:
    """Processor time of a training step with each of some supervisions, in turns.

    Args:
        stage: trained for a few steps.
        supervisions: of `NedStage.supervision`, or None.
        repeats: steps with each.

    Returns:
        Seconds of the fastest step with each.
    """

    def step(number: int, supervision: Any) -> float:
        start = time.process_time()
        weighted_sum(stage, stage.losses(number, supervision)).backward()
        stage.train_discriminator(number)
        return time.process_time() - start

    seconds = [[step(number, each) for each in supervisions] for number in range(repeats + 1)]
    return [min(column) for column in zip(*seconds[1:], strict=True)]  # the first step warms up


def gradient_norms(stage: NedStage, supervision: Any, number: int) -> tuple[float, float]:
    """Norms of gradients in the generator's weights.

    Args:
        stage: trained for a few steps.
        supervision: of `NedStage.supervision`.
        number: of the batch.

    Returns:
        Norm of the gradient of the ASCCL loss, and of all other losses together.
    """
    terms = dict(stage.losses(number, supervision))
    weights = list(stage.generator.parameters())

    def norm(loss: torch.Tensor) -> float:
        gradients = torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True)
        return torch.stack([g.square().sum() for g in gradients if g is not None]).sum().sqrt().item()

    return norm(terms.pop("asccl")), norm(weighted_sum(stage, terms))


def measure(
    name: str, stage: NedStage, small: tuple[int, int], large: tuple[int, int], repeats: int
) -> dict[str, float]:
    """Measure one stage.

    Args:
        name: of the level, for the rows.
        stage: trained for a few steps.
        small: images a step and their side in pixels, in the ablation.
        large: likewise, in the preset of a training.
        repeats: steps with each supervision.

    Returns:
        Rows of the report.
    """
    supervisions = [None, *(stage.supervision("trained", "paper", *batch) for batch in (small, large))]
    without, with_small, with_large = measure_seconds(stage, supervisions, repeats)
    rows = {f"{name}: seconds a step without": without}
    for (images, _), seconds in ((small, with_small), (large, with_large)):
        rows[f"{name}: with {images} images, times as long"] = seconds / without
    norms: dict[str, float] = {}
    for label, variant in SUPERVISIONS[stage.stage].items():
        if not variant.weight_scale or (stage.stage == "renderer" and variant.asccl_on != "both"):
            continue
        supervision = stage.supervision(variant.heads, variant.daas, *small, variant.temporal_weight)
        pairs = [gradient_norms(stage, supervision, number) for number in range(repeats)]
        norms[label], others = (sum(column) / repeats for column in zip(*pairs, strict=True))
        if label == "trained":
            rows[f"{name}: gradient norm over that of all other losses"] = norms[label] / others
    return rows | {f"{name}: gradient norm, {k}, over trained": v / norms["trained"] for k, v in norms.items()}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option, default in (("steps", 60), ("threads", 1), ("repeats", 5)):
        parser.add_argument(f"--{option}", type=int, default=default)
    parser.add_argument("--preset", default="cpu", help="of presets/ablation")
    parser.add_argument("--pretraining", default="cpu-pretraining", help="of presets/ablation")
    parser.add_argument("--json", type=Path, help="also append the JSON line to this file")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    names = arguments.preset, arguments.pretraining
    preset, pretraining = (str(PRESETS / "ablation" / f"{name}.toml") for name in names)
    rows: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = {"output": folder / "3dmm", "weights": folder / "3dmm.safetensors", "steps": arguments.steps}
        manipulator = ManipulatorSettings(**load_preset(ManipulatorSettings, preset))
        first = ManipulatorSettings(**load_preset(ManipulatorSettings, pretraining) | files)
        small = manipulator.asccl_images, manipulator.asccl_image_size
        rows |= measure("3DMM", ManipulatorStage(manipulator, first), small, LARGE_BATCH, arguments.repeats)
        files |= {"output": folder / "image", "weights": folder / "image.safetensors"}
        renderer = RendererSettings(**load_preset(RendererSettings, preset))
        before = RendererSettings(**load_preset(RendererSettings, pretraining) | files)
        small = renderer.asccl_images, renderer.asccl_image_size
        large = renderer.batch_size * renderer.window_frames, CROP_SIZE
        rows |= measure("image", RendererStage(renderer, before), small, large, arguments.repeats)
    print_rows("ned_cost", rows, arguments.json)


if __name__ == "__main__":
    main()
