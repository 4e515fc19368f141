r"""Temporal coherent correlation, the second half of STCCL (Chen et al., 2026): how each region changes over time.

The paper compares a region with its neighbours in one frame. Here the region of a frame is compared with itself in the
next frame: if two clips show the same words, each region changes alike in both, whatever the emotion.

| spatial | temporal |
|---|---|
| disparity :math:`f(x_i - x_j)` of neighbours (eq. 3) | `temporal_disparity`: :math:`f(x^t_i - x^{t+1}_i) - f(0)` |
| cosine (eq. 1) | `scale_to_unit`: cosine that fades to 0 where nothing moves |
| contrast over the neighbours of a region (eq. 4) | `temporal_contrast`: over the regions of a frame |
| weight by the size of a disparity (eq. 6) | `temporal_weight`: by its size over that of the whole map |

:math:`f(0)` is subtracted because most changes from frame to frame are small: without it all disparities point to the
constant :math:`f(0)`. Regions that do not move in the source have no direction, and do not count. What counts as a
movement is measured by that of the other regions, and by the differences between neighbours in the same frames.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

from asccl.metric.contrast import TEMPERATURE, info_nce
from asccl.metric.daas import LAMBDA, POWER, daas_weight

MIN_MOVEMENT = 0.1  # of a region that counts, over the root mean square of its map
MIN_SPATIAL_SHARE = 0.02  # the same, over the root mean square of the spatial disparities of its map
EPS = 1e-12  # added to a squared length


class Movement(NamedTuple):
    """How the N regions of a map change from each frame of a source clip to the next one.

    Attributes:
        size: root mean square over the channels of each disparity, (B, T - 1, N).
        typical: root mean square of `size` over the regions, (B, T - 1, 1).
        floor: size below which a change is no movement, (B, T - 1, 1).
        moves: regions that move, (B, T - 1, N) bool.
    """

    size: torch.Tensor
    typical: torch.Tensor
    floor: torch.Tensor
    moves: torch.Tensor


def temporal_disparity(features: torch.Tensor, region: torch.Tensor, head: nn.Module | None = None) -> torch.Tensor:
    r"""Map the change of each region from one frame to the next.

    .. math:: x^{f,l}_{t \to t+1, i} = f(x^{f,l}_{t, i} - x^{f,l}_{t+1, i}) - f(0)

    Args:
        features: one feature map of T frames, (B, T, C, h, w).
        region: indices of N regions, which count along the rows of the map, (N,) int64.
        head: f, the head of eq. 3; None for f(x) = x.

    Returns:
        (B, T - 1, N, C / 4), at least float32, for a `DisparityMapping`; (B, T - 1, N, C) without a head.
    """
    with torch.autocast(features.device.type, enabled=False):  # neighbouring frames are similar
        precise = features.to(torch.promote_types(features.dtype, torch.float32))
        vectors = precise.flatten(3).index_select(3, region).transpose(2, 3)
        difference = vectors[:, :-1] - vectors[:, 1:]
        if head is None:
            return difference
        return head(difference) - head(torch.zeros_like(difference[:1, :1, :1]))


def measure_movement(temporal: torch.Tensor, spatial: torch.Tensor) -> Movement:
    """Measure the movement in a source clip, without gradient.

    temporal: its temporal disparities, (B, T - 1, N, C). spatial: spatial disparities of its map (eq. 3), (..., C).
    """
    size = temporal.detach().square().mean(-1).sqrt()
    typical = size.square().mean(-1, keepdim=True).sqrt()
    squared = (MIN_MOVEMENT * typical).square() + MIN_SPATIAL_SHARE**2 * spatial.detach().square().mean()
    return Movement(size, typical, squared.sqrt(), size > squared.sqrt())


def scale_to_unit(values: torch.Tensor, movement: Movement) -> torch.Tensor:
    r"""Scale disparities to length 1, and those far below the typical movement towards 0.

    .. math:: \hat x = x / \sqrt{|x|^2 + m^2}, \quad m \text{ the length of a change that is no movement}

    A still region has no direction. Scaled to length 1 exactly, its noise would count like a movement, and its gradient
    would be unbounded.

    Args:
        values: (B, T - 1, N, C), of either clip.
        movement: of the source.
    """
    floor = values.shape[-1] * movement.floor[..., None].square()
    return values / (values.square().sum(-1, keepdim=True) + floor + EPS).sqrt()


def temporal_contrast(
    query: torch.Tensor,
    key: torch.Tensor,
    movement: Movement,
    valid: torch.Tensor,
    temperature: float = TEMPERATURE,
) -> torch.Tensor:
    r"""Compute InfoNCE over the regions of a map: eq. 4 for movements.

    .. math:: \ell^{l}_{t, i} = -\log \frac{\exp(\hat x_{t,i} \cdot \hat y_{t,i} / \tau)}
        {\sum_k \exp(\hat x_{t,i} \cdot \hat y_{t,k} / \tau)}

    Args:
        query: temporal disparities of one clip, (B, T - 1, N, C).
        key: those of the other clip.
        movement: of the source, whichever of the two it is.
        valid: regions that count, (B, T - 1, N) bool; the others are no candidates.
        temperature: tau.

    Returns:
        Loss of each region, (B, T - 1, N). Entries where `valid` is False are undefined.
    """
    with torch.autocast(query.device.type, enabled=False):
        table = scale_to_unit(query, movement) @ scale_to_unit(key, movement).mT
        return info_nce(table / temperature, valid)


def temporal_weight(movement: Movement, lambda_: float = LAMBDA, power: float = POWER) -> torch.Tensor:
    """Weigh each region by its movement over the typical one (eq. 6 with that quotient as s).

    Args:
        movement: of the source.
        lambda_: factor lambda of the weight.
        power: exponent r of the sigmoid.

    Returns:
        (B, T - 1, N) in [lambda / 2^r, lambda], without gradient.
    """
    relative = movement.size / (movement.typical + EPS)
    return daas_weight(relative[..., None], lambda_, power)
