"""NED's networks."""

from __future__ import annotations

import torch

from asccl.interop.fitting import fitting
from asccl.interop.kinds import Imported, Unfit
from asccl.nets.ned_manipulator import Manipulator, Sizes, mapped_styles
from asccl.types import EMOTIONS

SPACES = {51: "flame", 52: "arkit"}  # which coefficients, by their number


def convert_manipulator(state: dict[str, torch.Tensor]) -> Imported:
    """NED's names are ours. The published file knows no mean styles: they are those of its mapping network.

    Raises Unfit.
    """
    sizes = _sizes(state)
    net = Manipulator(sizes)
    tensors = fitting(state, net, without=("mean_style",))
    net.load_state_dict({**tensors, "mean_style": net.mean_style})
    tensors["mean_style"] = mapped_styles(net.mapping_network, sizes.latent)
    space = SPACES.get(sizes.coefficients, "unknown")
    return Imported(
        tensors,
        {"space": space, "emotions": ",".join(EMOTIONS), **sizes.told()},
        (
            f"{sizes.coefficients} coefficients ({space}), style of {sizes.style}, width {sizes.width}",
            f"took its emotions to be in the order {', '.join(EMOTIONS)}: a file does not say",
            "added the mean style of each emotion, from its mapping network",
        ),
    )


def _sizes(state: dict[str, torch.Tensor]) -> Sizes:
    try:
        width, _ = state["generator.seq1.0.weight"].shape
        hidden, latent = state["mapping_network.shared.0.weight"].shape
        coefficients, _ = state["generator.seq2.4.weight"].shape
        style, _ = state["style_encoder.seq2.4.weight"].shape
        emotions, _ = state["discriminator.seq2.4.weight"].shape
    except (KeyError, ValueError) as error:
        raise Unfit(f"it has no {error}" if isinstance(error, KeyError) else "its layers have other shapes") from error
    if emotions != len(EMOTIONS):
        raise Unfit(f"it knows {emotions} emotions, not {len(EMOTIONS)}")
    if width % 8:
        raise Unfit(f"its generator is {width} wide, no multiple of 8")
    return Sizes(coefficients, width, style, latent, hidden)
