"""How well a renderer draws frames that it was not taught, in numbers and to look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from asccl.face.crop import CROP_SIZE
from asccl.metric.align import warp_affine
from asccl.metric.scc import normalize
from asccl.nets.ned_renderer import PREVIOUS_FRAMES
from asccl.zoo import load_backbone
from training.datasets.portraits import Portrait, RendererWindow
from training.renderer_step import crop_mouths, generate_frames, select_targets

PICTURES = 6  # rows of a grid
SHOWN = 128  # pixels of a picture in a grid, at least


def first_window(portrait: Portrait, most: int, device: torch.device) -> RendererWindow:
    """The first frames of a portrait as a batch of one, the first of them once more for each that the network wants
    before it."""
    window = portrait.window(0, min(most, len(portrait)))
    return RendererWindow(*(torch.cat([*[x[:1]] * PREVIOUS_FRAMES, x])[None].to(device) for x in window))


@torch.inference_mode()
def render_window(generator: nn.Module, batch: RendererWindow) -> torch.Tensor:
    """(1, N + 2, ...) -> faces (N, 3, S, S): frame by frame out of nothing, as in an edit."""
    return generate_frames(generator, batch, torch.ones(1, dtype=torch.bool, device=batch.frames.device))[0]


def mean_frame(portraits: Sequence[Portrait], most: int = 300) -> torch.Tensor:
    """(3, S, S) the mean of all frames; of `most` spread over each where there are more."""
    total, count = torch.zeros(3, portraits[0].size, portraits[0].size), 0
    for one in portraits:
        for t in np.unique(np.linspace(0, len(one) - 1, min(most, len(one))).astype(int)):
            total += one.window(t, t + 1).frames[0]
            count += 1
    return total / count


class FeatureDistance:
    """Of pictures of faces, as a network sees them that tells people apart: the mean over its four maps of the squared
    distance of their unit feature vectors. LPIPS (Zhang et al., CVPR 2018) without learnt weights."""

    def __init__(self, device: torch.device):
        self.net = load_backbone(device=device)

    @torch.inference_mode()
    def __call__(self, made: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """ArcFace crops (N, 3, 112, 112) RGB in [-1, 1] both -> (N,)."""
        maps = zip(self.net.feature_maps(made), self.net.feature_maps(real), strict=True)  # type: ignore[operator]
        apart = [(_unit(a) - _unit(b)).square().sum(1).mean((1, 2)) for a, b in maps]
        return torch.stack(apart).mean(0)


def _unit(x: torch.Tensor) -> torch.Tensor:
    return normalize(x.movedim(1, -1)).movedim(-1, 1)


@torch.inference_mode()
def measure_faces(face: torch.Tensor, batch: RendererWindow, distance: FeatureDistance) -> dict[str, float]:
    """Faces (N, 3, S, S) against the truth: "psnr", dB inside the mask; "mouth_psnr", the same in the mouth's square;
    "distance" of the crops, face in the real frame."""
    there = select_targets(batch)
    wrong = torch.cat([((face - there.face) / 2).square().mean(1, keepdim=True) * there.mask, there.mask], 1)
    psnr, mouth = (
        -10 * torch.log10(x[:, 0].sum((1, 2)) / x[:, 1].sum((1, 2))) for x in (wrong, crop_mouths(wrong, there.mouth))
    )
    whole = there.mask * face + (1 - there.mask) * there.real
    made, real = (warp_affine(x, there.crop, (CROP_SIZE, CROP_SIZE))[0] for x in (whole, there.real))
    return {
        "psnr": psnr.mean().item(), "mouth_psnr": mouth.mean().item(), "distance": distance(made, real).mean().item()
    }  # fmt: skip


def save_grid(path: Path, face: torch.Tensor, batch: RendererWindow) -> None:
    """A PNG: for some frames source, NMFC, shape, eyes, what was drawn, the truth, and both in the frame."""
    there = select_targets(batch)
    rows = []
    for t in np.unique(np.linspace(0, len(face) - 1, PICTURES).astype(int)):
        seen, real, mask = there.seen[t], there.real[t], there.mask[t]
        whole = mask * face[t] + (1 - mask) * real
        rows.append(torch.cat([real, *(2 * seen - 1).split(3), face[t], there.face[t], whole], 2))
    sheet = ((torch.cat(rows, 1) + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy()
    times = -(-SHOWN // face.shape[-1])
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sheet).resize((sheet.shape[1] * times, sheet.shape[0] * times), Image.Resampling.NEAREST).save(path)
