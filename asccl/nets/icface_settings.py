"""Settings of ICface's networks, and the conventions of their control values. Importing this does not import torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal, cast, get_args

ICFACE_KIND = "icface"  # of the files of weights
DISCRIMINATOR_KIND = "icface-discriminator"  # of the files that a training writes beside them
CONTROLS_VERSION = "openface-1"  # meaning and order of the control values; changes with them
POSE_CONTROLS = 3  # the first controls: rotation about x, y and z
ACTION_UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)  # the controls after them
CONTROLS = POSE_CONTROLS + len(ACTION_UNITS)
MAX_ACTION_UNIT = 5.0  # intensity that OpenFace states for an action unit at its full; control value 1
# the largest networks that are read; a file may state anything
MAX_WIDTH, MAX_BLOCKS, MAX_DOWNSAMPLINGS, MAX_SIZE = 1024, 64, 6, 1024
ZERO_POSE = 0.5  # control value of a head that looks straight ahead
NEUTRAL_SCALE = 1e-5  # factor of the source's action units in the controls of the neutralizer: nearly nothing
DISCRIMINATOR_STRIDE = 16  # pixels of the image per pixel of the discriminator's code

Norm = Literal["batch", "group"]
Synthesis = Literal["colours", "blend", "warp"]


@dataclass(frozen=True)
class IcfaceSettings:
    """Sizes of neutralizer and animator, and the conventions of their training.

    Attributes:
        width: channels of the first layer.
        blocks: residual blocks.
        downsamplings: how often the resolution is halved and the number of channels doubled.
        dropout: probability in the residual blocks while training; the published networks have 0.5.
        size: side of the square image, pixels; a multiple of 2**downsamplings.
        pose_limit: rotation whose control value is 1, radians; minus this rotation has the value 0.
        norm: "batch" normalization as published, or "group" normalization, which does not depend on the batch.
        synthesis: "colours" as published; "blend" for colours and their opacity over the image that a network reads;
            "warp" for these and where each pixel of that image comes from.
    """

    width: int = 128
    blocks: int = 6
    downsamplings: int = 2
    dropout: float = 0.5
    size: int = 128
    pose_limit: float = 0.7
    norm: Norm = "batch"
    synthesis: Synthesis = "colours"

    def __post_init__(self) -> None:
        bounds = {"width": MAX_WIDTH, "blocks": MAX_BLOCKS, "downsamplings": MAX_DOWNSAMPLINGS, "size": MAX_SIZE}
        wrong = [name for name, bound in bounds.items() if not 1 <= getattr(self, name) <= bound]
        if wrong or not 0 <= self.dropout < 1:
            raise ValueError(f"there is no network of the sizes {self}")
        step = 2**self.downsamplings
        if self.size < 4 * step or self.size % step:
            raise ValueError(f"images of {self.size} pixels do not fit {self.downsamplings} downsamplings")
        if not 0 < self.pose_limit <= math.pi:
            raise ValueError(f"the pose limit {self.pose_limit} is not an angle from 0 to pi")
        for name, kinds in (("norm", get_args(Norm)), ("synthesis", get_args(Synthesis))):
            if getattr(self, name) not in kinds:
                raise ValueError(f"there is no {name} {getattr(self, name)!r}, only {', '.join(kinds)}")

    def to_metadata(self) -> dict[str, str]:
        """Return kind, controls and all fields as metadata of a file of weights."""
        fields = {name: str(value) for name, value in asdict(self).items()}
        return {"kind": ICFACE_KIND, "controls": CONTROLS_VERSION, **fields}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> IcfaceSettings:
        """Read the settings from the metadata of a file of weights. Raises KeyError, ValueError."""
        if metadata.get("kind") != ICFACE_KIND:
            raise ValueError(f"its kind is {metadata.get('kind', 'unknown')}, not {ICFACE_KIND}")
        if metadata["controls"] != CONTROLS_VERSION:
            raise ValueError(f"its controls are {metadata['controls']}, not {CONTROLS_VERSION}")
        integers = {name: int(metadata[name]) for name in ("width", "blocks", "downsamplings", "size")}
        dropout, pose_limit = (float(metadata[name]) for name in ("dropout", "pose_limit"))
        norm = cast(Norm, metadata.get("norm", "batch"))  # older files have neither this nor the next one
        synthesis = cast(Synthesis, metadata.get("synthesis", "colours"))
        return cls(**integers, dropout=dropout, pose_limit=pose_limit, norm=norm, synthesis=synthesis)


@dataclass(frozen=True)
class DiscriminatorSettings:
    """Sizes of the discriminator.

    Attributes:
        width: channels of the first layer, an even number.
        size: side of the square image, pixels; a multiple of `DISCRIMINATOR_STRIDE`.
        identities: people of the training data.
    """

    width: int = 256
    size: int = 128
    identities: int = 939

    def __post_init__(self) -> None:
        if self.width < 2 or self.width % 2 or self.identities < 1:
            raise ValueError(f"there is no discriminator of the sizes {self}")
        if self.size < 2 * DISCRIMINATOR_STRIDE or self.size % DISCRIMINATOR_STRIDE:
            raise ValueError(f"images of {self.size} pixels do not fit: give a multiple of {DISCRIMINATOR_STRIDE}")

    def to_metadata(self) -> dict[str, str]:
        """Return kind, controls and all fields as metadata of a file of weights."""
        fields = {name: str(value) for name, value in asdict(self).items()}
        return {"kind": DISCRIMINATOR_KIND, "controls": CONTROLS_VERSION, **fields}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> DiscriminatorSettings:
        """Read the settings from the metadata of a file of weights. Raises KeyError, ValueError."""
        return cls(**{name: int(metadata[name]) for name in cls.__dataclass_fields__})
