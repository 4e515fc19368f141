"""Random numbers and means over all devices, so that N devices compute the same as one with their total batch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import distributed


def is_distributed() -> bool:
    """Return whether several processes train together."""
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1


def is_main_process() -> bool:
    """Return whether this process verifies and writes files on behalf of all."""
    return not is_distributed() or distributed.get_rank() == 0


def rank_slice(draw: Callable[[int], torch.Tensor], items: int) -> torch.Tensor:
    """Return this rank's slice of random numbers that every rank draws identically.

    Args:
        draw: n -> (n, ...) random numbers for n items, from a generator that is in the same state on every rank.
        items: items in the batch of this rank.
    """
    if not is_distributed():
        return draw(items)
    return draw(items * distributed.get_world_size()).chunk(distributed.get_world_size())[distributed.get_rank()]


def mean_count(count: torch.Tensor) -> torch.Tensor:
    """Return the mean over devices of the count in each device's batch, without gradient.

    A sum that is divided by this count and then averaged over devices equals the sum over all devices divided by the
    count over all devices.
    """
    count = count.detach().to(torch.float32)
    if is_distributed():
        distributed.all_reduce(count)
        count /= distributed.get_world_size()
    return count
