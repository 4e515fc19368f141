"""Sizes of the images that the SCC metric reads."""

from __future__ import annotations

from asccl.errors import SettingError
from asccl.metric.scc import MIN_IMAGE_SIZE

IMAGE_SIZE_STEP = 16  # pixels


def check_image_size(name: str, size: int) -> None:
    """Check that the metric can read square images of this size.

    Args:
        name: of the setting.
        size: side of an image, pixels.

    Raises:
        SettingError: the size is too small, or no multiple of the step.
    """
    if size % IMAGE_SIZE_STEP or size < MIN_IMAGE_SIZE:
        raise SettingError(
            f"the metric cannot read images of {size} pixels",
            f"give --{name.replace('_', '-')} a multiple of {IMAGE_SIZE_STEP}, {MIN_IMAGE_SIZE} or more",
        )
