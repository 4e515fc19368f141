"""Settings of `training.train_renderer`."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from asccl.errors import SettingError
from asccl.face.crop import CROP_SIZE
from asccl.metric.loss_settings import Daas
from asccl.metric.scc import MAX_REGIONS, Heads
from asccl.nets.ned_renderer import RendererSizes
from asccl.zoo import DEFAULT_MANIPULATOR, DEFAULT_METRIC
from training.engine.settings import LoopSettings, check_ranges
from training.metric_images import check_image_size

ASCCLTarget = Literal["reconstruction", "edited", "both"]


@dataclass(frozen=True)
class RendererSettings(LoopSettings):
    """Settings of `training.train_renderer`.

    Attributes:
        weights: file of the finished renderer; its discriminators go to NAME-D and NAME-Dm beside it.
        data: folder of `training.prepare`; without one, people are synthetic.
        people: labels of the people to use, separated by commas; with ! before a label all but that one.
        verify: compare the files of the folder with its manifest before the training.
        synthetic_speakers: number of synthetic people.
        synthetic_frames: frames of each synthetic person.
        size: side of a frame of synthetic people, pixels.
        held_out_share: share of each clip, its end, that is not trained on.
        validation_frames: largest number of held-out frames per clip that an evaluation renders.
        window_frames: consecutive frames that the generator renders in a training window.
        ngf: channels of the generator's first layer.
        downsamplings: number of times that the generator halves the resolution.
        blocks: residual blocks of the generator.
        ndf: channels of the discriminators' first layer.
        scales: number of resolutions at which a discriminator works.
        layers: number of times that a discriminator halves the resolution.
        running: normalize by running statistics of the training, as NED does, and not by those of the image.
        learning_rate: learning rate of Adam, constant for half of the steps, then decays linearly to 0.
        adam_beta1: beta1 of Adam; beta2 is 0.999.
        ema_decay: decay of the moving average of the generator's weights; the average is what is written.
        cold_start_share: share of windows that start without frames before them.
        adversarial_weight: weight of the GAN loss, for the face image and for the mouth.
        features_weight: weight of feature matching, for the face image and for the mouth.
        pixels_weight: weight of the L1 distance inside the mask.
        vgg_weight: weight of the VGG-19 perceptual loss, 10 in NED.
        vgg: name or file of the VGG-19 weights, see docs/ned.md.
        asccl_weight: weight of the ASCCL loss between the real and the generated frame.
        asccl_on: which generated frames ASCCL compares with the source frame: those of the "reconstruction", "edited"
            ones, for which no true answer exists, or "both". "edited" and "both" render edits in some steps.
        edited_share: share of the steps that also render an edit of their windows.
        edits: what edits the expression: name or file of a manipulator, or "preset".
        asccl_images: largest number of frames per batch in the ASCCL loss.
        asccl_image_size: side of their crops, pixels, a multiple of 16.
        asccl_regions: largest number of regions of a feature map that a step compares.
        metric: name or file of the SCC metric.
        heads: mapping f of that metric (eq. 3): "trained", "random", or "identity" for none.
        daas: DAAS weights: "paper" for one per pair of regions (eq. 6), "off" for 1, "authors" for one per feature map.
        temporal_weight: weight of the comparison over time (STCCL), over that of ASCCL; 0 leaves it out.
        start_from: file of a renderer to start from; its discriminators are read from NAME-D and NAME-Dm beside it.
        preview_step: step of the first sample images.
    """

    changeable = LoopSettings.changeable | {"preview_step", "validation_frames", "verify"}

    minimums = LoopSettings.minimums | {
        **dict.fromkeys(("synthetic_speakers", "synthetic_frames", "validation_frames", "window_frames"), 1),
        **dict.fromkeys(("ngf", "ndf", "scales", "layers", "asccl_images", "asccl_regions"), 1),
        **dict.fromkeys(("downsamplings", "blocks", "learning_rate", "adam_beta1", "ema_decay", "cold_start_share"), 0),
    }

    maximums = LoopSettings.maximums | {"adam_beta1": 0.999, "ema_decay": 1, "cold_start_share": 1}

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
    asccl_on: ASCCLTarget = "reconstruction"
    edited_share: float = 0.5
    edits: str = DEFAULT_MANIPULATOR
    asccl_images: int = 8
    asccl_image_size: int = CROP_SIZE
    asccl_regions: int = MAX_REGIONS
    metric: str = DEFAULT_METRIC
    heads: Heads = "trained"
    daas: Daas = "paper"
    temporal_weight: float = 0.0
    start_from: str = ""
    preview_step: int = 20

    def sizes(self) -> RendererSizes:
        """Return the sizes of the networks."""
        return RendererSizes(**{field.name: getattr(self, field.name) for field in fields(RendererSizes)})

    def loss_weights(self) -> dict[str, float]:
        """Return the weight of every loss of the generator."""
        return {
            "pixels": self.pixels_weight,
            "vgg": self.vgg_weight,
            "asccl": self.asccl_weight,
            "adversarial": self.adversarial_weight,
            "mouth_adversarial": self.adversarial_weight,
            "features": self.features_weight,
            "mouth_features": self.features_weight,
            "edited_asccl": self.asccl_weight,
            "edited_adversarial": self.adversarial_weight,
            "edited_mouth_adversarial": self.adversarial_weight,
        }


def validate_settings(settings: RendererSettings) -> None:
    """Check ranges, and settings that depend on each other. Raises SettingError."""
    check_ranges(settings)
    step = 2**settings.downsamplings
    min_size = max(4 * step, 32)
    if settings.size % step or settings.size < min_size:
        raise SettingError(
            f"size {settings.size} does not fit {settings.downsamplings} downsamplings",
            f"give a multiple of {step}, {min_size} or more",
        )
    if settings.vgg_weight and not settings.vgg:
        raise SettingError(
            f"vgg_weight is {settings.vgg_weight:g}, and VGG-19's weights are not bundled",
            "give --vgg FILE (docs/ned.md says where to get it), or --vgg-weight 0 and some --pixels-weight",
        )
    if not 0 < settings.held_out_share < 1:
        raise SettingError(f"held_out_share {settings.held_out_share} is out of range", "give a share between 0 and 1")
    if not 0 <= settings.edited_share <= 1:
        raise SettingError(f"edited_share {settings.edited_share} is out of range", "give a share from 0 to 1")
    if settings.temporal_weight and settings.window_frames < 2:
        raise SettingError(
            f"temporal_weight compares consecutive frames, and window_frames is {settings.window_frames}",
            "give --window-frames 2 or more",
        )
    check_image_size("asccl_image_size", settings.asccl_image_size)
