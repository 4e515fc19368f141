"""Pairs on disk, and pairs out of edited clips."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from media import ROOT

from asccl.data.edited import AS_FILMED, EditedPairs
from asccl.data.stored import StoredPairs
from asccl.errors import InputError, SettingError, UnreadableError
from asccl.face import mesh
from asccl.face.crop import fit_similarity
from asccl.synthetic.datasets import SyntheticPairs
from asccl.types import EMOTIONS
from training.prepare_synthetic import Recipe, prepare

RECIPE = Recipe(seed=1, count=7, shard=3, frames_per_person=4)


@pytest.fixture
def folder(tmp_path):
    prepare(RECIPE, tmp_path / "pairs")
    return tmp_path / "pairs"


def test_what_is_read_is_what_was_rendered(folder):
    stored, fresh = StoredPairs(folder), SyntheticPairs(seed=1, count=7, frames_per_person=4)
    assert len(stored) == 7
    for i in (5, 0, 6, 4):
        a, b = stored[i], fresh[i]
        assert np.abs(a.source.astype(int) - b.source).mean() < 4  # WebP
        for name in ("speech", "source_coefficients", "target_landmarks", "source_emotion", "target_emotion", "frame"):
            assert np.array_equal(getattr(a, name), getattr(b, name)), name
    with pytest.raises(IndexError):
        stored[7]


def test_preparation_goes_on_where_it_was_stopped(folder):
    times = {path: path.stat().st_mtime_ns for path in folder.glob("shard-*")}
    assert len(times) == 3
    missing = folder / "shard-00001.npz"
    whole = missing.read_bytes()
    missing.unlink()
    (folder / "pairs.json").unlink()
    with pytest.raises(InputError, match="no finished set"):
        StoredPairs(folder)
    prepare(RECIPE, folder)
    assert missing.read_bytes() == whole or len(StoredPairs(folder)) == 7
    assert all(path.stat().st_mtime_ns == time for path, time in times.items() if path != missing)


def test_another_recipe_needs_another_folder(folder):
    with pytest.raises(SettingError, match="another recipe"):
        prepare(Recipe(seed=2, count=7, shard=3, frames_per_person=4), folder)


@pytest.mark.parametrize("left", [0, 100])
def test_a_damaged_shard_is_named(folder, left):
    path = folder / "shard-00000.npz"
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(UnreadableError, match="shard-00000"):
        StoredPairs(folder)[0]
    assert StoredPairs(folder)[4].frame == 0


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "pairs.json").write_text(json.dumps({"more": 1}))
    with pytest.raises(InputError):
        StoredPairs(tmp_path)


def test_pairs_of_an_edited_clip(tmp_path):
    asked = []

    def edit(source, emotion, output):
        asked.append((source.name, emotion))
        shutil.copy(source, output)

    clip = ROOT / "examples" / "rendered.mp4"
    pairs = EditedPairs([clip], edit, tmp_path, every=40, emotions=("happy", "sad"))
    assert asked == [(clip.name, "happy"), (clip.name, "sad")]
    assert len(pairs) == 4
    item = pairs[3]
    assert item.source_emotion == AS_FILMED and EMOTIONS[item.target_emotion] == "sad" and item.frame == 40
    assert np.array_equal(item.source, item.target) and np.isnan(item.speech).all()
    left = fit_similarity(mesh.arcface_points(item.source_landmarks), mesh.ARCFACE_TEMPLATE)
    np.testing.assert_allclose(left, [[1, 0, 0], [0, 1, 0]], atol=1e-3)
    EditedPairs([clip], edit, tmp_path, every=40, emotions=("happy", "sad"))
    assert len(asked) == 2  # kept from before
