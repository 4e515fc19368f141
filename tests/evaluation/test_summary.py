import dataclasses

import numpy as np
import pytest
from evaluation_reports import LIKENESS, clips_of, report_of, summarize

from asccl.evaluation.frechet import FrechetDistance, moments
from asccl.evaluation.manifest import EvaluationRow
from asccl.evaluation.measure import clip_state
from asccl.evaluation.report import read_report
from asccl.evaluation.scores import ClipShard, Summary
from asccl.evaluation.shards import Shard, ShardStore, read_shard, write_shard
from asccl.evaluation.statistics import ClipStates, difference_interval, score_interval
from asccl.evaluation.tables import format_tables, report_tables

DISTANCE = FrechetDistance("distance", lambda chunk: np.zeros((0, 2)))
FEATURES = np.random.default_rng(0).normal(size=(6, 60, 2))


def states(values: list[float]) -> ClipStates:
    return ClipStates([clip_state(value, 10) for value in values])


def group(summary: Summary, method: str, emotion: str) -> float:
    return next(g.interval.value for g in summary.groups if (g.method, g.emotion) == (method, emotion))


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution():
    values = list(np.random.default_rng(1).normal(0, 1, 400))
    interval = score_interval(LIKENESS, states(values), np.random.default_rng(0), 1000)
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * np.std(values) / 20, rel=0.1)


def test_few_clips_have_no_interval():
    assert np.isnan(score_interval(LIKENESS, states([1.0, 2.0]), np.random.default_rng(0)).low)


def test_clips_of_one_source_are_no_evidence_of_their_own():
    values, sources = [0.1, 0.5, 0.7, 0.8], tuple("abcd")
    once = score_interval(LIKENESS, states(values), np.random.default_rng(0))
    copies = dataclasses.replace(states(3 * values), sources=3 * sources)
    thrice = score_interval(LIKENESS, copies, np.random.default_rng(0))
    assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high))


def test_many_clips_of_few_sources_have_no_interval():
    clips = [
        dataclasses.replace(clip, row=dataclasses.replace(clip.row, source=f"{k % 2}.mp4"))
        for k, clip in enumerate(clips_of("warp", [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]))
    ]
    assert all(np.isnan(score.interval.low) for score in summarize(clips).groups)


def test_a_measure_that_no_clip_has_is_listed_with_a_reason():
    shard = Shard({}, {"likeness": "the clip has no reference"}, 10, 10)
    clips = [dataclasses.replace(clip, shard=shard) for clip in clips_of("warp", [0.1, 0.2])]
    assert [str(entry) for entry in summarize(clips).left_out] == [
        "likeness: not measured on any clip (the clip has no reference)"
    ]


def test_a_measure_that_one_clip_has_is_not_listed():
    first, second = clips_of("warp", [0.1, 0.2])
    second = dataclasses.replace(second, shard=Shard({}, {"likeness": "the clip has no reference"}, 10, 10))
    assert summarize([first, second]).left_out == ()


def test_a_constant_difference_has_an_interval_of_one_point():
    first, second = states([0.1, 0.5, 0.9]), states([0.0, 0.4, 0.8])
    interval = difference_interval(LIKENESS, first, second, np.random.default_rng(0))
    assert (interval.low, interval.high) == pytest.approx((0.1, 0.1))


def test_a_copy_of_its_own_pool_has_the_distance_zero_in_every_draw():
    clips = [moments(rows, "generated/0") for rows in FEATURES]
    pool = [moments(rows, "real/0") for rows in FEATURES]
    interval = score_interval(DISTANCE, ClipStates(clips, pool, np.eye(6, dtype=bool)), np.random.default_rng(0), 20)
    assert interval.high == pytest.approx(0, abs=1e-6)


def test_an_interval_of_a_distance_contains_it():
    clips = [moments(rows + 1, "generated/0") for rows in FEATURES]
    pool = [moments(rows, "real/0") for rows in FEATURES]
    interval = score_interval(DISTANCE, ClipStates(clips, pool, np.eye(6, dtype=bool)), np.random.default_rng(0), 50)
    assert interval.low < interval.value < interval.high


def test_all_clips_are_merged_and_the_average_is_over_emotions():
    summary = summarize(clips_of("warp", [1.0, 1.0, 4.0], "happy happy sad"))
    assert (group(summary, "warp", "pooled"), group(summary, "warp", "average")) == (2.0, 2.5)


def test_shards_in_another_order_give_the_same_numbers():
    clips = clips_of("warp", [0.1, 0.7, 0.30001, 0.9])
    first, second = ([score.to_record() for score in summarize(order).groups] for order in (clips, clips[::-1]))
    assert first == second


def test_methods_are_compared_on_their_common_clips():
    summary = summarize([*clips_of("a", [1.0, 2.0, 3.0]), *clips_of("b", [0.5, 2.5])])
    difference = summary.differences[0]
    assert (difference.interval.value, difference.interval.clips, difference.better) == (0.0, 2, 1)


def test_a_clip_without_an_emotion_counts_in_all_clips_only():
    clips = clips_of("warp", [1.0, 3.0])
    clips[1] = ClipShard(dataclasses.replace(clips[1].row, emotion=None), clips[1].shard)
    summary = summarize(clips)
    assert (group(summary, "warp", "average"), group(summary, "warp", "pooled")) == (1.0, 2.0)


@pytest.mark.parametrize(("unpaired", "count"), [(2, 0), (40, 1)])
def test_clips_of_other_lengths_are_listed(unpaired, count):
    clips = clips_of("warp", [1.0, 2.0])
    clips[0] = ClipShard(clips[0].row, dataclasses.replace(clips[0].shard, unpaired=unpaired))
    assert len([entry for entry in summarize(clips).left_out if "no partner" in entry.reason]) == count


def test_a_shard_reads_as_it_was_written(tmp_path):
    shard = Shard({"a": {"sum": np.array([0.1, 2e300]), "count": np.array(3.0)}}, {"b": "no sound"}, 5, 4, -2, b"jpeg")
    write_shard(tmp_path / "shard", shard)
    read = read_shard(tmp_path / "shard")
    assert read.states["a"]["sum"].tolist() == [0.1, 2e300]
    assert (read.states["a"]["count"].shape, read.left_out, read.offset, read.picture) == (
        (),
        {"b": "no sound"},
        -2,
        b"jpeg",
    )


@pytest.mark.parametrize("content", [b"", b"half a file", None])
def test_a_damaged_shard_is_computed_again(tmp_path, content):
    if content is not None:
        (tmp_path / "shard").write_bytes(content)
    assert read_shard(tmp_path / "shard") is None


@pytest.mark.parametrize("key", ["sha256", "tracker"])
def test_other_weights_make_other_shards(tmp_path, key):
    row = EvaluationRow("a", "cross-id", str(tmp_path / "a.mp4"))
    (tmp_path / "a.mp4").touch()
    paths = {ShardStore(tmp_path, [{"name": "net", key: digest}]).clip_path(row) for digest in ("1", "2")}
    assert len(paths) == 2


def test_a_report_reads_as_it_was_written(tmp_path):
    written = report_of(*clips_of("warp", [1.0, 2.0, 3.0]))
    written.write(tmp_path / "report.jsonl")
    assert read_report(tmp_path / "report.jsonl") == written


def test_the_report_states_protocol_and_counts():
    protocol = report_of(*clips_of("warp", [1.0, 2.0]), missing={"lse-d-group": "no weights"}).protocol
    assert protocol["clips"] == [{"setting": "cross-id", "method": "warp", "clips": 2, "frames": 20, "faces": 20}]
    assert protocol["missing_measures"] == {"lse-d-group": "no weights"}


def test_a_table_marks_measures_whose_weights_are_missing():
    tables = report_tables(report_of(*clips_of("warp", [1.0]), missing={"lse-d-group": "no weights"}))
    assert ["lse-d-group (not measured)", "–"] in tables[0].rows


def test_a_table_by_emotion_has_the_average():
    tables = report_tables(report_of(*clips_of("warp", [1.0, 2.0])), by_emotion=True)
    assert [row[0] for row in tables[-1].rows] == ["happy", "sad", "average", "pooled"]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("markdown", "| likeness ↑ | 2.000 [1.000, 3.000] |"),
        ("latex", r"likeness $\uparrow$ & 2.000 [1.000, 3.000] \\"),
        ("csv", '"cross-id: all clips, with 95 % intervals over clips",likeness ↑,"2.000 [1.000, 3.000]"'),
    ],
)
def test_a_table_is_written_in_three_formats(name, line):
    tables = report_tables(report_of(*clips_of("warp", [1.0, 2.0, 3.0])))
    assert line in format_tables(tables, name)
