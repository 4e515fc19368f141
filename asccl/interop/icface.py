"""The networks of ICface: two published files, one of the animator (G) and one of the neutralizer (GN)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import torch

from asccl.errors import InputError
from asccl.interop.base import ConvertedWeights, StateDict, WeightsMismatchError, match_tensors
from asccl.nets.blocks import tensor_shapes
from asccl.nets.icface import Icface
from asccl.nets.icface_settings import CONTROLS, IcfaceSettings

# our name of each network -> its name in the published files, in the order of the command
PUBLISHED_NETWORKS = {"animator": "G", "neutralizer": "GN"}
FILE_NAME = re.compile(r"(?P<epoch>.+)_net_(?P<network>[A-Za-z]+)(?P<suffix>\.\w+)")  # latest_net_G.pth
INPUT_CHANNELS = 3 + CONTROLS
REMEDY = "give latest_net_G.pth and latest_net_GN.pth of one training"


def complete_files(sources: Sequence[Path]) -> dict[str, Path]:
    """Return the file of each network, by our names of the networks.

    Args:
        sources: the files of G and GN; or one of them, whose counterpart lies beside it. Files that are named as the
            published ones may come in any order, others as G, GN.

    Raises:
        InputError: there are other files, or they are named as those of different epochs.
    """
    if len({path.resolve() for path in sources}) < len(sources):
        raise InputError(f"{sources[0].name} is named twice", REMEDY)
    names = [FILE_NAME.fullmatch(path.name) for path in sources]
    published = {name["network"]: path for name, path in zip(names, sources, strict=True) if name}
    unknown = sorted(published.keys() - PUBLISHED_NETWORKS.values())
    if unknown:
        raise InputError(f"{published[unknown[0]].name} is named as a file of {unknown[0]}, not of G or GN", REMEDY)
    if len(sources) == 1 and names[0]:
        other = "GN" if names[0]["network"] == "G" else "G"
        published[other] = sources[0].with_name(f"{names[0]['epoch']}_net_{other}{names[0]['suffix']}")
        if not published[other].is_file():
            raise InputError(f"{published[other].name} does not lie beside {sources[0].name}", REMEDY)
    if len(published) == len(PUBLISHED_NETWORKS):
        epochs = {name["epoch"] for name in names if name}
        if len(epochs) > 1:
            raise InputError(f"these files are of different epochs, {' and '.join(sorted(epochs))}", REMEDY)
        return {ours: published[theirs] for ours, theirs in PUBLISHED_NETWORKS.items()}
    if len(sources) != len(PUBLISHED_NETWORKS) or published:
        raise InputError(f"ICface has two networks, G and GN, and {len(sources)} files do not name both", REMEDY)
    return dict(zip(PUBLISHED_NETWORKS, sources, strict=True))


def convert_icface(state: StateDict) -> ConvertedWeights:
    """Convert neutralizer and animator, whose names begin with `neutralizer.` and `animator.`.

    Raises WeightsMismatchError.
    """
    settings = {name: _settings(state, name) for name in PUBLISHED_NETWORKS}
    if settings["animator"] != settings["neutralizer"]:
        raise WeightsMismatchError("its two networks have different sizes")
    with torch.device("meta"):
        net = Icface(settings["animator"])
    tensors = match_tensors(state, tensor_shapes(net))
    notes = (
        f"{net.settings.width} channels, {net.settings.downsamplings} downsamplings, {net.settings.blocks} blocks",
        f"assumed images of {net.settings.size} pixels and rotations up to {net.settings.pose_limit} radians: "
        "the files do not state them",
    )
    return ConvertedWeights(tensors, net.settings.to_metadata(), notes)


def _settings(state: StateDict, network: str) -> IcfaceSettings:
    """The settings that the shapes of a network show."""
    first = f"{network}.model.1.weight"
    if first not in state or state[first].ndim != 4:
        raise WeightsMismatchError(f"{first} is missing, or not of a convolution")
    width, channels = state[first].shape[:2]
    if channels != INPUT_CHANNELS:
        raise WeightsMismatchError(f"its first layer takes {channels} channels, not {INPUT_CHANNELS}")
    layer = 4
    while f"{network}.model.{layer}.weight" in state:
        layer += 3
    downsamplings, blocks = (layer - 4) // 3, 0
    while f"{network}.model.{layer + blocks}.conv_block.1.weight" in state:
        blocks += 1
    try:
        return IcfaceSettings(width=width, blocks=blocks, downsamplings=downsamplings)
    except ValueError as error:
        raise WeightsMismatchError(str(error)) from error
