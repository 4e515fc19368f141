"""What the benchmarks of the metric keep and share, without faces of people."""

import numpy as np
import torch
from torch import nn

from asccl.zoo import create_metric
from benchmarks.metric_faces import FaceSequence, load_faces, save_faces
from benchmarks.metric_heads import FIXED, VARIANTS, MemoizedBackbone, Variant, summarize, train_heads


class CountingBackbone(nn.Module):
    """Counts the images that it computes maps of."""

    def __init__(self):
        super().__init__()
        self.images = 0

    def feature_maps(self, x: torch.Tensor) -> list[torch.Tensor]:
        self.images += len(x)
        return [x[:, :, ::2, ::2], x.mean((2, 3), keepdim=True)]


def test_faces_are_read_as_they_were_written(tmp_path):
    rng = np.random.default_rng(0)
    faces = {
        name: FaceSequence(rng.integers(0, 255, (2, 112, 112, 3), np.uint8), np.array([0.1, np.nan]))
        for name in ("source", "happy")
    }
    save_faces(tmp_path / "clip.npz", faces)
    read = load_faces(tmp_path / "clip.npz")
    assert list(read) == ["source", "happy"]
    np.testing.assert_array_equal(read["happy"].crops, faces["happy"].crops)
    np.testing.assert_array_equal(read["source"].lip_gaps, faces["source"].lip_gaps)


def test_a_memoized_backbone_computes_an_image_once_and_keeps_the_order():
    backbone = CountingBackbone()
    memoized = MemoizedBackbone(backbone)
    images = torch.randint(0, 256, (3, 3, 4, 4), generator=torch.Generator().manual_seed(0)) / 127.5 - 1
    memoized.feature_maps(images[:2])
    maps = memoized.feature_maps(images.flip(0))
    assert backbone.images == 3
    torch.testing.assert_close(maps[0], images.flip(0)[:, :, ::2, ::2], atol=1e-3, rtol=0)


def test_heads_without_bias_keep_none():
    backbone = MemoizedBackbone(create_metric().backbone)
    takes = list(torch.randint(0, 256, (2, 2, 2, 3, 32, 32), dtype=torch.uint8))
    state = train_heads(backbone, takes, Variant(bias=False), steps=1, seed=0)
    assert all((value == 0).all() for name, value in state.items() if "bias" in name)


def test_a_gain_is_the_mean_over_the_seeds_of_a_variant():
    clips, seeds = 6, 2
    shares = np.full((len(FIXED) + seeds * len(VARIANTS), clips), 0.9)
    shares[len(FIXED)] += 0.04  # the first seed of the first variant
    rows = dict(summarize(shares, np.zeros((len(shares), 2, 4)), seeds))
    assert rows["recipe − random"].startswith("+2.0")
    assert rows["recipe: triplets, %"] == "92.0 ± 2.8"
