"""Check files of ICface's networks before they are loaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from asccl import tensor_files
from asccl.errors import WeightsError
from asccl.nets.icface_settings import IcfaceSettings

if TYPE_CHECKING:  # importing torch takes seconds
    from torch import nn

REMEDY = "give a file of `import-weights icface` or training/train_icface.py"


def read_icface_settings(path: Path) -> IcfaceSettings:
    """Read and check the metadata of a file of ICface's networks. Raises WeightsError."""
    metadata = tensor_files.read_metadata(path)
    try:
        return IcfaceSettings.from_metadata(metadata)
    except (KeyError, ValueError) as error:
        reason = f"has no {error}" if isinstance(error, KeyError) else str(error)
        raise WeightsError(f"{path} is no file of ICface's networks: {reason}", REMEDY) from error


def check_icface_file(path: Path) -> IcfaceSettings:
    """Read the settings of a file of ICface's networks, whose tensors must fit them. Raises WeightsError."""
    import torch

    from asccl.nets.blocks import tensor_shapes
    from asccl.nets.icface import Icface

    settings = read_icface_settings(path)
    with torch.device("meta"):  # a file may state sizes that it does not have, and that do not fit into memory
        tensor_files.check_shapes(path, tensor_shapes(Icface(settings)))
    return settings


def check_finite(path: Path, net: nn.Module) -> None:
    """Raise WeightsError if a tensor of the network, which was loaded from this file, has NaN or infinite values."""
    import torch

    if bad := [name for name, tensor in net.state_dict().items() if not torch.isfinite(tensor).all()]:
        raise WeightsError(f"{path} has values that are no numbers, in {tensor_files.format_names(bad)}", REMEDY)
