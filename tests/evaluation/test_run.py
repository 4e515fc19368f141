"""Several methods of one source: what is computed of the source is computed once and changes no result."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from evaluated_clips import networks
from media import astronaut, write_clip

from asccl.evaluation.face_stream import FaceStream, FaceStreams
from asccl.evaluation.manifest import EvaluationRow
from asccl.evaluation.registry import build_measures
from asccl.evaluation.run import add_baselines, evaluate_rows, measure_clip, measure_pool
from asccl.evaluation.shards import ShardStore
from asccl.progress import Progress

MEASURES = ["fad-mobilefacenet", "csim", "expression-gain", "target-probability", "identity", "lip-distance", "scc"]
FRAMES = {"source": 6, "reference": 3, "a": 6, "b": 5, "c": 6}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[EvaluationRow]:
    folder = tmp_path_factory.mktemp("methods")
    paths = {
        name: str(write_clip(folder / f"{name}.mp4", [astronaut(i + 7 * k) for i in range(count)]))
        for k, (name, count) in enumerate(FRAMES.items())
    }
    clip = EvaluationRow("clip", "cross-id", paths["source"], "happy", "anna", reference=paths["reference"])
    return add_baselines([EvaluationRow(**{**vars(clip), "method": m, "generated": paths[m]}) for m in "abc"])


class CountedEmbedder:
    """Mean colours of crops, and how often each crop was embedded."""

    def __init__(self) -> None:
        self.crops: Counter[bytes] = Counter()

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        self.crops.update(crop.tobytes() for crop in crops)
        return crops.mean((1, 2)) / 255


@pytest.fixture(scope="module")
def evaluated(rows: list[EvaluationRow], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, CountedEmbedder]:
    """The shards of an evaluation, and the counts of its embedder."""
    embedder, folder = CountedEmbedder(), tmp_path_factory.mktemp("shards")
    measures, _ = build_measures(MEASURES, networks(embed=embedder))
    with FaceStreams() as streams:
        evaluate_rows(rows, measures, ShardStore(folder, []), streams, Progress())
    return folder, embedder


def test_the_frames_of_a_source_are_embedded_once_for_all_methods(evaluated):
    repeated = sum(count > 1 for count in evaluated[1].crops.values())
    assert repeated == FRAMES["source"]  # by `shuffled`, whose batches are others


def test_what_methods_share_changes_no_byte_of_a_shard(evaluated, rows, tmp_path):
    measures, _ = build_measures(MEASURES, networks())
    store = ShardStore(tmp_path, [])
    for row in rows:
        with FaceStreams() as streams:
            measure_clip(row, measures, store, streams)
    with FaceStreams() as streams:
        measure_pool(rows[0].source, measures, store, streams)
    alone = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert {path.name: path.read_bytes() for path in evaluated[0].iterdir()} == alone


def test_a_reference_is_read_once_for_its_states(evaluated, rows, tmp_path, monkeypatch):
    measures, _ = build_measures(["csim"], networks())
    with FaceStreams() as streams:
        measure_clip(rows[0], measures, ShardStore(tmp_path / "first", []), streams)
        reference = streams.open(rows[0].reference)
        monkeypatch.setattr(reference, "chunks", lambda: pytest.fail("read again"))
        measure_clip(rows[2], measures, ShardStore(tmp_path / "second", []), streams)


def test_generated_videos_and_unfinished_ones_are_closed_after_their_row(rows, tmp_path, monkeypatch):
    measures, _ = build_measures(["lip-distance"], networks())
    closed: list[str] = []
    monkeypatch.setattr(FaceStream, "close", lambda stream: closed.append(stream.name))
    with FaceStreams() as streams:
        measure_clip(rows[2], measures, ShardStore(tmp_path, []), streams)
        assert sorted(closed) == sorted([rows[2].reference, rows[2].generated])
