"""Settings of `training.train_icface`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from asccl.errors import SettingError
from asccl.face.crop import CROP_SIZE
from asccl.metric.loss_settings import Daas
from asccl.metric.scc import Heads
from asccl.nets.icface_settings import DiscriminatorSettings, IcfaceSettings, Norm, Synthesis
from asccl.zoo import DEFAULT_METRIC
from training.engine.settings import LoopSettings, check_ranges
from training.metric_images import check_image_size

Optimizer = Literal["rmsprop", "adam"]
Initialization = Literal["published", "default"]


@dataclass(frozen=True)
class IcfaceTrainingSettings(LoopSettings):
    """Settings of `training.train_icface`.

    Attributes:
        weights: file of the finished networks; the discriminator goes to NAME-D beside it.
        batch_size: pairs of frames on each device.
        data: folder of `training.prepare`; without one, people are synthetic.
        people: labels of the people to use, separated by commas; with ! before a label all but that one.
        verify: compare the files of the folder with its manifest before the training.
        synthetic_people: number of synthetic people to train on.
        synthetic_frames: frames of each of them.
        edit_share: share of the pairs of synthetic people that show one moment with two emotions, the true image of an
            edit; all others are two moments of a clip.
        colour_jitter: deviation of a random gain and offset of the colours of a pair, the same in both frames.
        render_jobs: processes that render the synthetic people; 0 renders in the training process.
        held_out_people: number of synthetic people to evaluate on.
        held_out_frames: frames of each of them, or of each held-out clip at most.
        size: side of an image, pixels.
        width: channels of the first layer of neutralizer and animator, 128 in ICface.
        network_size: side of the reduced image that neutralizer and animator read, pixels, for a `synthesis` that
            changes an image; 0 for `size`.
        blocks: residual blocks of each, 6 in ICface.
        downsamplings: number of times that each halves the resolution, 2 in ICface.
        dropout: probability of dropout in the residual blocks, 0.5 in ICface.
        pose_limit: rotation of the head whose control is 1, radians.
        norm: "batch" normalization as in ICface, or "group" normalization, which small batches need.
        synthesis: "colours" as in ICface; "blend" for colours with an opacity over the image that a network reads;
            "warp" for these and where each of its pixels comes from.
        discriminator_width: channels of the first layer of the discriminator, 256 in ICface.
        initialization: initial weights: "published" as in ICface, for its width, or "default" as PyTorch draws them.
        optimizer: "rmsprop" as in ICface, with Adam's bias correction, or "adam" with beta1 0.5.
        learning_rate: learning rate, constant for half of the steps, then decays linearly to 0.
        warmup_steps: steps in which it rises linearly first, until the optimizer has averages of the gradients.
        ema_decay: decay of the moving average of neutralizer and animator; the average is what is written.
        adversarial_weight: weight of the GAN losses.
        reconstruction_weight: weight of the L1 distance to the target.
        attributes_weight: weight of the distance of the controls that the discriminator reads.
        identity_weight: weight of the cross entropy of the people.
        softmax_twice: take the softmax of the people's logits as logits, as ICface does.
        neutral_weight: weight of the distance of the neutral face to the same, animated by neutral controls.
        r1_weight: weight of the gradient penalty of the discriminator; 0 leaves it out.
        opacity_weight: weight of the mean opacity of generated colours, for a `synthesis` that changes an image.
        vgg_weight: weight of the VGG-19 perceptual loss between neutral face and target, 0.1 in ICface.
        vgg: name or file of the VGG-19 weights, see docs/ned.md.
        edits: images of a batch that are generated as edits, too: with speech and pose of the source and the emotion of
            the target; they have no truth, and the losses of the discriminator alone.
        asccl_weight: weight of the ASCCL loss between sources and edits, 0.3 as published; 0 leaves it out.
        asccl_size: side of the crops in the ASCCL loss, pixels.
        metric: name or file of the SCC metric.
        heads: mapping f of that metric (eq. 3): "trained", "random", or "identity" for none.
        daas: DAAS weights: "paper" for one per pair of regions (eq. 6), "off" for 1, "authors" for one per feature map.
        half_weights: write the finished neutralizer and animator in float16; they compute in float32.
        snapshots: keep the averaged networks of every evaluation, in the folder networks of `output`.
        start_from: file of networks to start from; their discriminator is read from NAME-D beside it.
    """

    changeable = LoopSettings.changeable | {"verify", "snapshots", "render_jobs", "half_weights"}

    minimums = LoopSettings.minimums | {
        **dict.fromkeys(("synthetic_people", "synthetic_frames", "held_out_people", "held_out_frames"), 1),
        **dict.fromkeys(("learning_rate", "warmup_steps", "ema_decay", "render_jobs", "colour_jitter"), 0),
    }

    maximums = LoopSettings.maximums | {"ema_decay": 1}

    output: Path = Path("build/icface")
    weights: Path = Path("build/icface.safetensors")
    batch_size: int = 8
    data: Path | None = None
    people: str = ""
    verify: bool = True
    synthetic_people: int = 128
    synthetic_frames: int = 12
    edit_share: float = 0.0
    colour_jitter: float = 0.0
    render_jobs: int = 0
    held_out_people: int = 6
    held_out_frames: int = 16
    size: int = 128
    width: int = 128
    network_size: int = 0
    blocks: int = 6
    downsamplings: int = 2
    dropout: float = 0.5
    pose_limit: float = 0.7
    norm: Norm = "batch"
    synthesis: Synthesis = "colours"
    discriminator_width: int = 256
    initialization: Initialization = "published"
    optimizer: Optimizer = "rmsprop"
    learning_rate: float = 2e-4
    warmup_steps: int = 0
    ema_decay: float = 0.999
    adversarial_weight: float = 1.0
    reconstruction_weight: float = 10.0
    attributes_weight: float = 10.0
    identity_weight: float = 10.0
    softmax_twice: bool = True
    neutral_weight: float = 10.0
    r1_weight: float = 0.05
    opacity_weight: float = 0.0
    vgg_weight: float = 0.0
    vgg: str = ""
    edits: int = 0
    asccl_weight: float = 0.0
    asccl_size: int = CROP_SIZE
    metric: str = DEFAULT_METRIC
    heads: Heads = "trained"
    daas: Daas = "paper"
    half_weights: bool = False
    snapshots: bool = False
    start_from: str = ""

    def network_settings(self) -> IcfaceSettings:
        """Return the settings of neutralizer and animator. Raises ValueError."""
        names = ("width", "blocks", "downsamplings", "dropout", "pose_limit", "norm", "synthesis")
        size = self.network_size or self.size
        if self.size % size or (size != self.size and self.synthesis == "colours"):
            raise ValueError(f"networks of {size} pixels do not change images of {self.size} pixels")
        return IcfaceSettings(**{name: getattr(self, name) for name in names}, size=size)

    def discriminator_settings(self, identities: int) -> DiscriminatorSettings:
        """Return the settings of the discriminator. Raises ValueError. identities: number of people."""
        return DiscriminatorSettings(self.discriminator_width, self.size, identities)

    def discriminator_weights(self) -> dict[str, float]:
        """Return the weight of every loss of the discriminator."""
        gan = dict.fromkeys(("real", "fake", "fake_neutral"), self.adversarial_weight)
        heads = {"attributes": self.attributes_weight, "identity": self.identity_weight}
        return gan | heads | {"r1": self.r1_weight}

    def generator_weights(self) -> dict[str, float]:
        """Return the weight of every loss of animator and neutralizer."""
        return {
            "adversarial": self.adversarial_weight,
            "reconstruction": self.reconstruction_weight,
            "attributes": self.attributes_weight,
            "identity": self.identity_weight,
            "neutral": self.neutral_weight,
            "opacity": self.opacity_weight,
            "vgg": self.vgg_weight,
            "asccl": self.asccl_weight,
        }


def validate_settings(settings: IcfaceTrainingSettings) -> None:
    """Check ranges, and settings that depend on each other. Raises SettingError."""
    check_ranges(settings)
    try:
        settings.network_settings()
        settings.discriminator_settings(1)
    except ValueError as error:
        raise SettingError(str(error), "give other sizes") from error
    if settings.vgg_weight and not settings.vgg:
        raise SettingError(
            f"vgg_weight is {settings.vgg_weight:g}, and VGG-19's weights are not bundled",
            "give --vgg FILE (docs/ned.md says where to get it), or --vgg-weight 0",
        )
    if not 0 <= settings.edits <= settings.batch_size or (settings.asccl_weight and not settings.edits):
        raise SettingError(
            f"{settings.edits} edits of batches of {settings.batch_size}, ASCCL weight {settings.asccl_weight:g}",
            "give --edits from 0 to the batch size, and 1 or more for the ASCCL loss",
        )
    if not 0 <= settings.edit_share <= 1 or (settings.edit_share and settings.data is not None):
        raise SettingError(
            f"edit_share is {settings.edit_share:g}, and the true images of edits are known of synthetic people alone",
            "give --edit-share from 0 to 1 without --data, or leave it out",
        )
    check_image_size("asccl_size", settings.asccl_size)
