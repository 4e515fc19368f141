"""Evaluate a manipulator on sequences that it was not trained on."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import torch

from asccl.nets.ned_manipulator import Manipulator, encode_style, translate_expression
from asccl.types import EMOTIONS
from training.datasets.recorded import RecordedWindows
from training.datasets.windows import SyntheticWindows

Windows = SyntheticWindows | RecordedWindows


@torch.no_grad()
def measure_mean_styles(net: Manipulator, data: Windows) -> torch.Tensor:
    """Return the mean style (emotions, S) of the sequences of each emotion; an emotion without any keeps its own."""
    styles: list[list[torch.Tensor]] = [[] for _ in EMOTIONS]
    for coefficients, emotion in data.examples():
        styles[emotion].append(encode_style(net.style_encoder, _to_device(net, coefficients)))
    defaults = net.mean_style.to(next(net.parameters()).device)
    means = [torch.stack(s).mean(0) if s else default for s, default in zip(styles, defaults, strict=True)]
    return torch.stack(means)


def _to_device(net: Manipulator, x: np.ndarray) -> torch.Tensor:
    """Move to the device of the networks that train; the other tensors of the manipulator may be elsewhere."""
    return torch.from_numpy(x).to(next(net.parameters()).device)


@torch.no_grad()
def evaluate_held_out(net: Manipulator, data: Windows, jaw: int) -> dict[str, float]:
    """Evaluate edits of held-out sequences to the mean style of the target emotion.

    Args:
        net: the manipulator.
        data: held-out data.
        jaw: index of the coefficient that opens the jaw.

    Returns:
        "error", mean distance to the truth, and "copy_error", that of the source itself, where there is a truth;
        "mouth_correlation" of the jaw with the source's; "style_found", the share whose style is nearest to that of the
        target emotion.
    """
    styles = measure_mean_styles(net, data)
    values: dict[str, list[torch.Tensor]] = defaultdict(list)
    for source, target, emotion in data.evaluation_pairs():
        x = _to_device(net, source)
        generated = translate_expression(net.generator, x, styles[emotion])
        if target is not None:
            y = _to_device(net, target)
            values["copy_error"].append((x - y).abs().mean())
            values["error"].append((generated - y).abs().mean())
        values["mouth_correlation"].append(torch.corrcoef(torch.stack([generated[:, jaw], x[:, jaw]]))[0, 1])
        nearest = (styles - encode_style(net.style_encoder, generated)).square().sum(1).argmin()
        values["style_found"].append((nearest == emotion).float())
    return {name: torch.stack(items).nanmean().item() for name, items in values.items()}
