"""Choose one of several ICface networks by people that are in no training and in no test."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from asccl.evaluation.truth_metrics import psnr
from asccl.zoo import load_icface
from training.datasets import HELD_OUT_SEED_OFFSET
from training.datasets.driven_clips import DRIVEN_SETTINGS, DrivenClip
from training.datasets.synthetic_controlled import synthetic_driven_clips
from training.icface_eval import drive

CHOICE_SEED = 4 * HELD_OUT_SEED_OFFSET
CHOICE_PEOPLE, CHOICE_FRAMES = 8, 10


def choice_clips(size: int, pose_limit: float) -> tuple[DrivenClip, ...]:
    """Render the people that decide.

    Args:
        size: side of a frame, pixels.
        pose_limit: rotation whose control is 1, radians.
    """
    return synthetic_driven_clips(CHOICE_SEED, CHOICE_PEOPLE, CHOICE_FRAMES, size, pose_limit)


def measure_choice(path: Path, clips: Sequence[DrivenClip]) -> tuple[float, ...]:
    """Return the mean PSNR of a network by setting, dB, in the order of `DRIVEN_SETTINGS`.

    Args:
        path: file of neutralizer and animator.
        clips: of `choice_clips`.
    """
    net = load_icface(path)
    values: dict[str, list[float]] = {setting: [] for setting in DRIVEN_SETTINGS}
    for clip in clips:
        values[clip.setting].append(psnr(drive(net, clip.source, clip.truth.controls)[1], clip.truth.images))
    return tuple(float(np.mean(values[setting])) for setting in DRIVEN_SETTINGS)


def choose_network(files: Sequence[Path], clips: Sequence[DrivenClip]) -> Path:
    """Print the PSNR of networks, the best first, and return the best: the mean of both settings decides.

    Args:
        files: of the networks.
        clips: of `choice_clips`.
    """
    values = {path: measure_choice(path, clips) for path in files}
    ranking = sorted(files, key=lambda path: -sum(values[path]))
    print(f"PSNR in dB, {', '.join(DRIVEN_SETTINGS)}")
    for path in ranking:
        print(f"{path.stem}: {', '.join(f'{value:.2f}' for value in values[path])}")
    return ranking[0]
