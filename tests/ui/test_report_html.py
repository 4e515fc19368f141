"""The report of an edit as HTML."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

from fake_editor import build_report

from asccl.types import EditRequest, MediaInfo
from asccl.ui.report_html import report_html


def fake_report(is_still: bool = False) -> dict[str, Any]:
    """The report of a fake edit of 20 frames, or of a still."""
    seconds, frames = (0.0, 1) if is_still else (2.0, 20)
    info = MediaInfo(Path("talk.mp4"), 160, 160, Fraction(10), Fraction(1, 10), seconds, frames, is_still)
    return build_report(EditRequest(info.path, emotion="sad"), info)


def test_what_was_not_measured_is_left_out():
    report = fake_report(is_still=True)
    report["emotion"] = {"target": None, "before": None, "after": None, "probabilities_before": None}
    report["identity"]["similarity"] = None
    html = report_html(report)
    for text in ("None", "nan", "Identity kept", "Lip opening over time", "Looks"):
        assert text not in html


def test_unchanged_frames_are_listed_with_the_reason():
    html = report_html(fake_report())
    for text in ("face turned too far", "0.4 s to 0.6 s", "15 of 20"):
        assert text in html
    assert "Frames missing" not in html


def test_frames_that_could_not_be_read_are_counted():
    report = fake_report()
    report["frames"]["unreadable"] = 45
    html = report_html(report)
    assert ">45<" in html
    assert "the file is damaged or cut off" in html


def test_names_in_a_report_do_not_become_markup():
    hostile = "<img src=x onerror=alert(1)>.mp4"
    report = fake_report()
    report["weights"][0]["name"] = report["frames"]["spans"][0]["reason"] = hostile
    assert "<img" not in report_html(report)


def test_a_weak_emotion_is_explained():
    report = fake_report()
    report["emotion"] |= {"weak": True, "reason": "More would move the lips."}
    assert "More would move the lips." in report_html(report)


def test_sound_that_was_left_out_is_listed():
    report = fake_report()
    track = {
        "codec": "ac4",
        "language": None,
        "action": "dropped",
        "written_as": None,
        "reason": "it cannot be decoded",
    }
    report["sound"] = [{**track, "damaged": 0}]
    assert "ac4 left out: it cannot be decoded" in report_html(report)


def test_the_networks_of_icface_are_named():
    report = fake_report()
    report["renderer"] = {"name": "icface", "searched": True, "file": "<big>.safetensors", "reason": "it was requested"}
    assert "Rendered by ICface, &lt;big&gt;.safetensors: it was requested." in report_html(report)
