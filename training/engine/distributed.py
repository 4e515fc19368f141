"""What several devices must agree on, so that together they compute what one would with their total batch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import distributed


def is_distributed() -> bool:
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1


def is_main_process() -> bool:
    """Whether this process is the one that looks at files on behalf of all."""
    return not is_distributed() or distributed.get_rank() == 0


def rank_slice(draw: Callable[[int], torch.Tensor], items: int) -> torch.Tensor:
    """Random numbers of this device's `items`, out of those of all devices. draw: n -> (n, ...) for n items, from a
    generator that is in the same state on every device."""
    if not is_distributed():
        return draw(items)
    return draw(items * distributed.get_world_size()).chunk(distributed.get_world_size())[distributed.get_rank()]


def mean_count(count: torch.Tensor) -> torch.Tensor:
    """What each device has counted in its batch -> the mean, without gradient. A sum that is divided by it and then
    averaged over devices is the sum over all, divided by the count over all."""
    count = count.detach().to(torch.float32)
    if is_distributed():
        distributed.all_reduce(count)
        count /= distributed.get_world_size()
    return count
