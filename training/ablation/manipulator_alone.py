"""A manipulator alone: its coefficients against the true ones, without images and without the editor's rules."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch

from asccl.morphable.anny_head import AnnyHead
from asccl.nets.ned_manipulator import Manipulator, encode_style, translate_expression
from asccl.synthetic.emotions import MAX_COEFFICIENT
from training.ablation.cases import INTRA_ID, AblationCase
from training.ablation.metrics import coefficient_metrics
from training.datasets.windows import SyntheticWindows

TEST_SEED = 6_000_000  # of speakers that are in no training set
MAX_TEST_SEQUENCES = 1000  # of one seed
EDITED_FRAMES = 40  # of a sequence; the others are the reference


class CoefficientCase(NamedTuple):
    """Somebody says the same words with two emotions.

    Attributes:
        source: (T, 52).
        truth: (T, 52), the same words with the target emotion.
        reference: (R, 52), other words of this person with the target emotion.
        emotion: target emotion, an index into `EMOTIONS`.
    """

    source: np.ndarray
    truth: np.ndarray
    reference: np.ndarray
    emotion: int


@lru_cache(maxsize=1)
def synthetic_coefficient_cases(seed: int, count: int) -> tuple[CoefficientCase, ...]:
    """Return cases of synthetic speakers who are in no training set, other ones for each seed."""
    data = SyntheticWindows(TEST_SEED + MAX_TEST_SEQUENCES * seed, count)
    sequences = (data.sequence(number) for number in range(count))
    return tuple(
        CoefficientCase(source[:EDITED_FRAMES], target[:EDITED_FRAMES], target[EDITED_FRAMES:], emotion)
        for source, target, _, emotion in sequences
    )


def coefficient_case(case: AblationCase) -> CoefficientCase:
    """Return the coefficients of a case, with the reference of the same person."""
    return CoefficientCase(case.source, case.truth, case.references[INTRA_ID].coefficients, case.emotion)


@torch.no_grad()
def measure_manipulator(net: Manipulator, cases: Sequence[CoefficientCase], head: AnnyHead) -> dict[str, float]:
    """Measure a manipulator.

    Args:
        net: on the CPU.
        cases: of speakers who are in no training set.
        head: the head model.

    Returns:
        The values of `coefficient_metrics`, and "style_found", the share of edits whose style is nearest to the mean
        style of the target emotion.
    """
    edits, correct = [], 0
    for case in cases:
        style = encode_style(net.style_encoder, torch.from_numpy(case.reference).float())
        edited = translate_expression(net.generator, torch.from_numpy(case.source).float(), style).clamp(
            0, MAX_COEFFICIENT
        )
        distances = (net.mean_style - encode_style(net.style_encoder, edited)).square().sum(1)
        correct += int(distances.argmin()) == case.emotion
        edits.append(edited.numpy())
    values = coefficient_metrics(edits, [case.truth for case in cases], head)
    return values | {"style_found": correct / len(cases)}
