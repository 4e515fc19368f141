"""Sums of corresponding and non-corresponding similarities against loops over single pairs."""

import numpy as np
import pytest
import torch

from asccl.metric.neighbours import sample_regions
from asccl.metric.scc import visual_disparity
from asccl.metric.statistics import PAIR_KINDS, cosine_table, similarity_sums
from tests.metric import plain


@pytest.mark.parametrize("kind", PAIR_KINDS)
def test_sums_are_those_of_equation_1(kind):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 6, 3, 4))
    expected = []
    for region in range(12):
        a, b = (plain.disparities(v, *divmod(region, 4), None) for v in (x, y))
        for j in range(8):
            for k in range(8):
                if a[j] is not None and b[k] is not None and (j == k) == (kind == "corresponding"):
                    expected.append(plain.cosine(a[j], b[k]))
    pairs = sample_regions(3, 4, None)
    source, generated = (visual_disparity(torch.tensor(v)[None], pairs) for v in (x, y))
    count, total, squares = similarity_sums(cosine_table(source, generated), pairs.inside[None])[
        0, PAIR_KINDS.index(kind)
    ]
    assert count == len(expected)
    assert (float(total), float(squares)) == pytest.approx((sum(expected), np.sum(np.square(expected))), rel=1e-5)


def test_an_image_without_valid_pairs_has_empty_sums():
    table = torch.ones(2, 3, 8, 8)
    assert not similarity_sums(table, torch.zeros(2, 3, 8, dtype=torch.bool)).any()
