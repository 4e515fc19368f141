"""Train NED's manipulator (stage 1) to change the emotion of coefficient sequences and keep the words.

    python -m training.train_manipulator --preset cpu     # like the bundled one, into build/
    python -m training.train_manipulator --preset cpu --start-from build/a.safetensors --weights build/b.safetensors
    accelerate launch -m training.train_manipulator --preset paper --data /data/prepared

The training resumes from the newest checkpoint in --output; delete that folder to start again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import nn

from asccl.errors import SettingError, WeightsError
from asccl.face.crop import CROP_SIZE
from asccl.metric.loss_settings import Daas
from asccl.metric.scc import MAX_REGIONS, Heads
from asccl.morphable.anny_head import AnnyHead, load_anny_head
from asccl.nets.ned_manipulator import Manipulator, ManipulatorSizes
from asccl.types import EMOTIONS
from asccl.zoo import DEFAULT_METRIC, load_manipulator, load_metric
from training import losses
from training.datasets import HELD_OUT_SEED_OFFSET
from training.datasets.recorded import RecordedWindows, load_labelled_clips, split_clips
from training.datasets.windows import ManipulatorWindow, shared_windows
from training.engine import loop
from training.engine.loop import Phase, PhaseResult
from training.engine.networks import linear_decay, prepare_networks
from training.engine.settings import LoopSettings, check_ranges, run_command
from training.engine.weights import write_weights
from training.manipulator_eval import Windows, evaluate_held_out, measure_mean_styles
from training.manipulator_step import ManipulatorObjective, RenderedASCCLLoss
from training.metric_images import check_image_size


@dataclass(frozen=True)
class ManipulatorSettings(LoopSettings):
    """Settings of `training.train_manipulator`.

    Attributes:
        weights: file of the finished networks.
        batch_size: windows on each device.
        data: folder of `training.prepare`; without one, sequences are synthetic.
        people: labels of the people to use, separated by commas; with ! before a label all but that one.
        verify: compare the files of the folder with its manifest before the training.
        synthetic_sequences: number of synthetic sequences to train on.
        held_out_sequences: number of synthetic sequences to evaluate on.
        width: width of the layers, 512 in NED.
        residual: the generator adds to its input, which NED's does not.
        learning_rate: learning rate of Adam, constant for half of the steps, then decays linearly to 0.
        adam_beta1: beta1 of Adam; beta2 is 0.99.
        adversarial_weight: weight of the GAN loss, 1 in NED.
        style_weight: weight of the style reconstruction, 1 in NED.
        cycle_weight: weight of the cycle consistency, 1 in NED.
        mouth_weight: weight of both mouth correlations, 1 in NED.
        paired_weight: weight of the squared distance to the true answer, where the same words were said with both
            emotions; 0 is NED's training.
        asccl_weight: weight of ASCCL between images of the head before and after; 0 leaves it out.
        asccl_images: images per step in the ASCCL loss, each of another sequence.
        asccl_image_size: their side, pixels.
        asccl_regions: largest number of regions of a feature map that a step compares.
        asccl_share: share of the steps that compute ASCCL, and divide it by this share.
        asccl_outlines: add the movement of outlines, such as the border of the lips, to the gradient of ASCCL.
        asccl_samples: points per pixel and axis of an image whose mean is the pixel; 4 make that gradient less noisy.
        metric: name or file of the SCC metric.
        heads: mapping f of that metric (eq. 3): "trained", "random", or "identity" for none.
        daas: DAAS weights: "paper" for one per pair of regions (eq. 6), "off" for 1, "authors" for one per feature map.
        temporal_weight: weight of the comparison over time (STCCL), over that of ASCCL; 0 leaves it out.
        start_from: name or file of a manipulator of the same sizes to start from.
    """

    minimums = LoopSettings.minimums | {
        **dict.fromkeys(("synthetic_sequences", "held_out_sequences", "width"), 1),
        **dict.fromkeys(("asccl_images", "asccl_regions", "asccl_samples"), 1),
        **dict.fromkeys(("learning_rate", "adam_beta1"), 0),
    }
    maximums = LoopSettings.maximums | {"adam_beta1": 0.999}

    output: Path = Path("build/manipulator")
    weights: Path = Path("build/ned-manipulator.safetensors")
    batch_size: int = 64
    data: Path | None = None
    people: str = ""
    verify: bool = True
    synthetic_sequences: int = 2000
    held_out_sequences: int = 70
    width: int = 512
    residual: bool = False
    learning_rate: float = 1e-4
    adam_beta1: float = 0.0
    adversarial_weight: float = 1.0
    style_weight: float = 1.0
    cycle_weight: float = 1.0
    mouth_weight: float = 1.0
    paired_weight: float = 0.0
    asccl_weight: float = 0.0
    asccl_images: int = 8
    asccl_image_size: int = CROP_SIZE
    asccl_regions: int = MAX_REGIONS
    asccl_share: float = 1.0
    asccl_outlines: bool = False
    asccl_samples: int = 1
    metric: str = DEFAULT_METRIC
    heads: Heads = "trained"
    daas: Daas = "paper"
    temporal_weight: float = 0.0
    start_from: str = ""

    def sizes(self) -> ManipulatorSizes:
        """Return the sizes of the networks."""
        return ManipulatorSizes(width=self.width, residual=self.residual)

    def loss_weights(self) -> dict[str, float]:
        """Return the weight of every loss of the manipulator."""
        return {
            "adversarial": self.adversarial_weight,
            "style": self.style_weight,
            "cycle": self.cycle_weight,
            "mouth_forward": self.mouth_weight,
            "mouth_back": self.mouth_weight,
            "paired": self.paired_weight,
            "asccl": self.asccl_weight,
        }


def validate_settings(settings: ManipulatorSettings) -> None:
    """Check ranges. Raises SettingError."""
    check_ranges(settings)
    if not 0 < settings.asccl_share <= 1:
        raise SettingError(f"asccl_share {settings.asccl_share:g} is out of range", "give a share above 0, at most 1")
    check_image_size("asccl_image_size", settings.asccl_image_size)


def load_windows(settings: ManipulatorSettings, head: AnnyHead) -> tuple[Windows, Windows]:
    """Return the windows to train on and the held-out ones. Raises InputError."""
    seed = settings.seed
    if settings.data is None:
        train = shared_windows(seed, settings.synthetic_sequences)
        return train, shared_windows(seed + HELD_OUT_SEED_OFFSET, settings.held_out_sequences)
    clips = load_labelled_clips(settings.data, head, settings.people, settings.verify)
    train_clips, held_out_clips = split_clips(clips)
    return RecordedWindows(seed, train_clips), RecordedWindows(seed, held_out_clips)


def build_networks(settings: ManipulatorSettings) -> Manipulator:
    """Build the networks, with random weights or those of `settings.start_from`. Raises WeightsError."""
    net = Manipulator(settings.sizes())
    if settings.start_from:
        pretrained = load_manipulator(settings.start_from)
        if pretrained.sizes != net.sizes:
            raise WeightsError(
                f"{settings.start_from} has {pretrained.sizes}, not {net.sizes}",
                "give its --width and --residual, or another --start-from",
            )
        net.load_state_dict(pretrained.state_dict())
    return net


def build_asccl_loss(settings: ManipulatorSettings, head: AnnyHead, device: torch.device) -> RenderedASCCLLoss:
    """Build the ASCCL loss of the level of the 3DMM.

    Args:
        settings: of the training.
        head: the head model.
        device: of the metric and the renderer.

    Raises:
        WeightsError: the metric cannot be loaded.
    """
    metric = load_metric(settings.metric, device, settings.heads)
    return RenderedASCCLLoss(
        head,
        metric,
        settings.daas,
        images=settings.asccl_images,
        size=settings.asccl_image_size,
        temporal_weight=settings.temporal_weight,
        regions=settings.asccl_regions,
        share=settings.asccl_share,
        outlines=settings.asccl_outlines,
        samples=settings.asccl_samples,
    ).to(device)


def main(settings: ManipulatorSettings) -> None:
    """Train a manipulator and write its file. Raises AscclError."""
    validate_settings(settings)
    accelerator = loop.create_accelerator(settings)
    head = load_anny_head()
    jaw = head.index["jawOpen"]
    net = build_networks(settings)
    networks: list[nn.Module] = [ManipulatorObjective(net, jaw), net.discriminator]
    prepared = prepare_networks(
        accelerator,
        networks,
        lambda network: torch.optim.Adam(network.parameters(), settings.learning_rate, (settings.adam_beta1, 0.99)),
        linear_decay(settings.steps),
    )
    objective, discriminator = (network.module for network in prepared)
    asccl = build_asccl_loss(settings, head, accelerator.device) if settings.asccl_weight > 0 else None

    def discriminator_phase(batch: ManipulatorWindow, _: None, rng: torch.Generator) -> PhaseResult:
        with torch.no_grad():
            generated, _styles = accelerator.unwrap_model(objective).generate(batch, rng)
        scores = discriminator(torch.cat([batch.target, generated]), torch.cat([batch.target_emotion] * 2))
        real, fake = scores.chunk(2)
        return PhaseResult({"real": losses.lsgan_real(real), "fake": losses.lsgan_fake(fake)})

    def manipulator_phase(batch: ManipulatorWindow, _: None, rng: torch.Generator) -> PhaseResult:
        return PhaseResult(objective(batch, rng, discriminator, settings.paired_weight > 0, asccl))

    phases = [
        Phase("discriminator", prepared[1].optimizer, discriminator_phase, schedule=prepared[1].schedule),
        Phase("manipulator", prepared[0].optimizer, manipulator_phase, settings.loss_weights(), prepared[0].schedule),
    ]
    train_data, held_out = load_windows(settings, head)
    evaluate = partial(evaluate_held_out, net, held_out, jaw)
    loop.train(accelerator, [objective, discriminator], phases, train_data, settings, evaluate)
    if accelerator.is_main_process:
        net.mean_style.copy_(measure_mean_styles(net, train_data))
        metadata = {"kind": "ned-manipulator", "space": "arkit", "emotions": ",".join(EMOTIONS)}
        write_weights(settings.weights, net.state_dict(), metadata | net.sizes.to_metadata())


if __name__ == "__main__":
    run_command(main, ManipulatorSettings, __doc__)
