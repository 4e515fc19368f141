"""Evaluate a renderer on frames that it was not trained on: metrics, and a grid of sample images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.optim.swa_utils import AveragedModel

from asccl.errors import InputError
from asccl.face.crop import CROP_SIZE
from asccl.metric.align import warp_affine
from asccl.metric.scc import normalize
from asccl.nets.ned_renderer import PREVIOUS_FRAMES
from asccl.zoo import load_backbone
from training.datasets.portraits import Portrait, RendererWindow
from training.renderer_step import crop_mouths, generate_clip, select_targets

MAX_PORTRAITS = 8  # in an evaluation
GRID_ROWS = 6  # at most
MIN_GRID_IMAGE_SIZE = 128  # pixels


def first_window(portrait: Portrait, max_frames: int, device: torch.device) -> RendererWindow:
    """Return the first frames of a portrait as a batch of one.

    The first frame is repeated before itself, once for each previous frame that the network reads.

    Args:
        portrait: the frames.
        max_frames: number of frames at most.
        device: of the tensors.
    """
    window = portrait.window(0, min(max_frames, len(portrait)))
    return RendererWindow(*(torch.cat([*[x[:1]] * PREVIOUS_FRAMES, x])[None].to(device) for x in window))


def render_window(generator: nn.Module, batch: RendererWindow) -> torch.Tensor:
    """Render the frames of a window of `first_window` from the start of the clip -> faces (N, 3, S, S)."""
    return generate_clip(generator, batch.conditions[0, PREVIOUS_FRAMES:])


def mean_frame(portraits: Sequence[Portrait], max_frames: int = 300) -> torch.Tensor:
    """Return the mean frame (3, S, S), of `max_frames` frames spread over each portrait that has more."""
    total, count = torch.zeros(3, portraits[0].size, portraits[0].size), 0
    for portrait in portraits:
        for t in spread_indices(len(portrait), max_frames):
            total += portrait.window(t, t + 1).frames[0]
            count += 1
    return total / count


def spread_indices(length: int, count: int) -> np.ndarray:
    """Return at most `count` different indices spread evenly over a sequence, its first and last among them."""
    return np.unique(np.linspace(0, length - 1, min(count, length)).astype(int))


class FeatureDistance:
    """Distance of face images by the features of the bundled face-recognition network.

    The mean over its four feature maps of the squared distance of unit feature vectors: LPIPS (Zhang et al., CVPR 2018)
    without trained weights.
    """

    def __init__(self, device: torch.device):
        self.net = load_backbone(device=device)

    @torch.inference_mode()
    def __call__(self, generated: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """ArcFace crops (N, 3, 112, 112) RGB in [-1, 1] both -> (N,)."""
        maps = zip(self.net.feature_maps(generated), self.net.feature_maps(real), strict=True)
        return torch.stack([(_unit(a) - _unit(b)).square().sum(1).mean((1, 2)) for a, b in maps]).mean(0)


def _unit(x: torch.Tensor) -> torch.Tensor:
    return normalize(x.movedim(1, -1)).movedim(-1, 1)


@torch.inference_mode()
def measure_faces(face: torch.Tensor, batch: RendererWindow, distance: FeatureDistance) -> dict[str, float]:
    """Compare generated faces with the real frames.

    Args:
        face: (N, 3, S, S) generated faces.
        batch: one window of N + 2 frames, from `first_window`.
        distance: of ArcFace crops.

    Returns:
        "psnr" in dB inside the mask; "mouth_psnr", the same in the square around the mouth; "distance" of the crops,
        the face in the real frame.
    """
    targets = select_targets(batch)
    error = ((face - targets.face) / 2).square().mean(1, keepdim=True) * targets.mask
    error_and_mask = torch.cat([error, targets.mask], 1)
    psnr, mouth_psnr = (
        -10 * torch.log10(x[:, 0].sum((1, 2)) / x[:, 1].sum((1, 2)))
        for x in (error_and_mask, crop_mouths(error_and_mask, targets.mouth_corner))
    )
    generated, real = (
        warp_affine(x, targets.crop_matrix, (CROP_SIZE, CROP_SIZE))[0] for x in (targets.paste(face), targets.frame)
    )
    return {
        "psnr": psnr.mean().item(),
        "mouth_psnr": mouth_psnr.mean().item(),
        "distance": distance(generated, real).mean().item(),
    }


def save_grid(path: Path, face: torch.Tensor, batch: RendererWindow) -> None:
    """Write a PNG with one row per sampled frame.

    Its columns are: source, NMFC, shape, eyes, generated face, real face, generated face in the frame.

    Args:
        path: the file.
        face: (N, 3, S, S) generated faces.
        batch: one window of N + 2 frames, from `first_window`.
    """
    targets = select_targets(batch)
    frames = spread_indices(len(face), GRID_ROWS)
    images = [targets.frame, *(2 * targets.conditions - 1).split(3, 1), face, targets.face, targets.paste(face)]
    grid = torch.cat([torch.cat([x[t] for x in images], 2) for t in frames], 1)
    levels = ((grid + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy()
    save_enlarged(path, levels, face.shape[-1])


def save_enlarged(path: Path, grid: np.ndarray, side: int) -> None:
    """Write a grid of images as a PNG, enlarged until each has `MIN_GRID_IMAGE_SIZE` or more.

    Args:
        path: the file.
        grid: (H, W, 3) uint8 RGB.
        side: of an image of the grid, pixels.
    """
    scale = -(-MIN_GRID_IMAGE_SIZE // side)
    size = (grid.shape[1] * scale, grid.shape[0] * scale)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(grid).resize(size, Image.Resampling.NEAREST).save(path)


class ValidationCallback:
    """Evaluate the averaged generator on held-out frames, and save a grid of samples of the first portrait.

    Args:
        averaged: exponential moving average of the generator.
        portraits: held-out frames.
        samples: folder of the grids.
        max_frames: largest number of frames per portrait.

    Raises:
        InputError: no portrait has two held-out frames.
    """

    def __init__(self, averaged: AveragedModel, portraits: Sequence[Portrait], samples: Path, max_frames: int):
        self.averaged, self.samples, self.max_frames = averaged, samples, max_frames
        candidates = [portrait for portrait in portraits if len(portrait) > 1]
        if not candidates:
            raise InputError("no portrait has two held-out frames", "give longer clips, or a larger --held-out-share")
        self.portraits = candidates[:: -(-len(candidates) // MAX_PORTRAITS)]
        self.device = next(averaged.parameters()).device
        self.distance = FeatureDistance(self.device)

    def __call__(self) -> dict[str, float]:
        """Return the means of the metrics of `measure_faces` over the portraits."""
        metrics = []
        for number, portrait in enumerate(self.portraits):
            batch = first_window(portrait, self.max_frames, self.device)
            face = render_window(self.averaged.module, batch)
            metrics.append(measure_faces(face, batch, self.distance))
            if number == 0:
                save_grid(self.samples / f"step-{int(self.averaged.n_averaged):08d}.png", face, batch)
        return {name: float(np.mean([values[name] for values in metrics])) for name in metrics[0]}
