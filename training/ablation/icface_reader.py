"""The network that estimates the controls of generated images in the ablation of ICface.

The discriminators of the trainings estimate controls, too, but the generators were trained to please them. This network
has no part in any training, and its people are in none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Dataset

from asccl.nets.blocks import saved_tensors
from asccl.nets.icface_discriminator import IcfaceDiscriminator
from asccl.nets.icface_settings import DiscriminatorSettings
from training import losses
from training.datasets import HELD_OUT_SEED_OFFSET
from training.datasets.controlled_clips import ArrayClip, to_tensor
from training.datasets.synthetic_controlled import synthetic_clips
from training.engine import loop
from training.engine.loop import Phase, PhaseResult
from training.engine.networks import linear_decay
from training.engine.settings import LoopSettings
from training.engine.weights import write_weights

READER_SEED = 3 * HELD_OUT_SEED_OFFSET
LEARNING_RATE = 1e-3


@dataclass(frozen=True)
class ReaderSettings(LoopSettings):
    """Settings of the training, which the table `reader` of a recipe gives.

    Attributes:
        seed: of the people and initial weights.
        synthetic_people: number of people.
        synthetic_frames: frames of each of them.
        size: side of an image, pixels.
        pose_limit: rotation whose control is 1, radians.
        width: channels of the first layer.
    """

    synthetic_people: int = 128
    synthetic_frames: int = 12
    size: int = 64
    pose_limit: float = 0.7
    width: int = 16
    seed: int = READER_SEED


class FramesWithControls(Dataset):
    """All frames of some clips: (3, S, S) RGB in [-1, 1] and (20,)."""

    def __init__(self, clips: tuple[ArrayClip, ...]):
        self.images = np.concatenate([clip.content.images for clip in clips])
        self.controls = np.concatenate([clip.content.controls for clip in clips])

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return frame `index`."""
        return to_tensor(self.images[index : index + 1])[0], torch.from_numpy(self.controls[index])


def train_reader(settings: ReaderSettings) -> None:
    """Train the network and write its file. Raises AscclError."""
    accelerator = loop.create_accelerator(settings)
    shape = settings.synthetic_people, settings.synthetic_frames, settings.size, settings.pose_limit
    data = FramesWithControls(synthetic_clips(settings.seed, *shape))
    net = IcfaceDiscriminator(DiscriminatorSettings(settings.width, settings.size, 1))
    module, optimizer = accelerator.prepare(net, torch.optim.Adam(net.parameters(), LEARNING_RATE))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, linear_decay(settings.steps))
    accelerator.register_for_checkpointing(schedule)

    def phase(batch: list[torch.Tensor], _: None, _rng: torch.Generator) -> PhaseResult:
        images, controls = batch
        return PhaseResult({"attributes": losses.attribute_distance(module(images).controls, controls)})

    loop.train(accelerator, [module], [Phase("reader", optimizer, phase, schedule=schedule)], data, settings)
    if accelerator.is_main_process:
        write_weights(settings.weights, saved_tensors(net), net.settings.to_metadata())
