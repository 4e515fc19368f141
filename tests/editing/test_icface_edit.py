"""Edits by the generator icface: its networks are searched for, named in the report, and refused with a reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from asccl import EditRequest, hub
from asccl.__main__ import main
from asccl.editing.icface_selection import select_icface
from asccl.editing.renderer_selection import RENDERERS_FOLDER, select_renderer
from asccl.errors import InputError, SettingError
from asccl.nets.blocks import saved_tensors
from asccl.nets.icface import Icface
from asccl.nets.icface_settings import IcfaceSettings
from asccl.nets.serialize import serialize
from asccl.renderers.icface.openface import VALUE_COLUMNS
from asccl.video import Reader

SETTINGS = IcfaceSettings(width=4, blocks=1, size=32)


def write_icface(path: Path, **metadata: str) -> Path:
    """A file of random networks. metadata: what differs from a valid file's."""
    torch.manual_seed(0)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(serialize(saved_tensors(Icface(SETTINGS)), SETTINGS.to_metadata() | metadata))
    return path


def write_controls(path: Path, seconds: float) -> Path:
    """A table of OpenFace at 25 rows per second in which nothing moves."""
    rows = [f"{n / 25:.3f}, 1" + ", 0.1" * len(VALUE_COLUMNS) for n in range(round(25 * seconds) + 1)]
    path.write_text("\n".join([", ".join(["timestamp", "success", *VALUE_COLUMNS]), *rows]))
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which networks are searched for."""
    monkeypatch.setenv("ASCCL_CHECKPOINTS", str(tmp_path))
    return tmp_path / RENDERERS_FOLDER


def test_networks_are_taken_from_the_folder_by_name_and_the_report_says_why(folder):
    write_icface(folder / "b.safetensors")
    assert "the only one" in select_icface().report["reason"]
    first = write_icface(folder / "a.safetensors")
    (folder / "0.safetensors").write_bytes(b"damaged")
    selection = select_icface()
    assert selection.file == first
    assert selection.report["sha256"] == hub.sha256(first)
    assert "the first of 2 by name" in selection.report["reason"]


def test_the_search_for_a_renderer_of_a_person_ignores_the_networks(folder):
    write_icface(folder / "icface.safetensors")
    report = select_renderer(np.ones(192)).report
    assert "there is no renderer" in report["reason"]


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"kind": "ned-renderer"}, "its kind is ned-renderer"),
        ({"controls": "openface-9"}, "its controls are openface-9, not openface-1"),
        ({"width": "many"}, "no file of ICface's networks"),
    ],
)
def test_a_file_of_another_kind_or_epoch_is_refused_in_one_line(tmp_path, metadata, words):
    path = write_icface(tmp_path / "other.safetensors", **metadata)
    with pytest.raises(InputError) as refused:
        select_icface(path)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def refused_line(still: Path, output: Path, capsys: pytest.CaptureFixture, *options: str) -> str:
    """The line of the edit command that refuses its input with exit status 3."""
    arguments = ["edit", str(still), "--emotion", "happy", "--generator", "icface", "-o", str(output), *options]
    assert main(arguments) == 3
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert not output.exists()
    return message


def test_without_any_networks_a_line_says_what_to_do(folder, still, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(hub, "BUNDLED_FOLDER", tmp_path / "nowhere")
    message = refused_line(still, tmp_path / "out.png", capsys)
    assert "the generator icface needs its networks" in message
    assert "import-weights icface" in message


def test_without_other_networks_the_bundled_ones_are_named_as_what_they_are(folder):
    selection = select_icface()
    assert selection.file.name == "icface-synthetic-128.safetensors"
    assert "trained on synthetic speakers at 128 pixels, they are not those of the paper" in selection.report["reason"]


def test_tensors_of_other_networks_are_refused_before_the_face_is_tracked(still, tmp_path, capsys):
    other = write_icface(tmp_path / "other.safetensors", width="8")
    message = refused_line(still, tmp_path / "out.png", capsys, "--renderer", str(other))
    assert "model.1.weight in" in message


def test_weights_that_are_no_numbers_are_refused(still, tmp_path, capsys):
    path, net = tmp_path / "nan.safetensors", Icface(SETTINGS)
    torch.nn.init.constant_(net.animator.model[-1].bias, float("nan"))
    path.write_bytes(serialize(saved_tensors(net), SETTINGS.to_metadata()))
    message = refused_line(still, tmp_path / "out.png", capsys, "--adapt", "off", "--renderer", str(path))
    assert "nan.safetensors has values that are no numbers, in animator.model" in message


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"renderer": "none.safetensors"}, "there is no file none.safetensors"),
        ({"controls": "none.csv"}, "none.csv cannot be read"),
    ],
)
def test_missing_files_are_refused_before_the_face_is_tracked(folder, editor, still, tmp_path, files, words):
    write_icface(folder / "icface.safetensors")
    request = EditRequest(still, tmp_path / "out.png", emotion="happy", generator="icface", **files)
    with pytest.raises(InputError, match=words):
        editor.edit(request)


def test_controls_need_the_generator_that_reads_them():
    with pytest.raises(SettingError, match="'ned' takes no controls: choose icface, or leave it out"):
        EditRequest("a.mp4", emotion="sad", generator="ned", controls="a.csv")
    with pytest.raises(SettingError, match="'icface' takes no manipulator"):
        EditRequest("a.mp4", emotion="sad", generator="icface", manipulator="a.safetensors")


@pytest.fixture(scope="module")
def edited(editor, short_clip, tmp_path_factory) -> tuple[list[np.ndarray], list[np.ndarray], dict]:
    """Frames before and after an edit, and its report."""
    path = tmp_path_factory.mktemp("icface")
    file = write_icface(path / "small.safetensors")
    controls = write_controls(path / "controls.csv", 1.2)
    request = EditRequest(
        short_clip,
        path / "out.mp4",
        emotion="surprised",
        generator="icface",
        renderer=file,
        controls=controls,
        adapt=False,
    )
    report = editor.edit(request).report
    frames = []
    for video in (short_clip, path / "out.mp4"):
        with Reader(video) as reader:
            frames.append([frame.image.astype(int) for frame in reader])
    return *frames, report


def test_the_report_names_the_networks_and_the_table(edited):
    *_, report = edited
    renderer = report["renderer"]
    assert (renderer["name"], renderer["file"], renderer["reason"]) == (
        "icface",
        "small.safetensors",
        "it was requested",
    )
    assert renderer["controls"] == {"file": "controls.csv", "rows": 31, "rows_without_face": 0}
    assert report["weights"][-1] == {"name": "icface", "file": "small.safetensors", "sha256": renderer["sha256"]}
    assert report["request"]["controls"] == "controls.csv"
    assert report["frames"]["edited"] == 12


def test_the_face_changes_in_every_frame_and_the_corners_of_the_picture_stay(edited):
    before, after, _ = edited
    assert len(before) == len(after) == 12
    for source, generated in zip(before, after, strict=True):
        change = np.abs(generated - source)
        assert change.max() > 30
        assert change[-40:].mean() < 4  # coding alone
        assert change[:, -20:].mean() < 4


def test_a_still_and_its_preview_are_the_same(folder, editor, still, tmp_path):
    write_icface(folder / "icface.safetensors")
    request = EditRequest(still, tmp_path / "out.png", emotion="sad", generator="icface", adapt=False)
    editor.edit(request)
    before, after = (np.array(Image.open(path)).astype(int) for path in (still, request.output))
    preview = editor.preview(request, 0.0).edited.astype(int)
    assert np.abs(after - before).max() > 30
    assert np.abs(preview - after).mean() < 0.5 * np.abs(after - before).mean()


def test_a_table_that_ends_before_the_video_is_refused(editor, short_clip, tmp_path):
    request = EditRequest(
        short_clip,
        emotion="sad",
        generator="icface",
        renderer=write_icface(tmp_path / "small.safetensors"),
        controls=write_controls(tmp_path / "short.csv", 0.2),
        adapt=False,
    )
    with pytest.raises(InputError, match=r"short\.csv measures a face from 0\.00 to 0\.20 s"):
        editor.preview(request, 1.0)
