"""The report of an edit as text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from asccl.commands.edit_report import describe_renderer, format_table, summarize_report

REPORT: dict[str, Any] = {
    "frames": {
        "total": 90,
        "edited": 60,
        "passed_through": 30,
        "unreadable": 7,
        "spans": [{"first": 0, "last": 29, "start": 0.0, "end": 1.0, "reason": "turned"}] * 6,
    },
    "speech": {"lip_gap_correlation": 0.987, "lip_distance_percent": None, "closures_kept": 0.961},
    "identity": {"similarity": 0.91},
    "emotion": {"target": "happy", "before": 0.1, "after": 0.84},
    "seconds": {"total": 3.21},
}


def test_the_table_lists_unchanged_spans() -> None:
    assert format_table(Path("o.mp4"), REPORT).splitlines() == [
        "o.mp4",
        "  edited     60 of 90 frames",
        "  missing    7 frames that could not be read: the file is damaged or cut off",
        "  speech     lip opening r 0.99, closures kept 96%",
        "  identity   0.91",
        "  happy      0.10 -> 0.84",
        "  time       3.2 s",
        *["  unchanged  0.00 to 1.00 s, face turned"] * 4,
        "             and 2 more spans",
    ]


def test_what_was_not_measured_is_left_out() -> None:
    report = {
        "frames": {"total": 1, "edited": 0, "unreadable": 0},
        "speech": dict.fromkeys(REPORT["speech"]),
        "identity": {"similarity": None},
        "emotion": {"target": "sad", "before": None, "after": None},
        "seconds": {"total": 1.0},
    }
    assert summarize_report(report) == {"edited": "0 of 1 frames", "time": "1.0 s"}


def test_the_renderer_is_described_where_one_was_searched_for() -> None:
    warp = {"name": "warp", "reason": "no renderer fits this person"}
    assert describe_renderer({**warp, "searched": True}) == "warp: no renderer fits this person"
    assert describe_renderer({**warp, "searched": False}) == ""
    neural = {"name": "neural", "file": "anna.safetensors", "similarity": 0.876}
    icface = {"name": "icface", "file": "big.safetensors", "similarity": None, "reason": "it was requested"}
    assert describe_renderer(icface) == "icface big.safetensors: it was requested"
    assert describe_renderer(neural) == "anna.safetensors, identity similarity 0.88"


def test_a_weak_emotion_is_explained() -> None:
    weak = {**REPORT, "emotion": {**REPORT["emotion"], "weak": True, "reason": "More would move the lips."}}
    assert summarize_report(weak)["weak"] == "More would move the lips."


def test_what_was_not_carried_over_is_listed() -> None:
    track = {
        "codec": "mp2",
        "language": "ger",
        "action": "encoded",
        "written_as": "aac",
        "reason": "MP4 cannot hold mp2",
    }
    jumps = [{"time": 1.6, "seconds": -1.6}]
    report = {
        **REPORT,
        "sound": [{**track, "damaged": 0}],
        "clock": {"stated_seconds": 1.6, "measured_seconds": 3.2, "jumps": jumps},
    }
    summary = summarize_report(report)
    assert summary["sound"] == "mp2 (ger) encoded to aac: MP4 cannot hold mp2"
    assert summary["clock"] == "jumps at 1.60 s by -1.60 s: carried on without a gap"


def test_a_wrong_header_is_mentioned() -> None:
    clock: dict[str, Any] = {"stated_seconds": 0.067, "measured_seconds": 2.0, "jumps": []}
    assert summarize_report({**REPORT, "clock": clock})["clock"] == "2.00 s were measured, the header states 0.07 s"
